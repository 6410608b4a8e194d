package ofapps

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/test/ovs"
)

// realHost is host1 of a scenario in a real switch: its bridges, its ports with the numbers that the scenario says, and
// its rows. Ports are dummies, also those of tunnels: what leaves by one and what comes in can be seen, but is not
// encapsulated.
type realHost struct {
	*ovs.Switch
	// ports are names by the number of the port in the datapath.
	ports map[string]string
}

// startHost starts host1. Ports of virtual machines are tap-<id>, as the scenario bound them; eth0 is on br-ex.
func startHost(t *testing.T, s state.Snapshot) *realHost {
	t.Helper()
	h := &realHost{Switch: ovs.Start(t), ports: map[string]string{}}
	for _, br := range []string{view.BrInt, view.BrTun, "br-ex"} {
		h.Vsctl("add-br", br, "--", "set", "bridge", br, "datapath_type=dummy", "fail_mode=secure")
	}
	h.patch(view.BrInt, view.PatchTun, patchTun, view.BrTun, view.PatchInt, patchInt)
	h.patch(view.BrInt, view.IntPort("br-ex"), intBrEx, "br-ex", view.PhyPort("br-ex"), phyBrEx)
	h.port("br-ex", "eth0", 9)
	r := view.HostResources(s, "host1")
	for _, tun := range r.Tunnels {
		h.port(view.BrTun, tun.Name, tun.OFPort)
	}
	for _, p := range r.Ports {
		h.port(view.BrInt, p.Interface, s.Binding(p.PortID).OFPort)
		h.Vsctl("set", "port", p.Interface, fmt.Sprintf("tag=%d", p.VLAN))
	}
	load(t, h.Switch, RenderAll(s, "host1"))
	// "    tap-1 11/7: (dummy)": OpenFlow number, then datapath number.
	shown := regexp.MustCompile(`(?m)^\s+(\S+) (\d+|LOCAL|none)/(\d+):`)
	for _, m := range shown.FindAllStringSubmatch(h.Appctl("dpif/show"), -1) {
		h.ports[m[3]] = m[1]
	}
	return h
}

func (h *realHost) port(bridge, name string, ofport uint32) {
	h.Vsctl("add-port", bridge, name, "--", "set", "interface", name, "type=dummy", fmt.Sprintf("ofport_request=%d", ofport))
}

func (h *realHost) patch(a, portA string, ofportA uint32, b, portB string, ofportB uint32) {
	for _, p := range []struct {
		bridge, name, peer string
		ofport             uint32
	}{{a, portA, portB, ofportA}, {b, portB, portA, ofportB}} {
		h.Vsctl("add-port", p.bridge, p.name, "--", "set", "interface", p.name, "type=patch", "options:peer="+p.peer,
			fmt.Sprintf("ofport_request=%d", p.ofport))
	}
}

var (
	datapathActions = regexp.MustCompile(`(?m)^Datapath actions: (.*)$`)
	tunnelKey       = regexp.MustCompile(`(?:set_field|load):(0x[0-9a-f]+)->(?:tun_id|NXM_NX_TUN_ID\[\])\n`)
	action          = regexp.MustCompile(`[a-z_]+(\((?:[^()]|\([^()]*\))*\))?|\d+`)
	vlanID          = regexp.MustCompile(`vid=(\d+)`)
)

// trace tells where a packet that comes in by a port of a bridge leaves, sorted: "eth0 vlan 42", "vxlan-0a000002 key 0x64".
// The bridges' own ports, at which nobody listens here, are left out.
func (h *realHost) trace(t *testing.T, bridge, packet string, options ...string) []string {
	t.Helper()
	out := h.Appctl(append([]string{"ofproto/trace", bridge, packet}, options...)...)
	m := datapathActions.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no datapath actions in\n%s", out)
	}
	keys := map[string]bool{}
	for _, k := range tunnelKey.FindAllStringSubmatch(out, -1) {
		keys[" key "+k[1]] = true
	}
	var left []string
	vlan := ""
	for _, a := range action.FindAllString(m[1], -1) {
		switch {
		case strings.HasPrefix(a, "push_vlan"), strings.HasPrefix(a, "set(vlan"):
			vlan = " vlan " + vlanID.FindStringSubmatch(a)[1]
		case a == "pop_vlan":
			vlan = ""
		default:
			if _, err := strconv.Atoi(a); err != nil {
				continue
			}
			name := h.ports[a]
			switch {
			case name == "":
				t.Fatalf("datapath port %s is not known in\n%s", a, out)
			case strings.HasPrefix(name, "br-"):
			case strings.Contains(name, "-0a0000"):
				for k := range keys {
					left = append(left, name+vlan+k)
				}
			default:
				left = append(left, name+vlan)
			}
		}
	}
	slices.Sort(left)
	return left
}
