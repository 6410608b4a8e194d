package openflow

// BundleType says what a bundle-control message does.
type BundleType uint16

// Bundle-control types (OpenFlow 1.5.1, 7.3.9.2).
const (
	BundleOpenRequest    BundleType = 0
	BundleOpenReply      BundleType = 1
	BundleCloseRequest   BundleType = 2
	BundleCloseReply     BundleType = 3
	BundleCommitRequest  BundleType = 4
	BundleCommitReply    BundleType = 5
	BundleDiscardRequest BundleType = 6
	BundleDiscardReply   BundleType = 7
)

// Bundle flags. Open vSwitch commits atomically whenever BundleAtomic is set, and demands that all messages of a bundle
// carry the same flags.
const (
	BundleAtomic  uint16 = 1 << 0
	BundleOrdered uint16 = 1 << 1
)

// ONF extension messages that OpenFlow 1.3 uses for what is native in 1.4 (as Open vSwitch's ofp-msgs.h numbers them).
const (
	onfRoleStatus     = 1911
	onfBundleControl  = 2300
	onfBundleAdd      = 2301
	onfRequestForward = 2350
	onfFlowMonitor    = 1870 // the multipart type; as a message it is cancel
	onfMonitorPaused  = 1871
	onfMonitorResumed = 1872
)

// nativeHeader begins a message that is native since 1.4 and an ONF extension in 1.3.
func nativeHeader(b []byte, v Version, t Type, onf uint32, xid uint32) []byte {
	if v == V13 {
		return appendU32(appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterONF), onf)
	}
	return appendHeader(b, v, t, xid)
}

// BundleControl opens, closes, commits and discards bundles: requests and their replies.
type BundleControl struct {
	ID    uint32
	Type  BundleType
	Flags uint16
	// Properties are kept as they came.
	Properties []byte
}

// Append implements Message.
func (m *BundleControl) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(nativeHeader(b, v, TypeBundleControl, onfBundleControl, xid), m.ID)
	b = appendU16(appendU16(b, uint16(m.Type)), m.Flags)
	return finish(append(b, m.Properties...), start)
}

func parseBundleControl(c cursor) (*BundleControl, error) {
	m := &BundleControl{ID: c.u32(), Type: BundleType(c.u16()), Flags: c.u16()}
	m.Properties = c.rest()
	return m, c.err()
}

// BundleAdd puts a message into a bundle.
type BundleAdd struct {
	ID    uint32
	Flags uint16
	// Message is the whole message, header included. Its xid must be that of the BundleAdd.
	Message []byte
	// Properties follow the message, with the padding before them, as they came.
	Properties []byte
}

// Append implements Message.
func (m *BundleAdd) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendBundleAddHead(b, v, xid, m.ID, m.Flags)
	return finish(append(append(b, m.Message...), m.Properties...), start)
}

// AppendBundleAdd appends a BundleAdd around a message, with the same xid in both, without an intermediate copy.
func AppendBundleAdd(b []byte, v Version, xid, id uint32, flags uint16, m Message) []byte {
	start := len(b)
	return finish(m.Append(appendBundleAddHead(b, v, xid, id, flags), v, xid), start)
}

func appendBundleAddHead(b []byte, v Version, xid, id uint32, flags uint16) []byte {
	return appendU16(appendU16(appendU32(nativeHeader(b, v, TypeBundleAdd, onfBundleAdd, xid), id), 0), flags)
}

func parseBundleAdd(c cursor) (*BundleAdd, error) {
	m := &BundleAdd{ID: c.u32()}
	c.skip(2)
	m.Flags = c.u16()
	if err := c.err(); err != nil {
		return nil, err
	}
	h, err := ParseHeader(c.b)
	if err != nil {
		return nil, err
	}
	m.Message = c.take(int(h.Length))
	m.Properties = c.rest()
	return m, c.err()
}
