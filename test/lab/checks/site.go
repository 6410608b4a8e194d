package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// scene is a small cloud that several checks look at.
type scene struct {
	name  string
	build func(ctx context.Context, s *cloud.Scope) (*site, error)
}

// site is what a scene built: the topology of the seed's document about distributed routers, with one kind of router.
//
//	world ── ext 172.24.4.0/24 ── router ─┬─ private1 10.0.1.0/24 (vxlan)  p1c1 (floating IP)  p1c2
//	 198.51.100.1                         ├─ private2 10.0.2.0/24 (vxlan)  p2c1 (floating IP)  p2c2
//	                                      └─ private3 10.0.3.0/24 (vlan)   p3c1                p3c2
//	apart 10.0.1.0/24, without a router, with a VM that must reach none of the others
//
// pXcY is the VM of private X on compute host Y, the first and the second of the lab.
type site struct {
	ext     *cloud.Network
	router  *weftv1.Router
	gateway netip.Addr
	private [3]*cloud.Network
	vm      map[string]*lab.VM
	fip     map[string]*cloud.FloatingIP
	apart   *lab.VM
	// network is the host with the centralised part of the router.
	network *lab.Host
	// before is what there was before the site was built.
	before baseline
	scope  *cloud.Scope
}

// web is the port that every VM of a site serves, as the machine outside does.
const web = lab.WebPort

// build makes a site with a distributed router, or with a centralised one.
func build(ctx context.Context, s *cloud.Scope, distributed bool) (*site, error) {
	t := &site{vm: map[string]*lab.VM{}, fip: map[string]*cloud.FloatingIP{}, scope: s}
	var err error
	if t.before, err = before(ctx, s.Cloud); err != nil {
		return nil, err
	}
	if t.ext, err = s.External(ctx, "ext", "172.24.4.0/24", 0); err != nil {
		return nil, err
	}
	for i, want := range []*weftv1.Network{
		{ProviderNetworkType: "vxlan"}, {ProviderNetworkType: "vxlan"},
		{ProviderNetworkType: "vlan", ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: 103},
	} {
		if t.private[i], err = s.Network(ctx, fmt.Sprintf("private%d", i+1), want, fmt.Sprintf("10.0.%d.0/24", i+1)); err != nil {
			return nil, err
		}
	}
	if t.router, err = s.Router(ctx, "router", cloud.RouterOf(distributed, t.ext, t.private[:]...)); err != nil {
		return nil, err
	}
	if t.gateway, err = cloud.GatewayAddress(t.router); err != nil {
		return nil, err
	}
	for i, n := range t.private {
		for host := range 2 {
			name := fmt.Sprintf("p%dc%d", i+1, host+1)
			if t.vm[name], err = t.add(ctx, s, n, name, host); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range []string{"p1c1", "p2c1"} {
		if t.fip[name], err = s.FloatingIP(ctx, t.ext, t.vm[name].PortID); err != nil {
			return nil, err
		}
	}
	apart, err := s.Network(ctx, "apart", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.1.0/24")
	if err != nil {
		return nil, err
	}
	if t.apart, err = s.VMWith(ctx, apart, "apart", s.Lab.Hosts[0].Name, &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.1.200"}}}); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	t.network, err = centralHost(ctx, s.Cloud, t.router)
	return t, err
}

// add makes a VM with a server in it.
func (t *site) add(ctx context.Context, s *cloud.Scope, n *cloud.Network, name string, host int) (*lab.VM, error) {
	vm, err := s.VM(ctx, n, name, s.Lab.Hosts[host].Name)
	if err != nil {
		return nil, err
	}
	return vm, serve(ctx, s, vm.Box, web)
}

// serve opens ports in a box for as long as the scope lives.
func serve(ctx context.Context, s *cloud.Scope, box *nsbox.Box, ports ...uint16) error {
	server, err := s.Lab.StartServer(ctx, box, ports...)
	if err != nil {
		return err
	}
	s.Defer(func(ctx context.Context) error {
		// A server in a VM that is gone is gone too.
		if err := server.Stop(ctx); err != nil && box == s.Lab.Controller {
			return err
		}
		return nil
	})
	return nil
}

// centralHost finds the host that has the centralised part of a router.
func centralHost(ctx context.Context, c *cloud.Cloud, router *weftv1.Router) (*lab.Host, error) {
	r, err := c.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
	if err != nil {
		return nil, err
	}
	if r.GetStatus().GetGatewayHost() == "" {
		return nil, fmt.Errorf("router %s is on no network host: %s", r.GetMetadata().GetName(), r.GetStatus())
	}
	return c.Lab.Host(r.GetStatus().GetGatewayHost())
}

// addr is a VM's own address.
func addr(vm *lab.VM) netip.Addr { return vm.Addresses[0].Addr() }

// at is the server of an address.
func at(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, web) }

// mustAsk asks a server by TCP, and fails unless the right one answers and sees the caller by the right address.
func mustAsk(ctx context.Context, from *nsbox.Box, to netip.AddrPort, server string, caller netip.Addr) error {
	return mustAskBy(ctx, "tcp", from, to, server, caller)
}

func mustAskBy(ctx context.Context, network string, from *nsbox.Box, to netip.AddrPort, server string, caller netip.Addr) error {
	g, err := lab.Ask(ctx, from, network, to)
	switch {
	case err != nil:
		return fmt.Errorf("%s asks %s (%s): %w", from.Name, to, network, err)
	case g.Server != server:
		return fmt.Errorf("%s asks %s (%s): %s answers, not %s", from.Name, to, network, g.Server, server)
	case g.Caller.Addr() != caller:
		return fmt.Errorf("%s asks %s (%s): %s sees it as %s, not %s", from.Name, to, network, g.Server, g.Caller.Addr(), caller)
	}
	return nil
}

// mustNotAsk fails when a server answers.
func mustNotAsk(ctx context.Context, from *nsbox.Box, to netip.AddrPort) error {
	g, err := lab.AskInVain(ctx, from, "tcp", to)
	var exit *nsbox.ExitError
	switch {
	case errors.As(err, &exit):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s reaches %s at %s, and must not", from.Name, g.Server, to)
}

// works fails unless the site's VMs reach each other and the world, with the right addresses. What that costs and which way
// it takes is not looked at.
func (t *site) works(ctx context.Context, s *cloud.Scope) error {
	for _, pair := range [][2]string{{"p1c1", "p2c2"}, {"p2c2", "p1c1"}, {"p1c2", "p2c1"}, {"p3c1", "p1c2"}, {"p2c1", "p3c2"}} {
		if err := mustAsk(ctx, t.vm[pair[0]].Box, at(addr(t.vm[pair[1]])), t.vm[pair[1]].Name, addr(t.vm[pair[0]])); err != nil {
			return err
		}
	}
	for _, name := range []string{"p1c1", "p2c1"} {
		if err := mustAsk(ctx, s.Lab.Outside, at(t.fip[name].Address), t.vm[name].Name, t.ext.Gateway()); err != nil {
			return err
		}
		if err := mustAsk(ctx, t.vm[name].Box, at(lab.Far), "outside", t.fip[name].Address); err != nil {
			return err
		}
	}
	for _, name := range []string{"p1c2", "p3c1"} {
		if err := mustAsk(ctx, t.vm[name].Box, at(lab.Far), "outside", t.gateway); err != nil {
			return err
		}
	}
	return nil
}

// namespaces are those of a router's on a host.
func namespaces(ctx context.Context, h *lab.Host, router *weftv1.Router) ([]string, error) {
	all, err := h.Namespaces(ctx)
	return slices.DeleteFunc(all, func(ns string) bool { return !strings.HasSuffix(ns, router.GetMetadata().GetId()) }), err
}

// forwarded counts the packets that a router has forwarded on a host.
func forwarded(ctx context.Context, h *lab.Host, router *weftv1.Router) (uint64, error) {
	all, err := namespaces(ctx, h, router)
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, ns := range all {
		n, err := h.Forwarded(ctx, ns)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// during counts the packets that a router forwards on a host while something is done.
func during(ctx context.Context, h *lab.Host, router *weftv1.Router, do func() error) (uint64, error) {
	before, err := forwarded(ctx, h, router)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := forwarded(ctx, h, router)
	return after - before, err
}
