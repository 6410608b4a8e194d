package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// onDemand follows a distributed router over the hosts: it is where a VM of its networks is, with the same MAC and address of
// the gateway everywhere, and goes with the last one.
func onDemand(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	n, err := s.Network(ctx, "demand", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.20.0/24")
	if err != nil {
		return "", err
	}
	router, err := s.Router(ctx, "demand", cloud.RouterOf(true, nil, n))
	if err != nil {
		return "", err
	}
	ns := "qrouter-" + router.GetMetadata().GetId()
	// is compares where the namespace is with where it should be.
	is := func(want ...*lab.Host) error {
		return lab.Poll(ctx, 20*time.Second, func() error {
			for _, h := range s.Lab.Hosts {
				all, err := h.Namespaces(ctx)
				if err != nil {
					return err
				}
				if has := slices.Contains(all, ns); has != slices.Contains(want, h) {
					return fmt.Errorf("%s has %.16s: %t", h.Name, ns, has)
				}
			}
			return nil
		})
	}
	if err := errors.Join(s.Settle(ctx), is()); err != nil {
		return "", fmt.Errorf("without a VM: %w", err)
	}
	one, two := s.Lab.Hosts[0], s.Lab.Hosts[1]
	if _, err := s.VM(ctx, n, "demand1", one.Name); err != nil {
		return "", err
	}
	if err := is(one); err != nil {
		return "", fmt.Errorf("one VM: %w", err)
	}
	last, err := s.VM(ctx, n, "demand2", two.Name)
	if err != nil {
		return "", err
	}
	if err := is(one, two); err != nil {
		return "", fmt.Errorf("two VMs: %w", err)
	}
	var devices []string
	for _, h := range []*lab.Host{one, two} {
		// "3: qr-… inet 10.0.20.1/24 …" without the number, and the MAC.
		out, err := h.Netns(ctx, ns, "sh", "-c", "ip -o -4 addr show scope global | cut -d' ' -f2-7; ip -o link | grep -o 'qr-.*@\\|ether [0-9a-f:]*'")
		if err != nil {
			return "", err
		}
		devices = append(devices, out)
	}
	if devices[0] != devices[1] || devices[0] == "" {
		return "", fmt.Errorf("%s has %q, %s has %q", one.Name, devices[0], two.Name, devices[1])
	}
	if err := s.Lab.DelVM(ctx, last.Name); err != nil {
		return "", err
	}
	if err := is(one); err != nil {
		return "", fmt.Errorf("the last VM of %s is gone: %w", two.Name, err)
	}
	return "with the first VM of a host, the same MAC and address, gone with the last", nil
}

// routerDown sets admin_state_up=false: nothing is routed, and what is in one subnet goes on.
func routerDown(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	set := func(up bool) error {
		if _, err := s.UpdateRouter(ctx, &weftv1.Router{Metadata: &weftv1.Metadata{Id: t.router.GetMetadata().GetId()}, AdminStateUp: proto.Bool(up)},
			"admin_state_up"); err != nil {
			return fmt.Errorf("set admin_state_up=%t: %w", up, err)
		}
		return s.Settle(ctx)
	}
	s.Defer(func(context.Context) error { return set(true) })
	if err := set(false); err != nil {
		return "", err
	}
	if err := errors.Join(
		mustNotPing(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c1"])),
		mustNotPing(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c2"])),
		mustNotPing(ctx, t.vm["p1c2"].Box, lab.Far),
		mustNotPing(ctx, t.vm["p1c1"].Box, lab.Far),
		mustNotPing(ctx, s.Lab.Outside, t.fip["p1c1"].Address),
	); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, t.vm["p1c1"].Box, at(addr(t.vm["p1c2"])), t.vm["p1c2"].Name, addr(t.vm["p1c1"])); err != nil {
		return "", err
	}
	if err := set(true); err != nil {
		return "", err
	}
	return "nothing is routed, one subnet goes on; all works again", t.works(ctx, s)
}

// oneOfTwo has a floating IP stand for one of two addresses of a port, and then for the other.
func oneOfTwo(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	first, second := t.private[0].At(60).String(), t.private[0].At(61).String()
	vm, err := s.VMWith(ctx, t.private[0], "both", s.Lab.Hosts[0].Name, &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: first}, {IpAddress: second}}})
	if err != nil {
		return "", err
	}
	if err := serve(ctx, s, vm.Box, web); err != nil {
		return "", err
	}
	f, err := s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: t.ext.ID(), PortId: vm.PortID, FixedIpAddress: second})
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	// The VM itself sends with its first address.
	if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), vm.Name, t.ext.Gateway()); err != nil {
		return "", fmt.Errorf("for the second address: %w", err)
	}
	if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", t.gateway); err != nil {
		return "", fmt.Errorf("for the second address: %w", err)
	}
	if _, err := s.FloatingIPs.UpdateFloatingIP(ctx, &weftv1.UpdateFloatingIPRequest{
		Floatingip: &weftv1.FloatingIP{Metadata: &weftv1.Metadata{Id: f.ID()}, PortId: vm.PortID, FixedIpAddress: first},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"port_id", "fixed_ip_address"}}}); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), vm.Name, t.ext.Gateway()); err != nil {
		return "", fmt.Errorf("for the first address: %w", err)
	}
	if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", f.Address); err != nil {
		return "", fmt.Errorf("for the first address: %w", err)
	}
	return "the other leaves with the router's address", nil
}

// flatEastWest routes between a tunnelled network and an untagged one of the physical network, by a distributed router. Nothing
// of it comes by the network host, and the gateway's MAC stays on the hosts.
func flatEastWest(ctx context.Context, s *cloud.Scope) (string, error) {
	t := &site{network: s.Lab.Hosts[2]}
	var vms [2][]*lab.VM
	for i, want := range []*weftv1.Network{{ProviderNetworkType: "vxlan"}, {ProviderNetworkType: "flat", ProviderPhysicalNetwork: lab.PhysicalNetwork}} {
		n, err := s.Network(ctx, fmt.Sprintf("flat%d", i+1), want, fmt.Sprintf("10.0.%d.0/24", i+21))
		if err != nil {
			return "", err
		}
		if vms[i], err = pair(ctx, s, n, fmt.Sprintf("flat%d-", i+1), 0, 1); err != nil {
			return "", err
		}
		t.private[i] = n
	}
	if err := mustNotPing(ctx, vms[0][0].Box, addr(vms[1][1])); err != nil {
		return "", fmt.Errorf("without a router: %w", err)
	}
	var err error
	if t.router, err = s.Router(ctx, "flat", cloud.RouterOf(true, nil, t.private[:2]...)); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	var took time.Duration
	var tcp string
	_, routed, err := t.watched(ctx, s, "eth2", func() (err error) {
		if took, err = allPing(ctx, vms[0][0], vms[1][1], vms[1][0], vms[0][1]); err != nil {
			return err
		}
		tcp, err = transfer(ctx, vms[0][0], vms[1][1])
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("ping %s, %s; %s forwarded %d packets", ms(took), tcp, t.network.Name, routed), t.shortest(routed, int(routed))
}
