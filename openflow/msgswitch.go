package openflow

// EchoRequest asks for a sign of life (OpenFlow 1.5.1, 7.5.2).
type EchoRequest struct{ Data []byte }

// Append implements Message.
func (m *EchoRequest) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	return finish(append(appendHeader(b, v, TypeEchoRequest, xid), m.Data...), start)
}

// EchoReply gives the request's data back.
type EchoReply struct{ Data []byte }

// Append implements Message.
func (m *EchoReply) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	return finish(append(appendHeader(b, v, TypeEchoReply, xid), m.Data...), start)
}

// BarrierRequest asks the switch to finish everything before it first (OpenFlow 1.5.1, 7.3.7).
type BarrierRequest struct{}

// Append implements Message.
func (*BarrierRequest) Append(b []byte, v Version, xid uint32) []byte {
	return appendEmpty(b, v, TypeBarrierRequest, xid)
}

// BarrierReply says that everything before the request is done.
type BarrierReply struct{}

// Append implements Message.
func (*BarrierReply) Append(b []byte, v Version, xid uint32) []byte {
	return appendEmpty(b, v, TypeBarrierReply, xid)
}

// FeaturesRequest asks a switch who it is (OpenFlow 1.5.1, 7.3.1).
type FeaturesRequest struct{}

// Append implements Message.
func (*FeaturesRequest) Append(b []byte, v Version, xid uint32) []byte {
	return appendEmpty(b, v, TypeFeaturesRequest, xid)
}

// FeaturesReply says who a switch is.
type FeaturesReply struct {
	// DatapathID is unique; in Open vSwitch other_config:datapath-id of the bridge sets it.
	DatapathID uint64
	Buffers    uint32
	Tables     uint8
	// AuxiliaryID is 0 on the main connection.
	AuxiliaryID  uint8
	Capabilities uint32
	Reserved     uint32
}

// Append implements Message.
func (m *FeaturesReply) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendU64(appendHeader(b, v, TypeFeaturesReply, xid), m.DatapathID), m.Buffers)
	b = append(b, m.Tables, m.AuxiliaryID, 0, 0)
	return finish(appendU32(appendU32(b, m.Capabilities), m.Reserved), start)
}

func parseFeaturesReply(b []byte) (*FeaturesReply, error) {
	c := body(b)
	m := &FeaturesReply{DatapathID: c.u64(), Buffers: c.u32(), Tables: c.u8(), AuxiliaryID: c.u8()}
	c.skip(2)
	m.Capabilities, m.Reserved = c.u32(), c.u32()
	return m, c.end()
}

// FragmentsKnown is a flag of SwitchConfig: the ports of a fragment that a datagram begins with can be matched. Normally
// they are taken for 0 (Open vSwitch, OFPC_FRAG_NX_MATCH).
const FragmentsKnown uint16 = 3

// SwitchConfig says how fragments are treated and how much of a packet goes to the controller (OpenFlow 1.5.1, 7.3.2).
type SwitchConfig struct {
	// Flags is 0 for normal treatment of fragments, 1 drop, 2 reassemble, or FragmentsKnown.
	Flags uint16
	// MissSendLen is how many bytes of a packet are sent, at most.
	MissSendLen uint16
}

func (m *SwitchConfig) append(b []byte, v Version, t Type, xid uint32) []byte {
	start := len(b)
	return finish(appendU16(appendU16(appendHeader(b, v, t, xid), m.Flags), m.MissSendLen), start)
}

func parseSwitchConfig(b []byte) (SwitchConfig, error) {
	c := body(b)
	m := SwitchConfig{Flags: c.u16(), MissSendLen: c.u16()}
	return m, c.end()
}

// GetConfigRequest asks for the SwitchConfig.
type GetConfigRequest struct{}

// Append implements Message.
func (*GetConfigRequest) Append(b []byte, v Version, xid uint32) []byte {
	return appendEmpty(b, v, TypeGetConfigReq, xid)
}

// GetConfigReply tells the SwitchConfig.
type GetConfigReply struct{ SwitchConfig }

// Append implements Message.
func (m *GetConfigReply) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeGetConfigReply, xid)
}

// SetConfig sets the SwitchConfig. There is no reply.
type SetConfig struct{ SwitchConfig }

// Append implements Message.
func (m *SetConfig) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeSetConfig, xid)
}
