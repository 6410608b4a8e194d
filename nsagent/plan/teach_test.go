package plan

import (
	"net/netip"
	"slices"
	"testing"
)

func ct(protocol uint8, src, dst string, srcPort, dstPort uint16, state string) Connection {
	o := Tuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), SrcPort: srcPort, DstPort: dstPort}
	return Connection{Protocol: protocol, Orig: o, Reply: Tuple{Src: o.Dst, Dst: o.Src, SrcPort: dstPort, DstPort: srcPort}, State: state}
}

// TestUnlearned: br-int is taught what lives, is the port's, and is not known the right way round; and nothing else.
func TestUnlearned(t *testing.T) {
	senders := []Sender{{"fa:16:3e:00:00:01", netip.MustParsePrefix("10.0.1.5/32")}, {"fa:16:3e:00:00:01", netip.MustParsePrefix("fd00::5/128")}}
	known := ct(tcpProto, "10.0.1.9", "10.0.1.5", 40000, 80, "ESTABLISHED")
	turned := ct(tcpProto, "10.0.1.9", "10.0.1.5", 40001, 80, "ESTABLISHED")
	asBrIntHasIt := ct(tcpProto, "10.0.1.5", "10.0.1.9", 80, 40001, "ESTABLISHED")
	own := ct(udpProto, "fd00::5", "fd00::9", 53, 53, "")
	half := ct(tcpProto, "10.0.1.5", "10.0.1.9", 5, 6, "CLOSE_WAIT")
	ping := Connection{Protocol: icmpProto, Orig: Tuple{Src: netip.MustParseAddr("10.0.1.5"), Dst: netip.MustParseAddr("10.0.1.9"), ID: 7, Type: 8},
		Reply: Tuple{Src: netip.MustParseAddr("10.0.1.9"), Dst: netip.MustParseAddr("10.0.1.5"), ID: 7}}
	// A tracker may know no ports of SCTP.
	begun, portless := ct(sctpProto, "10.0.1.9", "10.0.1.5", 7, 38412, "ESTABLISHED"), ct(sctpProto, "10.0.1.9", "10.0.1.5", 0, 0, "")
	otherWay, portlessTurned := ct(sctpProto, "10.0.1.5", "10.0.1.8", 7, 38412, "ESTABLISHED"), ct(sctpProto, "10.0.1.8", "10.0.1.5", 0, 0, "")
	otherPing := ping
	otherPing.Orig.ID, otherPing.Reply.ID = 8, 8
	bridge := []Connection{known, begun, otherWay, turned, own, half, ping,
		ct(tcpProto, "10.0.1.9", "10.0.1.5", 1, 80, "SYN_SENT"), ct(tcpProto, "10.0.1.9", "10.0.1.5", 2, 80, "TIME_WAIT"), ct(sctpProto, "10.0.1.9", "10.0.1.5", 2, 80, ""),
		ct(udpProto, "10.0.1.7", "10.0.1.8", 1, 2, ""), ct(udpProto, "10.0.1.5", "224.0.0.251", 5353, 5353, ""), ct(udpProto, "10.0.1.5", "255.255.255.255", 68, 67, "")}
	missing, wrong := Unlearned(bridge, []Connection{known, asBrIntHasIt, otherPing, portless, portlessTurned}, senders)
	if want := []Connection{otherWay, turned, own, half, ping}; !slices.Equal(missing, want) {
		t.Errorf("missing %v, want %v", missing, want)
	}
	if want := []Connection{portlessTurned, asBrIntHasIt}; !slices.Equal(wrong, want) {
		t.Errorf("wrong %v, want %v", wrong, want)
	}
	if missing, wrong := Unlearned(missing, append(missing, known), senders); len(missing)+len(wrong) > 0 {
		t.Errorf("taught, and still missing %v, wrong %v", missing, wrong)
	}
}

// TestOutdated: what br-int knows of a connection from before there was a bridge is not what it knows of one that began behind it.
func TestOutdated(t *testing.T) {
	senders := []Sender{{"fa:16:3e:00:00:01", netip.MustParsePrefix("10.0.1.5/32")}}
	joined := func(c Connection) Connection { c.Joined = true; return c }
	began := ct(tcpProto, "10.0.1.9", "10.0.1.5", 1, 80, "ESTABLISHED")
	before := joined(ct(tcpProto, "10.0.1.9", "10.0.1.5", 2, 80, "ESTABLISHED"))
	unknown := joined(ct(tcpProto, "10.0.1.9", "10.0.1.5", 3, 80, "ESTABLISHED"))
	over := joined(ct(tcpProto, "10.0.1.9", "10.0.1.5", 4, 80, "TIME_WAIT"))
	others := joined(ct(tcpProto, "10.0.1.9", "10.0.1.6", 5, 80, "ESTABLISHED"))
	turned := joined(ct(tcpProto, "10.0.1.9", "10.0.1.5", 6, 80, "ESTABLISHED"))
	bridge := []Connection{began, before, unknown, over, others, turned}
	known := []Connection{began, ct(tcpProto, "10.0.1.9", "10.0.1.5", 2, 80, "ESTABLISHED"), over, others, ct(tcpProto, "10.0.1.5", "10.0.1.9", 80, 6, "ESTABLISHED")}
	if got := Outdated(bridge, known, senders); !slices.Equal(got, []Connection{before}) {
		t.Errorf("outdated %v, want %v", got, before)
	}
	ended := ct(tcpProto, "10.0.1.9", "10.0.1.5", 7, 80, "ESTABLISHED")
	known = append(known, ended, ct(tcpProto, "10.0.1.9", "10.0.1.5", 8, 80, "SYN_SENT"), ct(tcpProto, "10.0.1.9", "10.0.1.7", 9, 80, "ESTABLISHED"), ct(udpProto, "10.0.1.9", "10.0.1.5", 9, 80, ""))
	reset := ct(tcpProto, "10.0.1.9", "10.0.1.5", 10, 80, "CLOSE")
	bridge = append(bridge, reset)
	reset.State = "ESTABLISHED" // to br-int
	known = append(known, reset)
	if got := Gone(bridge, known, senders); !slices.Equal(got, []Connection{ended, reset}) {
		t.Errorf("gone %v, want %v and %v", got, ended, reset)
	}
}

// TestMachineOfAConnection: an address pair of everything does not hide whose the other end is.
func TestMachineOfAConnection(t *testing.T) {
	const own, pair = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
	senders := []Sender{{pair, netip.MustParsePrefix("0.0.0.0/0")}, {own, netip.MustParsePrefix("10.0.1.5/32")}, {pair, netip.MustParsePrefix("10.0.2.0/24")}}
	for _, c := range []struct {
		src, dst, mac string
		begun         bool
	}{
		{"10.0.1.5", "10.0.1.9", own, true}, {"10.0.1.9", "10.0.1.5", own, false}, {"10.0.1.9", "10.0.2.7", pair, false}, {"10.0.2.7", "10.0.1.5", own, false},
		{"192.0.2.1", "192.0.2.2", pair, true}, {"fd00::1", "fd00::2", "", false},
	} {
		if mac, begun := ct(tcpProto, c.src, c.dst, 1, 2, "").Machine(senders); mac != c.mac || begun != c.begun {
			t.Errorf("%s to %s: %q %v, want %q %v", c.src, c.dst, mac, begun, c.mac, c.begun)
		}
	}
}

// TestAssociations: a connection of SCTP is all associations that both sides have been heard of, and no other's.
func TestAssociations(t *testing.T) {
	one, two, half := ct(sctpProto, "10.0.1.5", "10.0.1.9", 7, 38412, ""), ct(sctpProto, "10.0.1.5", "10.0.1.9", 8, 38412, ""), ct(sctpProto, "10.0.1.5", "10.0.1.9", 9, 38412, "")
	heard := Heard{one.Orig: 1, one.Reply: 11, two.Orig: 2, two.Reply: 12, half.Orig: 3, ct(sctpProto, "10.0.1.5", "10.0.1.8", 7, 38412, "").Orig: 4}
	one.Tags, two.Tags = Tags{1, 11}, Tags{2, 12}
	bare := func(c Connection) Connection { c.Tags = Tags{}; return c }
	told := bare(half)
	told.Tags = Tags{3, 13}
	for _, c := range []struct {
		name string
		of   Connection
		want []Connection
	}{
		{"of some ports", bare(one), []Connection{one}},
		{"of two addresses", ct(sctpProto, "10.0.1.5", "10.0.1.9", 0, 0, ""), []Connection{one, two}},
		{"one side silent", half, nil},
		{"nobody heard", ct(sctpProto, "10.0.1.5", "10.0.1.7", 0, 0, ""), nil},
		{"the tracker knows", told, []Connection{told}},
	} {
		got := c.of.Associations(heard)
		slices.SortFunc(got, func(a, b Connection) int { return int(a.Orig.SrcPort) - int(b.Orig.SrcPort) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	senders := []Sender{{"fa:16:3e:00:00:01", netip.MustParsePrefix("10.0.1.5/32")}}
	over := bare(half)
	over.State = "CLOSED"
	all := []Connection{bare(one), half, told, over, ct(tcpProto, "10.0.1.5", "10.0.1.9", 9, 80, ""), ct(sctpProto, "10.0.1.6", "10.0.1.9", 9, 80, "")}
	if got := Unheard(all, senders, heard); !slices.Equal(got, []Connection{half}) {
		t.Errorf("unheard %+v", got)
	}
}
