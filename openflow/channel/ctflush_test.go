package channel

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/frame"
)

var tracked = regexp.MustCompile(`orig=\(src=([^,]+),dst=([^,]+),.*zone=(\d+)`)

// A real switch forgets what it is told to, and nothing else.
func TestCTFlush(t *testing.T) {
	sw, c := bridge(t, Config{})
	sw.Vsctl("add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy")
	for _, f := range []string{"ip", "ipv6"} {
		sw.Ofctl("-OOpenFlow13", "add-flow", "br0", f+",dl_dst=ff:ff:ff:ff:ff:ff,actions=ct(commit,zone=5)")
		sw.Ofctl("-OOpenFlow13", "add-flow", "br0", f+",dl_dst=33:33:00:00:00:01,actions=ct(commit,zone=6)")
	}
	left := func() []string {
		var out []string
		for line := range strings.Lines(sw.Appctl("dpctl/dump-conntrack")) {
			if m := tracked.FindStringSubmatch(line); m != nil {
				out = append(out, m[3]+" "+m[1]+">"+m[2])
			}
		}
		slices.Sort(out)
		return out
	}
	fill := func() {
		for _, dst := range []([]byte){frame.Broadcast, frame.AllNodes} {
			for _, pair := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}, {"10.0.0.3", "10.0.0.2"}, {"fd00::1", "fd00::2"}} {
				from, to := netip.MustParseAddr(pair[0]), netip.MustParseAddr(pair[1])
				typ := uint16(frame.TypeIPv4)
				if from.Is6() {
					typ = frame.TypeIPv6
				}
				packet := frame.IP(from, to, frame.UDP, frame.Datagram(from, to, 1, 2, nil))
				sw.Appctl("netdev-dummy/receive", "p1", hex.EncodeToString(frame.Ethernet([]byte{2, 0, 0, 0, 0, 1}, dst, typ, packet)))
			}
		}
		await(t, "eight connections", func() bool { return len(left()) == 8 })
	}
	six := []string{"6 10.0.0.1>10.0.0.2", "6 10.0.0.2>10.0.0.1", "6 10.0.0.3>10.0.0.2", "6 fd00::1>fd00::2"}
	for _, e := range []struct {
		order openflow.CTFlush
		want  []string
	}{
		{openflow.CTFlush{Zone: 5, Src: netip.MustParseAddr("10.0.0.1")}, append([]string{"5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Dst: netip.MustParseAddr("10.0.0.1")}, append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Src: netip.MustParseAddr("10.0.0.3"), Dst: netip.MustParseAddr("10.0.0.2")}, append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.2>10.0.0.1", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Dst: netip.MustParseAddr("fd00::2")}, append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2"}, six...)},
		{openflow.CTFlush{Zone: 5, Dst: netip.MustParseAddr("10.0.0.9")}, append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Protocol: frame.UDP, SrcPort: 1, DstPort: 2},
			append([]string{"5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Src: netip.MustParseAddr("10.0.0.1"), Protocol: frame.UDP, SrcPort: 2, DstPort: 2},
			append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5, Src: netip.MustParseAddr("10.0.0.1"), Protocol: frame.TCP, SrcPort: 1, DstPort: 2},
			append([]string{"5 10.0.0.1>10.0.0.2", "5 10.0.0.2>10.0.0.1", "5 10.0.0.3>10.0.0.2", "5 fd00::1>fd00::2"}, six...)},
		{openflow.CTFlush{Zone: 5}, six},
	} {
		fill()
		if err := c.Tell(limited(t), &e.order); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e.want, left()); d != "" {
			t.Errorf("%+v (-want +got):\n%s", e.order, d)
		}
	}
}
