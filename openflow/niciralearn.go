package openflow

// LearnFlags are the flags of a learn action (Open vSwitch, NX_LEARN_F_*).
type LearnFlags uint16

// Flags of a learn action.
const (
	// LearnSendFlowRem makes the switch tell when a learned flow goes.
	LearnSendFlowRem LearnFlags = 1 << iota
	// LearnDeleteLearned takes the learned flows away with the flow that learned them.
	LearnDeleteLearned
	// LearnWriteResult sets ResultDst when the flow could be learned.
	LearnWriteResult
)

// Learn adds a flow that it makes out of the packet, or refreshes it.
type Learn struct {
	// IdleTimeout and HardTimeout of the learned flow are in seconds; 0 is for ever.
	IdleTimeout, HardTimeout uint16
	Priority                 uint16
	Cookie                   uint64
	Flags                    LearnFlags
	Table                    uint8
	// FinIdleTimeout and FinHardTimeout give the learned flow a FinTimeout, unless they are 0.
	FinIdleTimeout, FinHardTimeout uint16
	// Limit is how many flows may be learned; 0 is any number.
	Limit uint32
	// ResultDst is one bit; it counts with LearnWriteResult only.
	ResultDst Subfield
	Specs     []LearnSpec
}

// LearnKind is what a LearnSpec adds to the learned flow.
type LearnKind uint8

// What a LearnSpec adds to the learned flow.
const (
	LearnMatch LearnKind = iota
	LearnLoad
	LearnOutput
)

// LearnSpec is one part of a learned flow.
type LearnSpec struct {
	Kind LearnKind
	// Src is where the value comes from; with no field it is Value.
	Src Subfield
	// Value is big-endian, as many bytes as Dst.Bits need.
	Value string
	// Dst is what is matched or loaded; it does not count for LearnOutput.
	Dst Subfield
}

// MatchField makes the learned flow match that dst has what src has in the packet.
func MatchField(dst, src Subfield) LearnSpec { return LearnSpec{Kind: LearnMatch, Src: src, Dst: dst} }

// MatchValue makes the learned flow match that dst is v.
func MatchValue(dst Subfield, v uint64) LearnSpec {
	return LearnSpec{Kind: LearnMatch, Value: bitsValue(dst.Bits, v), Dst: dst}
}

// LoadField makes the learned flow load into dst what src has in the packet.
func LoadField(src, dst Subfield) LearnSpec { return LearnSpec{Kind: LearnLoad, Src: src, Dst: dst} }

// LoadValue makes the learned flow load v into dst.
func LoadValue(v uint64, dst Subfield) LearnSpec {
	return LearnSpec{Kind: LearnLoad, Value: bitsValue(dst.Bits, v), Dst: dst}
}

// OutputField makes the learned flow send packets to the port whose number src has in the packet.
func OutputField(src Subfield) LearnSpec { return LearnSpec{Kind: LearnOutput, Src: src} }

// bitsValue is a number in as many bytes as n bits need.
func bitsValue(n uint16, v uint64) string {
	b := make([]byte, (n+7)/8)
	for i := len(b) - 1; i >= 0 && v != 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
	return string(b)
}

// The head of a LearnSpec on the wire (Open vSwitch, NX_LEARN_*).
const (
	learnBits      = 0x3ff
	learnKindShift = 11
	learnValue     = 1 << 13
)

// bits is how many bits the spec is about.
func (s *LearnSpec) bits() uint16 {
	if s.Kind == LearnOutput {
		return s.Src.Bits
	}
	return s.Dst.Bits
}

func (a Learn) second() bool { return a.Limit != 0 || a.Flags&LearnWriteResult != 0 }

func (a Learn) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	subtype := uint16(subtypeLearn)
	if a.second() {
		subtype = subtypeLearn2
	}
	b = appendU16(appendU16(appendU16(appendNicira(b, subtype, 0), a.IdleTimeout), a.HardTimeout), a.Priority)
	b = append(appendU16(appendU64(b, a.Cookie), uint16(a.Flags)), a.Table, 0)
	b = appendU16(appendU16(b, a.FinIdleTimeout), a.FinHardTimeout)
	if a.second() {
		b = appendU16(appendU16(appendU32(b, a.Limit), a.ResultDst.Ofs), 0)
		if a.Flags&LearnWriteResult != 0 {
			b = a.ResultDst.appendHeader(b, inNicira)
		}
	}
	for i := range a.Specs {
		b = a.Specs[i].append(b)
	}
	return finishAction(b, start)
}

func (s *LearnSpec) append(b []byte) []byte {
	head := s.bits()&learnBits | uint16(s.Kind)<<learnKindShift
	if s.Src.Field == 0 {
		b = appendU16(b, head|learnValue)
		n := (int(s.bits()) + 15) / 16 * 2
		b = append(appendZeros(b, max(0, min(n-len(s.Value), 16))), s.Value...)
	} else {
		b = appendU16(s.Src.appendHeader(appendU16(b, head), inNicira), s.Src.Ofs)
	}
	if s.Kind == LearnOutput {
		return b
	}
	return appendU16(s.Dst.appendHeader(b, inNicira), s.Dst.Ofs)
}

func parseLearn(c *cursor, second bool) Action {
	a := Learn{IdleTimeout: c.u16(), HardTimeout: c.u16(), Priority: c.u16(), Cookie: c.u64(),
		Flags: LearnFlags(c.u16()), Table: c.u8()}
	c.skip(1)
	a.FinIdleTimeout, a.FinHardTimeout = c.u16(), c.u16()
	if second {
		a.Limit, a.ResultDst.Ofs = c.u32(), c.u16()
		c.skip(2)
		if a.Flags&LearnWriteResult != 0 {
			a.ResultDst.Bits = 1
			if !a.ResultDst.parseHeader(c) {
				return nil
			}
		}
	}
	for len(c.b) >= 2 && (c.b[0] != 0 || c.b[1] != 0) {
		s, ok := parseLearnSpec(c)
		if !ok || c.short {
			return nil
		}
		a.Specs = append(a.Specs, s)
	}
	return a
}

func parseLearnSpec(c *cursor) (s LearnSpec, ok bool) {
	head := c.u16()
	n := head & learnBits
	s.Kind = LearnKind(head >> learnKindShift & 3)
	if s.Kind > LearnOutput || s.Kind == LearnOutput && head&learnValue != 0 {
		return s, false
	}
	if head&learnValue != 0 {
		whole, used := (int(n)+15)/16*2, (int(n)+7)/8
		c.skip(whole - used)
		s.Value = string(c.take(used))
	} else {
		if !s.Src.parseHeader(c) {
			return s, false
		}
		s.Src.Ofs, s.Src.Bits = c.u16(), n
	}
	if s.Kind != LearnOutput {
		if !s.Dst.parseHeader(c) {
			return s, false
		}
		s.Dst.Ofs, s.Dst.Bits = c.u16(), n
	}
	return s, true
}

func (a Learn) String() string { return string(a.appendText(nil)) }
