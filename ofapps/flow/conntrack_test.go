package flow

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/ovs"
)

// everyWordOfFirewalls are rows that use each word of conntrack.go and transport.go once.
func everyWordOfFirewalls() []Flow {
	block := netip.MustParsePrefix
	mac := [6]byte{0xfa, 0x16, 0x3e, 0, 0, 2}
	zone := openflow.Reg6.Range(0, 15)
	t, next := &Table{ID: 3, Name: "Words"}, &Table{ID: 60}
	return Owned(Cookie(SecurityGroupRuleCookie, "1f0c1a2b-3c4d-4e5f-8899-aabbccddeeff"),
		t.Row(1, IP(), CTState(openflow.CTNew|openflow.CTTracked, openflow.CTEstablished)).Do(Commit(zone), Goto(next)),
		t.Row(2, IPv6(), CTMark(1, 0xffffffff)).Do(Commit(zone, SetCTMark(0, 1)), Goto(next)),
		t.Row(3, IPv6(), CTState(openflow.CTTracked, openflow.CTInvalid), CTProto(UDPProto), CTTPDst(68, 0xffff), FirstFragment()).Do(Track(zone, next)),
		t.Row(4, Reg(openflow.Reg7, 5), RegBits(openflow.Reg4, 1, 1)).Do(SetReg(openflow.Reg5, 7), Output(1)),
		t.Row(5).Do(Copy(next, SetReg(openflow.Reg5, 7)), Copy(next)),
		t.Row(6, ConjID(9)).Drop(),
		t.Row(7, From(block("10.0.0.0/8"))).Do(Clause(9, 1), Clause(10, 1)),
		t.Row(8, From(block("fd00::/64"))).Do(Clause(9, 2)),
		t.Row(9, UDP(false, 68, 67), Whole()).Drop(),
		t.Row(10, UDP(true, 0, 546), Fragment()).Drop(),
		t.Row(11, ICMPv6Type(RouterAdvertisement), LaterFragment()).Drop(),
		t.Row(12, IP(), Proto(TCPProto), Port(TCPProto, 80, 0xfff0)).Drop(),
		t.Row(13, IPv6(), Proto(SCTPProto), Port(SCTPProto, 80, 0xffff)).Drop(),
		t.Row(14, IP(), Proto(ICMPProto), ICMPTypeCode(false, 8, 0, true)).Drop(),
		t.Row(15, IPv6(), Proto(ICMPv6Proto), ICMPTypeCode(true, 128, 0, false)).Drop(),
		t.Row(16, ARPFrom(block("10.1.0.0/16")), ARPSHA(mac)).Drop(),
		t.Row(17, ICMPv6(NeighborAdvertisement), NDTargetIn(block("fd00::/64"))).Drop(),
		t.Row(18, Tagged()).Do(PopVLAN(), Goto(next)),
		t.Row(19, PriorityTagged()).Drop(),
		t.Row(20, LinkReserved()).Drop(),
		t.Row(21, IP(), Proto(99)).Drop(),
	)
}

func TestFirewallRowsReadLikeTheDump(t *testing.T) {
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br", "--", "set", "bridge", "br", "fail_mode=secure", "datapath_type=dummy")
	var rendered []string
	for _, f := range everyWordOfFirewalls() {
		rendered = append(rendered, f.String())
		sw.Ofctl("add-flow", "br", f.String())
	}
	dumped := sw.Flows("br")
	slices.Sort(rendered)
	slices.Sort(dumped)
	if d := cmp.Diff(dumped, rendered); d != "" {
		t.Errorf("(-dumped +rendered):\n%s", d)
	}
}

func TestWhatTwoMatchesSayIsSaidOnce(t *testing.T) {
	f := (&Table{ID: 3}).Row(1, From(netip.MustParsePrefix("10.0.0.1/32")), To(netip.MustParsePrefix("10.0.0.2/32"))).Drop()
	if got, want := f.Line(), "table=3, priority=1,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2 actions=drop"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
