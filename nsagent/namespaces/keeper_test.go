package namespaces

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// TestAll builds every kind of namespace at once, finds it right, and leaves nothing behind.
func TestAll(t *testing.T) {
	x := keep(t)
	all := distributed(1)
	maps.Copy(all, named(dhcp(), centralised(2), floating(2, 2, "172.24.4.30", "10.0.1.7")))
	rep := x.want(all)
	if len(rep.Problems) > 0 {
		t.Fatalf("problems: %+v", rep.Problems)
	}
	want := []Device{}
	for _, n := range []int{9, 17, 20, 33, 34, 35} {
		want = append(want, Device{Name: plan.Tap(id('0', n)), PortID: id('0', n)})
	}
	if d := cmp.Diff(want, rep.Devices); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
	for _, name := range names(t) {
		lines, err := x.Describe(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			// The listeners of this test do not really listen.
			if l.State != plan.OK && !strings.HasPrefix(l.Text, "metadata listener") {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	// Restarted, it finds everything right.
	x.stop()
	y := keep(t)
	if rep := y.want(all); len(rep.Problems) > 0 {
		t.Fatalf("problems: %+v", rep.Problems)
	}
	if n := y.count("steps_total"); n != 0 {
		t.Errorf("a restart took %v steps", n)
	}
	y.nothing()
	if n := y.told(NamespaceRemoved); len(n) > 0 {
		t.Errorf("told %v", n)
	}
}

// TestDrift: what somebody changes by hand is put right at once, told once, and what we change is not told.
func TestDrift(t *testing.T) {
	x := keep(t)
	base := distributed(1)
	x.want(base)
	x.want(with(base, centralised(2)))
	name := plan.QRouter + id('a', 1)
	for i, command := range []string{
		"ip addr flush dev qr-00000011-00",
		"iptables -t nat -F",
		"sysctl -qw net.ipv4.ip_forward=0",
		"ip rule del priority 32768",
		"ip neigh del 10.0.1.5 dev qr-00000011-00",
		"ip route flush table 16",
		"ip link del rfp-a0000001-0",
	} {
		before := x.count("drift_repaired_total")
		in(t, name, "sh", "-c", command)
		x.until(command+" is repaired", func() bool {
			return x.count("drift_repaired_total") > before && right(t, x, name) && right(t, x, plan.FIP+external)
		})
		if n := x.told(DriftRepaired); len(n) < i+1 || n[len(n)-1].Resource == "" {
			t.Errorf("%s: told %+v", command, n)
		}
	}
	x.nothing()
}

// right says whether a namespace is as desired.
func right(t *testing.T, x *kept, name string) bool {
	t.Helper()
	lines, err := x.Describe(t.Context(), name)
	if err != nil || len(lines) == 0 {
		return false
	}
	for _, l := range lines {
		if l.State != plan.OK && l.Section != plan.SectionProcess {
			return false
		}
	}
	return true
}

// TestNoDrift: what other objects change in a namespace is no drift, and a change takes no more than its own steps.
func TestNoDrift(t *testing.T) {
	x := keep(t)
	all := distributed(1)
	x.want(all)
	steps := x.count("steps_total")
	x.want(with(all, &plan.FloatingIP{ID: id('f', 7), RouterID: id('a', 1), Floating: addr("172.24.4.77"), Fixed: addr("10.0.1.7"), Place: plan.PlaceFip, RulePriority: 32770, NetworkID: external}))
	if n := x.count("steps_total") - steps; n != 5 { // NAT, rule and conntrack; route and announcement
		t.Errorf("a floating IP took %v steps", n)
	}
	x.want(named(all["fip/"+external])) // the router goes, and with it the pair
	x.want(all)
	name := plan.QRouter + id('a', 1)
	x.until("all is right", func() bool { return right(t, x, name) && right(t, x, plan.FIP+external) })
	if n := x.told(DriftRepaired); len(n) > 0 {
		t.Errorf("told %+v", n)
	}
	x.nothing()
}

// TestNamespaceDeleted: a namespace that somebody deletes is made again, with its servers in the new one.
func TestNamespaceDeleted(t *testing.T) {
	x := keep(t)
	x.want(distributed(1))
	name := plan.QRouter + id('a', 1)
	inode := func() string {
		x.servers.mu.Lock()
		defer x.servers.mu.Unlock()
		return x.servers.inodes[name]
	}
	before := inode()
	deleteByHand(t, name)
	x.until("it is there again", func() bool { return inode() != before && right(t, x, name) && right(t, x, plan.FIP+external) })
	x.nothing()
}

// TestOrphans: namespaces that an earlier process made go once everything is known; others stay.
func TestOrphans(t *testing.T) {
	x := keep(t)
	x.want(distributed(1))
	x.stop()
	foreign := plan.QRouter + id('a', 99)
	run(t, "ip", "netns", "add", foreign)
	y := keep(t)
	y.servers.dhcp[plan.QDHCP+netB] = plan.Server{} // a server without a namespace
	router := named(centralised(2))
	y.Set(router, false)
	y.settled()
	if n := len(names(t)); n != 4 {
		t.Errorf("%d namespaces before everything is known: %v", n, names(t))
	}
	y.Set(router, true)
	y.until("orphans are gone", func() bool {
		n := names(t)
		return len(n) == 2 && len(y.told(NamespaceRemoved)) == 2
	})
	if got := names(t); !cmp.Equal(got, []string{plan.QRouter + id('a', 2), foreign}) {
		t.Errorf("there are %v", got)
	}
	y.until("the server is ended", func() bool { r, _ := y.servers.Running(); return len(r) == 0 })
	run(t, "ip", "netns", "del", foreign)
	y.nothing()
}

// TestUnplug: a device is taken down at once, and deleted only when it has left br-int.
func TestUnplug(t *testing.T) {
	x := keep(t)
	x.want(named(centralised(1)))
	name, tap := plan.QRouter+id('a', 1), plan.Tap(id('0', 18))
	x.Unplugged(map[string]bool{tap: true})
	less := centralised(1)
	less.Interfaces = less.Interfaces[:1]
	x.want(named(less))
	if text := in(t, name, "ip", "-br", "link", "show", "qr-00000012-00"); !strings.Contains(text, "DOWN") {
		t.Errorf("it is not down: %s", text)
	}
	x.want(map[string]plan.Resource{})
	x.until("the others are gone", func() bool { return !strings.Contains(in(t, name, "ip", "-br", "link"), "qg-") })
	run(t, "ip", "link", "show", tap)
	x.Unplugged(map[string]bool{})
	x.nothing()
	if n := x.told(DriftRepaired); len(n) > 0 {
		t.Errorf("told %+v", n)
	}
}

// TestNameTaken: a name that is somebody else's is a problem of that router alone, and heals when it is given up.
func TestNameTaken(t *testing.T) {
	x := keep(t)
	name := plan.QRouter + id('a', 1)
	if err := os.WriteFile(path(name), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "link", "add", "tap00000021-00", "type", "bridge")
	rep := x.want(named(centralised(1), centralised(2), centralised(3), floating(1, 1, "172.24.4.30", "10.0.1.7")))
	reasons := map[string]string{}
	for r, p := range rep.Problems {
		reasons[r] = p.Reason
	}
	if d := cmp.Diff(map[string]string{"router/" + id('a', 1): NameTaken, "floatingip/" + id('f', 1): NameTaken, "router/" + id('a', 2): NameTaken}, reasons); d != "" {
		t.Errorf("problems (-want +got):\n%s\n%+v", d, rep.Problems)
	}
	if text, err := os.ReadFile(path(name)); err != nil || string(text) != "mine" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if err := os.Remove(path(name)); err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "link", "del", "tap00000021-00")
	x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })
	x.nothing()
}

// TestProgramMissing: without iptables no router is true, and each says why; it heals.
func TestProgramMissing(t *testing.T) {
	old := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	x := keep(t)
	x.want(named(centralised(1)))
	if p := x.Report().Problems["router/"+id('a', 1)]; p.Reason != ProgramMissing || !strings.Contains(p.Message, "iptables") {
		t.Errorf("problem %+v", p)
	}
	t.Setenv("PATH", old)
	x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })
	x.nothing()
}

// TestHang: a command that hangs in one namespace is killed, and stops no other.
func TestHang(t *testing.T) {
	dir := t.TempDir()
	slow := plan.QRouter + id('a', 1)
	script := `#!/bin/sh
if [ "$(ip netns identify $$)" = "` + slow + `" ] && [ ! -e ` + dir + `/healed ]; then sleep 1000; fi
exec /usr/sbin/iptables-restore "$@"
`
	if err := os.WriteFile(dir+"/iptables-restore", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	x := keep(t)
	x.Set(named(centralised(1), centralised(2)), true)
	x.until("the other is there", func() bool { p := x.Report().Pending; return !p["router/"+id('a', 2)] })
	if p := x.Report(); !p.Pending["router/"+id('a', 1)] || len(p.Problems) > 0 {
		t.Errorf("report %+v", p)
	}
	x.until("the command is killed", func() bool { return strings.Contains(x.Report().Problems["router/"+id('a', 1)].Message, "was killed") })
	if err := os.WriteFile(dir+"/healed", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })
	x.nothing()
}

// TestConvert: a router that becomes distributed keeps its gateway port, which goes from one namespace to another without
// leaving br-int.
func TestConvert(t *testing.T) {
	x := keep(t)
	x.want(named(centralised(1)))
	all := map[string]bool{}
	for _, d := range x.Report().Devices {
		all[d.Name] = true
	}
	x.Unplugged(all)
	tap := plan.Tap(id('0', 19))
	before := index(t, tap)
	r := centralised(1)
	snat := &plan.Snat{RouterID: r.RouterID, Gateway: *r.Gateway, Interfaces: []plan.Device{port(40, netA, "10.0.1.6/24")}}
	r.Distributed, r.Gateway = true, nil
	if rep := x.want(named(r, snat)); len(rep.Problems) > 0 {
		t.Errorf("problems %+v", rep.Problems)
	}
	x.until("both are right", func() bool { return right(t, x, plan.QRouter+r.RouterID) && right(t, x, plan.SNAT+r.RouterID) })
	if after := index(t, tap); after != before {
		t.Errorf("%s was made anew: %s, %s", tap, before, after)
	}
	if n := x.told(DriftRepaired); len(n) > 0 {
		t.Errorf("told %+v", n)
	}
	x.Unplugged(map[string]bool{})
	x.nothing()
}

func index(t *testing.T, dev string) string {
	text := run(t, "ip", "-o", "link", "show", dev)
	i, _, _ := strings.Cut(text, ":")
	return i
}

// TestServers: servers are told of every change, a dead one is started again, and a failure is told.
func TestServers(t *testing.T) {
	x := keep(t, func(c *Config) { c.AuditInterval = 50 * time.Millisecond })
	x.want(named(dhcp()))
	name := plan.QDHCP + netA
	x.servers.mu.Lock()
	delete(x.servers.dhcp, name)
	x.servers.mu.Unlock()
	x.until("it is started again", func() bool { r, _ := x.servers.Running(); return len(r) == 1 && len(x.told(DriftRepaired)) > 0 })
	e := &plan.Endpoint{PortID: id('e', 1), NetworkID: netA, MAC: "fa:16:3e:00:00:05", DHCP: true, Metadata: true, Caller: &plan.Caller{}, Hostname: "x",
		Addresses: []plan.SubnetAddress{{SubnetID: subA, IP: addr("10.0.1.5")}}}
	x.want(named(dhcp(), e))
	x.servers.mu.Lock()
	if len(x.servers.dhcp[name].Hosts) != 1 || x.servers.listens[name].Callers[addr("10.0.1.5")] != e.Caller {
		t.Errorf("servers know %+v, %+v", x.servers.dhcp, x.servers.listens)
	}
	x.servers.refuse = os.ErrPermission
	x.servers.mu.Unlock()
	x.until("the failure is told", func() bool { return x.Report().Problems["dhcp/"+netA].Reason == ServerFailed })
	x.servers.mu.Lock()
	x.servers.refuse = nil
	x.servers.mu.Unlock()
	x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })
	x.nothing()
}

// advertised is a centralised router that tells machines of itself on its first device.
func advertised(n int) *plan.Router {
	r := centralised(n)
	r.Interfaces[0].Advertisement = &plan.Advertisement{DefaultRouter: true, Prefixes: []plan.AdvertisedPrefix{{Prefix: netip.MustParsePrefix("fd00:1::/64"), Autonomous: true}}}
	return r
}

// TestAdvertisements: they begin when the router has its addresses, a dead sender is started again at once, a failure is told of a
// router that works, and they end with what they tell of.
func TestAdvertisements(t *testing.T) {
	x := keep(t)
	name, resource := plan.QRouter+id('a', 1), "router/"+id('a', 1)
	tells := func() (plan.Advertiser, bool) {
		x.servers.mu.Lock()
		defer x.servers.mu.Unlock()
		a, ok := x.servers.tell[name]
		return a, ok
	}
	set := func(f func()) {
		x.servers.mu.Lock()
		defer x.servers.mu.Unlock()
		f()
	}
	x.want(named(advertised(1)))
	if a, ok := tells(); !ok || len(a.Devices) != 1 || a.Devices[0].Name != "qr-00000011-00" || a.Devices[0].MTU != 1450 {
		t.Errorf("it tells %+v", a)
	}
	x.servers.mu.Lock()
	if seen := x.servers.seen[name]; !strings.Contains(seen, "fd00:1::1/64") || !strings.Contains(seen, "fe80::") {
		t.Errorf("addresses when it began: %s", seen)
	}
	x.servers.mu.Unlock()
	if n := x.told(DriftRepaired); len(n) > 0 {
		t.Errorf("told %+v", n)
	}
	process := func() (states []string) {
		lines, err := x.Describe(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if strings.HasPrefix(l.Text, "radvd for ") {
				states = append(states, l.State)
			}
		}
		return states
	}
	if got := process(); !slices.Equal(got, []string{plan.OK}) {
		t.Errorf("described as %v", got)
	}

	set(func() { delete(x.servers.tell, name) })
	if got := process(); !slices.Equal(got, []string{plan.Missing}) {
		t.Errorf("described as %v", got)
	}
	x.deaths <- name
	x.until("it is started again", func() bool { _, ok := tells(); return ok && len(x.told(DriftRepaired)) == 1 })

	set(func() {
		x.servers.refuse = errors.New("the program radvd is missing on this host (Debian: apt install radvd)")
	})
	x.deaths <- name
	x.until("the failure is told", func() bool { return x.Report().Problems[resource].Reason == ServerFailed })
	if !right(t, x, name) {
		t.Error("the router itself does not work")
	}
	set(func() { x.servers.refuse = nil })
	x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })

	x.want(named(centralised(1)))
	x.until("it tells nothing any more", func() bool { _, ok := tells(); return !ok })
	x.want(named(advertised(1)))

	// The next agent ends what nobody desires.
	x.stop()
	y := keep(t)
	y.servers.tell[plan.QRouter+id('a', 9)] = plan.Advertiser{}
	y.servers.tell[name] = plan.Advertiser{}
	y.want(named(centralised(1)))
	y.until("the senders are ended", func() bool { r, _ := advertisers{y.servers, nil}.Running(); return len(r) == 0 })
	y.nothing()
}

// TestUnfit: resources that do not fit together are problems of their own, and the rest is built.
func TestUnfit(t *testing.T) {
	x := keep(t)
	r := centralised(1)
	r.Routes = []plan.Route{{Destination: netip.MustParsePrefix("9.9.9.9/32"), NextHop: addr("192.0.2.1")}}
	lonely := floating(2, 7, "172.24.4.31", "10.0.1.8")
	rep := x.want(named(r, floating(1, 1, "172.24.4.30", "10.0.1.7"), lonely))
	if d := cmp.Diff(map[string]Problem{
		"router/" + r.RouterID:     {"routes[0]", Invalid, "next hop 192.0.2.1 is on no subnet of the router"},
		"floatingip/" + id('f', 2): {"router_id", Invalid, "this host is told of no namespace " + plan.QRouter + id('a', 7)},
	}, rep.Problems); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	if text := in(t, plan.QRouter+r.RouterID, "ip", "addr"); !strings.Contains(text, "172.24.4.30/32") {
		t.Errorf("the floating IP is not there:\n%s", text)
	}
	x.nothing()
}

// What was on disk and is taken back before anybody has worked on it stays as long as not everything is known: it may serve machines.
func TestNothingGoesUnheardBeforeEverythingIsKnown(t *testing.T) {
	k := New(Config{})
	k.Set(named(dhcp(), centralised(2)), false)
	k.Set(named(centralised(2)), false)
	if got := k.regroup(); len(got) != 2 || k.workers[plan.QDHCP+dhcp().NetworkID] == nil {
		t.Fatalf("%d workers: %v", len(got), k.workers)
	}
	k.Set(named(centralised(2)), true)
	k.regroup()
	if w := k.workers[plan.QDHCP+dhcp().NetworkID]; w == nil || w.sources != nil {
		t.Errorf("when everything is known: %+v", w)
	}
}
