package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/frame"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// theatre is a network with two hostile machines on the first host, one in a stateless group, and those that they are hostile
// to: near and far, whom nobody judges, so that they hear all that gets out; a router; and on each host two guards, whose
// groups let one port in, one of them a stateless group. Another network has a machine on each host, and
// nothing to do with all that.
type theatre struct {
	// driver is that of the hosts.
	driver  string
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

const (
	villain = "villain"
	// stateless is in the names of those whose groups are.
	stateless = "stateless"

	// everybody is whom frames to all are for, wire what the host sends to others.
	everybody, wire = "everybody", "wire"
	// device is the host's own on the bridge that leads to the provider, branch a second wire of that bridge, and branchEnd its
	// other end.
	device, branch, branchEnd = "the host's device", "a second wire", "branch1"
)

var (
	villains  = []string{villain, villain + " " + stateless}
	listeners = []string{"near", "far", "router"}
	guards    = []string{"guard near", "guard far", "guard near " + stateless, "guard far " + stateless}
	outsiders = []string{"outsider near", "outsider far"}
	// everywhere is where nothing evil may be heard.
	everywhere = slices.Concat(listeners, guards, outsiders, []string{wire, device, branch})
)

// isStateless says that a machine's group is.
func isStateless(who string) bool { return strings.HasSuffix(who, stateless) }

// newTheatre builds it. With VLANs of a provider, the stage is one, and where the outsiders are is another.
func newTheatre(ctx context.Context, s *cloud.Scope, driver string, vlans []uint32) (*theatre, error) {
	wanted := []*weftv1.Network{{PortSecurityEnabled: proto.Bool(true)}, {}}
	for i, id := range vlans {
		wanted[i].ProviderNetworkType, wanted[i].ProviderPhysicalNetwork, wanted[i].ProviderSegmentationId = "vlan", lab.PhysicalNetwork, id
	}
	n, err := s.Network(ctx, "stage", wanted[0], "10.0.7.0/24")
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
	elsewhere, err := s.Network(ctx, "elsewhere", wanted[1], "10.0.8.0/24")
	if err != nil {
		return nil, err
	}
	if _, err := s.AddSubnet(ctx, elsewhere, "fd00:8::/64"); err != nil {
		return nil, err
	}
	if err := t.cast(ctx, s, n, elsewhere); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	if err := tagIsTried(ctx, s, elsewhere); err != nil {
		return nil, err
	}
	if err := t.listen(ctx, s, router); err != nil {
		return nil, err
	}
	return t, errors.Join(t.outsidersHear(ctx), t.introduce(ctx))
}

// tagIsTried fails unless the tricks with tags try that by which the first host knows a network.
func tagIsTried(ctx context.Context, s *cloud.Scope, n *cloud.Network) error {
	got, err := s.Networks.GetNetwork(ctx, &weftv1.GetNetworkRequest{Id: n.ID()})
	if err != nil {
		return err
	}
	host := s.Lab.Hosts[0].Name
	for _, v := range got.GetStatus().GetLocalVlans() {
		if v.GetHost() == host && v.GetVlan() <= lastTag {
			return nil
		}
	}
	return fmt.Errorf("tags up to %d are tried: the VLANs of %s are %v", lastTag, n.GetMetadata().GetName(), got.GetStatus().GetLocalVlans())
}

// introduce has everybody tell all where they are: a frame to a MAC that a bridge has not heard of is flooded, whatever the rules
// (docs/decisions/0061).
func (t *theatre) introduce(ctx context.Context) error {
	for _, from := range slices.Concat(villains, guards, []string{"near", "far"}) {
		var err error
		for range pingRounds {
			x := attempt{me: t.known[from], to: t.known[everybody]}
			t.sent++
			x.mark = markOf(t.sent)
			if err = lab.Inject(ctx, t.machine[from].Box, "eth0", ownARP(x)...); err != nil {
				return err
			}
			if _, err = t.arrived(ctx, everybody, map[uint16]twin{t.sent: {trick{name: "nothing, of " + from}, 1}}); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outsidersHear has each outsider send to all: the other must hear it, for what they hear later of others is nothing.
func (t *theatre) outsidersHear(ctx context.Context) error {
	for i, from := range outsiders {
		x := attempt{me: t.known[from], to: t.known[everybody]}
		t.sent++
		x.mark = markOf(t.sent)
		if err := lab.Inject(ctx, t.machine[from].Box, "eth0", plain(x)...); err != nil {
			return err
		}
		honest := map[uint16]twin{t.sent: {trick{name: "nothing, on another network"}, 2}}
		if _, err := t.arrived(ctx, outsiders[1-i], honest); err != nil {
			return err
		}
	}
	return nil
}

// cast makes the machines.
func (t *theatre) cast(ctx context.Context, s *cloud.Scope, n, elsewhere *cloud.Network) error {
	open := &weftv1.Port{PortSecurityEnabled: proto.Bool(false)}
	secured := map[string]*weftv1.Port{}
	for _, role := range []string{villain, "guard"} {
		for _, name := range []string{role, role + " " + stateless} {
			g, err := groupFor(ctx, s, role, name)
			if err != nil {
				return err
			}
			secured[name] = &weftv1.Port{SecurityGroups: []string{g.GetMetadata().GetId()}}
		}
	}
	var all []cloud.Wanted
	var names []string
	for _, m := range []struct {
		name    string
		host    int
		port    *weftv1.Port
		network *cloud.Network
	}{
		{villains[0], 0, secured[villains[0]], n}, {villains[1], 0, secured[villains[1]], n}, {"near", 0, open, n}, {"far", 1, open, n},
		{guards[0], 0, secured["guard"], n}, {guards[1], 1, secured["guard"], n},
		{guards[2], 0, secured["guard "+stateless], n}, {guards[3], 1, secured["guard "+stateless], n},
		{outsiders[0], 0, open, elsewhere}, {outsiders[1], 1, open, elsewhere},
	} {
		names = append(names, m.name)
		all = append(all, cloud.Wanted{Network: m.network, Name: strings.ReplaceAll(m.name, " ", "-"), Host: s.Lab.Hosts[m.host].Name, Port: m.port})
	}
	vms, err := s.VMs(ctx, all)
	if err != nil {
		return err
	}
	for i, vm := range vms {
		t.machine[names[i]] = vm
		if t.known[names[i]], err = stationOf(vm.MAC, vm.Addresses...); err != nil {
			return err
		}
	}
	return nil
}

// groupFor is the security group of a role. Villains may send to some ports of UDP, and everything of ICMP; guards hear one port,
// and ICMP.
func groupFor(ctx context.Context, s *cloud.Scope, role, name string) (*weftv1.SecurityGroup, error) {
	g, err := s.SecurityGroupWith(ctx, strings.ReplaceAll(name, " ", "-"), &weftv1.SecurityGroup{Stateful: proto.Bool(!isStateless(name))})
	if err != nil {
		return nil, err
	}
	direction, last := "ingress", uint32(allowed)
	if role == villain {
		direction, last = "egress", another
		all, err := s.SecurityGroupRules.ListSecurityGroupRules(ctx, &weftv1.ListSecurityGroupRulesRequest{SecurityGroupId: g.GetMetadata().GetId()})
		if err != nil {
			return nil, err
		}
		for _, r := range all.GetSecuritygrouprules() {
			if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()}); err != nil {
				return nil, err
			}
		}
	}
	for family, icmp := range map[string]string{"IPv4": "icmp", "IPv6": "ipv6-icmp"} {
		for _, rule := range []*weftv1.SecurityGroupRule{
			{Protocol: "udp", PortRangeMin: proto.Uint32(allowed), PortRangeMax: &last}, {Protocol: icmp},
		} {
			rule.Direction, rule.Ethertype = direction, family
			if _, err := s.Allow(ctx, g, rule); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
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

// branchOff gives the host's bridge to the provider a second wire, and switches the bridge's own device on.
func branchOff(ctx context.Context, s *cloud.Scope, host *lab.Host) error {
	const port = "branch0"
	s.Defer(func(ctx context.Context) error {
		_, err := host.Exec(ctx, "ovs-vsctl", "--if-exists", "del-port", "br-ex", port)
		_, gone := host.Exec(ctx, "ip", "link", "del", port)
		return errors.Join(err, gone)
	})
	for _, command := range []string{
		"ip link add " + port + " type veth peer name " + branchEnd, "ip link set " + port + " up", "ip link set " + branchEnd + " up",
		"ip link set br-ex up", "ovs-vsctl add-port br-ex " + port,
	} {
		if _, err := host.Exec(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}

// listen begins to listen at everybody, on the wires, and at the host's own device beside them.
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
	if err := branchOff(ctx, s, host); err != nil {
		return err
	}
	for who, dev := range map[string]string{device: "br-ex", branch: branchEnd} {
		c, err := s.Lab.StartCapture(ctx, host.Box, dev)
		if err := add(who, c, err); err != nil {
			return err
		}
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
