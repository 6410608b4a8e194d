package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/frame"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// hostile is a machine that tries everything.
func hostile(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	t, err := newTheatre(ctx, s, driver)
	if err != nil {
		return "", err
	}
	return t.play(ctx, s)
}

// theatre is a network with a hostile machine on the first host, and those that it is hostile to: near and far, whom nobody
// judges, so that they hear all that gets out; a router; and on each host a guard, whose group lets one port in.
type theatre struct {
	// driver is that of the hosts.
	driver  string
	villain *lab.VM
	machine map[string]*lab.VM
	known   map[string]station
	// ears are what is listened to, by who has them: a router has one for each family.
	ears map[string][]*ear
	// sent is how many attempts there were: their marks are numbered.
	sent uint16
	// evil are the marks that must not come out, and may yet do so.
	evil map[uint16]crime
}

// crime is a trick that was tried, and who must not hear of it.
type crime struct {
	name, target string
	silent       []string
}

var (
	listeners = []string{"near", "far", "router"}
	guards    = []string{"guard near", "guard far"}
)

// everybody is whom frames to all are for, wire what the host sends to others.
const everybody, wire = "everybody", "wire"

func newTheatre(ctx context.Context, s *cloud.Scope, driver string) (*theatre, error) {
	n, err := s.Network(ctx, "stage", &weftv1.Network{PortSecurityEnabled: proto.Bool(true)}, "10.0.7.0/24")
	if err != nil {
		return nil, err
	}
	six, err := s.AddSubnet(ctx, n, "fd00:7::/64")
	if err != nil {
		return nil, err
	}
	router, err := s.Router(ctx, "router", cloud.RouterOf(true, nil, n))
	if err != nil {
		return nil, err
	}
	if err := s.AddInterface(ctx, router, six.GetMetadata().GetId()); err != nil {
		return nil, err
	}
	t := &theatre{driver: driver, machine: map[string]*lab.VM{}, ears: map[string][]*ear{}, evil: map[uint16]crime{}, known: map[string]station{
		everybody: {mac: frame.Broadcast, mac6: frame.AllNodes, ip4: netip.AddrFrom4([4]byte{255, 255, 255, 255}), ip6: netip.MustParseAddr("ff02::1")},
	}}
	if err := t.cast(ctx, s, n); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	return t, t.listen(ctx, s, router)
}

// cast makes the machines. The villain's group lets it send to some ports of UDP, and everything of ICMP.
func (t *theatre) cast(ctx context.Context, s *cloud.Scope, n *cloud.Network) error {
	villain, err := s.SecurityGroup(ctx, "villain")
	if err != nil {
		return err
	}
	all, err := s.SecurityGroupRules.ListSecurityGroupRules(ctx, &weftv1.ListSecurityGroupRulesRequest{SecurityGroupId: villain.GetMetadata().GetId()})
	if err != nil {
		return err
	}
	for _, r := range all.GetSecuritygrouprules() {
		if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()}); err != nil {
			return err
		}
	}
	guard, err := s.SecurityGroup(ctx, "guard")
	if err != nil {
		return err
	}
	for _, family := range []string{"IPv4", "IPv6"} {
		icmp := map[string]string{"IPv4": "icmp", "IPv6": "ipv6-icmp"}[family]
		for _, r := range []struct {
			group           *weftv1.SecurityGroup
			direction, what string
			first, last     uint32
		}{
			{villain, "egress", "udp", allowed, another}, {villain, "egress", icmp, 0, 0},
			{guard, "ingress", "udp", allowed, allowed}, {guard, "ingress", icmp, 0, 0},
		} {
			rule := &weftv1.SecurityGroupRule{Direction: r.direction, Ethertype: family, Protocol: r.what}
			if r.first != 0 {
				rule.PortRangeMin, rule.PortRangeMax = proto.Uint32(r.first), proto.Uint32(r.last)
			}
			if _, err := s.Allow(ctx, r.group, rule); err != nil {
				return err
			}
		}
	}
	secured := func(g *weftv1.SecurityGroup) *weftv1.Port {
		return &weftv1.Port{SecurityGroups: []string{g.GetMetadata().GetId()}}
	}
	open := &weftv1.Port{PortSecurityEnabled: proto.Bool(false)}
	for _, m := range []struct {
		name string
		host int
		port *weftv1.Port
	}{
		{"villain", 0, secured(villain)}, {"near", 0, open}, {"far", 1, open}, {"guard near", 0, secured(guard)}, {"guard far", 1, secured(guard)},
	} {
		vm, err := s.VMWith(ctx, n, strings.ReplaceAll(m.name, " ", "-"), s.Lab.Hosts[m.host].Name, m.port)
		if err != nil {
			return err
		}
		t.machine[m.name] = vm
		if t.known[m.name], err = stationOf(vm.MAC, vm.Addresses...); err != nil {
			return err
		}
	}
	t.villain = t.machine["villain"]
	return nil
}

// stationOf is a machine with one address of each family.
func stationOf(mac string, addresses ...netip.Prefix) (station, error) {
	hw, err := net.ParseMAC(mac)
	st := station{mac: hw, mac6: hw}
	for _, a := range addresses {
		if a.Addr().Is4() {
			st.ip4 = a.Addr()
		} else {
			st.ip6 = a.Addr()
		}
	}
	if err == nil {
		ll := netip.MustParseAddr("fe80::").As16()
		copy(ll[8:], []byte{hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]}) // RFC 4291, appendix A
		st.ll = netip.AddrFrom16(ll)
	}
	return st, err
}

// listen begins to listen at everybody and on the wire.
func (t *theatre) listen(ctx context.Context, s *cloud.Scope, router *weftv1.Router) error {
	add := func(who string, c *lab.Capture, err error) error {
		if err != nil {
			return err
		}
		s.Defer(c.Stop)
		t.ears[who] = append(t.ears[who], &ear{c, map[uint16]int{}})
		return nil
	}
	for name, vm := range t.machine {
		c, err := s.Lab.StartCapture(ctx, vm.Box, "eth0")
		if err := add(name, c, err); err != nil {
			return err
		}
	}
	host := s.Lab.Hosts[0]
	c, err := s.Lab.StartCaptureOf(ctx, host, "eth1")
	if err := add(wire, c, err); err != nil {
		return err
	}
	ports, err := s.Ports.ListPorts(ctx, &weftv1.ListPortsRequest{DeviceId: router.GetMetadata().GetId()})
	if err != nil {
		return err
	}
	var gateway station
	for _, p := range ports.GetPorts() {
		c, err := s.Lab.StartCapture(ctx, host.Box, fmt.Sprintf("tap%.11s", p.GetMetadata().GetId()))
		if err := add("router", c, err); err != nil {
			return err
		}
		ip, err := netip.ParseAddr(p.GetFixedIps()[0].GetIpAddress())
		if err != nil {
			return err
		}
		st, err := stationOf(p.GetMacAddress(), netip.PrefixFrom(ip, ip.BitLen()))
		if err != nil {
			return err
		}
		if ip.Is4() {
			gateway.mac, gateway.ip4 = st.mac, ip
		} else {
			gateway.mac6, gateway.ip6, gateway.ll = st.mac6, ip, st.ll
		}
	}
	t.known["router"] = gateway
	return nil
}

// play tries every trick, then those about allowed address pairs without and with these, and then sends large packets.
func (t *theatre) play(ctx context.Context, s *cloud.Scope) (string, error) {
	targets := append(slices.Clone(listeners), everybody)
	anySize, err := t.tracksAny(ctx, s)
	if err != nil {
		return "", err
	}
	all, most := slices.Concat(whose, posing, shapes), larger
	if anySize {
		most = largest
	}
	frames := 0
	try := func(tricks []trick, targets, silent []string) error {
		n, err := t.try(ctx, tricks, targets, silent)
		frames += n
		return err
	}
	// What the pairs will allow is evil until then.
	var early []trick
	for _, k := range withPair {
		early = append(early, trick{k.name + ", before", k.evil, plain})
		if k.name != withPair[1].name {
			early = append(early, trick{"honest only with the pair", k.honest, plain})
		}
	}
	everywhere := slices.Concat(listeners, guards, []string{wire})
	if err := try(slices.Concat(all, early), targets, everywhere); err != nil {
		return "", err
	}
	for _, g := range guards {
		if err := try(toGuards, []string{g}, guards); err != nil {
			return "", err
		}
	}
	if err := t.pair(ctx, s); err != nil {
		return "", err
	}
	if err := try(slices.Concat(withPair, whose), targets, everywhere); err != nil {
		return "", fmt.Errorf("with allowed address pairs: %w", err)
	}
	if err := t.large(ctx, s, most); err != nil {
		return "", err
	}
	// The tracker keeps a thousand fragments, of all: this comes last.
	if err := try(manyFragments, []string{"near", "far"}, everywhere); err != nil {
		return "", err
	}
	if err := t.outwait(ctx, s); err != nil {
		return "", fmt.Errorf("when the switch has waited for the rest of datagrams in vain: %w", err)
	}
	if err := t.counted(ctx, s); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d tricks, %d frames: none came out, and every honest twin did; UDP of %d bytes passes", len(all)+len(withPair)+len(toGuards)+len(manyFragments), frames, most), nil
}

// outwait goes on until the connection trackers have given up the datagrams whose first fragment they wait for: 15 s. New connections
// make them look, and take along what should be dropped.
func (t *theatre) outwait(ctx context.Context, s *cloud.Scope) error {
	if t.driver == onBridge {
		return nil
	}
	port := uint16(anyPort)
	err := lab.Poll(ctx, time.Minute, func() error {
		var frames [][]byte
		for _, target := range slices.Concat(listeners, guards) {
			x := attempt{me: t.known["villain"], to: t.known[target], mark: markOf(0)}
			port++
			frames = append(frames, x.udp(x.me.mac, x.me.ip4, port, allowed), x.udp(x.me.mac, x.me.ip6, port, allowed))
		}
		if err := lab.Inject(ctx, t.villain.Box, "eth0", frames...); err != nil {
			return err
		}
		for _, h := range s.Lab.Hosts {
			out, err := h.Exec(ctx, "ovs-appctl", "dpctl/ipf-get-status", "-m")
			if err != nil {
				return err
			}
			if n := strings.Count(out, "state=last frag"); n > 0 {
				return fmt.Errorf("%s waits for the rest of %d datagrams", h.Name, n)
			}
		}
		return nil
	})
	return errors.Join(err, t.unheard(maps.Keys(t.evil)))
}

// pair gives the villain its allowed address pairs.
func (t *theatre) pair(ctx context.Context, s *cloud.Scope) error {
	mac := pairs.mac.String()
	if _, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: t.villain.PortID}, AllowedAddressPairs: []*weftv1.AddressPair{
			{IpAddress: pairs.ip4.String(), MacAddress: mac}, {IpAddress: pairs.ip6.String(), MacAddress: mac}, {IpAddress: pairs.block.String()}}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"allowed_address_pairs"}}}); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// counted fails unless the host has counted what the villain was allowed by its rules, and what was refused.
func (t *theatre) counted(ctx context.Context, s *cloud.Scope) error {
	r, err := s.Diagnostics.GetPortRules(ctx, &weftv1.GetPortRulesRequest{Port: t.villain.PortID})
	if err != nil {
		return err
	}
	if !r.GetCounted() {
		return fmt.Errorf("nothing is counted: %s", r.GetMessage())
	}
	for _, rule := range r.GetRules() {
		if rule.GetPackets() == 0 || rule.GetBytes() == 0 || rule.GetCountedBy() != "rule" {
			return fmt.Errorf("the rule %q has counted nothing: %v", rule.GetText(), rule)
		}
	}
	// A firewall bridge counts what its own port was not to hear, and nobody sends the villain any such thing.
	heard := r.GetFirewallBridge() || r.GetRefusedIngressPackets() > 0
	if len(r.GetRules()) != 4 || r.GetRefusedEgressPackets() < uint64(len(whose)) || !heard {
		return fmt.Errorf("what was refused is not counted: %v", r)
	}
	return nil
}

// Datagrams of UDP in bytes: nearly the largest that there are, and one of fewer fragments than the 32 packets that the userspace
// datapath handles at a time.
const (
	largest = 65000
	larger  = 40000
)

// firstWhole is the first version of Open vSwitch whose userspace datapath tracks datagrams of any number of fragments. Of those
// with more than 32 the older ones lose what is allowed (docs/decisions/0077).
const firstWhole = 4

// tracksAny says whether allowed datagrams of any number of fragments pass on the hosts.
func (t *theatre) tracksAny(ctx context.Context, s *cloud.Scope) (bool, error) {
	if t.driver == onBridge {
		return true, nil // by the kernel
	}
	out, err := s.Lab.Hosts[0].Exec(ctx, "ovs-vswitchd", "--version")
	if err != nil {
		return false, err
	}
	const before = "ovs-vswitchd (Open vSwitch) "
	var major int
	if _, err := fmt.Sscanf(out, before+"%d.", &major); err != nil {
		return false, fmt.Errorf("ovs-vswitchd --version says %q: %w", out, err)
	}
	return major >= firstWhole, nil
}

// large sends datagrams, of which the largest has that many bytes, and pings that must be cut into fragments, to those who hear them.
func (t *theatre) large(ctx context.Context, s *cloud.Scope, largest int) error {
	for _, name := range slices.Concat([]string{"near", "far"}, guards) {
		vm := t.machine[name]
		if err := serve(ctx, s, vm.Box, allowed); err != nil {
			return err
		}
		for _, a := range vm.Addresses {
			for _, size := range []int{4000, largest} {
				if _, err := lab.AskLarge(ctx, t.villain.Box, netip.AddrPortFrom(a.Addr(), allowed), size); err != nil {
					return fmt.Errorf("%d bytes of UDP to %s at %s: %w", size, name, a, err)
				}
			}
			if _, err := mustPing(ctx, t.villain.Box, a.Addr(), lab.Pings{Count: 1, Size: 3000, Fragments: true}); err != nil {
				return fmt.Errorf("3000 bytes of ICMP to %s: %w", name, err)
			}
		}
	}
	return nil
}
