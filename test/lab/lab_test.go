package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// up builds a lab with bridges and rows as a controller would make them, written by hand: one network, VNI 100.
func up(t *testing.T, hosts ...string) *lab.Lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft-lab-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Up(t.Context(), lab.Config{Dir: dir, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.Logs())
		}
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("run directory after Down: %v", err)
		}
	})
	for _, h := range l.Hosts {
		wire(t, l, h)
	}
	return l
}

// wire makes br-int, br-tun and a full mesh of tunnels on a host.
func wire(t *testing.T, l *lab.Lab, h *lab.Host) {
	t.Helper()
	argv := []string{"ovs-vsctl", "--timeout=20"}
	for _, br := range []string{"br-int", "br-tun"} {
		argv = append(argv, "--", "--may-exist", "add-br", br, "--", "set", "Bridge", br, "datapath_type=netdev", "fail_mode=secure",
			"protocols=OpenFlow10,OpenFlow13")
	}
	argv = append(argv,
		"--", "--may-exist", "add-port", "br-int", "patch-tun", "--", "set", "Interface", "patch-tun", "type=patch", "options:peer=patch-int",
		"--", "--may-exist", "add-port", "br-tun", "patch-int", "--", "set", "Interface", "patch-int", "type=patch", "options:peer=patch-tun")
	for _, other := range l.Hosts {
		if other != h {
			name := fmt.Sprintf("vxlan-%x", other.TunnelIP.As4())
			argv = append(argv, "--", "--may-exist", "add-port", "br-tun", name, "--", "set", "Interface", name, "type=vxlan",
				"options:remote_ip="+other.TunnelIP.String(), "options:local_ip="+h.TunnelIP.String(), "options:key=flow")
		}
	}
	exec(t, h.Box, argv...)
	exec(t, h.Box, "ovs-ofctl", "add-flow", "br-int", "actions=NORMAL")
	exec(t, h.Box, "ovs-ofctl", "add-flow", "br-tun", "in_port=patch-int,actions=set_tunnel:100,flood")
	exec(t, h.Box, "ovs-ofctl", "add-flow", "br-tun", "priority=1,tun_id=100,actions=output:patch-int")
}

func exec(t *testing.T, box *nsbox.Box, argv ...string) string {
	t.Helper()
	out, err := box.Exec(t.Context(), argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// vm starts VM number n, which has 10.0.0.n and fd00::n.
func vm(t *testing.T, l *lab.Lab, host string, n int) *lab.VM {
	t.Helper()
	v, err := l.AddVM(t.Context(), lab.VMConfig{
		Name: fmt.Sprintf("vm%d", n), Host: host, MTU: 1450,
		PortID:    fmt.Sprintf("%08x-0000-4000-8000-000000000000", n),
		MAC:       fmt.Sprintf("fa:16:3e:00:00:%02x", n),
		Addresses: []netip.Prefix{netip.PrefixFrom(ip4(n), 24), netip.PrefixFrom(ip6(n), 64)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ip4(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }

func ip6(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fd00::%x", n)) }

func pings(t *testing.T, from *lab.VM, to netip.Addr, p lab.Pings) lab.PingResult {
	t.Helper()
	r, err := lab.Ping(t.Context(), from.Box, to, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVMsTalkAcrossHosts(t *testing.T) {
	l := up(t, "compute1", "compute2")
	a, b, c := vm(t, l, "compute1", 1), vm(t, l, "compute2", 2), vm(t, l, "compute1", 3)

	for _, to := range []netip.Addr{ip4(2), ip4(3), ip6(2), ip6(3)} {
		if r := pings(t, a, to, lab.Pings{}); r.Received != r.Sent || r.Sent != 3 || r.Average == 0 {
			t.Errorf("ping %s: %+v, want 3 of 3 and a time", to, r)
		}
	}
	if r := pings(t, a, ip4(9), lab.Pings{Count: 1, Wait: 200 * time.Millisecond}); r.Received != 0 || r.Sent != 1 {
		t.Errorf("ping an address that nobody has: %+v", r)
	}
	if r := pings(t, a, ip4(2), lab.Pings{Size: 1450}); r.Received != 3 {
		t.Errorf("ping with the largest packet: %+v", r)
	}
	if r := pings(t, a, ip4(2), lab.Pings{Size: 1451}); r.Received != 0 {
		t.Errorf("ping with more than the largest packet: %+v", r)
	}
	for _, to := range []*lab.VM{b, c} {
		took, err := lab.Transfer(t.Context(), a.Box, ip4(1), to.Box, 8<<20, time.Minute)
		if err != nil {
			t.Error(err)
		}
		t.Logf("8 MiB of TCP from vm1 to %s: %v", to.Name, took)
	}
}

func TestInterfaceIsMarkedAsLibvirtMarksIt(t *testing.T) {
	l := up(t, "compute1")
	v := vm(t, l, "compute1", 1)
	h := l.Hosts[0]
	got := exec(t, h.Box, "ovs-vsctl", "--bare", "--columns=name,external_ids", "list", "Interface", "tap00000001-00")
	want := `tap00000001-00
attached-mac=fa:16:3e:00:00:01 iface-id=00000001-0000-4000-8000-000000000000 iface-status=active vm-uuid=` + v.ID + "\n"
	if d := cmp.Diff(want, strings.ReplaceAll(got, `"`, "")); d != "" {
		t.Errorf("Interface row (-want +got):\n%s", d)
	}
	if _, err := l.AddVM(t.Context(), v.VMConfig); err == nil || err.Error() != "VM vm1: exists already" {
		t.Errorf("the same VM again: got %v", err)
	}
	again, err := l.VM("vm1")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v.VMConfig, again.VMConfig, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("found again (-made +found):\n%s", d)
	}
	if err := l.DelVM(t.Context(), "vm1"); err != nil {
		t.Fatal(err)
	}
	if got, want := exec(t, h.Box, "ovs-vsctl", "list-ports", "br-int"), "patch-tun\n"; got != want {
		t.Errorf("ports of br-int afterwards: %q, want %q", got, want)
	}
	if _, err := l.VM("vm1"); !errors.Is(err, lab.ErrNoVM) {
		t.Errorf("deleted VM: got %v, want ErrNoVM", err)
	}
}

func TestProbeCountsWhatIsLost(t *testing.T) {
	l := up(t, "compute1", "compute2")
	a, b := vm(t, l, "compute1", 1), vm(t, l, "compute2", 2)
	probe := func() *lab.Probe {
		if err := lab.WaitPing(t.Context(), a.Box, ip4(2), 20*time.Second); err != nil {
			t.Fatal(err)
		}
		p, err := l.StartProbe(t.Context(), a.Box, b.Box, ip4(1), ip4(2), 200)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Await(t.Context(), 50, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		return p
	}

	p := probe()
	r, err := p.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.AToB.Received < 50 || r.BToA.Received < 50 || r.Lost() != 0 || r.AToB.Repeated+r.BToA.Repeated != 0 {
		t.Errorf("undisturbed: %+v, want 50 or more each way, none lost or repeated", r)
	}

	p = probe()
	exec(t, l.Hosts[0].Box, "ovs-ofctl", "add-flow", "br-int", "priority=40000,udp,nw_dst=10.0.0.2,actions=drop")
	// Packets that were dropped show that time has passed; the other direction goes on.
	waitFor(t, "20 packets dropped", func() bool {
		out := exec(t, l.Hosts[0].Box, "ovs-ofctl", "dump-flows", "br-int", "udp,nw_dst=10.0.0.2")
		var n int
		if _, rest, ok := strings.Cut(out, "n_packets="); ok {
			if _, err := fmt.Sscanf(rest, "%d,", &n); err != nil {
				t.Fatal(err)
			}
		}
		return n >= 20
	})
	exec(t, l.Hosts[0].Box, "ovs-ofctl", "--strict", "del-flows", "br-int", "priority=40000,udp,nw_dst=10.0.0.2")
	if err := p.Await(t.Context(), 50, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	r, err = p.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.AToB.Lost < 20 || r.AToB.LongestGap < 90*time.Millisecond || r.BToA.Lost != 0 {
		t.Errorf("one direction interrupted: %+v, want 20 or more lost from A to B, none back", r)
	}
}

func TestSniffSeesIntoTunnels(t *testing.T) {
	l := up(t, "compute1", "compute2")
	a := vm(t, l, "compute1", 1)
	vm(t, l, "compute2", 2)
	s, err := l.StartSniff(t.Context(), l.Hosts[0].Box, "eth1")
	if err != nil {
		t.Fatal(err)
	}
	pings(t, a, ip4(2), lab.Pings{Size: 1000})
	pings(t, a, ip6(2), lab.Pings{})
	seen, err := s.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if seen.Tunneled.Questions["10.0.0.2"] != 1 || seen.Tunneled.Questions["fd00::2"] != 1 {
		t.Errorf("questions in the tunnel: %v, want one for 10.0.0.2 and one for fd00::2", seen.Tunneled.Questions)
	}
	if seen.Tunneled.Broadcast != 1 || seen.Tunneled.Unicast < 6 || seen.Tunneled.Largest != 1014 {
		t.Errorf("frames in the tunnel: %+v, want 1 broadcast, 6 or more unicast, the largest of 1014 bytes", seen.Tunneled)
	}
	if seen.Plain.Questions["10.0.0.2"] != 0 {
		t.Errorf("a VM's question outside the tunnel: %v", seen.Plain.Questions)
	}
}

// A restart of ovs-vswitchd makes its own devices anew; the underlay must come back without help.
func TestUnderlaySurvivesVswitchd(t *testing.T) {
	l := up(t, "compute1", "compute2")
	h := l.Hosts[0]
	if err := h.RestartVswitchd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitPing(t.Context(), h.Box, l.Hosts[1].TunnelIP, 20*time.Second); err != nil {
		t.Error(err)
	}
	if err := h.KillVswitchd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := lab.Ping(t.Context(), l.Hosts[1].Box, h.TunnelIP, lab.Pings{Count: 1, Wait: 100 * time.Millisecond}); err != nil || r.Received != 0 {
		t.Errorf("ping a host without ovs-vswitchd: %+v, %v", r, err)
	}
	if err := h.StartVswitchd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.WarmTunnels(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHostRebootsWithItsDisk(t *testing.T) {
	l := up(t, "compute1", "compute2")
	h := l.Hosts[0]
	vm(t, l, "compute1", 1)
	if err := h.PowerOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if vms, err := l.VMs(); err != nil || len(vms) != 0 {
		t.Errorf("VMs of a host that is off: %v, %v", vms, err)
	}
	if err := h.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := exec(t, h.Box, "ovs-vsctl", "list-br"), "br-ex\nbr-int\nbr-phy\nbr-tun\n"; got != want {
		t.Errorf("bridges after a reboot: %q, want %q", got, want)
	}
	if err := l.WarmTunnels(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenFindsARunningLab(t *testing.T) {
	l := up(t, "compute1")
	vm(t, l, "compute1", 1)
	again, err := lab.Open(l.Dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := again.Host("compute1")
	if err != nil {
		t.Fatal(err)
	}
	if got := exec(t, h.Box, "hostname"); got != "compute1\n" {
		t.Errorf("hostname: %q", got)
	}
	vms, err := again.VMs()
	if err != nil || len(vms) != 1 || vms[0].Name != "vm1" {
		t.Errorf("VMs: %v, %v", vms, err)
	}
	if _, err := again.Host("compute9"); err == nil || err.Error() != `no host "compute9" in the lab: it has [compute1]` {
		t.Errorf("unknown host: %v", err)
	}
	if _, err := lab.Up(t.Context(), lab.Config{Dir: l.Dir}); !errors.Is(err, lab.ErrRunning) {
		t.Errorf("a second lab in the same place: got %v, want ErrRunning", err)
	}
	if _, err := lab.Open(filepath.Join(l.Dir, "log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open where no lab is: got %v, want fs.ErrNotExist", err)
	}
}

// A lab whose boxes were killed is no lab, and leaves nothing when it is removed.
func TestRemoveAfterDeath(t *testing.T) {
	dir, err := os.MkdirTemp("", "weft-lab-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Up(t.Context(), lab.Config{Dir: dir, Hosts: []string{"compute1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Fabric.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open a dead lab: got %v, want fs.ErrNotExist", err)
	}
	for _, want := range []bool{true, false} {
		if found, err := lab.Remove(t.Context(), dir); err != nil || found != want {
			t.Errorf("remove: %v, %v, want %v", found, err, want)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run directory afterwards: %v", err)
	}
}

func TestStrayPorts(t *testing.T) {
	l := up(t, "compute1")
	h := l.Hosts[0]
	if stray, err := h.StrayPorts(t.Context()); err != nil || len(stray) != 0 {
		t.Errorf("a healthy host: %v, %v", stray, err)
	}
	for _, row := range []string{
		"table=1,in_port=77,actions=drop", "table=1,actions=output:78", "table=1,priority=3,actions=resubmit(79,2)",
	} {
		exec(t, h.Box, "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-int", row)
	}
	stray, err := h.StrayPorts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"compute1 br-int: no port 78: table=1, actions=output:78",
		"compute1 br-int: no port 77: table=1, in_port=77 actions=drop",
		"compute1 br-int: no port 79: table=1, priority=3 actions=resubmit(79,2)",
	}
	if d := cmp.Diff(want, stray); d != "" {
		t.Errorf("stray ports (-want +got):\n%s", d)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		cfg  lab.Config
		want string
	}{
		{lab.Config{Dir: "relative"}, `wrong configuration: run directory "relative": need an absolute path of at most 60 bytes`},
		{lab.Config{Dir: "/tmp/x", Hosts: []string{"Compute 1"}}, `wrong configuration: host name "Compute 1": need 1 to 31 of a-z, 0-9 and -, starting with a letter`},
		{lab.Config{Dir: "/tmp/x", Hosts: []string{"fabric"}}, `wrong configuration: host name "fabric": taken by the lab itself`},
		{lab.Config{Dir: "/tmp/x", Hosts: []string{"a", "a"}}, `wrong configuration: host name "a": given twice`},
		{lab.Config{Dir: "/usr"}, `run directory /usr: not empty, and not a lab's`},
	} {
		if _, err := lab.Up(t.Context(), c.cfg); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got %v, want %s", c.cfg, err, c.want)
		}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
