package plan

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

const (
	judgedPort  = "bc39a196-0080-486e-adb4-42b1f9de8750"
	looseGroup  = "10bff1b9-59fc-46d2-b17e-6fbb4f09d24e"
	remoteGroup = "f57a97ea-b4da-4949-9cf8-1a2b3c4d5e6f"
)

// bridged is the port of the original's dump (reference state of the firewall "iptables_hybrid"): two addresses, an address pair
// with a MAC of its own and one that is a block, and a rule of each kind.
func bridged() []*nodev1.Resource {
	rule := func(n byte, r *nodev1.FirewallRule) *nodev1.FirewallRule {
		r.Id = "00000000-0000-4000-8000-00000000000" + string('0'+n)
		return r
	}
	p, q := proto.Uint32, func(a, b uint32) (*uint32, *uint32) { return &a, &b }
	web1, web2 := q(80, 90)
	ssh1, ssh2 := q(22, 22)
	all1, all2 := q(0, 65535)
	echo, zero := q(128, 0)
	return []*nodev1.Resource{
		{Name: "firewall/" + judgedPort, Spec: &nodev1.Resource_Firewall{Firewall: &nodev1.PortFirewall{PortId: judgedPort, Interface: "tapbc39a196-00",
			MacAddress: "fa:16:3e:21:05:66", NetworkId: private1, Mtu: 1450, Vlan: 3, GroupSet: 101, Senders: []*nodev1.Sender{
				{MacAddress: "fa:16:3e:21:05:66", IpPrefix: "10.0.1.158/32"}, {MacAddress: "fa:16:3e:21:05:66", IpPrefix: "fd00:1::f816:3eff:fe21:566/128"},
				{MacAddress: "fa:16:3e:21:05:66", IpPrefix: "10.0.1.250/32"}, {MacAddress: "fa:16:3e:aa:bb:cc", IpPrefix: "10.9.0.0/16"},
				{MacAddress: "fa:16:3e:aa:bb:cc", IpPrefix: "fd00::/40"}}}}},
		{Name: "firewall/" + looseGroup, Spec: &nodev1.Resource_Firewall{Firewall: &nodev1.PortFirewall{PortId: looseGroup, Interface: "vnet3",
			MacAddress: "fa:16:3e:00:00:07", NetworkId: private1, Mtu: 1450, Vlan: 3, Stateless: true, GroupSet: 101, Senders: []*nodev1.Sender{
				{MacAddress: "fa:16:3e:00:00:07", IpPrefix: "0.0.0.0/0"}, {MacAddress: "fa:16:3e:00:00:07", IpPrefix: "::/0"}}}}},
		{Name: "groupset/101", Spec: &nodev1.Resource_GroupSet{GroupSet: &nodev1.GroupSet{Number: 101, Rules: []*nodev1.FirewallRule{
			rule(1, &nodev1.FirewallRule{}),
			rule(2, &nodev1.FirewallRule{Ipv6: true}),
			rule(3, &nodev1.FirewallRule{Ingress: true, Protocol: p(17), RemoteGroupId: remoteGroup}),
			rule(4, &nodev1.FirewallRule{Ingress: true, Protocol: p(6), PortRangeMin: ssh1, PortRangeMax: ssh2}),
			rule(5, &nodev1.FirewallRule{Ingress: true, Protocol: p(6), PortRangeMin: web1, PortRangeMax: web2, RemoteIpPrefix: "10.0.0.0/8"}),
			rule(6, &nodev1.FirewallRule{Ingress: true, Ipv6: true, Protocol: p(58), PortRangeMin: echo, PortRangeMax: zero}),
			rule(7, &nodev1.FirewallRule{Ingress: true, Protocol: p(47), RemoteIpPrefix: "0.0.0.0/0"}),
			rule(8, &nodev1.FirewallRule{Ipv6: true, Protocol: p(132), PortRangeMin: all1, PortRangeMax: all2, RemoteGroupId: remoteGroup}),
			rule(9, &nodev1.FirewallRule{Ingress: true, Protocol: p(33), PortRangeMin: web1, PortRangeMax: web2}), // nobody sees its ports
		}}}},
		{Name: "remotegroup/" + remoteGroup, Spec: &nodev1.Resource_RemoteGroup{RemoteGroup: &nodev1.RemoteGroup{GroupId: remoteGroup}}},
		{Name: "remoteaddress/10.0.2.0/24", Spec: &nodev1.Resource_RemoteAddress{RemoteAddress: &nodev1.RemoteAddress{IpPrefix: "10.0.2.0/24", GroupIds: []string{remoteGroup}}}},
		{Name: "remoteaddress/::/0", Spec: &nodev1.Resource_RemoteAddress{RemoteAddress: &nodev1.RemoteAddress{IpPrefix: "::/0", GroupIds: []string{remoteGroup}}}},
	}
}

func TestFirewall(t *testing.T) {
	got, errs := Build(readAll(t, bridged()))
	if len(errs) > 0 {
		t.Errorf("errors: %v", errs)
	}
	golden(t, "host.txt", got[Home].Text())
}

// TestRulesInFormOfAnswers: an answer comes from where the question went, and of ICMP it has a type of its own.
func TestRulesInFormOfAnswers(t *testing.T) {
	tcp, icmp, icmp6, sctp, n := uint8(6), uint8(1), uint8(58), uint8(132), func(n uint16) *uint16 { return &n }
	ten := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		rule              FirewallRule
		question, answers string
	}{
		{FirewallRule{Ingress: true}, "", ""},
		{FirewallRule{Ingress: true, Prefix: ten, Protocol: &tcp, Min: n(80), Max: n(90)}, "-s 10.0.0.0/8 -p tcp -m tcp --dport 80:90 ", "-d 10.0.0.0/8 -p tcp -m tcp --sport 80:90 "},
		{FirewallRule{Prefix: ten, Protocol: &tcp, Min: n(80), Max: n(80)}, "-d 10.0.0.0/8 -p tcp -m tcp --dport 80 ", "-s 10.0.0.0/8 -p tcp -m tcp --sport 80 "},
		{FirewallRule{Protocol: &sctp, Min: n(0), Max: n(65535), Group: remoteGroup}, "-p sctp -m set --match-set " + SetName(remoteGroup, false) + " dst ",
			"-p sctp -m set --match-set " + SetName(remoteGroup, false) + " src "},
		{FirewallRule{Protocol: &icmp}, "-p icmp ", "-p icmp "},
		{FirewallRule{Protocol: &icmp, Min: n(8)}, "-p icmp -m icmp --icmp-type 8 ", "-p icmp -m icmp --icmp-type 0 "},
		{FirewallRule{Protocol: &icmp, Min: n(13), Max: n(1)}, "-p icmp -m icmp --icmp-type 13/1 ", "-p icmp -m icmp --icmp-type 14/1 "},
		{FirewallRule{Protocol: &icmp, Min: n(3), Max: n(4)}, "-p icmp -m icmp --icmp-type 3/4 ", "none"},
		{FirewallRule{Protocol: &icmp, Min: n(0)}, "-p icmp -m icmp --icmp-type 0 ", "none"},
		{FirewallRule{IPv6: true, Protocol: &icmp6, Min: n(128)}, "-p ipv6-icmp -m icmp6 --icmpv6-type 128 ", "-p ipv6-icmp -m icmp6 --icmpv6-type 129 "},
		{FirewallRule{IPv6: true, Protocol: &icmp6, Min: n(8)}, "-p ipv6-icmp -m icmp6 --icmpv6-type 8 ", "none"},
	} {
		text := func(answers bool) string {
			s, can := c.rule.text(answers)
			if !can {
				return "none"
			}
			return strings.TrimSuffix(s, `-m comment --comment "rule " -j weft-fw-accept`)
		}
		if d := cmp.Diff([]string{c.question, c.answers}, []string{text(false), text(true)}); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// TestFirstBridge is how a machine comes behind its firewall: what judges is there first.
func TestFirstBridge(t *testing.T) {
	got, _ := Build(readAll(t, bridged()[:1]))
	want := got[Home]
	want.IPv4, want.IPv6, want.Ethernet = Ruleset{}, Ruleset{}, Ruleset{} // told elsewhere
	have := Namespace{Name: Home, Devices: map[string]string{"tapbc39a196-00": ""}, Plugged: map[string]bool{"tapbc39a196-00": true}}
	steps := func(have Namespace) (out []string) {
		for _, s := range Diff(want, have) {
			out = append(out, s.String())
		}
		return out
	}
	if _, failed := Build(readAll(t, bridged()[:1])); failed["firewall/"+judgedPort] == nil {
		t.Error("a firewall without its set of groups is taken")
	}
	got, _ = Build(readAll(t, append(bridged()[:1], bridged()[2:]...)))
	want = got[Home]
	for _, s := range []string{"ipset restore", "sysctl", "iptables-restore", "ip6tables-restore", "ebtables-restore", "conntrack -D -w 4097", "ip link add qbrbc39a196-00",
		"conntrack -I -w 4097", "ip link set tapbc39a196-00 master qbrbc39a196-00"} {
		all := steps(have)
		if !slices.ContainsFunc(all, func(x string) bool { return strings.HasPrefix(x, s) }) {
			t.Errorf("no step %q in %q", s, all)
		}
	}
	first, last := steps(have)[0], steps(have)[len(steps(have))-1]
	if !strings.HasPrefix(first, "ipset restore") || last != "ip link set tapbc39a196-00 master qbrbc39a196-00" {
		t.Errorf("first %q, last %q", first, last)
	}

	// It is held back: br-int keeps it, and there is no bridge.
	have.Held = map[string]error{"qbrbc39a196-00": errors.New("not yet")}
	if all := steps(have); slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, "ip link") || strings.HasPrefix(s, "conntrack -I") }) {
		t.Errorf("a machine that is held back is taken: %q", all)
	}
	if b := Arriving(want, have); len(b) != 1 || !slices.Equal(b[0].Taps, []string{"tapbc39a196-00"}) {
		t.Errorf("arriving %+v", b)
	}
	have.Held = nil

	// Open vSwitch's datapath in the kernel holds the machine: it is put into the bridge when it is let go.
	have.Devices["tapbc39a196-00"] = "ovs-system"
	if all := steps(have); slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "master") }) {
		t.Errorf("a machine that ovs-system holds is taken: %q", all)
	}

	settled := want
	settled.Devices, settled.Plugged = map[string]string{"tapbc39a196-00": "qbrbc39a196-00"}, map[string]bool{"qvobc39a196-00": true}
	settled.Bridges = []Bridge{{Name: "qbrbc39a196-00", PortID: judgedPort, MTU: 1450, Ours: true, Right: true, Taps: []string{"tapbc39a196-00"}, Machine: "tapbc39a196-00"}}
	if all := steps(settled); all != nil {
		t.Errorf("nothing is to be done, but %q", all)
	}
	// The machine is gone: so is the bridge, once br-int has let go of it.
	settled.Devices = map[string]string{}
	settled.Bridges[0].Taps = nil
	if all := steps(settled); all != nil {
		t.Errorf("while br-int holds the bridge: %q", all)
	}
	settled.Plugged = map[string]bool{}
	if d := cmp.Diff([]string{"ip link del qbrbc39a196-00"}, steps(settled)); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
}

// TestForeignBridge: what os-vif made is judged, and left as it is.
func TestForeignBridge(t *testing.T) {
	got, _ := Build(readAll(t, append(bridged()[:1], bridged()[2:]...)))
	want := got[Home]
	have := want
	have.Devices = map[string]string{"tapbc39a196-00": "qbrbc39a196-00"}
	have.Plugged = map[string]bool{"qvobc39a196-00": true}
	have.Bridges = []Bridge{{Name: "qbrbc39a196-00", MTU: 9000, Taps: []string{"tapbc39a196-00"}}}
	if steps := Diff(want, have); len(steps) > 0 {
		t.Errorf("steps: %v", steps)
	}
	if steps := Diff(Namespace{Name: Home}, Namespace{Name: Home, Bridges: have.Bridges, Devices: have.Devices, Plugged: have.Plugged}); len(steps) > 0 {
		t.Errorf("when it goes: %v", steps)
	}
}

// TestSetsOfOneName: two groups whose sets would have one name allow nothing to each other's members.
func TestSetsOfOneName(t *testing.T) {
	other := remoteGroup[:len(remoteGroup)-1] + "0"
	more := &nodev1.Resource{Name: "remotegroup/" + other, Spec: &nodev1.Resource_RemoteGroup{RemoteGroup: &nodev1.RemoteGroup{GroupId: other}}}
	got, errs := Build(readAll(t, append(bridged(), more)))
	if errs["remotegroup/"+other] == nil || errs["remotegroup/"+remoteGroup] == nil || errs["groupset/101"] == nil {
		t.Errorf("errors: %v", errs)
	}
	if len(got[Home].Sets) > 0 || strings.Contains(got[Home].Text(), "match-set") {
		t.Errorf("sets: %v", got[Home].Sets)
	}
}

func TestZones(t *testing.T) {
	a, b := &PortFirewall{PortID: judgedPort}, &PortFirewall{PortID: looseGroup}
	first := (&Sources{Firewalls: []*PortFirewall{a, b}}).Zones(nil)
	if d := cmp.Diff(map[string]uint16{BridgeOf(judgedPort): 4097, BridgeOf(looseGroup): 4098}, first); d != "" {
		t.Errorf("zones (-want +got):\n%s", d)
	}
	if got := (&Sources{Firewalls: []*PortFirewall{b}}).Zones(first); got[BridgeOf(looseGroup)] != 4098 {
		t.Errorf("the zone changes: %v", got)
	}
	// One that has just become free is not given to another at once.
	if got := (&Sources{Firewalls: []*PortFirewall{a}}).Zones(map[string]uint16{"qbrother": 4097}); got[BridgeOf(judgedPort)] != 4098 {
		t.Errorf("zones: %v", got)
	}
	built, _ := Build(readAll(t, bridged()))
	if d := cmp.Diff(map[string]uint16{BridgeOf(judgedPort): 4098}, ReadZones(built[Home].IPv4)); d != "" {
		t.Errorf("read (-want +got):\n%s", d)
	}
}

const tracked = `tcp,orig=(src=10.0.1.158,dst=10.0.1.5,sport=40000,dport=80),reply=(src=10.0.1.5,dst=10.0.1.158,sport=80,dport=40000),zone=3,mark=1,protoinfo=(state=ESTABLISHED)
udp,orig=(src=fd00::1,dst=fd00::2,sport=53,dport=5353),reply=(src=fd00::2,dst=fd00::1,sport=5353,dport=53),zone=3
icmp,orig=(src=10.0.1.1,dst=10.0.1.2,id=7,type=8,code=0),reply=(src=10.0.1.2,dst=10.0.1.1,id=7,type=0,code=0),zone=3
sctp,orig=(src=10.0.1.1,dst=10.0.1.2,sport=0,dport=0),reply=(src=10.0.1.2,dst=10.0.1.1,sport=0,dport=0),zone=3
sctp,orig=(src=10.0.1.3,dst=10.0.1.2,sport=7,dport=38412),reply=(src=10.0.1.2,dst=10.0.1.3,sport=38412,dport=7),zone=3,mark=2,protoinfo=(state=ESTABLISHED,vtag_orig=5,vtag_reply=4294967295)
tcp,orig=(src=10.0.1.158,dst=`

func TestConnections(t *testing.T) {
	var got []string
	for _, c := range ParseConnections(tracked) {
		got = append(got, strings.Join([]string{number10(uint32(c.Protocol)), c.Orig.Src.String(), number10(uint32(c.Orig.DstPort)), number10(uint32(c.Reply.SrcPort)), number10(uint32(c.Orig.Type)), number10(c.Mark), c.State, number10(c.Tags.Orig), number10(c.Tags.Reply)}, " "))
	}
	if d := cmp.Diff([]string{"6 10.0.1.158 80 80 0 1 ESTABLISHED 0 0", "17 fd00::1 5353 5353 0 0  0 0", "1 10.0.1.1 0 0 8 0  0 0", "132 10.0.1.1 0 0 0 0  0 0",
		"132 10.0.1.3 38412 38412 0 2 ESTABLISHED 5 4294967295"}, got); d != "" {
		t.Errorf("connections (-want +got):\n%s", d)
	}
}

func FuzzConnections(f *testing.F) {
	f.Add(tracked)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range ParseConnections(text) {
			if !c.Orig.Src.IsValid() || c.Orig.Src.Is4() != c.Reply.Dst.Is4() || c.Orig.Dst.Is4() != c.Orig.Src.Is4() {
				t.Errorf("%+v", c)
			}
		}
	})
}

func FuzzSaved(f *testing.F) {
	built, _ := Build(readAll(f, bridged()))
	text, _ := built[Home].IPv4.restore(nil)
	f.Add(text, "create weft4-f57a97ea-b4da-4949-9cf8-1 hash:net family inet\nadd weft4-f57a97ea-b4da-4949-9cf8-1 10.0.0.0/8\n")
	f.Fuzz(func(t *testing.T, rules, sets string) {
		set, _ := ParseSave(rules)
		ReadZones(set)
		for name := range ParseSets(sets) {
			if !OurSet(name) {
				t.Errorf("%q", name)
			}
		}
	})
}
