package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/namespaces"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// inBox says that this process has mount and network namespaces of its own.
const inBox = "WEFT_BENCH_BRIDGE_BOX"

// TestMain runs the benchmarks in a box: no rule and no device of the machine's is seen or touched.
func TestMain(m *testing.M) {
	if os.Getenv(inBox) != "" {
		// Namespaces of the machine's own are not the keeper's.
		if err := errors.Join(os.MkdirAll(kernel.Dir, 0o755), syscall.Mount("tmpfs", kernel.Dir, "tmpfs", 0, "")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inBox+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
}

// members are those of the group that the ports' rules name; half of them of each family.
const members = 2000

const (
	network = "11111111-0000-4000-8000-000000000000"
	group   = "f57a97ea-b4da-4949-9cf8-1a2b3c4d5e6f"
)

func portID(i int) string { return fmt.Sprintf("%08x-%03x0-4000-8000-000000000000", i, i%4096) }

func tap(i int) string { return plan.Tap(portID(i)) }

// wanted are ports of one set of groups with the 7 rules of the original's example, two addresses each.
func wanted(ports, members int) map[string]plan.Resource {
	out := map[string]plan.Resource{}
	put := func(r plan.Resource) { out[r.Resource()] = r }
	for i := range ports {
		mac := fmt.Sprintf("fa:16:3e:00:%02x:%02x", i>>8, i&255)
		put(&plan.PortFirewall{PortID: portID(i), Interface: tap(i), MAC: mac, NetworkID: network, MTU: 1450, VLAN: 3, GroupSet: 101, Senders: []plan.Sender{
			{MAC: mac, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)},
			{MAC: mac, Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)}), 128)}}})
	}
	put(&plan.GroupSet{Number: 101, Rules: rules(22)})
	put(&plan.RemoteGroup{ID: group})
	for i := range members {
		put(member(i))
	}
	return out
}

func member(i int) *plan.RemoteAddress {
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32)
	if i%2 == 1 {
		p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 1: 1, 14: byte(i >> 8), 15: byte(i)}), 128)
	}
	return &plan.RemoteAddress{Prefix: p, Groups: []string{group}}
}

// rules are those of the set, one of them about a port.
func rules(port uint16) []plan.FirewallRule {
	icmp, icmp6, tcp, udp, from, to := uint8(1), uint8(58), uint8(6), uint8(17), uint16(80), uint16(90)
	out := []plan.FirewallRule{
		{}, {IPv6: true}, {Ingress: true, Protocol: &icmp}, {Ingress: true, IPv6: true, Protocol: &icmp6},
		{Ingress: true, Protocol: &tcp, Min: &port, Max: &port},
		{Ingress: true, Protocol: &tcp, Min: &from, Max: &to, Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		{Ingress: true, Protocol: &udp, Group: group},
	}
	for i := range out {
		out[i].ID = fmt.Sprintf("00000000-0000-4000-8000-0000000%05d", i)
	}
	out[4].ID = fmt.Sprintf("00000000-0000-4000-8000-0000001%05d", port)
	return out
}

// host is the box with machines, whose devices br-int has, or has not any more.
type host struct {
	*kernel.Namespace
	kernel  *kernel.Host
	b       *testing.B
	ports   int
	plugged map[string]bool
	have    plan.Namespace // as it was left
}

func start(b *testing.B, ports int) *host {
	b.Helper()
	h := &host{b: b, ports: ports, plugged: map[string]bool{}}
	var err error
	if h.kernel, err = kernel.Open(); err != nil {
		b.Fatal(err)
	}
	if h.Namespace, err = h.kernel.Home(); err != nil {
		b.Fatal(err)
	}
	var machines strings.Builder
	for i := range ports {
		fmt.Fprintf(&machines, "link add %s type veth peer name guest%d\n", tap(i), i)
	}
	run(b, machines.String(), "ip", "-batch", "-")
	return h
}

// end takes the machines away.
func (h *host) end() {
	var machines strings.Builder
	for i := range h.ports {
		fmt.Fprintf(&machines, "link del %s\n", tap(i))
	}
	run(h.b, machines.String(), "ip", "-batch", "-")
	if err := errors.Join(h.Close(), h.kernel.Close()); err != nil {
		h.b.Error(err)
	}
}

// build is what must be there. The agent does it at each change.
func build(b *testing.B, resources map[string]plan.Resource) plan.Namespace {
	b.Helper()
	s := plan.Group(resources)[plan.Home]
	want, errs := s.Build(s.Zones(nil))
	if len(errs) > 0 {
		b.Fatal(errs)
	}
	return want
}

// look looks at everything, and says what is to be done.
func (h *host) look(want plan.Namespace) []plan.Step {
	h.b.Helper()
	have, err := h.Observe(context.Background(), want)
	if err != nil {
		h.b.Fatal(err)
	}
	have.Plugged = h.plugged
	return plan.Diff(want, have)
}

func (h *host) apply(steps []plan.Step) {
	h.b.Helper()
	for _, f := range h.Apply(context.Background(), steps, nil) {
		h.b.Fatalf("%.200v: %v", f.Step, f.Err)
	}
}

// whole makes a host have what is wanted, and looks again.
func (h *host) whole(resources map[string]plan.Resource) time.Duration {
	h.b.Helper()
	begin := time.Now()
	want := build(h.b, resources)
	h.apply(h.look(want))
	took := time.Since(begin)
	h.have = want
	if steps := h.look(want); len(steps) > 0 {
		h.b.Fatalf("still to do: %.500v", steps)
	}
	return took
}

// changed makes one change, as the agent does it when it knows what is there but for the devices. It gives the steps, too.
func (h *host) changed(resources map[string]plan.Resource) (time.Duration, []plan.Step) {
	h.b.Helper()
	begin := time.Now()
	want := build(h.b, resources)
	have := h.have
	if err := h.Bridges(&have); err != nil {
		h.b.Fatal(err)
	}
	have.Plugged = h.plugged
	steps := plan.Diff(want, have)
	h.apply(steps)
	took := time.Since(begin)
	h.have = want
	return took, steps
}

// none are the servers of a host that has none.
type none[T any] struct{}

func (none[T]) Running() ([]string, error)         { return nil, nil }
func (none[T]) Alive(string) bool                  { return false }
func (none[T]) Deaths() <-chan string              { return nil }
func (none[T]) Stop(context.Context, string) error { return nil }
func (none[T]) Ensure(context.Context, namespaces.Space, T) (bool, error) {
	return false, nil
}

type noListener struct{}

func (noListener) Stop(string)                                  {}
func (noListener) Ensure(namespaces.Space, plan.Listener) error { return nil }

// kept makes one change as the agent's keeper of namespaces does it, from being told until it says that it is done, and gives the
// steps, too. The keeper knows all that is there.
func (h *host) kept(before, after map[string]plan.Resource) (time.Duration, []plan.Step) {
	h.b.Helper()
	k := namespaces.New(namespaces.Config{DHCP: none[plan.Server]{}, Advertisers: none[plan.Advertiser]{}, Metadata: noListener{}, AuditInterval: time.Hour, Metrics: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			h.b.Error(err)
		}
	}()
	until := func(resources map[string]plan.Resource) time.Duration {
		begin := time.Now()
		k.Set(maps.Clone(resources), true)
		for r := k.Report(); r.Stale || len(r.Pending) > 0; r = k.Report() {
			<-k.Changed()
		}
		if r := k.Report(); len(r.Problems) > 0 {
			h.b.Fatalf("problems: %v", r.Problems)
		}
		return time.Since(begin)
	}
	k.Unplugged(h.plugged)
	until(before)
	took := until(after)
	return took, plan.Diff(build(h.b, after), h.have)
}

// nothing takes all of it away.
func (h *host) nothing() {
	h.b.Helper()
	for range 2 { // machines first
		h.apply(h.look(plan.Namespace{Name: plan.Home}))
	}
	for _, words := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"ebtables-save"}, {"ipset", "save"}} {
		if strings.Contains(run(h.b, "", words...), "weft") {
			h.b.Fatalf("%v: something is left", words)
		}
	}
}

// bare does what steps say with the tools alone.
func bare(b *testing.B, steps []plan.Step) time.Duration {
	b.Helper()
	var links strings.Builder
	type script struct {
		argv []string
		text string
	}
	var scripts []script
	for _, s := range steps {
		switch s := s.(type) {
		case plan.RestoreSets:
			scripts = append(scripts, script{[]string{"ipset", "restore"}, s.Text})
		case plan.Restore:
			tool := map[bool]string{false: "iptables-restore", true: "ip6tables-restore"}[s.IPv6]
			scripts = append(scripts, script{[]string{tool, "--noflush"}, s.Text})
		case plan.RestoreEthernet:
			scripts = append(scripts, script{[]string{"ebtables-restore", "--noflush"}, s.Text})
		case plan.SetSysctl:
			scripts = append(scripts, script{[]string{"sysctl", "-qw", strings.ReplaceAll(s.Key, "/", ".") + "=" + s.Value}, ""})
		case plan.MakeBridge:
			inner, outer := plan.InnerOfBridge(s.Name), plan.OuterOfBridge(s.Name)
			fmt.Fprintf(&links, "link add %s mtu %d type bridge ageing_time 0 mcast_snooping 0\nlink add %s mtu %d type veth peer name %s mtu %d\n", s.Name, s.MTU, inner, s.MTU, outer, s.MTU)
			fmt.Fprintf(&links, "link set %s master %s up\nlink set %s up\nlink set %s up\n", inner, s.Name, outer, s.Name)
		case plan.TakeTap:
			fmt.Fprintf(&links, "link set %s master %s up\n", s.Tap, s.Bridge)
		}
	}
	if links.Len() > 0 {
		scripts = append(scripts, script{[]string{"ip", "-batch", "-"}, links.String()})
	}
	begin := time.Now()
	for _, s := range scripts {
		run(b, s.text, s.argv...)
	}
	return time.Since(begin)
}

// printed is how long the tools take to say what is there.
func printed(b *testing.B) time.Duration {
	b.Helper()
	begin := time.Now()
	for _, argv := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"ebtables-save"}, {"ipset", "save"}, {"ip", "-d", "link"}} {
		run(b, "", argv...)
	}
	return time.Since(begin)
}

func run(b *testing.B, stdin string, argv ...string) string {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%q: %v: %.500s", argv, err, out)
	}
	return string(out)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// samples is how often each is measured.
const samples = 3

// BenchmarkFirewallBridges measures a host's firewall bridges: all of them from nothing; the agent's look when nothing differs, and
// when somebody has touched the rules; one rule of the group of all ports changed; and a member who joins the group that a rule names.
func BenchmarkFirewallBridges(b *testing.B) {
	fmt.Printf("%6s %6s %24s %24s %18s %24s %24s\n", "ports", "rules", "nothing → all", "look, rules touched", "untouched", "a rule changes", "a member joins")
	for _, ports := range []int{50, 100, 200, 400} {
		h := start(b, ports)
		all := wanted(ports, members)
		var made, tools, looked, idle, prints, ruled, ruledTools, joined, joinedTools []time.Duration
		lines := 0
		for i := range samples {
			steps := h.look(build(b, all))
			tools = append(tools, bare(b, steps))
			h.nothing()
			made = append(made, h.whole(all))
			if i == 0 {
				lines = strings.Count(run(b, "", "iptables-save")+run(b, "", "ip6tables-save")+run(b, "", "ebtables-save"), "\n-A ")
			}
			// Another chain, of others: the rules are not as they were, and have to be read.
			run(b, "", "iptables", "-N", "others")
			begin := time.Now()
			if steps := h.look(h.have); len(steps) > 0 {
				b.Fatal(steps)
			}
			looked = append(looked, time.Since(begin))
			begin = time.Now()
			h.look(h.have)
			idle = append(idle, time.Since(begin))
			prints = append(prints, printed(b))
			run(b, "", "iptables", "-X", "others")

			before := all["groupset/101"]
			all["groupset/101"] = &plan.GroupSet{Number: 101, Rules: rules(uint16(1000 + i))}
			took, steps := h.changed(all)
			ruled = append(ruled, took)
			// Back, and once more by the tools.
			all["groupset/101"] = before
			h.changed(all)
			ruledTools = append(ruledTools, bare(b, steps))
			h.whole(all)

			late := member(members + i)
			more := maps.Clone(all)
			more[late.Resource()] = late
			took, steps = h.kept(all, more)
			joined = append(joined, took)
			h.whole(all)
			joinedTools = append(joinedTools, bare(b, steps))
			h.whole(all)
			h.nothing()
		}
		h.end()
		against := func(ours, theirs []time.Duration) string {
			x, y := median(ours), median(theirs)
			return fmt.Sprintf("%v / %v %.2f", x.Round(100*time.Microsecond), y.Round(100*time.Microsecond), float64(x)/float64(y))
		}
		fmt.Printf("%6d %6d %24s %24s %18v %24s %24s\n", ports, lines, against(made, tools), against(looked, prints), median(idle).Round(100*time.Microsecond),
			against(ruled, ruledTools), against(joined, joinedTools))
	}
	for b.Loop() {
	}
}
