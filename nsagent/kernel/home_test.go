package kernel

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/nsagent/plan"
)

const (
	groupID = "f57a97ea-b4da-4949-9cf8-1a2b3c4d5e6f"
	guestID = "bc39a196-0080-486e-adb4-42b1f9de8750"
)

// firewall is a port with rules of every form.
func firewall() map[string]plan.Resource {
	n := func(v uint16) *uint16 { return &v }
	var rules []plan.FirewallRule
	add := func(r plan.FirewallRule) {
		r.ID = "00000000-0000-4000-8000-0000000000" + string('a'+rune(len(rules)/16)) + string("0123456789abcdef"[len(rules)%16])
		rules = append(rules, r)
	}
	for _, protocol := range []uint8{0, 1, 2, 4, 6, 17, 33, 41, 46, 47, 50, 51, 58, 89, 94, 103, 108, 112, 115, 132, 136, 137, 253, 255} {
		for _, ipv6 := range []bool{false, true} {
			p := protocol
			add(plan.FirewallRule{Protocol: &p, IPv6: ipv6, Ingress: true, Group: groupID})
		}
	}
	tcp, icmp, icmp6 := uint8(6), uint8(1), uint8(58)
	for _, ports := range [][2]uint16{{22, 22}, {80, 90}, {0, 65535}, {0, 0}, {65535, 65535}} {
		for _, protocol := range []uint8{6, 17, 132} {
			p := protocol
			add(plan.FirewallRule{Protocol: &p, Min: n(ports[0]), Max: n(ports[1])})
		}
	}
	add(plan.FirewallRule{})
	add(plan.FirewallRule{IPv6: true, Ingress: true})
	add(plan.FirewallRule{Protocol: &tcp, Prefix: netip.MustParsePrefix("0.0.0.0/0")})
	add(plan.FirewallRule{Protocol: &tcp, Prefix: netip.MustParsePrefix("10.0.0.0/8"), Ingress: true})
	add(plan.FirewallRule{Protocol: &tcp, Prefix: netip.MustParsePrefix("fc00::/7"), IPv6: true})
	add(plan.FirewallRule{Protocol: &icmp, Min: n(8), Max: n(0)})
	add(plan.FirewallRule{Protocol: &icmp, Min: n(0)})
	add(plan.FirewallRule{Protocol: &icmp, Min: n(255)})
	add(plan.FirewallRule{Protocol: &icmp6, Min: n(128), Max: n(0), IPv6: true})
	add(plan.FirewallRule{Protocol: &icmp6, Min: n(1), IPv6: true})
	mac := "fa:16:3e:21:05:66"
	return named(&plan.PortFirewall{PortID: guestID, Interface: "tapbc39a196-00", MAC: mac, NetworkID: netA, MTU: 1450, VLAN: 3, GroupSet: 101, Senders: []plan.Sender{
		{MAC: mac, Prefix: netip.MustParsePrefix("10.0.1.158/32")}, {MAC: mac, Prefix: netip.MustParsePrefix("fd00:1::5/128")},
		{MAC: "fa:16:3e:aa:bb:cc", Prefix: netip.MustParsePrefix("10.9.0.0/16")}, {MAC: mac, Prefix: netip.MustParsePrefix("fd00:9::/44")},
		{MAC: mac, Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {MAC: mac, Prefix: netip.MustParsePrefix("::/0")}}},
		&plan.GroupSet{Number: 101, Rules: rules}, &plan.RemoteGroup{ID: groupID},
		&plan.RemoteAddress{Prefix: netip.MustParsePrefix("10.0.2.0/24"), Groups: []string{groupID}},
		&plan.RemoteAddress{Prefix: netip.MustParsePrefix("10.0.2.7/32"), Groups: []string{groupID}},
		&plan.RemoteAddress{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Groups: []string{groupID}},
		&plan.RemoteAddress{Prefix: netip.MustParsePrefix("fd00::5/128"), Groups: []string{groupID}})
}

// knows is a tracker of br-int that knows what it was told, and writes down what it is shown.
type knows struct {
	text  string
	asked []uint16
}

func (k *knows) Connections(_ context.Context, zone uint16) ([]plan.Connection, error) {
	k.asked = append(k.asked, zone)
	return plan.ParseConnections(k.text), nil
}

func (k *knows) Correct(context.Context, uint16, []plan.Connection, []plan.Packet) error {
	return errors.New("nobody is to be taught")
}

// settle takes the steps to what is wanted, and says which are left then.
func settle(t *testing.T, n *Namespace, want plan.Namespace, plugged map[string]bool) []plan.Step {
	t.Helper()
	ctx := context.Background()
	for round := 0; ; round++ {
		have, err := n.Observe(ctx, want)
		if err != nil {
			t.Fatal(err)
		}
		have.Plugged = plugged
		steps := plan.Diff(want, have)
		if round == 1 || len(steps) == 0 {
			return steps
		}
		for _, f := range n.Apply(ctx, steps, nil) {
			t.Fatalf("%v: %v", f.Step, f)
		}
	}
}

func runs(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
}

// plug makes the device of a machine, and what the machine has of it.
func plug(t *testing.T, tap, machine string) {
	t.Helper()
	runs(t, "ip", "link", "add", tap, "up", "type", "veth", "peer", "name", machine)
	runs(t, "ip", "link", "set", machine, "up")
}

// TestFirewallSettles: what the tools print is what they were told, rule for rule, and what somebody spoils is seen.
func TestFirewallSettles(t *testing.T) {
	h := open(t)
	h.Tracker = &knows{text: "tcp,orig=(src=10.0.1.158,dst=10.0.1.5,sport=40000,dport=80),reply=(src=10.0.1.5,dst=10.0.1.158,sport=80,dport=40000),zone=3,mark=1,protoinfo=(state=ESTABLISHED)\n" +
		"udp,orig=(src=fd00::9,dst=fd00:1::5,sport=53,dport=5353),reply=(src=fd00:1::5,dst=fd00::9,sport=5353,dport=53),zone=3\n" +
		"icmp,orig=(src=10.9.0.1,dst=10.0.1.2,id=7,type=8,code=0),reply=(src=10.0.1.2,dst=10.9.0.1,id=7,type=0,code=0),zone=3\n"}
	n, err := h.Home()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	runs(t, "ip", "link", "add", "tapbc39a196-00", "type", "veth", "peer", "name", "guest")
	built, errs := plan.Build(firewall())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := built[plan.Home]
	plugged := map[string]bool{"tapbc39a196-00": true}
	if steps := settle(t, n, want, plugged); len(steps) > 0 {
		t.Fatalf("still to do: %v", steps)
	}
	out, err := exec.Command("conntrack", "-L", "-w", "4097").CombinedOutput()
	if text := string(out); err != nil || strings.Count(text, "zone=4097") < 2 || !strings.Contains(text, "mark=1") || !strings.Contains(text, "ESTABLISHED") {
		t.Errorf("connections: %v %s", err, out)
	}
	runs(t, "conntrack", "-I", "-w", "4099", "-p", "udp", "-s", "10.0.9.1", "-d", "10.0.9.2", "--sport", "1", "--dport", "2", "-t", "100")
	for _, spoil := range [][]string{
		{"iptables", "-D", "weft-fw-gi101", "3"}, {"ip6tables", "-F", "weft-fw-state"}, {"iptables", "-t", "raw", "-F"}, {"iptables", "-A", "weft-fw-accept", "-j", "DROP"},
		{"iptables", "-D", "FORWARD", "-j", "weft-fw-FORWARD"}, {"ebtables", "-F", "weft-fw-obc39a196-0"}, {"ebtables", "-D", "FORWARD", "-j", "weft-fw-FORWARD"},
		{"ipset", "del", plan.SetName(groupID, false), "10.0.2.0/24"}, {"ipset", "add", plan.SetName(groupID, true), "fd00::6"},
		{"ip", "link", "set", "tapbc39a196-00", "nomaster"}, {"ip", "link", "set", "qvbbc39a196-00", "nomaster"}, {"ip", "link", "set", "qvobc39a196-00", "mtu", "1400"},
		{"ip", "link", "del", "qvobc39a196-00"}, {"ip", "link", "del", "qbrbc39a196-00"}, {"ip", "link", "set", "qbrbc39a196-00", "type", "bridge", "ageing_time", "300"},
		{"ethtool", "-K", "qvobc39a196-00", "tx", "on"}, {"sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=0"}, {"sysctl", "-qw", "net.ipv4.conf.qbrbc39a196-00.arp_ignore=0"},
	} {
		runs(t, spoil...)
		have, err := n.Observe(context.Background(), want)
		if err != nil {
			t.Fatal(err)
		}
		have.Plugged = map[string]bool{"qvobc39a196-00": true}
		if len(plan.Diff(want, have)) == 0 {
			t.Errorf("%q is not seen", spoil)
		}
		if steps := settle(t, n, want, have.Plugged); len(steps) > 0 {
			t.Errorf("after %q still to do: %v", spoil, steps)
		}
	}
	// One of them took away what says whose zone it is: whatever was in it has been forgotten, and nothing of another zone.
	for zone, want := range map[string]int{"4097": 0, "4099": 1} {
		out, err := exec.Command("conntrack", "-L", "-w", zone).CombinedOutput()
		if n := strings.Count(string(out), "zone="+zone); err != nil || n != want {
			t.Errorf("%d connections in zone %s, want %d: %v %s", n, zone, want, err, out)
		}
	}
	// All of it goes, in two looks: a machine is let go first.
	nothing := plan.Namespace{Name: plan.Home}
	settle(t, n, nothing, map[string]bool{})
	if steps := settle(t, n, nothing, map[string]bool{}); len(steps) > 0 {
		t.Errorf("still to remove: %v", steps)
	}
	for _, look := range []string{"iptables-save | grep weft", "ip6tables-save | grep weft", "ebtables-save | grep weft", "ipset list -n", "ip -o link | grep bc39a196 | grep -v tap"} {
		if out, _ := exec.Command("sh", "-c", look).Output(); len(out) > 0 {
			t.Errorf("%s: %s", look, out)
		}
	}
}

// TestMachinesMoveTogether: br-int is asked once for the connections of all machines of a zone, and each machine gets its own.
func TestMachinesMoveTogether(t *testing.T) {
	h := open(t)
	brInt := &knows{text: "udp,orig=(src=10.0.1.1,dst=10.0.9.1,sport=7,dport=53),reply=(src=10.0.9.1,dst=10.0.1.1,sport=53,dport=7),zone=3\n" +
		"udp,orig=(src=10.0.1.2,dst=10.0.9.2,sport=7,dport=53),reply=(src=10.0.9.2,dst=10.0.1.2,sport=53,dport=7),zone=3\n"}
	h.Tracker = brInt
	n, err := h.Home()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	resources, plugged := map[string]plan.Resource{}, map[string]bool{}
	for i, vlan := range []uint16{3, 3, 4} {
		id := strings.Replace(guestID, "bc39a196", "bc39a19"+string('a'+rune(i)), 1)
		mac := "fa:16:3e:00:00:0" + string('1'+rune(i))
		f := &plan.PortFirewall{PortID: id, Interface: plan.Tap(id), MAC: mac, NetworkID: netA, MTU: 1450, VLAN: vlan,
			Senders: []plan.Sender{{MAC: mac, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i + 1)}), 32)}}}
		resources[f.Resource()], plugged[f.Interface] = f, true
		runs(t, "ip", "link", "add", f.Interface, "type", "veth", "peer", "name", "guest"+string('a'+rune(i)))
	}
	built, errs := plan.Build(resources)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if steps := settle(t, n, built[plan.Home], plugged); len(steps) > 0 {
		t.Fatalf("still to do: %v", steps)
	}
	if !slices.Equal(brInt.asked, []uint16{3, 4}) {
		t.Errorf("asked for zones %v, want each once", brInt.asked)
	}
	for zone, dst := range map[string]string{"4097": "dst=10.0.9.1 ", "4098": "dst=10.0.9.2 "} {
		out, err := exec.Command("conntrack", "-L", "-w", zone).CombinedOutput()
		if text := string(out); err != nil || strings.Count(text, "zone="+zone) != 1 || !strings.Contains(text, dst) {
			t.Errorf("zone %s: %v %s", zone, err, out)
		}
	}
	nothing := plan.Namespace{Name: plan.Home}
	settle(t, n, nothing, map[string]bool{})
	if steps := settle(t, n, nothing, map[string]bool{}); len(steps) > 0 {
		t.Errorf("still to remove: %v", steps)
	}
}
