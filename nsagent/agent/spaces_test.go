package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/ovs"
	"github.com/weft-sdn/weft/test/space"
)

const (
	netID    = "11111111-0000-4000-8000-000000000001"
	subnetID = "22222222-0000-4000-8000-000000000001"
	dhcpPort = "33333333-0000-4000-8000-000000000001"
	vmPort   = "44444444-0000-4000-8000-000000000001"
	dhcpTap  = "tap33333333-00"
	vmTap    = "tap44444444-00"
	qdhcp    = "qdhcp-" + netID
)

// network is an isolated network with a DHCP server on this host, and a VM on it.
func network() []*nodev1.Resource {
	return []*nodev1.Resource{
		{Name: "dhcp/" + netID, Version: "1", Spec: &nodev1.Resource_Dhcp{Dhcp: &nodev1.Dhcp{NetworkId: netID, Domain: "weft.internal", Metadata: true,
			Device:  &nodev1.Device{PortId: dhcpPort, NetworkId: netID, MacAddress: "fa:16:3e:00:00:02", Mtu: 1450, Addresses: []string{"10.0.1.2/24"}},
			Subnets: []*nodev1.DhcpSubnet{{SubnetId: subnetID, Cidr: "10.0.1.0/24", MetadataVia: "10.0.1.2", DhcpAddresses: []string{"10.0.1.2"}}}}}},
		{Name: "endpoint/" + vmPort, Version: "1", Spec: &nodev1.Resource_Endpoint{Endpoint: &nodev1.Endpoint{PortId: vmPort, NetworkId: netID, MacAddress: "fa:16:3e:00:00:11",
			Addresses: []*nodev1.EndpointAddress{{SubnetId: subnetID, IpAddress: "10.0.1.11"}}, Dhcp: true, Metadata: true, Hostname: "vm1", ProjectId: "p", DeviceId: "i-1"}}},
		port(dhcpPort, dhcpTap, 3, 40),
		port(vmPort, vmTap, 3, 40),
	}
}

// cloud is a host with a switch that has real devices, and a VM.
type cloud struct {
	*host
	c  *controller
	vm *space.Space
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := listen(t, "", 7)
	h := &cloud{host: newRealHost(t, c), c: c, vm: space.New(t, "vm1")}
	run(t, "ip", "link", "add", vmTap, "type", "veth", "peer", "name", "eth0", "address", "fa:16:3e:00:00:11", "netns", h.vm.Path())
	t.Cleanup(func() { exec.Command("ip", "link", "del", vmTap).Run() })
	run(t, "ethtool", "-K", vmTap, "tx", "off")
	run(t, "ip", "link", "set", vmTap, "up")
	h.vm.Run("ethtool", "-K", "eth0", "tx", "off")
	h.vm.Run("ip", "link", "set", "eth0", "up")
	return h
}

func newRealHost(t *testing.T, controllers ...*controller) *host {
	t.Helper()
	h := &host{Switch: ovs.StartReal(t), t: t}
	// DHCP servers, who give up root, must reach their files.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h.state = filepath.Join(dir, "state")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.configure(controllers...)
	h.cfg.BridgeMappings = nil
	h.cfg.ApplyTimeout = 10 * time.Second
	h.cfg.AuditInterval = 300 * time.Millisecond
	// The machine is as it was, also after a test that failed.
	t.Cleanup(h.reset)
	return h
}

// reset ends everything that agents leave in place.
func (h *host) reset() {
	if h.end != nil {
		h.end()
	}
	for _, p := range h.servers() {
		syscall.Kill(p, syscall.SIGKILL)
	}
	for _, n := range spacesOf(h.t) {
		exec.Command("ip", "netns", "del", n).Run()
	}
}

// servers are the DHCP servers of this host's agent, and what sends router advertisements.
func (h *host) servers() (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range found {
		b, _ := os.ReadFile(f)
		if argv := strings.Split(string(b), "\x00"); slices.Contains([]string{"dnsmasq", "radvd"}, filepath.Base(argv[0])) && strings.Contains(string(b), h.state+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func spacesOf(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func run(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// deleteByHand is ip netns del. It unmounts a namespace and then unlinks its file; where an agent is quicker and has put a new one
// there in between, that is busy, and the old one is gone all the same.
func deleteByHand(t testing.TB, namespace string) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "del", namespace).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "busy") {
		t.Fatalf("ip netns del %s: %v: %s", namespace, err, out)
	}
}

// up brings the host to where the network works, and its flows are on disk.
func (h *cloud) up() {
	h.t.Helper()
	h.start()
	h.c.hello(1)
	h.c.delta(&nodev1.Delta{Nonce: "1", Revision: 39, Full: true, Upserts: three()[:2]})
	h.c.await("ack 1 rev 39")
	h.Vsctl("--no-wait", "add-port", "br-int", vmTap, "--", "set", "interface", vmTap, "external_ids:iface-id="+vmPort)
	h.Await("the VM's interface to be told", func() bool { return h.ofport(vmTap) > 0 })
	h.Ofctl("add-flow", "br-int", ours+"table=0,priority=0,actions=NORMAL")
	h.c.delta(&nodev1.Delta{Nonce: "2", Revision: 40, Upserts: network()})
	h.c.await("ack 2 rev 40")
	h.c.checkpoint("br-int", 40)
	h.Await("the flows to be on disk", func() bool { _, err := os.Stat(filepath.Join(h.state, "flows-br-int")); return err == nil })
}

// ofport is what the controller was told.
func (h *cloud) ofport(name string) uint32 {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	return h.c.facts[name].GetOfport()
}

// works says that the VM gets its address and its metadata.
func (h *cloud) works(when string) {
	h.t.Helper()
	var out string
	var err error
	h.Await("a lease "+when, func() bool {
		out, err = h.vm.Try("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "3", "-T", "1", "-s", "/bin/true")
		return err == nil
	})
	if !strings.Contains(out, "lease of 10.0.1.11 obtained") {
		h.t.Errorf("%s: %s", when, out)
	}
	h.vm.Run("ip", "addr", "replace", "10.0.1.11/24", "dev", "eth0")
	h.vm.Run("ip", "route", "replace", "169.254.169.254/32", "via", "10.0.1.2")
	var name string
	h.Await("metadata "+when, func() bool {
		name, err = h.vm.Try("curl", "-sS", "--max-time", "2", "http://169.254.169.254/latest/meta-data/hostname")
		return err == nil
	})
	if name != "vm1" {
		h.t.Errorf("%s: the VM is called %q", when, name)
	}
}

func TestNetworkComesAndGoes(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.works("at first")
	if got := h.get("port", dhcpTap, "tag"); got != "3" {
		t.Errorf("tag of %s: %s", dhcpTap, got)
	}
	h.c.mu.Lock()
	fact := h.c.facts[dhcpTap]
	h.c.mu.Unlock()
	if fact.GetIfaceId() != dhcpPort || fact.GetAttachedMac() != "" || fact.GetOfport() == 0 {
		t.Errorf("the controller was told %v", fact)
	}
	h.c.silent("nack")

	// A host without anything has nothing left.
	h.c.delta(&nodev1.Delta{Nonce: "3", Revision: 41, Full: true, Unchanged: []string{"bridge/br-int", "bridge/br-tun"}})
	h.c.await("ack 3 rev 41")
	h.Await("everything to be gone", func() bool {
		_, err := os.Stat("/sys/class/net/" + dhcpTap)
		files, _ := filepath.Glob(filepath.Join(h.state, "dhcp", "*"))
		return len(spacesOf(t)) == 0 && len(h.servers()) == 0 && err != nil && len(files) == 0 && !strings.Contains(h.Vsctl("list-ports", "br-int"), dhcpTap)
	})
	h.c.silent("notice DriftRepaired")
}

func TestDeadServerComesBack(t *testing.T) {
	h := newCloud(t)
	h.up()
	was := h.servers()
	if len(was) != 1 {
		t.Fatalf("DHCP servers %v", was)
	}
	if err := syscall.Kill(was[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.Await("another server", func() bool { now := h.servers(); return len(now) == 1 && now[0] != was[0] })
	h.works("after its server died")
}

// A restart of ovs-vswitchd takes OVS's own devices out of namespaces; ends of veth pairs it finds again by itself.
func TestRestartOfTheSwitchWithNamespaces(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.c.stop() // nobody helps
	was := h.Vsctl("get", "interface", dhcpTap, "_uuid")
	pids := h.servers()
	h.KillSwitchd()
	h.StartSwitchd()
	h.works("after a restart of ovs-vswitchd")
	if now := h.Vsctl("get", "interface", dhcpTap, "_uuid"); now != was {
		t.Error("the port was made anew")
	}
	if now := h.servers(); !slices.Equal(now, pids) {
		t.Errorf("DHCP servers %v, then %v", pids, now)
	}
}

func TestRestartOfTheAgentChangesNothing(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.works("at first")
	pids := h.servers()
	links, db := run(t, "ip", "-o", "link"), h.Vsctl("list", "port")
	h.end()
	h.start()
	// The controller is quick: it sends everything before the agent has looked into the namespaces.
	h.c.hello(2)
	var names []string
	for _, r := range append(three()[:2], network()...) {
		names = append(names, r.Name)
	}
	h.c.delta(&nodev1.Delta{Nonce: "9", Revision: 40, Full: true, Unchanged: names})
	h.c.await("ack 9 rev 40")
	h.works("after a restart of the agent")
	if now := h.servers(); !slices.Equal(now, pids) {
		t.Errorf("DHCP servers %v, then %v", pids, now)
	}
	if d := cmp.Diff(links, run(t, "ip", "-o", "link")); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	if d := cmp.Diff(db, h.Vsctl("list", "port")); d != "" {
		t.Errorf("ports (-want +got):\n%s", d)
	}
	h.c.silent("notice DriftRepaired")
}

// The host was restarted, and there is no controller: all that is left is the disk.
func TestNamespacesAreRebuiltFromDisk(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.c.stop()
	h.end()
	for _, p := range h.servers() {
		syscall.Kill(p, syscall.SIGKILL)
	}
	h.KillSwitchd()
	for _, n := range spacesOf(t) {
		run(t, "ip", "netns", "del", n)
	}
	exec.Command("ip", "link", "del", dhcpTap).Run()
	h.Vsctl("--no-wait", "emer-reset", "--", "del-br", "br-tun", "--", "del-br", "br-int")
	h.start()
	h.StartSwitchd()
	h.Await("the bridge", func() bool { return h.get("bridge", "br-int", "name") != "" })
	h.Vsctl("--no-wait", "add-port", "br-int", vmTap, "--", "set", "interface", vmTap, "external_ids:iface-id="+vmPort) // as libvirt does
	h.works("after a reboot")
	if got := h.get("port", dhcpTap, "tag"); got != "3" {
		t.Errorf("tag of %s: %s", dhcpTap, got)
	}
}

func TestMissingProgramIsAProblemOfWhoNeedsIt(t *testing.T) {
	h := newCloud(t)
	bin := t.TempDir()
	for _, p := range []string{"ip", "iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save", "ovs-vsctl", "ovs-ofctl", "ovs-vswitchd", "ovsdb-server"} {
		if path, err := exec.LookPath(p); err == nil {
			if err := os.Symlink(path, filepath.Join(bin, p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := os.Getenv("PATH")
	t.Setenv("PATH", bin)
	h.start()
	h.c.hello(1)
	h.c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(append(three()[:2], tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")), network()[0])})
	h.Await("the problem", func() bool {
		return slices.ContainsFunc(h.c.heard(), func(s string) bool {
			return strings.HasPrefix(s, "nack 1 rev 40\n  dhcp/"+netID+"|") && strings.Contains(s, "the program dnsmasq is missing on this host (Debian: apt install dnsmasq-base)") && strings.Count(s, "\n") == 1
		})
	})
	// It heals when the cause is gone.
	os.Setenv("PATH", all)
	h.c.await("ack 1 rev 40")
}

// A program that hangs delays neither the database nor the answer.
func TestHangingProgram(t *testing.T) {
	h := newCloud(t)
	h.cfg.ApplyTimeout = 500 * time.Millisecond
	bin := t.TempDir()
	script := filepath.Join(bin, "dnsmasq")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 300\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	all := os.Getenv("PATH")
	t.Setenv("PATH", bin+":"+all)
	h.start()
	h.c.hello(1)
	began := time.Now()
	h.c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three()[:2], network()[0])})
	h.Await("an answer", func() bool {
		return slices.ContainsFunc(h.c.heard(), func(s string) bool { return strings.HasPrefix(s, "nack 1 rev 40\n  dhcp/"+netID+"|") })
	})
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("the answer took %v", d)
	}
	h.c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")}})
	h.Await("the tunnel", func() bool { return h.get("interface", "vxlan-0a5b0015", "ofport") != "" })
	os.Setenv("PATH", all)
	ended := make(chan struct{})
	go func() { h.end(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the agent does not end")
	}
}

func TestQuestionsAboutNamespaces(t *testing.T) {
	h := newCloud(t)
	h.up()
	ask := func(namespace string) *nodev1.Answer {
		t.Helper()
		nonce := "ask " + namespace
		h.c.send(&nodev1.SyncResponse{Epoch: 7, Message: &nodev1.SyncResponse_Ask{Ask: &nodev1.Ask{Nonce: nonce, Namespace: namespace}}})
		var a *nodev1.Answer
		h.Await("an answer", func() bool {
			h.c.mu.Lock()
			defer h.c.mu.Unlock()
			a = h.c.answers[nonce]
			return a != nil
		})
		return a
	}
	a := ask(qdhcp)
	states := map[string]int{}
	for _, l := range a.Lines {
		states[l.State]++
	}
	has := func(section, part string) bool {
		return slices.ContainsFunc(a.Lines, func(l *nodev1.NamespaceLine) bool {
			return l.Section == section && strings.Contains(l.Text, part) && l.State == "ok"
		})
	}
	if a.Error != "" || states["missing"] > 0 || !has("address", "10.0.1.2/24") {
		t.Errorf("answer %v, error %q", a.Lines, a.Error)
	}
	if a := ask("qrouter-" + netID); a.Error != "" || len(a.Lines) > 0 {
		t.Errorf("a namespace that nobody wants: %v", a)
	}
	if a := ask("../../etc/passwd"); a.Error == "" {
		t.Errorf("no namespace: %v", a)
	}
}

// What is on disk may be old: before a controller has said everything, nothing is taken away.
func TestNothingIsRemovedBeforeAFullDelta(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.end()
	h.start()
	h.c.hello(2)
	h.c.delta(&nodev1.Delta{Nonce: "8", Revision: 41, Removed: []string{"dhcp/" + netID, "port/" + dhcpPort}})
	h.c.await("ack 8 rev 41")
	h.works("while it is not known that nobody wants it")
	if got := h.Vsctl("list-ports", "br-int"); !strings.Contains(got, dhcpTap) {
		t.Errorf("ports of br-int: %q", got)
	}
	h.c.delta(&nodev1.Delta{Nonce: "9", Revision: 42, Full: true, Unchanged: []string{"bridge/br-int", "bridge/br-tun", "port/" + vmPort, "endpoint/" + vmPort}})
	h.c.await("ack 9 rev 42")
	h.Await("everything to be gone", func() bool { return len(spacesOf(t)) == 0 && len(h.servers()) == 0 })
}

// On the userspace datapath the switch does not hear a device that was made again under the name of one that it had
// open. Nobody may help: the port keeps its number, which flows name.
func TestNamespaceRemovedByHandIsMadeAgain(t *testing.T) {
	h := newCloud(t)
	h.up()
	was := h.servers()
	ofport := h.get("interface", dhcpTap, "ofport")
	deleteByHand(t, qdhcp)
	h.Await("another server", func() bool { now := h.servers(); return len(now) == 1 && now[0] != was[0] })
	h.works("after its namespace was removed")
	h.Await("the drift to be told", func() bool {
		return slices.ContainsFunc(h.c.heard(), func(s string) bool { return strings.HasPrefix(s, "notice DriftRepaired dhcp/"+netID) })
	})
	if tag, now := h.get("port", dhcpTap, "tag"), h.get("interface", dhcpTap, "ofport"); tag != "3" || now != ofport {
		t.Errorf("%s has tag %s and port number %s, which was %s", dhcpTap, tag, now, ofport)
	}
	h.Await("all to be said to be true", func() bool { s := h.c.heard(); return lastAnswer(s) == "ack 2 rev 40" })
}

// lastAnswer is the last Ack or Nack.
func lastAnswer(said []string) string {
	for _, s := range slices.Backward(said) {
		if !strings.HasPrefix(s, "notice ") {
			return s
		}
	}
	return ""
}

// Behind a router the metadata service is reached by a rule, and by nothing else.
func TestMetadataBehindARouter(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.c.delta(&nodev1.Delta{Nonce: "3", Revision: 41, Removed: []string{"dhcp/" + netID, "port/" + dhcpPort}, Upserts: []*nodev1.Resource{
		{Name: "router/" + routerID, Version: "1", Spec: &nodev1.Resource_Router{Router: &nodev1.Router{RouterId: routerID, Metadata: true,
			Interfaces: []*nodev1.RouterInterface{{Device: &nodev1.Device{PortId: qrPort, NetworkId: netID, MacAddress: "fa:16:3e:00:00:01", Mtu: 1450, Addresses: []string{"10.0.1.1/24"}}}}}}},
		port(qrPort, qrTap, 3, 41),
	}})
	h.c.await("ack 3 rev 41")
	h.vm.Run("ip", "addr", "add", "10.0.1.11/24", "dev", "eth0")
	h.vm.Run("ip", "route", "add", "default", "via", "10.0.1.1")
	if got := h.vm.Run("curl", "-sS", "--max-time", "5", "http://169.254.169.254/openstack/latest/meta_data.json"); !strings.Contains(got, `"uuid":"i-1","name":"vm1"`) {
		t.Errorf("metadata %q", got)
	}
	if got, err := h.vm.Try("curl", "-sS", "--max-time", "1", "http://10.0.1.1:9697/"); err == nil {
		t.Errorf("its port is open: %q", got)
	}
	if h.get("port", qrTap, "tag") != "3" {
		t.Errorf("tag of %s: %s", qrTap, h.get("port", qrTap, "tag"))
	}
}
