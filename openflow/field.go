package openflow

import "fmt"

// The fields of ovs-fields(7) that OpenFlow 1.3 and later can name. They stand in the order in which Open vSwitch lists
// them in a match (nx_put_match), so that a match sorted by field is canonical.
//
// Where a field has both an NXM and an OXM code, it is one Field here. Only in_port is two: the 32-bit one of OpenFlow
// 1.1 and later, which matches use, and the 16-bit one, which learn and move use.
const (
	PacketType Field = iota + 1
	DPHash
	RecircID
	ConjID
	// InPort is OXM_OF_IN_PORT, 32 bits.
	InPort
	// InPort16 is NXM_OF_IN_PORT, 16 bits; learn(...,output:NXM_OF_IN_PORT[]) names it.
	InPort16
	ActsetOutput
	EthSrc
	EthDst
	EthType
	// VlanTCI is the whole 802.1Q tag. It is for actions: OpenFlow 1.3 matches by VlanVID and VlanPCP.
	VlanTCI
	// VlanVID is the VLAN id with VLANPresent in it, when there is a tag.
	VlanVID
	VlanPCP
	MPLSTC
	MPLSBOS
	MPLSTTL
	MPLSLabel
	IPv4Src
	IPv4Dst
	IPv6Src
	IPv6Dst
	IPFrag
	// IPTOS is the DSCP in its place in the TOS byte; IPDSCP is the same shifted right by two. Matches use IPDSCP.
	IPTOS
	IPDSCP
	IPECN
	IPTTL
	IPv6Label
	IPProto
	TCPSrc
	TCPDst
	TCPFlags
	UDPSrc
	UDPDst
	SCTPSrc
	SCTPDst
	ICMPType
	ICMPCode
	ICMPv6Type
	ICMPv6Code
	NDReserved
	NDTarget
	NDOptionsType
	NDSLL
	NDTLL
	ARPOp
	ARPSPA
	ARPTPA
	ARPSHA
	ARPTHA
	TunID
	TunFlags
	TunSrc
	TunDst
	TunIPv6Src
	TunIPv6Dst
	TunGBPID
	TunGBPFlags
	// TunMetadata0 is the first of 64; TunMetadata(n) gives the others. Their width is that of the value given, up to
	// 124 bytes: the switch's TLV map decides.
	TunMetadata0
)

// Fields after the tunnel metadata.
const (
	TunERSPANIdx Field = TunMetadata0 + 64 + iota
	TunERSPANVer
	TunERSPANDir
	TunERSPANHWID
	TunGTPUFlags
	TunGTPUMsgType
	NSHFlags
	NSHTTL
	NSHMDType
	NSHNP
	NSHSPI
	NSHSI
	NSHC1
	NSHC2
	NSHC3
	NSHC4
	Reg0
	Reg1
	Reg2
	Reg3
	Reg4
	Reg5
	Reg6
	Reg7
	Reg8
	Reg9
	Reg10
	Reg11
	Reg12
	Reg13
	Reg14
	Reg15
	// XReg0 is Reg0 and Reg1 in one; Reg0 holds the upper half.
	XReg0
	XReg1
	XReg2
	XReg3
	XReg4
	XReg5
	XReg6
	XReg7
	// XXReg0 is Reg0 to Reg3 in one; Reg0 holds the most significant bits.
	XXReg0
	XXReg1
	XXReg2
	XXReg3
	PktMark
	CTState
	CTZone
	CTMark
	CTLabel
	CTNwSrc
	CTIPv6Src
	CTNwDst
	CTIPv6Dst
	CTNwProto
	CTTPSrc
	CTTPDst
	Metadata
	// UnknownField is an element that this package has no name for. Its Value is the whole element, header included.
	UnknownField
	numFields
)

// VLANPresent is the bit of VlanVID that says that there is a tag (OpenFlow 1.3.5, 7.2.3.7, OFPVID_PRESENT).
const VLANPresent = 0x1000

// Connection states, the bits of CTState (ovs-fields(7), ct_state).
const (
	CTNew         = 0x01
	CTEstablished = 0x02
	CTRelated     = 0x04
	CTReply       = 0x08
	CTInvalid     = 0x10
	CTTracked     = 0x20
	CTSourceNAT   = 0x40
	CTDestNAT     = 0x80
)

// Reg is register n, 0 to 15. It panics on any other n: which register is used is decided in the source.
func Reg(n int) Field { return numbered(Reg0, n, 16) }

// XReg is the 64-bit register n, 0 to 7.
func XReg(n int) Field { return numbered(XReg0, n, 8) }

// XXReg is the 128-bit register n, 0 to 3.
func XXReg(n int) Field { return numbered(XXReg0, n, 4) }

// TunMetadata is tunnel metadata field n, 0 to 63.
func TunMetadata(n int) Field { return numbered(TunMetadata0, n, 64) }

func numbered(first Field, n, count int) Field {
	if n < 0 || n >= count {
		panic(fmt.Sprintf("openflow: %v has no sibling %d", first, n))
	}
	return first + Field(n)
}

// A field that was read from the wire keeps which of its codes was used there when that is not the one that Open vSwitch
// would use in the same place, so that it re-encodes identically: the upper bits count the codes from 1.
const (
	fieldMask     = 1<<12 - 1
	spellingShift = 12
)

// Plain is the field without how it was spelled on the wire.
func (f Field) Plain() Field { return f & fieldMask }

func (f Field) info() *fieldInfo {
	if f &= fieldMask; f < numFields {
		return &fields[f]
	}
	return &fields[UnknownField]
}

// String is the name that ovs-fields(7) gives to the field.
func (f Field) String() string {
	switch p := f.Plain(); {
	case p == InPort:
		return "in_port"
	case p == 0 || p >= UnknownField:
		return "unknown"
	}
	return f.info().name
}

// Bytes is how many bytes a value of the field has on the wire: 124, the most possible, for tunnel metadata.
func (f Field) Bytes() int { return int(f.info().bytes) }

// Bits is how many of a value's bits are used.
func (f Field) Bits() int { return int(f.info().bits) }

// Maskable says whether single bits of the field can be matched.
func (f Field) Maskable() bool { return f.info().maskable }

// Writable says whether actions may change the field.
func (f Field) Writable() bool { return f.info().writable }

// FieldNamed finds a field by any of the names that ovs-ofctl knows: tun_id, tunnel_id, NXM_NX_TUN_ID, OXM_OF_TUNNEL_ID.
func FieldNamed(name string) (Field, bool) {
	f, ok := fieldsByName[name]
	return f, ok
}

// Whole is the subfield that is all of the field.
func (f Field) Whole() Subfield { return Subfield{Field: f, Bits: uint16(f.Bits())} }

// Range is bits from to to of the field, both included, as NXM_NX_REG0[from..to].
func (f Field) Range(from, to int) Subfield {
	return Subfield{Field: f, Ofs: uint16(from), Bits: uint16(to - from + 1)}
}
