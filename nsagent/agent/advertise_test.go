package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

const (
	routerID = "55555555-0000-4000-8000-000000000001"
	qrPort   = "66666666-0000-4000-8000-000000000001"
	qrTap    = "tap66666666-00"
)

// advertising is a router on the network that tells machines of a subnet.
func advertising(subnets ...string) []*nodev1.Resource {
	in := &nodev1.RouterInterface{Device: &nodev1.Device{PortId: qrPort, NetworkId: netID, MacAddress: "fa:16:3e:00:00:01", Mtu: 1450},
		Advertisement: &nodev1.RouterAdvertisement{DefaultRouter: true}}
	for _, s := range subnets {
		in.Device.Addresses = append(in.Device.Addresses, strings.Replace(s, "::/", "::1/", 1))
		in.Advertisement.Prefixes = append(in.Advertisement.Prefixes, &nodev1.AdvertisedPrefix{Prefix: s, Autonomous: true})
	}
	return []*nodev1.Resource{
		{Name: "router/" + routerID, Version: strings.Join(subnets, " "), Spec: &nodev1.Resource_Router{Router: &nodev1.Router{RouterId: routerID, Metadata: true, Interfaces: []*nodev1.RouterInterface{in}}}},
		port(qrPort, qrTap, 3, 41),
	}
}

// configured waits until the VM has made itself an address and a default route.
func (h *cloud) configured(address, when string) {
	h.t.Helper()
	h.Await("the VM to have "+address+" "+when, func() bool {
		return strings.Contains(h.vm.Run("ip", "-6", "addr", "show", "dev", "eth0"), address) &&
			strings.Contains(h.vm.Run("ip", "-6", "route"), "default via fe80::f816:3eff:fe00:1 ")
	})
}

func TestMachineConfiguresItselfByARouter(t *testing.T) {
	h := newCloud(t)
	h.up()
	h.c.delta(&nodev1.Delta{Nonce: "3", Revision: 41, Upserts: advertising("fd00:1::/64")})
	h.c.await("ack 3 rev 41")
	h.configured("fd00:1::f816:3eff:fe00:11/64", "at first")

	// What sends advertisements goes on while the agent is away, and the next one takes it up.
	before := h.servers()
	h.end()
	h.start()
	h.c.hello(2)
	h.c.delta(&nodev1.Delta{Nonce: "4", Revision: 42, Upserts: advertising("fd00:1::/64", "fd00:2::/64")})
	h.c.await("ack 4 rev 42")
	h.configured("fd00:2::f816:3eff:fe00:11/64", "after the agent's restart")
	if d := cmp.Diff(before, h.servers()); len(before) != 3 || d != "" { // dnsmasq, and radvd in two parts
		t.Errorf("servers (-before +after):\n%s", d)
	}

	h.c.delta(&nodev1.Delta{Nonce: "5", Revision: 43, Full: true, Unchanged: []string{"bridge/br-int", "bridge/br-tun"}})
	h.c.await("ack 5 rev 43")
	h.Await("everything to be gone", func() bool {
		files, _ := filepath.Glob(filepath.Join(h.state, "ra", "*"))
		return len(spacesOf(t)) == 0 && len(h.servers()) == 0 && len(files) == 0
	})
	if route := h.vm.Run("ip", "-6", "route", "show", "default"); route == "" {
		t.Error("the VM lost its default route with the router, which may only have moved")
	}
	h.c.silent("notice DriftRepaired")
}

// Without radvd a router says so, and works.
func TestRouterWithoutRadvd(t *testing.T) {
	h := newCloud(t)
	bin := t.TempDir()
	for _, p := range []string{"ip", "iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save", "conntrack", "dnsmasq", "dhcp_release", "ovs-vsctl", "ovs-ofctl", "ovs-vswitchd", "ovsdb-server"} {
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
	h.c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(append(three()[:2], network()[0], network()[2]), advertising("fd00:1::/64")...)})
	h.Await("the problem", func() bool {
		return slices.ContainsFunc(h.c.heard(), func(s string) bool {
			return strings.HasPrefix(s, "nack 1 rev 40\n") && strings.Contains(s, "router/"+routerID+"|") && strings.Contains(s, "the program radvd is missing on this host (Debian: apt install radvd)")
		})
	})
	os.Setenv("PATH", all)
	if out := run(t, "ip", "netns", "exec", "qrouter-"+routerID, "ip", "-6", "addr"); !strings.Contains(out, "fd00:1::1/64") {
		t.Errorf("the router has %s", out)
	}
	h.Await("it to heal", func() bool { return lastAnswer(h.c.heard()) == "ack 1 rev 40" })
}
