package flow

import (
	"github.com/weft-sdn/weft/openflow"
)

// CTState matches what the connection tracker said of a packet: bits that are on, and bits that are off (openflow.CTNew
// and its like). A row that sends packets through the tracker, or matches what is in the tracker, must say ip or ipv6 too.
func CTState(on, off uint32) openflow.Match {
	return one(openflow.U32Masked(openflow.CTState, on, on|off))
}

// CTMark matches bits of the mark of the packet's connection; all are 0 of a connection that has none.
func CTMark(mark, mask uint32) openflow.Match {
	return one(openflow.U32Masked(openflow.CTMark, mark, mask))
}

// CTProto matches the IP protocol of the packet that began the connection; the row must ask for +trk-inv.
func CTProto(proto uint8) openflow.Match { return one(openflow.U8(openflow.CTNwProto, proto)) }

// CTTPDst matches the destination port of the packet that began the connection, or its ICMP code. It is known of first fragments
// too, wherever the header was; of later ones not in the userspace datapath. The row must ask for CTProto.
func CTTPDst(port, mask uint16) openflow.Match {
	return one(openflow.U16Masked(openflow.CTTPDst, port, mask))
}

// CTTPSrc matches the source port of the packet that began the connection, or its ICMP type, as CTTPDst does.
func CTTPSrc(port, mask uint16) openflow.Match {
	return one(openflow.U16Masked(openflow.CTTPSrc, port, mask))
}

// Track sends the packet through the connection tracker and on to a table, which sees its state. zone is where its number is.
func Track(zone openflow.Subfield, t *Table) openflow.Action {
	return openflow.CT{ZoneSrc: zone, Table: t.ID}
}

// TrackApart is Track for a packet that others are still to be sent, by this bridge or by one that is patched to it. Fragments that the
// tracker of Open vSwitch's userspace datapath keeps are sent to the others all the same, and those that it lets go of are not.
// first comes before that.
func TrackApart(zone openflow.Subfield, t *Table, first ...openflow.Action) openflow.Action {
	return openflow.Clone{Actions: append(first[:len(first):len(first)], Track(zone, t))}
}

// Commit makes the tracker remember the packet's connection, and set what the actions set: only CTMark may be.
func Commit(zone openflow.Subfield, actions ...openflow.Action) openflow.Action {
	return openflow.CT{Commit: true, ZoneSrc: zone, Table: openflow.NoTable, Exec: actions}
}

// CommitTo is Commit, after which the packet goes on in a table that sees its state anew.
func CommitTo(zone openflow.Subfield, t *Table, actions ...openflow.Action) openflow.Action {
	return openflow.CT{Commit: true, ZoneSrc: zone, Table: t.ID, Exec: actions}
}

// SetCTMark writes bits of the mark of a connection, inside Commit and CommitTo only.
func SetCTMark(mark, mask uint32) openflow.Action {
	return set(openflow.U32Masked(openflow.CTMark, mark, mask))
}

// PktMark matches bits of the mark that the packet itself carries, through the connection tracker as well: it is the one thing that
// fragments keep which the tracker hands out with another packet.
func PktMark(mark, mask uint32) openflow.Match {
	return one(openflow.U32Masked(openflow.PktMark, mark, mask))
}

// SetPktMark writes bits of the packet's mark.
func SetPktMark(mark, mask uint32) openflow.Action {
	return set(openflow.U32Masked(openflow.PktMark, mark, mask))
}

// Reg matches a register.
func Reg(reg openflow.Field, value uint32) openflow.Match { return one(openflow.U32(reg, value)) }

// RegBits matches some bits of a register.
func RegBits(reg openflow.Field, value, mask uint32) openflow.Match {
	return one(openflow.U32Masked(reg, value, mask))
}

// SetReg writes a register.
func SetReg(reg openflow.Field, value uint32) openflow.Action { return set(openflow.U32(reg, value)) }

// Copy lets a copy of the packet go on in a later table, and the packet itself stays as it is.
func Copy(t *Table, actions ...openflow.Action) openflow.Action {
	return openflow.Clone{Actions: append(actions[:len(actions):len(actions)], openflow.ResubmitTable(t.ID))}
}

// ConjID matches packets that meet all clauses of a conjunctive match (ovs-fields(7), "Conjunctive match fields").
func ConjID(id uint32) openflow.Match { return one(openflow.U32(openflow.ConjID, id)) }

// Clause says that the packet meets one of two clauses of a conjunctive match. A row that says so does nothing else, and
// counts nothing.
func Clause(id uint32, clause uint8) openflow.Action {
	return openflow.Conjunction{ID: id, Clause: clause, N: 2}
}
