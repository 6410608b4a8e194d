package fakeswitch

import "github.com/weft-sdn/weft/openflow"

// partLen is about how long the body of one part of a reply gets, as in Open vSwitch.
const partLen = 65000

func (c *conn) multipart(m *openflow.MultipartRequest, b []byte, xid uint32) {
	var err *openflow.Error
	reply := &parts{c: c, xid: xid, typ: m.Type}
	switch m.Type {
	case openflow.MultipartDesc:
		d := openflow.SwitchDesc{Manufacturer: "Weft", Hardware: "fakeswitch", Software: "0", SerialNumber: "None", Datapath: "None"}
		reply.body = d.Append(reply.body)
	case openflow.MultipartFlow, openflow.MultipartAggregate:
		err = c.flows(m, reply)
	case openflow.MultipartTable:
		c.tables(reply)
	case openflow.MultipartPortDesc:
		for i := range c.s.cfg.Ports {
			reply.body = openflow.AppendPort(reply.body, &c.s.cfg.Ports[i], c.version)
			reply.cut()
		}
	case openflow.MultipartFlowMonitor:
		err = c.monitor(m, reply)
	case openflow.MultipartMeterFeatures:
		c.meterFeatures(reply)
	case openflow.MultipartMeterConfig:
		c.meterConfigs(reply)
	default:
		err = errBadStat
	}
	if err != nil {
		c.refuse(err, b, xid)
		return
	}
	reply.end()
}

// parts cuts a long reply into messages.
type parts struct {
	c    *conn
	xid  uint32
	typ  openflow.MultipartType
	body []byte
}

// cut is called between elements.
func (p *parts) cut() {
	if len(p.body) >= partLen-1024 {
		p.send(openflow.MultipartMore)
	}
}

func (p *parts) end() { p.send(0) }

func (p *parts) send(flags uint16) {
	p.c.send(&openflow.MultipartReply{Multipart: openflow.Multipart{Type: p.typ, Flags: flags, Body: p.body}}, p.xid)
	p.body = p.body[:0]
}

func (c *conn) flows(m *openflow.MultipartRequest, reply *parts) *openflow.Error {
	req, err := openflow.ParseFlowStatsRequest(m.Body, c.version)
	if err != nil {
		return errBadLen
	}
	c.s.counts.Dumps++
	// What a flow-mod to delete would choose, a request chooses.
	which := &openflow.FlowMod{Command: openflow.FlowDelete, Table: req.Table, OutPort: req.OutPort, OutGroup: req.OutGroup,
		Cookie: req.Cookie, CookieMask: req.CookieMask, Match: req.Match}
	rows := c.s.table.choose(which, key{})
	if m.Type == openflow.MultipartAggregate {
		sum := openflow.Counters{DurationSec: ^uint32(0), IdleAge: ^uint32(0), Flows: uint32(len(rows))}
		reply.body = openflow.AppendAggregate(reply.body, &sum, c.version)
		return nil
	}
	for _, r := range rows {
		s := openflow.FlowStats{Table: r.table, Priority: r.priority, IdleTimeout: r.idle, HardTimeout: r.hard, Flags: r.flags,
			Importance: r.importance, Cookie: r.cookie, Counters: counters(r), Match: openflow.RawMatch(r.match),
			Instructions: openflow.RawInstructions(r.encoded(c.version))}
		reply.body = s.Append(reply.body, c.version)
		reply.cut()
	}
	return nil
}

func (c *conn) tables(reply *parts) {
	var active [Tables]uint32
	for k := range c.s.table {
		active[k.table]++
	}
	for i, n := range active {
		s := openflow.TableStats{Table: uint8(i), Active: n}
		reply.body = s.Append(reply.body, c.version)
	}
}
