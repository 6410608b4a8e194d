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

// realHost is a host of a scenario in a real switch: its bridges, its ports with the numbers that the scenario says, and
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
	return startNamed(t, s, "host1")
}

func startNamed(t *testing.T, s state.Snapshot, name string) *realHost {
	t.Helper()
	h := &realHost{Switch: ovs.Start(t), ports: map[string]string{}}
	for _, br := range []string{view.BrInt, view.BrTun, "br-ex"} {
		h.Vsctl("add-br", br, "--", "set", "bridge", br, "datapath_type=dummy", "fail_mode=secure")
	}
	reported := s.HostFacts(name).Ports
	h.patch(view.BrInt, view.PatchTun, reported[view.PatchTun], view.BrTun, view.PatchInt, reported[view.PatchInt])
	h.patch(view.BrInt, view.IntPort("br-ex"), reported[view.IntPort("br-ex")], "br-ex", view.PhyPort("br-ex"), reported[view.PhyPort("br-ex")])
	h.port("br-ex", "eth0", 9)
	r := view.HostResources(s, name)
	for _, tun := range r.Tunnels {
		h.port(view.BrTun, tun.Name, tun.OFPort)
	}
	for _, p := range r.Ports {
		ofport := uint32(0)
		if b := s.Binding(p.PortID); b != nil {
			ofport = b.OFPort
		} else {
			ofport = s.Interface(name, p.Interface).OFPort
		}
		h.port(view.BrInt, p.Interface, ofport)
		h.Vsctl("set", "port", p.Interface, fmt.Sprintf("tag=%d", p.VLAN))
	}
	for p := range view.Parts(s, name) {
		for _, m := range Meters(s, name, p) {
			unit := map[bool]string{true: "pktps", false: "kbps"}[m.Packets]
			h.Ofctl("add-meter", view.BrInt, fmt.Sprintf("meter=%d,%s,burst,band=type=drop,rate=%d,burst_size=%d", m.ID, unit, m.Rate, m.Burst))
		}
	}
	load(t, h.Switch, RenderAll(s, name))
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
	setSource       = regexp.MustCompile(`^set\(eth\(.*src=([0-9a-f:]+)`)
	setTarget       = regexp.MustCompile(`^set\(eth\(.*dst=([0-9a-f:]+)`)
)

// trace tells where a packet that comes in by a port of a bridge leaves, sorted: "eth0 vlan 42", "vxlan-0a000002 key 0x64".
// The bridges' own ports, at which nobody listens here, are left out.
func (h *realHost) trace(t *testing.T, bridge, packet string, options ...string) []string {
	t.Helper()
	left := h.traceMACs(t, bridge, packet, options...)
	for i := range left {
		left[i], _, _ = strings.Cut(left[i], " from ")
		left[i], _, _ = strings.Cut(left[i], " to ")
	}
	slices.Sort(left)
	return left
}

// traceMACs is trace with the MACs that were rewritten: "tap-1 from fa:16:3f:00:00:01 to fa:16:3e:00:00:91".
func (h *realHost) traceMACs(t *testing.T, bridge, packet string, options ...string) []string {
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
	vlan, source, target := "", "", ""
	for _, a := range action.FindAllString(metered(t, m[1]), -1) {
		switch {
		case strings.HasPrefix(a, "push_vlan"), strings.HasPrefix(a, "set(vlan"):
			vlan = " vlan " + vlanID.FindStringSubmatch(a)[1]
		case a == "pop_vlan":
			vlan = ""
		case strings.HasPrefix(a, "set(eth("):
			if m := setSource.FindStringSubmatch(a); m != nil {
				source = rewritten(packet, "dl_src=", " from ", m[1])
			}
			if m := setTarget.FindStringSubmatch(a); m != nil {
				target = rewritten(packet, "dl_dst=", " to ", m[1])
			}
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
					left = append(left, name+vlan+k+source+target)
				}
			default:
				left = append(left, name+vlan+source+target)
			}
		}
	}
	slices.Sort(left)
	return left
}

// longer is what Open vSwitch does with a packet that is longer than any: nothing. What it does else begins after it.
var longer = regexp.MustCompile(`check_pkt_len\(size=65535,gt\(`)

// inClone is a metered copy as Open vSwitch 4.0 writes it.
var inClone = regexp.MustCompile(`clone\(((?:meter\(\d+\),)+\d+|drop)\)`)

// metered puts in the place of each check of a packet's length, which parts it from its copies, what is done then; there a meter
// must come before the packet leaves.
func metered(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, actions string) string {
	t.Helper()
	for {
		at := longer.FindStringIndex(actions)
		if at == nil {
			return inClone.ReplaceAllString(actions, "$1")
		}
		// The two branches, which are alike, end with the parentheses that they began with.
		closing := func(from int) int {
			for depth, i := 1, from; i < len(actions); i++ {
				switch actions[i] {
				case '(':
					depth++
				case ')':
					if depth--; depth == 0 {
						return i
					}
				}
			}
			t.Fatalf("parentheses do not close in %s", actions)
			return 0
		}
		end := closing(at[1])
		branch := actions[at[1]:end]
		rest := "),le(" + branch + "))"
		if !strings.HasPrefix(actions[end:], rest) || branch != "drop" && !strings.HasPrefix(branch, "meter(") {
			t.Fatalf("a copy for a limited port is not metered in %s", actions)
		}
		actions = actions[:at[0]] + branch + actions[end+len(rest):]
	}
}

// rewritten says what a MAC of a packet has become, if it is another than it was.
func rewritten(packet, field, word, mac string) string {
	if strings.Contains(packet, field+mac) {
		return ""
	}
	return word + mac
}
