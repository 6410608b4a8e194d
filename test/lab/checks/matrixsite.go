package checks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/policy"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// matrixSite is what the matrix is tried on.
//
//	world ── public ── router ─┬─ tunnelled  a receiver for each way on the first host, each with a floating IP;
//	                           │             a friend and a stranger on each host
//	                           └─ beyond     a friend and a stranger on the second host
//	tagged, a provider VLAN: a receiver for each way on the first host, a friend and a stranger on the second
type matrixSite struct {
	scope     *cloud.Scope
	public    *cloud.Network
	network   [networkCount]*cloud.Network
	friends   *weftv1.SecurityGroup
	addresses *weftv1.AddressGroup
	// receiver by network and way.
	receiver [networkCount]map[string]*lab.VM
	// fip by way, of the receivers of the first network.
	fip map[*lab.VM]netip.Addr
	// sent are the senders that are VMs, by path.
	sent map[string][2]*lab.VM
}

// sender is who asks: a VM, or the machine outside with one of its addresses.
type sender struct {
	box      *nsbox.Box
	vm       *lab.VM
	source   netip.Addr
	port     string
	stranger bool
}

func (s sender) address(six bool) netip.Addr {
	if s.vm == nil {
		return s.source
	}
	return own(s.vm, six)
}

// Last bytes of the addresses of senders: the block of two of a friend has no stranger.
const (
	friendNumber   = 40
	strangerNumber = 50
)

// senders are the friend and the stranger of a path.
func (t *matrixSite) senders(p path) [2]sender {
	if p.network == outside {
		box := t.scope.Lab.Outside
		return [2]sender{{box: box, source: t.public.Gateway()}, {box: box, source: lab.Far, stranger: true}}
	}
	vms := t.sent[p.name]
	var out [2]sender
	for i, vm := range vms {
		out[i] = sender{box: vm.Box, vm: vm, port: vm.PortID, stranger: i == 1}
	}
	return out
}

// target is the address by which a receiver is called.
func (t *matrixSite) target(p path, to *lab.VM, six bool) netip.Addr {
	if p.network == outside {
		return t.fip[to]
	}
	return own(to, six)
}

// six is the IPv6 subnet of a network of the matrix.
func six(network int) string { return fmt.Sprintf("fd00:6:%d::/64", network+1) }

// addressesOf are the addresses, by number, that a sender of a path has. Paths that share a network do not share numbers.
func addressesOf(p path, number int) [2]netip.Addr {
	n := byte(number + 2*p.host)
	v6 := netip.MustParsePrefix(six(p.network)).Addr().As16()
	v6[15] = n
	return [2]netip.Addr{netip.AddrFrom4([4]byte{10, 6, byte(p.network + 1), n}), netip.AddrFrom16(v6)}
}

// blocks are the addresses of all friends, each with its neighbour.
func (t *matrixSite) blocks() (out []netip.Prefix) {
	for _, p := range paths {
		if p.network == outside {
			out = append(out, netip.PrefixFrom(t.public.Gateway(), 32))
			continue
		}
		for _, a := range addressesOf(p, friendNumber) {
			out = append(out, netip.PrefixFrom(a, a.BitLen()-1).Masked())
		}
	}
	return out
}

// setDriver gives all hosts a firewall, and lets them have the usual one afterwards.
func setDriver(ctx context.Context, s *cloud.Scope, name string) error {
	set := func(ctx context.Context, name string) error {
		for _, h := range s.Lab.Hosts {
			if err := driver(ctx, s, h.Name, name); err != nil {
				return err
			}
		}
		return nil
	}
	s.Defer(func(ctx context.Context) error { return set(ctx, inSwitch) })
	return set(ctx, name)
}

// buildMatrix builds it, in a scope that takes it away.
func buildMatrix(ctx context.Context, s *cloud.Scope) (*matrixSite, error) {
	t := &matrixSite{scope: s, fip: map[*lab.VM]netip.Addr{}, sent: map[string][2]*lab.VM{}}
	if err := t.networks(ctx); err != nil {
		return nil, err
	}
	groups, err := t.groups(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.machines(ctx, groups); err != nil {
		return nil, err
	}
	for _, w := range ways {
		vm := t.receiver[tunnelled][w.name]
		f, err := s.FloatingIP(ctx, t.public, vm.PortID)
		if err != nil {
			return nil, err
		}
		t.fip[vm] = f.Address
	}
	return t, s.Settle(ctx)
}

func (t *matrixSite) networks(ctx context.Context) (err error) {
	s := t.scope
	if t.public, err = s.External(ctx, "public", "172.24.6.0/24", 0); err != nil {
		return err
	}
	for i, want := range []*weftv1.Network{
		tunnelled: {ProviderNetworkType: "vxlan"},
		tagged:    {ProviderNetworkType: "vlan", ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: 106},
		beyond:    {ProviderNetworkType: "vxlan"},
	} {
		if t.network[i], err = s.Network(ctx, []string{"tunnelled", "tagged", "beyond"}[i], want, fmt.Sprintf("10.6.%d.0/24", i+1)); err != nil {
			return err
		}
	}
	router, err := s.Router(ctx, "router", cloud.RouterOf(true, t.public, t.network[tunnelled], t.network[beyond]))
	if err != nil {
		return err
	}
	for i, n := range t.network {
		subnet, err := s.AddSubnet(ctx, n, six(i))
		if err != nil {
			return err
		}
		if i != tagged {
			if err := s.AddInterface(ctx, router, subnet.GetMetadata().GetId()); err != nil {
				return err
			}
		}
	}
	return nil
}

// groups makes the group of each way, of friends and of strangers, by name.
func (t *matrixSite) groups(ctx context.Context) (map[string]*weftv1.SecurityGroup, error) {
	s := t.scope
	all := map[string]*weftv1.SecurityGroup{}
	var err error
	for _, name := range []string{"friend", "stranger"} {
		if all[name], err = s.SecurityGroup(ctx, name); err != nil {
			return nil, err
		}
	}
	t.friends = all["friend"]
	var texts []string
	for _, b := range t.blocks() {
		texts = append(texts, b.String())
	}
	if t.addresses, err = s.AddressGroup(ctx, "friends", texts...); err != nil {
		return nil, err
	}
	for _, w := range ways {
		if all[w.name], err = s.SecurityGroupWith(ctx, w.name, &weftv1.SecurityGroup{Stateful: proto.Bool(!w.stateless)}); err != nil {
			return nil, err
		}
		rules := []*weftv1.SecurityGroupRule{{Protocol: "udp", PortRangeMin: proto.Uint32(controlPort), PortRangeMax: proto.Uint32(controlPort)}}
		for _, k := range protocols {
			rules = append(rules, w.rules(t, k)...)
		}
		for _, r := range rules {
			r.Direction = "ingress"
			if _, err := s.Allow(ctx, all[w.name], r); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// machines starts all VMs at once, and servers in those that receive.
func (t *matrixSite) machines(ctx context.Context, groups map[string]*weftv1.SecurityGroup) error {
	s := t.scope
	var all []cloud.Wanted
	member := func(group string, addresses ...netip.Addr) *weftv1.Port {
		p := &weftv1.Port{SecurityGroups: []string{groups[group].GetMetadata().GetId()}}
		for _, a := range addresses {
			p.FixedIps = append(p.FixedIps, &weftv1.FixedIP{IpAddress: a.String()})
		}
		return p
	}
	receiving := []int{tunnelled, tagged}
	for _, n := range receiving {
		for i, w := range ways {
			all = append(all, cloud.Wanted{Network: t.network[n], Name: fmt.Sprintf("to%d-%d", n, i), Host: s.Lab.Hosts[0].Name, Port: member(w.name)})
		}
	}
	sending := map[string]int{}
	for _, p := range paths {
		if p.network == outside {
			continue
		}
		sending[p.name] = len(all)
		for i, number := range []int{friendNumber, strangerNumber} {
			a := addressesOf(p, number)
			name := []string{"friend", "stranger"}[i]
			all = append(all, cloud.Wanted{Network: t.network[p.network], Name: fmt.Sprintf("%s%d-%d", name, p.network, p.host), Host: s.Lab.Hosts[p.host].Name, Port: member(name, a[:]...)})
		}
	}
	vms, err := s.VMs(ctx, all)
	if err != nil {
		return err
	}
	for i, vm := range vms {
		if n := all[i].Network; n != t.network[tagged] {
			gateway := netip.MustParsePrefix(six(slices.Index(t.network[:], n))).Addr().Next()
			if _, err := vm.Box.Exec(ctx, "ip", "-6", "route", "add", "default", "via", gateway.String()); err != nil {
				return err
			}
		}
	}
	for i, n := range receiving {
		t.receiver[n] = map[string]*lab.VM{}
		for j, w := range ways {
			vm := vms[i*len(ways)+j]
			t.receiver[n][w.name] = vm
			if _, err := s.Lab.StartServerOf(ctx, vm.Box, []uint8{gre, policy.SCTP}, controlPort, insidePort, outsidePort); err != nil {
				return err
			}
		}
	}
	for _, p := range paths {
		if at, ok := sending[p.name]; ok {
			t.sent[p.name] = [2]*lab.VM(vms[at : at+2])
		}
	}
	return nil
}
