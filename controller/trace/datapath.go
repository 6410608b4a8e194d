package trace

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// frameHead is what of an Ethernet frame's header bridges change.
type frameHead struct {
	ethSrc, ethDst string
	vlan           uint16
}

// output is how a packet leaves the switch: by a port of the datapath, or by a tunnel.
type output struct {
	frameHead
	port   uint32
	tunnel *tunnel
}

// tunnel is what a packet is wrapped in.
type tunnel struct {
	kind string
	key  uint64
	dst  netip.Addr
}

var (
	ethernetIn = regexp.MustCompile(`\b(src|dst)=([0-9a-f:]{17})`)
	pushedVLAN = regexp.MustCompile(`\bvid=([0-9]+)`)
	outerDst   = regexp.MustCompile(`\b(?:ipv4|ipv6)\(src=[^,)]*,dst=([^,)]*)`)
	tunnelDst  = regexp.MustCompile(`\b(?:ipv6_)?dst=([^,)]*)`)
	tunnelKey  = regexp.MustCompile(`\b(?:vni|key|tun_id)=(0x[0-9a-f]+|[0-9]+)`)
	tunnelKind = regexp.MustCompile(`\b(vxlan|gre|geneve)\(`)
	flowField  = regexp.MustCompile(`\b(dl_src|dl_dst|dl_vlan)=([^,]*)`)
)

// outputs are all by which the packet leaves, in order.
func (s said) outputs() []output {
	var out []output
	for _, p := range s.parts {
		w := walker{}
		for _, m := range flowField.FindAllStringSubmatch(p.flow, -1) {
			switch m[1] {
			case "dl_src":
				w.ethSrc = m[2]
			case "dl_dst":
				w.ethDst = m[2]
			case "dl_vlan":
				n, _ := strconv.ParseUint(m[2], 0, 12)
				w.vlan = uint16(n)
			}
		}
		w.walk(p.actions, 0)
		out = append(out, w.out...)
	}
	return out
}

// walker carries out actions of the datapath on a packet (ovs-actions(7); lib/odp-util.c).
type walker struct {
	frameHead
	tunnel *tunnel
	// wrapped: the packet is inside the tunnel's already.
	wrapped bool
	out     []output
}

// maxDepth is how deep actions may be in each other.
const maxDepth = 32

func (w *walker) walk(actions string, depth int) {
	for _, a := range split(actions) {
		name, args, _ := strings.Cut(a, "(")
		args = strings.TrimSuffix(args, ")")
		switch {
		case name == "clone" && depth < maxDepth:
			inner := *w
			inner.out = nil
			inner.walk(args, depth+1)
			w.out = append(w.out, inner.out...)
		case name == "push_vlan":
			if m := pushedVLAN.FindStringSubmatch(args); m != nil {
				n, _ := strconv.ParseUint(m[1], 10, 12)
				w.vlan = uint16(n)
			}
		case name == "pop_vlan":
			w.vlan = 0
		case name == "set" && strings.HasPrefix(args, "eth("):
			for _, m := range ethernetIn.FindAllStringSubmatch(args, -1) {
				if m[1] == "src" {
					w.ethSrc = m[2]
				} else {
					w.ethDst = m[2]
				}
			}
		case name == "set" && strings.HasPrefix(args, "tunnel("):
			t := &tunnel{}
			if m := tunnelDst.FindStringSubmatch(args); m != nil {
				t.dst, _ = netip.ParseAddr(m[1])
			}
			w.tunnel = t.from(args)
		case name == "tnl_push":
			t := &tunnel{}
			if m := outerDst.FindStringSubmatch(args); m != nil {
				t.dst, _ = netip.ParseAddr(m[1])
			}
			w.tunnel, w.wrapped = t.from(args), true
		default:
			if n, err := strconv.ParseUint(a, 10, 32); err == nil {
				w.output(uint32(n))
			}
		}
	}
}

func (t *tunnel) from(args string) *tunnel {
	if m := tunnelKey.FindStringSubmatch(args); m != nil {
		t.key, _ = strconv.ParseUint(m[1], 0, 64)
	}
	if m := tunnelKind.FindStringSubmatch(args); m != nil {
		t.kind = m[1]
	}
	return t
}

func (w *walker) output(port uint32) {
	w.out = append(w.out, output{w.frameHead, port, w.tunnel})
	if !w.wrapped {
		w.tunnel = nil // the kernel's datapath sets it for one output
	}
}

// split takes a list apart at the commas that are in no brackets.
func split(list string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth <= 0 {
				out = append(out, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(list[from:]))
}

// swPort is a port of a bridge, as the switch has it.
type swPort struct {
	bridge, name string
	// number is OpenFlow's, datapath the datapath's; 0 for a patch port.
	number, datapath uint32
	// kind is system, tap, patch, vxlan …
	kind string
}

const local = 65534 // OFPP_LOCAL: the bridge itself

var (
	bridgeIn = regexp.MustCompile(`^  (\S+):$`)
	portIn   = regexp.MustCompile(`^    (\S+) ([0-9]+)/([0-9]+|none): \(([^:)]*)`)
)

// parsePorts reads what dpif/show prints.
func parsePorts(text string) ([]swPort, error) {
	var out []swPort
	bridge := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := bridgeIn.FindStringSubmatch(line); m != nil {
			bridge = m[1]
		} else if m := portIn.FindStringSubmatch(line); m != nil && bridge != "" {
			p := swPort{bridge: bridge, name: m[1], kind: m[4]}
			n, _ := strconv.ParseUint(m[2], 10, 32)
			dp, _ := strconv.ParseUint(m[3], 10, 32)
			p.number, p.datapath = uint32(n), uint32(dp)
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the switch tells no ports: %.200q", text)
	}
	return out, nil
}

// byDatapath is the port that stands for a number of the datapath's. Tunnels, which share one, are told by what they wrap.
func byDatapath(ports []swPort, n uint32) *swPort {
	i := slices.IndexFunc(ports, func(p swPort) bool { return p.datapath == n && n != 0 })
	if i < 0 {
		return nil
	}
	return &ports[i]
}

// wires are the ports of a bridge that lead to its physical network.
func wires(ports []swPort, bridge string) []string {
	var out []string
	for _, p := range ports {
		if p.bridge == bridge && p.number != local && p.kind != "patch" {
			out = append(out, p.name)
		}
	}
	return out
}
