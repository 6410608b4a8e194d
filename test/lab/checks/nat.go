package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// floating goes both ways between the world and VMs with floating IPs. With a distributed router it does not come to the
// network host.
func floating(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var took time.Duration
	routed, err := during(ctx, t.network, t.router, func() (err error) {
		for _, name := range []string{"p1c1", "p2c1"} {
			vm, public := t.vm[name], t.fip[name].Address
			for _, network := range []string{"tcp", "udp"} {
				if err := mustAskBy(ctx, network, s.Lab.Outside, at(public), vm.Name, t.ext.Gateway()); err != nil {
					return err
				}
			}
			if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", public); err != nil {
				return err
			}
			if _, err := mustPing(ctx, vm.Box, lab.Far, lab.Pings{}); err != nil {
				return err
			}
			if took, err = mustPing(ctx, s.Lab.Outside, public, lab.Pings{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	rate, err := lab.Transfer(ctx, t.vm["p1c1"].Box, t.fip["p1c1"].Address, s.Lab.Outside, transferSize, time.Minute)
	if err != nil {
		return "", fmt.Errorf("TCP to the world: %w", err)
	}
	measured := fmt.Sprintf("ping %s, TCP %.0f Mbit/s; %s forwarded %d packets", ms(took), float64(transferSize)*8/1e6/rate.Seconds(), t.network.Name, routed)
	return measured, t.shortest(routed, int(routed))
}

// masqueraded lets VMs without a floating IP out, by the network host and with the router's address; nobody comes in by it.
func masqueraded(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	routed, err := during(ctx, t.network, t.router, func() error {
		for _, name := range []string{"p1c2", "p2c2", "p3c1", "p3c2"} {
			if err := mustAsk(ctx, t.vm[name].Box, at(lab.Far), "outside", t.gateway); err != nil {
				return err
			}
		}
		_, err := mustPing(ctx, t.vm["p1c2"].Box, lab.Far, lab.Pings{})
		return err
	})
	if err != nil {
		return "", err
	}
	if routed == 0 {
		return "", errors.New("nothing came by the network host: nothing was measured")
	}
	rate, err := lab.Transfer(ctx, s.Lab.Outside, lab.Far, t.vm["p2c2"].Box, transferSize, time.Minute)
	if err != nil {
		return "", fmt.Errorf("TCP from the world: %w", err)
	}
	if err := mustNotAsk(ctx, s.Lab.Outside, at(t.gateway)); err != nil {
		return "", err
	}
	if err := mustNotPing(ctx, t.apart.Box, lab.Far); err != nil {
		return "", err
	}
	return fmt.Sprintf("as %s by %s, TCP %.0f Mbit/s", t.gateway, t.network.Name, float64(transferSize)*8/1e6/rate.Seconds()), nil
}

// betweenFloatingIPs has VMs call each other, and themselves, by their floating IPs.
func betweenFloatingIPs(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	far, err := s.FloatingIP(ctx, t.ext, t.vm["p2c2"].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	one, two := t.fip["p1c1"].Address, t.fip["p2c1"].Address
	for _, ask := range []struct {
		from, to string
		called   netip.Addr
		seen     netip.Addr
	}{
		{"p1c1", "p2c1", two, one},
		{"p2c1", "p1c1", one, two},
		{"p1c1", "p2c2", far.Address, one},
		{"p2c2", "p1c1", one, far.Address},
		// Without one of its own, by the router's.
		{"p1c2", "p1c1", one, t.gateway},
		{"p3c2", "p2c2", far.Address, t.gateway},
		// To itself.
		{"p1c1", "p1c1", one, one},
	} {
		if err := mustAsk(ctx, t.vm[ask.from].Box, at(ask.called), t.vm[ask.to].Name, ask.seen); err != nil {
			return "", err
		}
	}
	return "one host, two hosts, from a VM without, to itself", nil
}

// forwarding leads ports of one floating IP to two VMs.
func forwarding(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	f, err := s.FloatingIP(ctx, t.ext, "")
	if err != nil {
		return "", err
	}
	a, b := t.vm["p1c2"], t.vm["p2c2"]
	for _, vm := range []*lab.VM{a, b} {
		if err := serve(ctx, s, vm.Box, 9001, 9002); err != nil {
			return "", err
		}
	}
	for _, want := range []*weftv1.PortForwarding{
		{Protocol: "tcp", ExternalPort: 8080, InternalPort: web, InternalPortId: a.PortID},
		{Protocol: "tcp", ExternalPort: 8081, InternalPort: web, InternalPortId: b.PortID},
		{Protocol: "udp", ExternalPort: 8080, InternalPort: web, InternalPortId: b.PortID},
		{Protocol: "tcp", ExternalPortRange: "7001:7002", InternalPortRange: "9001:9002", InternalPortId: a.PortID},
	} {
		want.FloatingipId = f.ID()
		if _, err := s.Forward(ctx, want); err != nil {
			return "", err
		}
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	for _, ask := range []struct {
		network string
		port    uint16
		vm      *lab.VM
	}{{"tcp", 8080, a}, {"tcp", 8081, b}, {"udp", 8080, b}, {"tcp", 7001, a}, {"tcp", 7002, a}} {
		if err := mustAskBy(ctx, ask.network, s.Lab.Outside, netip.AddrPortFrom(f.Address, ask.port), ask.vm.Name, t.ext.Gateway()); err != nil {
			return "", err
		}
	}
	// A VM of the router's own reaches it too.
	if err := mustAsk(ctx, t.vm["p1c1"].Box, netip.AddrPortFrom(f.Address, 8081), b.Name, t.fip["p1c1"].Address); err != nil {
		return "", err
	}
	if err := mustNotAsk(ctx, s.Lab.Outside, netip.AddrPortFrom(f.Address, web)); err != nil {
		return "", err
	}
	// Out, the VMs are what they were.
	if err := mustAsk(ctx, a.Box, at(lab.Far), "outside", t.gateway); err != nil {
		return "", err
	}
	return "tcp to two VMs, udp, a range; other ports closed", nil
}

// withoutSNAT lets VMs out with their own addresses. Those with a floating IP keep it, and their connections; one with the
// router's address is cut.
func withoutSNAT(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	enable := func(on bool) error {
		if _, err := s.UpdateRouter(ctx, &weftv1.Router{
			Metadata:            &weftv1.Metadata{Id: t.router.GetMetadata().GetId()},
			ExternalGatewayInfo: &weftv1.ExternalGatewayInfo{NetworkId: t.ext.ID(), EnableSnat: proto.Bool(on)},
		}, "external_gateway_info.enable_snat"); err != nil {
			return fmt.Errorf("set enable_snat=%t: %w", on, err)
		}
		return s.Settle(ctx)
	}
	if _, err := s.Lab.Outside.Exec(ctx, "ip", "route", "add", "10.0.0.0/16", "via", t.gateway.String()); err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Lab.Outside.Exec(ctx, "ip", "route", "del", "10.0.0.0/16")
		return err
	})
	doomed, err := s.Lab.StartSession(ctx, t.vm["p1c2"].Box, at(lab.Far))
	if err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { _, err := doomed.Stop(ctx); return err })
	other, err := s.Lab.StartSession(ctx, t.vm["p1c1"].Box, at(lab.Far))
	if err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { _, err := other.Stop(ctx); return err })
	if err := doomed.Await(ctx, 400, limit); err != nil {
		return "", err
	}
	s.Defer(func(context.Context) error { return enable(true) })
	if err := enable(false); err != nil {
		return "", err
	}
	if _, err := stalled(ctx, doomed.Received, time.Now()); err != nil {
		return "", fmt.Errorf("a connection with the address that SNAT gave it: %w", err)
	}
	if err := other.Await(ctx, 400, limit); err != nil {
		return "", fmt.Errorf("a connection by a floating IP: %w", err)
	}
	if err := mustAsk(ctx, t.vm["p1c2"].Box, at(lab.Far), "outside", addr(t.vm["p1c2"])); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, t.vm["p1c1"].Box, at(lab.Far), "outside", t.fip["p1c1"].Address); err != nil {
		return "", err
	}
	if err := enable(true); err != nil {
		return "", err
	}
	return "own address outside, then the router's again; SNAT's connection is cut, a floating IP's goes on",
		mustAsk(ctx, t.vm["p1c2"].Box, at(lab.Far), "outside", t.gateway)
}

// cuts removes a floating IP under a connection from the world: nothing may pass any more, and no namespace may remember
// it, while a connection by another floating IP goes on.
func cuts(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	f, err := s.FloatingIP(ctx, t.ext, t.vm["p2c2"].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	doomed, err := s.Lab.StartSession(ctx, s.Lab.Outside, at(f.Address))
	if err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { _, err := doomed.Stop(ctx); return err })
	other, err := s.Lab.StartSession(ctx, s.Lab.Outside, at(t.fip["p2c1"].Address))
	if err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { _, err := other.Stop(ctx); return err })
	if err := doomed.Await(ctx, 400, limit); err != nil {
		return "", err
	}
	start := time.Now()
	if err := s.DeleteFloatingIP(ctx, f.ID()); err != nil {
		return "", err
	}
	took, err := stalled(ctx, doomed.Received, start)
	if err != nil {
		return "", fmt.Errorf("after the floating IP was gone: %w", err)
	}
	if err := other.Await(ctx, 800, limit); err != nil {
		return "", fmt.Errorf("a connection by another floating IP: %w", err)
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	for _, h := range s.Lab.Hosts {
		all, err := namespaces(ctx, h, t.router)
		if err != nil {
			return "", err
		}
		for _, ns := range all {
			// What still comes to the address may be seen; what leads to the VM may not.
			left, err := h.Conntrack(ctx, ns, f.Address.String(), addr(t.vm["p2c2"]).String())
			if err != nil {
				return "", err
			}
			if len(left) > 0 {
				return "", fmt.Errorf("%s remembers in %s: %s", h.Name, ns, strings.Join(left, "; "))
			}
		}
	}
	if err := mustNotAsk(ctx, s.Lab.Outside, at(f.Address)); err != nil {
		return "", err
	}
	return fmt.Sprintf("cut within %s, another floating IP's goes on", ms(took)), nil
}
