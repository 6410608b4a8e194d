package openflow

import "fmt"

// AsyncType names one mask of an AsyncConfig.
type AsyncType uint16

// Masks (OpenFlow 1.5.1, 7.3.10). The slave's masks are even, those of master and equal are one higher. OpenFlow 1.3
// has the first six.
const (
	AsyncPacketInSlave       AsyncType = 0
	AsyncPacketIn            AsyncType = 1
	AsyncPortStatusSlave     AsyncType = 2
	AsyncPortStatus          AsyncType = 3
	AsyncFlowRemovedSlave    AsyncType = 4
	AsyncFlowRemoved         AsyncType = 5
	AsyncRoleStatusSlave     AsyncType = 6
	AsyncRoleStatus          AsyncType = 7
	AsyncTableStatusSlave    AsyncType = 8
	AsyncTableStatus         AsyncType = 9
	AsyncRequestForwardSlave AsyncType = 10
	AsyncRequestForward      AsyncType = 11
)

// AsyncMask has bit r set for each reason r that the controller wants to be told of.
type AsyncMask struct {
	Type AsyncType
	Mask uint32
}

// AsyncConfig says which messages that nobody asked for a controller gets. In OpenFlow 1.3 what is not named is off, and
// masks that it does not know are not sent; later versions leave what is not named as it was.
type AsyncConfig struct{ Masks []AsyncMask }

// async13 is the order of the masks in OpenFlow 1.3: master and equal first.
var async13 = [...]AsyncType{AsyncPacketIn, AsyncPacketInSlave, AsyncPortStatus, AsyncPortStatusSlave, AsyncFlowRemoved, AsyncFlowRemovedSlave}

// nxtSetAsyncConfig2 is Open vSwitch's message that brings the masks of later versions to 1.3 (nicira-ext.h,
// NXT_SET_ASYNC_CONFIG2). What it does not name stays as it was.
const nxtSetAsyncConfig2 = 27

// TellRoleStatus is the message that makes Open vSwitch tell a controller when its role is taken away. There is no reply.
func TellRoleStatus(v Version) Message {
	all := uint32(1<<RoleMasterRequest | 1<<RoleConfig)
	c := AsyncConfig{Masks: []AsyncMask{{AsyncRoleStatusSlave, all}, {AsyncRoleStatus, all}}}
	if v == V13 {
		return &Experimenter{Experimenter: ExperimenterNicira, Type: nxtSetAsyncConfig2, Body: c.appendMasks(nil)}
	}
	return &SetAsync{c}
}

// Mask returns the mask of a type, or 0.
func (m *AsyncConfig) Mask(t AsyncType) uint32 {
	for _, a := range m.Masks {
		if a.Type == t {
			return a.Mask
		}
	}
	return 0
}

func (m *AsyncConfig) append(b []byte, v Version, t Type, xid uint32) []byte {
	start := len(b)
	b = appendHeader(b, v, t, xid)
	if v == V13 {
		for _, t := range async13 {
			b = appendU32(b, m.Mask(t))
		}
		return finish(b, start)
	}
	return finish(m.appendMasks(b), start)
}

func (m *AsyncConfig) appendMasks(b []byte) []byte {
	for _, a := range m.Masks {
		b = appendU32(appendU16(appendU16(b, uint16(a.Type)), 8), a.Mask)
	}
	return b
}

func parseAsyncConfig(b []byte, v Version) (AsyncConfig, error) {
	c := body(b)
	var m AsyncConfig
	if v == V13 {
		for _, t := range async13 {
			m.Masks = append(m.Masks, AsyncMask{t, c.u32()})
		}
		return m, c.end()
	}
	for len(c.b) > 0 && !c.short {
		a := AsyncMask{Type: AsyncType(c.u16())}
		if n := c.u16(); n != 8 && !c.short {
			return m, fmt.Errorf("mask at byte %d says that it is %d bytes long, not 8", c.off-4, n)
		}
		a.Mask = c.u32()
		m.Masks = append(m.Masks, a)
	}
	return m, c.err()
}

// GetAsyncRequest asks for the AsyncConfig.
type GetAsyncRequest struct{}

// Append implements Message.
func (*GetAsyncRequest) Append(b []byte, v Version, xid uint32) []byte {
	return appendEmpty(b, v, TypeGetAsyncRequest, xid)
}

// GetAsyncReply tells the AsyncConfig.
type GetAsyncReply struct{ AsyncConfig }

// Append implements Message.
func (m *GetAsyncReply) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeGetAsyncReply, xid)
}

// SetAsync sets the AsyncConfig. There is no reply.
type SetAsync struct{ AsyncConfig }

// Append implements Message.
func (m *SetAsync) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeSetAsync, xid)
}
