package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// inBox says that this process has mount and network namespaces of its own, with a Dir of its own.
const inBox = "WEFT_KERNEL_TEST_BOX"

// TestMain runs the tests in a box: nothing of the machine's is seen or touched.
func TestMain(m *testing.M) {
	if os.Getuid() != 0 {
		fmt.Println("skipped: namespaces need root")
		os.Exit(0)
	}
	if os.Getenv(inBox) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inBox+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	for _, f := range []func() error{
		func() error { return os.MkdirAll(Dir, 0o755) },
		func() error { return syscall.Mount("tmpfs", Dir, "tmpfs", 0, "") },
	} {
		if err := f(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const (
	routerID = "81689e42-91a4-4094-b699-3bef28777c0b"
	netID    = "224d3150-8195-46e6-ba6f-981409215638"
	netA     = "00000000-0000-4000-8000-00000000000a"
	netB     = "00000000-0000-4000-8000-00000000000b"
)

func open(t testing.TB) *Host {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// port is a device of the plan.
func port(n int, network string, addresses ...string) plan.Device {
	d := plan.Device{PortID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", n), NetworkID: network, MAC: fmt.Sprintf("fa:16:3e:00:00:%02x", n), MTU: 1450}
	for _, a := range addresses {
		d.Addresses = append(d.Addresses, netip.MustParsePrefix(a))
	}
	return d
}

// router is a centralised router on two networks and an external one, with a floating IP and a port forwarding.
func router() map[string]plan.Resource {
	return named(&plan.Router{RouterID: routerID, Metadata: true, Interfaces: []plan.RouterInterface{{Device: port(1, netA, "10.0.1.1/24", "fd00:1::1/64")}, {Device: port(2, netB, "10.0.2.1/24", "fd00:2::/64")}},
		Gateway: &plan.Gateway{Device: port(3, netID, "172.24.4.10/24", "2001:db8::10/64"), EnableSNAT: true,
			GatewayIPs: []netip.Addr{netip.MustParseAddr("172.24.4.1"), netip.MustParseAddr("2001:db8::1")}},
		Routes: []plan.Route{{Destination: netip.MustParsePrefix("192.168.7.0/24"), NextHop: netip.MustParseAddr("10.0.1.98")},
			{Destination: netip.MustParsePrefix("192.168.7.0/24"), NextHop: netip.MustParseAddr("10.0.1.99")}}},
		floating(1, "172.24.4.20", "10.0.1.5"))
}

func floating(n int, ip, fixed string) *plan.FloatingIP {
	return &plan.FloatingIP{ID: fmt.Sprintf("f%07x-0000-4000-8000-000000000000", n), RouterID: routerID, Floating: netip.MustParseAddr(ip), Fixed: netip.MustParseAddr(fixed),
		Place: plan.PlaceRouter, NetworkID: netID}
}

func named(list ...plan.Resource) map[string]plan.Resource {
	out := map[string]plan.Resource{}
	for _, r := range list {
		out[r.Resource()] = r
	}
	return out
}

func build(t testing.TB, r map[string]plan.Resource) map[string]plan.Namespace {
	t.Helper()
	out, errs := plan.Build(r)
	for name, e := range errs {
		t.Fatalf("%s: %v", name, e)
	}
	return out
}

// ensure makes a namespace that is deleted with the test.
func ensure(t testing.TB, h *Host, name string) *Namespace {
	t.Helper()
	n, _, err := h.Ensure(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Delete() })
	return n
}

func observe(t testing.TB, n *Namespace, want plan.Namespace) plan.Namespace {
	t.Helper()
	have, err := n.Observe(context.Background(), want)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// apply makes a namespace what it must be, and fails unless a second look finds nothing to do.
func apply(t testing.TB, n *Namespace, want plan.Namespace) []plan.Step {
	t.Helper()
	steps := plan.Diff(want, observe(t, n, want))
	for _, f := range n.Apply(context.Background(), steps, nil) {
		t.Errorf("%v", f)
	}
	for _, s := range plan.Diff(want, observe(t, n, want)) {
		t.Errorf("still to do: %v", s)
	}
	return steps
}

func run(t testing.TB, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

func in(t testing.TB, n *Namespace, argv ...string) string {
	t.Helper()
	return run(t, append([]string{"ip", "netns", "exec", n.Name()}, argv...)...)
}

// TestRouter makes a router, takes it apart by hand, and finds all of it again.
func TestRouter(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	if steps := apply(t, n, want); len(steps) == 0 {
		t.Error("there was nothing to do at first")
	}
	if d := cmp.Diff(want.Text(), withoutProcesses(observe(t, n, want), want).Text()); d != "" {
		t.Errorf("it is not what it must be (-want +got):\n%s", d)
	}
	for _, c := range []struct{ what, command string }{
		{"an address", "ip addr del 172.24.4.20/32 dev qg-00000003-00"},
		{"an address too much", "ip addr add 172.24.4.99/32 dev qg-00000003-00"},
		{"the default route", "ip route del default"},
		{"the subnet's route", "ip route del 10.0.1.0/24"},
		{"one of two hops", "ip route replace 192.168.7.0/24 via 10.0.1.98 proto static"},
		{"a route too much", "ip route add 9.9.9.0/24 via 10.0.1.98 proto static"},
		{"all routes, the kernel's own too", "ip route flush table all"},
		{"all rules, the kernel's own too", "ip rule flush; ip -6 rule flush"},
		{"the first rule", "ip rule del priority 0"},
		{"a rule too much", "ip rule add from 10.0.1.7 lookup 16 priority 40000"},
		{"a neighbour too much", "ip neigh replace 10.0.1.7 lladdr 02:00:00:00:00:01 dev qr-00000001-00 nud permanent"},
		{"an IPv6 address", "ip addr del fd00:1::1/64 dev qr-00000001-00"},
		{"the IPv6 subnet's route", "ip -6 route del fd00:1::/64"},
		{"the IPv6 default route", "ip -6 route del default"},
		{"all routes of IPv6", "ip -6 route flush table all"},
		{"a sysctl", "sysctl -qw net.ipv4.ip_forward=0"},
		{"a device's sysctl", "sysctl -qw net.ipv4.conf.qr-00000001-00.send_redirects=1"},
		{"a device that is down", "ip link set qr-00000001-00 down"},
		{"a device's MTU", "ip link set qr-00000001-00 mtu 1400"},
		{"a device's MAC", "ip link set qr-00000001-00 address fa:16:3e:00:00:77"},
		{"a device that is gone", "ip link del qr-00000001-00"},
		{"checksums", "ethtool -K qr-00000001-00 tx on"},
		{"a device of ours too much", "ip link add qr-ffffffff-ff type veth peer fpr-ffffffff"},
		{"a rule of NAT", "iptables -t nat -D weft-l3-float-snat 1"},
		{"a rule of NAT too much", "iptables -t nat -A weft-l3-snat -j ACCEPT"},
		{"the order of rules", "iptables -t filter -D weft-l3-INPUT 1 && iptables -A weft-l3-INPUT -m mark --mark 0x1/0xffff -j ACCEPT"},
		{"a jump", "iptables -t nat -D PREROUTING -j weft-l3-PREROUTING"},
		{"all rules", "iptables -t nat -F"},
		{"a chain", "iptables -t mangle -F; iptables -t mangle -X"},
		{"a chain of ours too much", "iptables -N weft-l3-old && iptables -A INPUT -j weft-l3-old"},
		{"rules of IPv6", "ip6tables -F"},
	} {
		in(t, n, "sh", "-ec", c.command)
		if steps := apply(t, n, want); len(steps) == 0 {
			t.Errorf("%s: nothing was found (%s)", c.what, c.command)
		} else {
			t.Logf("%s: %v", c.what, steps)
		}
	}
	run(t, "ip", "link", "set", "tap00000001-00", "down")
	if steps := apply(t, n, want); len(steps) != 1 {
		t.Errorf("a tap that is down: %v", steps)
	}
}

func withoutProcesses(have, want plan.Namespace) plan.Namespace {
	have.Server, have.Listener = want.Server, want.Listener
	// Lists are compared in the order of what is wanted.
	sorted := want
	sorted.Foreign = have.Foreign
	if len(plan.Diff(want, have)) == 0 {
		return sorted
	}
	return have
}

// TestForeign: what others have in a namespace of ours is reported and left alone.
func TestForeign(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	apply(t, n, want)
	in(t, n, "sh", "-ec", `ip link add foo type veth peer name bar
		ip addr add 9.9.9.9/32 dev foo; ip link set foo up
		ip route add 8.8.8.8/32 via 10.0.1.9
		ip rule add fwmark 7 lookup 7
		iptables -N mine; iptables -A mine -j ACCEPT; iptables -A FORWARD -i foo -j mine; iptables -t nat -I PREROUTING -s 9.9.9.9/32 -j ACCEPT`)
	if steps := apply(t, n, want); len(steps) > 0 {
		t.Errorf("something was done about it: %v", steps)
	}
	got := ""
	for _, l := range observe(t, n, want).Foreign {
		got += l.Section + ": " + l.Text + "\n"
	}
	if d := cmp.Diff(`link: bar veth
link: foo veth
address: 9.9.9.9/32 dev foo
route: 8.8.8.8 via 10.0.1.9 dev qr-00000001-00 proto static (proto 3)
rule: ip rule 32765: from all to all table 7 
iptables: iptables -t filter -A FORWARD -i foo -j mine
iptables: iptables -t filter -A mine -j ACCEPT
iptables: iptables -t nat -A PREROUTING -s 9.9.9.9/32 -j ACCEPT
`, got); d != "" {
		t.Errorf("foreign (-want +got):\n%s", d)
	}
}

// TestWhyNotEntered: who is not permitted to enter a namespace is told so, by the number of the error.
func TestWhyNotEntered(t *testing.T) {
	h := open(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := h.handle(netns.NsHandle(null.Fd())); !errors.Is(err, unix.EINVAL) || err.Error() != "enter it: invalid argument" {
		t.Errorf("%v", err)
	}
}
