package openflow

import (
	"encoding/binary"
	"fmt"
)

// MonitorCommand says what a FlowMonitorRequest does. OpenFlow 1.3 can only add; see FlowMonitorCancel.
type MonitorCommand uint8

// Commands (OpenFlow 1.5.1, 7.3.5.18).
const (
	MonitorAddCommand    MonitorCommand = 0
	MonitorModifyCommand MonitorCommand = 1
	MonitorDeleteCommand MonitorCommand = 2
)

// Flags of a FlowMonitorRequest.
const (
	MonitorInitial      uint16 = 1 << 0
	MonitorAdd          uint16 = 1 << 1
	MonitorDelete       uint16 = 1 << 2
	MonitorModify       uint16 = 1 << 3
	MonitorInstructions uint16 = 1 << 4
	// MonitorOwn asks for the changes that this connection makes in full. Without it Open vSwitch tells them as
	// UpdateAbbrev. OpenFlow 1.4 calls the bit OFPFMF_ONLY_OWN; Open vSwitch 3.1 gives it this meaning, and refuses
	// OFPFMF_NO_ABBREV. In 1.3 it is the bit ONFFMF_OWN.
	MonitorOwn uint16 = 1 << 6

	onfMonitorOwn uint16 = 1 << 5
)

// FlowMonitorRequest asks to be told of changes of rows. It is the body of a MultipartFlowMonitor request, which Open
// vSwitch answers with what it has when MonitorInitial is set, and with updates of xid 0 from then on.
type FlowMonitorRequest struct {
	// ID is the controller's choice, and one connection's.
	ID      uint32
	Command MonitorCommand
	Flags   uint16
	// Table is AllTables for all.
	Table uint8
	// OutPort and OutGroup choose rows that send there; PortAny and GroupAny choose all. OpenFlow 1.3 has no OutGroup.
	OutPort, OutGroup uint32
	Match             Match
}

// Append appends the body of a request.
func (r *FlowMonitorRequest) Append(b []byte, v Version) []byte {
	if v == V13 {
		flags := r.Flags &^ MonitorOwn
		if r.Flags&MonitorOwn != 0 {
			flags |= onfMonitorOwn
		}
		b = appendU16(appendU32(b, r.ID), flags)
		lenAt := len(b)
		b = appendU32(appendZeros(b, 2), r.OutPort)
		b = append(b, r.Table, 0, 0, 0)
		matchAt := len(b)
		b = AppendMatch(b, r.Match)
		copy(b[lenAt:lenAt+2], b[matchAt+2:matchAt+4])
		return b
	}
	b = appendU32(appendU32(appendU32(b, r.ID), r.OutPort), r.OutGroup)
	return AppendMatch(append(appendU16(b, r.Flags), r.Table, byte(r.Command)), r.Match)
}

// ParseFlowMonitorRequest decodes the first request of a body, and tells how many bytes it takes.
func ParseFlowMonitorRequest(b []byte, v Version) (FlowMonitorRequest, int, error) {
	c := cursor{b: b}
	r := FlowMonitorRequest{ID: c.u32(), OutGroup: GroupAny}
	if v == V13 {
		r.Flags = c.u16()
		c.skip(2)
		r.OutPort, r.Table = c.u32(), c.u8()
		c.skip(3)
		if r.Flags&onfMonitorOwn != 0 {
			r.Flags = r.Flags&^onfMonitorOwn | MonitorOwn
		}
	} else {
		r.OutPort, r.OutGroup, r.Flags, r.Table, r.Command = c.u32(), c.u32(), c.u16(), c.u8(), MonitorCommand(c.u8())
	}
	if r.Command == MonitorDeleteCommand && len(c.b) == 0 {
		return r, c.off, c.err() // Open vSwitch sends no match with it
	}
	at := c.off
	match := c.match()
	if err := c.err(); err != nil {
		return r, 0, err
	}
	var err error
	if r.Match, err = decodeMatch(match); err != nil {
		err = fmt.Errorf("match at byte %d: %w", at, err)
	}
	return r, c.off, err
}

// UpdateEvent says what happened to a row.
type UpdateEvent uint16

// Events (OpenFlow 1.5.1, 7.3.5.18.2). OpenFlow 1.3 tells UpdateInitial as UpdateAdded, and a pause as a message:
// FlowMonitorPaused, FlowMonitorResumed.
const (
	UpdateInitial  UpdateEvent = 0
	UpdateAdded    UpdateEvent = 1
	UpdateRemoved  UpdateEvent = 2
	UpdateModified UpdateEvent = 3
	// UpdateAbbrev: what the flow-mod with XID did, from this connection.
	UpdateAbbrev UpdateEvent = 4
	// UpdatePaused: the switch tells no more until UpdateResumed, before which it tells the net change.
	UpdatePaused  UpdateEvent = 5
	UpdateResumed UpdateEvent = 6
)

// String is the event as ovs-ofctl prints it.
func (e UpdateEvent) String() string {
	if names := [...]string{"INITIAL", "ADDED", "DELETED", "MODIFIED", "ABBREV", "PAUSED", "RESUMED"}; int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprint(uint16(e))
}

// FlowUpdate is one change of a row. Match and Instructions alias the message.
type FlowUpdate struct {
	Event UpdateEvent
	// XID is set for UpdateAbbrev, and then nothing else is.
	XID uint32
	// Reason is set for UpdateRemoved.
	Reason                   RemovedReason
	Table                    uint8
	Priority                 uint16
	IdleTimeout, HardTimeout uint16
	Cookie                   uint64
	Match                    RawMatch
	// Instructions are there when they were asked for with MonitorInstructions.
	Instructions RawInstructions
}

// full says whether the event is told with the row.
func (e UpdateEvent) full() bool { return e <= UpdateModified }

// Append appends one element of the body of a MultipartFlowMonitor reply.
func (u *FlowUpdate) Append(b []byte, v Version) []byte {
	start := len(b)
	event := u.Event
	if v == V13 && event > UpdateInitial {
		event--
	}
	b = appendU16(appendZeros(b, 2), uint16(event))
	switch {
	case u.Event == UpdateAbbrev:
		b = appendU32(b, u.XID)
	case !u.Event.full():
		b = appendZeros(b, 4)
	case v == V13:
		b = appendU16(appendU16(b, uint16(u.Reason)), u.Priority)
		b = appendU16(appendU16(b, u.IdleTimeout), u.HardTimeout)
		b = append(appendU16(b, u.Match.length()), u.Table, 0)
		b = append(append(appendU64(b, u.Cookie), u.Match...), u.Instructions...)
	default:
		b = append(b, u.Table, byte(u.Reason))
		b = appendZeros(appendU16(appendU16(appendU16(b, u.IdleTimeout), u.HardTimeout), u.Priority), 4)
		b = append(append(appendU64(b, u.Cookie), u.Match...), u.Instructions...)
	}
	putLen(b, start, len(b)-start)
	return b
}

// length is the length of the match without its padding, as it says itself.
func (m RawMatch) length() uint16 {
	if len(m) < 4 {
		return 0
	}
	return binary.BigEndian.Uint16(m[2:])
}

// EachFlowUpdate decodes the changes in the body of a reply into one FlowUpdate after the other. What each gets is good
// until it returns; its error ends the walk and is returned as it is.
func EachFlowUpdate(b []byte, v Version, each func(*FlowUpdate) error) error {
	for at := 0; at < len(b); {
		c := cursor{b: b[at:]}
		n := int(c.u16())
		if n < 8 || n > len(b)-at {
			return fmt.Errorf("update at byte %d of the body says that it is %d bytes long, of %d", at, n, len(b)-at)
		}
		c.b = c.b[: n-2 : n-2]
		var u FlowUpdate
		if err := u.parse(&c, v); err != nil {
			return fmt.Errorf("update at byte %d of the body: %w", at, err)
		}
		if err := each(&u); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func (u *FlowUpdate) parse(c *cursor, v Version) error {
	u.Event = UpdateEvent(c.u16())
	if v == V13 {
		u.Event++
	}
	switch {
	case u.Event > UpdateResumed, v == V13 && u.Event > UpdateAbbrev:
		return fmt.Errorf("unknown event %v", u.Event)
	case u.Event == UpdateAbbrev:
		u.XID = c.u32()
		return c.end()
	case !u.Event.full():
		c.skip(4)
		return c.end()
	case v == V13:
		u.Reason, u.Priority = RemovedReason(c.u16()), c.u16()
		u.IdleTimeout, u.HardTimeout = c.u16(), c.u16()
		c.skip(2)
		u.Table = c.u8()
		c.skip(1)
	default:
		u.Table, u.Reason = c.u8(), RemovedReason(c.u8())
		u.IdleTimeout, u.HardTimeout, u.Priority = c.u16(), c.u16(), c.u16()
		c.skip(4)
	}
	u.Cookie = c.u64()
	u.Match = c.match()
	u.Instructions = RawInstructions(c.rest())
	if err := c.err(); err != nil {
		return err
	}
	if err := checkMatch(u.Match); err != nil {
		return fmt.Errorf("match: %w", err)
	}
	if err := ValidateInstructions(u.Instructions); err != nil {
		return fmt.Errorf("instructions: %w", err)
	}
	return nil
}

// FlowMonitorCancel ends a flow monitor.
type FlowMonitorCancel struct{ ID uint32 }

// Append implements Message. From OpenFlow 1.4 on it is a FlowMonitorRequest, and there is a reply.
func (m *FlowMonitorCancel) Append(b []byte, v Version, xid uint32) []byte {
	if v == V13 {
		start := len(b)
		b = appendU32(appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterONF), onfFlowMonitor)
		return finish(appendU32(b, m.ID), start)
	}
	r := FlowMonitorRequest{ID: m.ID, Command: MonitorDeleteCommand}
	req := MultipartRequest{Multipart{Type: MultipartFlowMonitor, Body: r.Append(nil, v)}}
	return req.Append(b, v, xid)
}

// FlowMonitorPaused is what UpdatePaused is in OpenFlow 1.3.
type FlowMonitorPaused struct{}

// Append implements Message. From OpenFlow 1.4 on it is an update.
func (*FlowMonitorPaused) Append(b []byte, v Version, xid uint32) []byte {
	return appendPause(b, v, xid, onfMonitorPaused, UpdatePaused)
}

// FlowMonitorResumed is what UpdateResumed is in OpenFlow 1.3.
type FlowMonitorResumed struct{}

// Append implements Message. From OpenFlow 1.4 on it is an update.
func (*FlowMonitorResumed) Append(b []byte, v Version, xid uint32) []byte {
	return appendPause(b, v, xid, onfMonitorResumed, UpdateResumed)
}

func appendPause(b []byte, v Version, xid uint32, onf uint32, e UpdateEvent) []byte {
	if v == V13 {
		start := len(b)
		return finish(appendU32(appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterONF), onf), start)
	}
	u := FlowUpdate{Event: e}
	reply := MultipartReply{Multipart{Type: MultipartFlowMonitor, Body: u.Append(nil, v)}}
	return reply.Append(b, v, xid)
}
