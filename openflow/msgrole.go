package openflow

import "fmt"

// Role of a controller at a switch.
type Role uint32

// Roles (OpenFlow 1.5.1, 7.3.8).
const (
	RoleNoChange Role = 0
	RoleEqual    Role = 1
	// RoleMaster may write, and there is one at most. Open vSwitch calls it primary.
	RoleMaster Role = 2
	// RoleSlave may only read. Open vSwitch calls it secondary.
	RoleSlave Role = 3
)

// String is the role as ovs-ofctl prints it.
func (r Role) String() string {
	if names := [...]string{"nochange", "equal", "primary", "secondary"}; int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("role %d", uint32(r))
}

// RoleState is what role requests and replies say.
type RoleState struct {
	Role Role
	// ShortID is said in OpenFlow 1.5 only; 0xffff is undefined.
	ShortID uint16
	// GenerationID orders changes of mastership: a switch refuses a lower one than the highest it has seen, comparing
	// modulo 2^64. In a reply, all ones means that it has seen none.
	GenerationID uint64
}

func (m *RoleState) append(b []byte, v Version, t Type, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendHeader(b, v, t, xid), uint32(m.Role))
	if v >= V15 {
		b = appendZeros(appendU16(b, m.ShortID), 2)
	} else {
		b = appendZeros(b, 4)
	}
	return finish(appendU64(b, m.GenerationID), start)
}

func parseRoleBody(b []byte, v Version) (RoleState, error) {
	c := body(b)
	m := RoleState{Role: Role(c.u32())}
	if v >= V15 {
		m.ShortID = c.u16()
		c.skip(2)
	} else {
		c.skip(4)
	}
	m.GenerationID = c.u64()
	return m, c.end()
}

// RoleRequest asks for a role, or with RoleNoChange for the present one.
type RoleRequest struct{ RoleState }

// Append implements Message.
func (m *RoleRequest) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeRoleRequest, xid)
}

// RoleReply tells the role.
type RoleReply struct{ RoleState }

// Append implements Message.
func (m *RoleReply) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeRoleReply, xid)
}

// RoleReason says why a role was taken away.
type RoleReason uint8

// Reasons (OpenFlow 1.5.1, 7.4.4).
const (
	// RoleMasterRequest: another controller became master.
	RoleMasterRequest RoleReason = 0
	// RoleConfig: the switch was configured so.
	RoleConfig RoleReason = 1
	// RoleExperimenter: an experimenter's reason.
	RoleExperimenter RoleReason = 2
)

// RoleStatus tells a controller that its role has changed.
type RoleStatus struct {
	Role         Role
	Reason       RoleReason
	GenerationID uint64
	// Properties are kept as they came.
	Properties []byte
}

// Append implements Message.
func (m *RoleStatus) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(nativeHeader(b, v, TypeRoleStatus, onfRoleStatus, xid), uint32(m.Role))
	b = appendU64(append(b, byte(m.Reason), 0, 0, 0), m.GenerationID)
	return finish(append(b, m.Properties...), start)
}

func parseRoleStatus(c cursor) (*RoleStatus, error) {
	m := &RoleStatus{Role: Role(c.u32()), Reason: RoleReason(c.u8())}
	c.skip(3)
	m.GenerationID = c.u64()
	m.Properties = c.rest()
	return m, c.err()
}
