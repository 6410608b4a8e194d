package fakeswitch

import "github.com/weft-sdn/weft/openflow"

// monitor adds flow monitors, or ends them, and tells of what is there when asked.
func (c *conn) monitor(m *openflow.MultipartRequest, reply *parts) *openflow.Error {
	reqs, err := openflow.ParseAll(m.Body, c.version, openflow.ParseFlowMonitorRequest)
	if err != nil {
		return errBadLen
	}
	for _, r := range reqs {
		_, exists := c.monitors[r.ID]
		switch {
		case r.Command == openflow.MonitorDeleteCommand && exists:
			delete(c.monitors, r.ID)
			continue
		case r.Command == openflow.MonitorDeleteCommand:
			return c.monitorError(3) // OFPMOFC_UNKNOWN_MONITOR
		case r.Command == openflow.MonitorAddCommand && exists:
			return c.monitorError(1) // OFPMOFC_MONITOR_EXISTS
		}
		c.monitors[r.ID] = r
		if r.Flags&openflow.MonitorInitial == 0 {
			continue
		}
		for _, row := range c.s.table {
			if concerns(&r, openflow.UpdateInitial, row) {
				u := c.update(event{kind: openflow.UpdateInitial, row: row}, r.Flags)
				reply.body = u.Append(reply.body, c.version)
				reply.cut()
			}
		}
	}
	return nil
}

// monitorError is a monitor error in the connection's version: OpenFlow 1.3 has them from Nicira.
func (c *conn) monitorError(code uint16) *openflow.Error {
	if c.version == openflow.V13 {
		return &openflow.Error{Type: openflow.ErrorExperimenter, Experimenter: openflow.ExperimenterNicira, Code: 5 + code}
	}
	return &openflow.Error{Type: 16, Code: code}
}

// concerns says whether a monitor wants to know of an event.
func concerns(r *openflow.FlowMonitorRequest, e openflow.UpdateEvent, row *row) bool {
	bit := map[openflow.UpdateEvent]uint16{openflow.UpdateInitial: openflow.MonitorInitial, openflow.UpdateAdded: openflow.MonitorAdd,
		openflow.UpdateRemoved: openflow.MonitorDelete, openflow.UpdateModified: openflow.MonitorModify}[e]
	return r.Flags&bit != 0 && (r.Table == openflow.AllTables || r.Table == row.table) &&
		(r.OutPort == openflow.PortAny || sendsTo(row, r.OutPort)) && covers(r.Match, row)
}

// update is how a row is told.
func (c *conn) update(e event, flags uint16) openflow.FlowUpdate {
	r := e.row
	u := openflow.FlowUpdate{Event: e.kind, Table: r.table, Priority: r.priority, IdleTimeout: r.idle, HardTimeout: r.hard, Cookie: r.cookie,
		Match: openflow.RawMatch(r.match)}
	if e.kind == openflow.UpdateRemoved {
		u.Reason = e.reason
	}
	if flags&openflow.MonitorInstructions != 0 {
		u.Instructions = openflow.RawInstructions(r.encoded(c.version))
	}
	return u
}

// report tells all monitors of what was done over the connection by, or by nobody's. As in Open vSwitch, a connection
// learns of all that one transaction of its own did by one abbreviated update.
func (s *Switch) report(by *conn, events []event) {
	for c := range s.conns {
		if len(c.monitors) == 0 {
			continue
		}
		p := &parts{c: c, typ: openflow.MultipartFlowMonitor}
		abbreviated := false
		for _, e := range events {
			var flags uint16
			for _, r := range c.monitors {
				if concerns(&r, e.kind, e.row) {
					flags |= r.Flags
				}
			}
			switch {
			case flags == 0:
				continue
			case c != by || flags&openflow.MonitorOwn != 0:
				u := c.update(e, flags)
				p.body = u.Append(p.body, c.version)
				p.cut()
			case !abbreviated:
				u := openflow.FlowUpdate{Event: openflow.UpdateAbbrev, XID: e.xid}
				p.body = u.Append(p.body, c.version)
				abbreviated = true
			}
		}
		if len(p.body) > 0 {
			p.end()
		}
	}
}
