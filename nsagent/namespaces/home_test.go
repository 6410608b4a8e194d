package namespaces

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-sdn/weft/nsagent/plan"
)

const secured = "f57a97ea-b4da-4949-9cf8-1a2b3c4d5e6f"

// judged are ports behind firewall bridges whose rule names a group, with its members.
func judged(ports int, members ...string) map[string]plan.Resource {
	udp := uint8(17)
	out := named(&plan.RemoteGroup{ID: secured},
		&plan.GroupSet{Number: 101, Rules: []plan.FirewallRule{{ID: id('r', 1), Ingress: true, Protocol: &udp, Group: secured}}})
	for i := range ports {
		mac := fmt.Sprintf("fa:16:3e:00:00:%02x", i)
		f := &plan.PortFirewall{PortID: id('0', i), Interface: plan.Tap(id('0', i)), MAC: mac, NetworkID: netA, MTU: 1450, VLAN: 3, GroupSet: 101,
			Senders: []plan.Sender{{MAC: mac, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)}}}
		out[f.Resource()] = f
	}
	return with(out, remotes(members...)...)
}

func remotes(members ...string) []plan.Resource {
	var out []plan.Resource
	for _, m := range members {
		out = append(out, &plan.RemoteAddress{Prefix: netip.MustParsePrefix(m), Groups: []string{secured}})
	}
	return out
}

// members are those that the kernel has.
func members(t testing.TB) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(run(t, "ipset", "save")) {
		if words := strings.Fields(line); words[0] == "add" {
			out = append(out, words[2])
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestMemberJoins: who joins a group or leaves it is one entry of a set. A machine that leaves br-int at the same time is not overlooked.
func TestMemberJoins(t *testing.T) {
	x := keep(t)
	tap := plan.Tap(id('0', 0))
	outer := plan.OuterOf(id('0', 0))
	run(t, "ip", "link", "add", tap, "type", "veth", "peer", "name", "guest")
	x.Unplugged(map[string]bool{})
	want := func(r map[string]plan.Resource) {
		t.Helper()
		x.want(r)
		x.until("all of it is done", func() bool { r := x.Report(); return !r.Stale && len(r.Pending) == 0 })
	}
	base := judged(1, "10.1.0.1/32")
	want(base)
	x.until("the machine is in its bridge", func() bool {
		return strings.Contains(run(t, "ip", "link", "show", tap), "master "+plan.BridgeOf(id('0', 0)))
	})
	x.Unplugged(map[string]bool{outer: true})
	// The kernel tells of all that is done, too.
	x.until("it has looked again", func() bool { return x.count("looks_total") >= 2 })
	steps := x.count("steps_total")
	more := with(base, remotes("10.1.0.2/32")...)
	want(more)
	if got := members(t); got != "10.1.0.1 10.1.0.2" {
		t.Errorf("members %q", got)
	}
	want(base)
	if got := members(t); got != "10.1.0.1" {
		t.Errorf("members %q", got)
	}
	if got := x.count("steps_total") - steps; got != 2 {
		t.Errorf("%v steps, want 2", got)
	}
	if d := x.Report().Devices; len(d) != 1 || d[0].Name != outer || d[0].Instead != tap {
		t.Errorf("devices %+v", d)
	}

	// The port is not wanted any more. Its bridge stays until br-int has let go of it; that comes in the moment in which a member joins.
	none := judged(0, "10.1.0.1/32")
	other := judged(2)["firewall/"+id('0', 1)]
	looks := x.count("looks_total")
	want(with(none, other))
	x.until("it has looked", func() bool { return x.count("looks_total") > looks })
	x.Keeper.mu.Lock()
	w := x.workers[plan.Home]
	x.Keeper.mu.Unlock()
	x.until("the worker rests", func() bool { return len(x.slots) == 0 })
	for range cap(x.slots) {
		x.slots <- struct{}{}
	}
	x.Unplugged(map[string]bool{tap: true})
	x.until("the worker has heard of it", func() bool { x.Keeper.mu.Lock(); defer x.Keeper.mu.Unlock(); return !w.unplugged })
	x.Set(with(none, append(remotes("10.1.0.3/32"), other)...), true)
	x.until("and of the member", func() bool { return !x.Report().Stale })
	for range cap(x.slots) {
		<-x.slots
	}
	x.settled()
	if got := members(t); got != "10.1.0.1 10.1.0.3" {
		t.Errorf("members %q", got)
	}
	x.until("the bridge is gone", func() bool { return !strings.Contains(run(t, "ip", "-br", "link"), plan.BridgeOf(id('0', 0))) })
	if n := x.told(DriftRepaired); len(n) > 0 {
		t.Errorf("told %+v", n)
	}
	run(t, "ip", "link", "del", tap)
	want(map[string]plan.Resource{})
	x.until("no set is left", func() bool { return run(t, "ipset", "save") == "" })
}

// taught is br-int's tracker, which has tracked nothing, and may be away.
type taught struct {
	mu      sync.Mutex
	err     error
	packets int
}

func (b *taught) Connections(context.Context, uint16) ([]plan.Connection, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return nil, b.err
}

func (b *taught) Correct(_ context.Context, _ uint16, _ []plan.Connection, packets []plan.Packet) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.packets += len(packets)
	return b.err
}

// TestBridgeTeachesBrInt: a bridge that is to go judges until br-int has been told of its connections, and again when it is not to go.
func TestBridgeTeachesBrInt(t *testing.T) {
	brInt := &taught{err: errors.New("br-int is away")}
	x := keep(t, func(c *Config) { c.Tracker = brInt })
	tap, outer := plan.Tap(id('0', 0)), plan.OuterOf(id('0', 0))
	run(t, "ip", "link", "add", tap, "type", "veth", "peer", "name", "guest")
	x.Unplugged(map[string]bool{})
	x.want(judged(1))
	x.until("the machine is in its bridge", func() bool {
		return strings.Contains(run(t, "ip", "link", "show", tap), "master "+plan.BridgeOf(id('0', 0)))
	})
	x.Unplugged(map[string]bool{outer: true})
	run(t, "conntrack", "-I", "-w", "4097", "-p", "udp", "-s", "10.0.0.0", "-d", "10.0.9.2", "--sport", "1", "--dport", "2", "-t", "100", "-u", "SEEN_REPLY")
	run(t, "conntrack", "-I", "-w", "4098", "-p", "udp", "-s", "10.0.0.0", "-d", "10.0.9.3", "--sport", "1", "--dport", "2", "-t", "100", "-u", "SEEN_REPLY")
	leaving := judged(1)
	leaving["firewall/"+id('0', 0)].(*plan.PortFirewall).Leaving = true
	is := func(taught bool) func() bool {
		return func() bool {
			d := x.Report().Devices
			return len(d) == 1 && d[0].Name == outer && d[0].Instead == tap && d[0].Taught == taught
		}
	}
	x.until("br-int has the bridge's port", is(false))
	x.Set(leaving, true)
	x.until("it is a problem that br-int is away", func() bool {
		return strings.Contains(x.Report().Problems["firewall/"+id('0', 0)].Message, "br-int is away")
	})
	if !is(false)() {
		t.Errorf("devices %+v", x.Report().Devices)
	}
	brInt.mu.Lock()
	brInt.err = nil
	brInt.mu.Unlock()
	x.until("br-int knows", is(true))
	brInt.mu.Lock()
	packets := brInt.packets
	brInt.mu.Unlock()
	// It never says that it knows, and so is told each time; and nobody is told of what it does not know, but by a notice.
	if packets != 2*3 || len(x.told(ConnectionsUnknown)) != 1 {
		t.Errorf("%d packets, notices %+v", packets, x.told(ConnectionsUnknown))
	}
	x.want(judged(1))
	x.until("the bridge judges again", is(false))
	x.want(map[string]plan.Resource{})
	x.until("the machine is given back", func() bool { d := x.Report().Devices; return len(d) == 1 && d[0].Name == tap && d[0].Lent })
	x.Unplugged(map[string]bool{tap: true})
	x.until("the bridge is gone", func() bool { return !strings.Contains(run(t, "ip", "-br", "link"), plan.BridgeOf(id('0', 0))) })
	run(t, "ip", "link", "del", tap)
	run(t, "conntrack", "-D", "-w", "4098")
}

// associated is br-int's tracker, which tracks one association of SCTP until it is forgotten.
type associated struct {
	mu        sync.Mutex
	forgotten bool
}

func (b *associated) Connections(context.Context, uint16) ([]plan.Connection, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forgotten {
		return nil, nil
	}
	return plan.ParseConnections("sctp,orig=(src=10.0.0.0,dst=10.0.9.1,sport=7,dport=8),reply=(src=10.0.9.1,dst=10.0.0.0,sport=8,dport=7),zone=3\n"), nil
}

func (b *associated) Correct(context.Context, uint16, []plan.Connection, []plan.Packet) error {
	return nil
}

// TestMachineStaysUntilItIsHeard: a machine whose associations nobody has heard stays with br-int, which says why, and others do not wait for it.
func TestMachineStaysUntilItIsHeard(t *testing.T) {
	brInt := &associated{}
	x := keepUntold(t, func(c *Config) { c.Tracker = brInt })
	plugged := map[string]bool{}
	for i := range 2 {
		tap := plan.Tap(id('0', i))
		run(t, "ip", "link", "add", tap, "type", "veth", "peer", "name", fmt.Sprint("guest", i))
		plugged[tap] = true
	}
	x.Set(judged(2), true)
	x.until("it has looked, and waits to hear what br-int holds", func() bool { return x.count("looks_total") >= 2 && len(x.Report().Pending) > 0 })
	if out := run(t, "ip", "-br", "link"); strings.Contains(out, "qbr") || len(x.Report().Devices) > 0 {
		t.Errorf("it did not wait: %s", out)
	}
	x.Unplugged(plugged)
	bridged := func(i int) bool {
		return strings.Contains(run(t, "ip", "link", "show", plan.Tap(id('0', i))), "master "+plan.BridgeOf(id('0', i)))
	}
	x.until("the other machine is in its bridge", func() bool { return bridged(1) })
	x.until("the first one is waited for", func() bool {
		p := x.Report().Problems["firewall/"+id('0', 0)]
		return p.Reason == Waiting && strings.Contains(p.Message, "10.0.0.0 and 10.0.9.1")
	})
	if d := x.Report().Devices; bridged(0) || len(d) != 1 || d[0].Name != plan.OuterOf(id('0', 1)) {
		t.Errorf("devices %+v", d)
	}
	brInt.mu.Lock()
	brInt.forgotten = true
	brInt.mu.Unlock()
	x.until("it is in its bridge", func() bool { return bridged(0) && len(x.Report().Devices) == 2 && len(x.Report().Problems) == 0 })
	x.Unplugged(map[string]bool{})
	x.want(map[string]plan.Resource{})
	x.until("the bridges are gone", func() bool { return !strings.Contains(run(t, "ip", "-br", "link"), "qbr") })
	for i := range 2 {
		run(t, "ip", "link", "del", plan.Tap(id('0', i)))
	}
}
