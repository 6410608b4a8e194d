package flow

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/ovs"
)

// everyWord are rows that use each word of this package once.
func everyWord() []Flow {
	mac := [6]byte{0xfa, 0x16, 0x3e, 0, 0, 2}
	ip4, ip6 := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("fd00::2")
	t := &Table{ID: 3, Name: "Words"}
	rows := []Flow{
		t.Row(1, InPort(7)).Do(Output(8)),
		t.Row(2, DlVlan(4095)).Do(PopVLAN(), Normal()),
		t.Row(3, Untagged()).Do(PushVLAN(), SetVLAN(3), InPortOut()),
		t.Row(4, NoVLAN()).Drop(),
		t.Row(5, DlSrc(mac), DlDst(Broadcast)).Goto(&Table{ID: 60}),
		t.Row(6, Unicast()).Do(SetEthSrc(mac)),
		t.Row(7, Multicast()).Do(SetTunID(0x2b)),
		t.Row(8, ICMPv6(NeighborSolicitation), SolicitedNode(), NDTarget(ip6), NDOption(SourceLinkAddress)).
			Do(SetIPv6Src(ip6), SetICMPv6Type(NeighborAdvertisement), SetNDOption(TargetLinkAddress), SetNDFlags(NDRouter|NDSolicited|NDOverride)),
		t.Row(9, TunID(0x64)).Drop(),
		t.Row(10, And(ARP(), ARPOp(ARPRequest), ARPSPA(ip4), ARPTPA(ip4))).
			Do(SetARPOp(ARPReply), SetARPSHA(mac), SetARPSPA(ip4), Move(openflow.EthSrc, openflow.EthDst)),
		t.Row(11, ARP(), ARPOp(ARPReply), ARPTHA(mac)).Do(SetEthDst(mac)),
		t.Row(12, To(netip.MustParsePrefix("10.1.0.0/24"))).Drop(),
		t.Row(13, To(netip.MustParsePrefix("fd00::/64"))).Drop(),
		t.Row(14, IP(), DlDst(mac)).Drop(),
		t.Row(15, IPv6(), DlDst(mac)).Drop(),
		t.Row(0x8000).Drop(),
		t.Row(0x8000, InPort(1)).Drop(),
		{Priority: 1, IdleTimeout: 5, HardTimeout: 10, Flags: openflow.FlagSendFlowRem | openflow.FlagNoByteCounts},
	}
	return Owned(Cookie(NetworkCookie, "1f0c1a2b-3c4d-4e5f-8899-aabbccddeeff"), rows...)
}

func TestRowsReadLikeTheDump(t *testing.T) {
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br", "--", "set", "bridge", "br", "fail_mode=secure", "datapath_type=dummy")
	var rendered []string
	for _, f := range everyWord() {
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

func TestLineHasTableAndNoCookie(t *testing.T) {
	f := Flow{Priority: 3, Cookie: Cookie(PipelineCookie, "x")}
	if got, want := f.Line(), "table=0, priority=3 actions=drop"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRowsAreListedByTableThenPriority(t *testing.T) {
	rows := everyWord()
	slices.SortFunc(rows, Order)
	var order [][2]int
	for _, f := range rows[:4] {
		order = append(order, [2]int{int(f.Table), int(f.Priority)})
	}
	if d := cmp.Diff([][2]int{{0, 1}, {3, 0x8000}, {3, 0x8000}, {3, 15}}, order); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
