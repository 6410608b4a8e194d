package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// survival is what routers and DHCP must survive, besides what the scenes of routers show.
func survival() []Check {
	return []Check{
		{Name: "east-west between a tunnel and a flat network", Hosts: 3, Run: flatEastWest},
		{Name: "gateway address on br-ex, NAT on the host", Hosts: 3, Run: gatewayOnHost},
		{Name: "network host drained, then another dies", Hosts: 3, Run: networkHostDies},
		{Name: "host rebooted while no controller runs", Hosts: 3, Run: rebooted},
	}
}

// session is a connection that must live.
type session struct {
	what string
	*lab.Session
}

// sessions opens one connection of every kind.
func (t *site) sessions(ctx context.Context, s *cloud.Scope) ([]session, error) {
	var all []session
	for _, want := range []struct {
		what     string
		from, to string
	}{
		{"world to floating IP", "outside", "p1c1"},
		{"floating IP to world", "p2c1", "outside"},
		{"SNAT", "p1c2", "outside"},
		{"east-west", "p1c1", "p2c2"},
		{"east-west by VLAN", "p3c1", "p1c2"},
	} {
		box, target := s.Lab.Outside, lab.Far
		if want.from != "outside" {
			box = t.vm[want.from].Box
		}
		switch {
		case want.to == "outside":
		case want.from == "outside":
			target = t.fip[want.to].Address
		default:
			target = addr(t.vm[want.to])
		}
		one, err := s.Lab.StartSession(ctx, box, at(target))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", want.what, err)
		}
		s.Defer(func(ctx context.Context) error {
			_, err := one.Stop(ctx)
			return err
		})
		all = append(all, session{want.what, one})
	}
	return all, nil
}

// sessionsLive changes what is around established connections. None may break, and none may pause for long.
func sessionsLive(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	all, err := t.sessions(ctx, s)
	if err != nil {
		return "", err
	}
	for _, change := range []struct {
		what string
		do   func(context.Context, *cloud.Scope, *site) error
	}{
		{"another floating IP comes and goes", comeAndGo(func(ctx context.Context, s *cloud.Scope) error {
			_, err := s.FloatingIP(ctx, t.ext, t.vm["p3c1"].PortID)
			return err
		})},
		{"another router comes and goes", comeAndGo(func(ctx context.Context, s *cloud.Scope) error {
			_, err := addTenant(ctx, s, "guest", "10.0.1.0/24", cloud.RouterOf(true, t.ext), 0, 1)
			return err
		})},
		{"another subnet comes and goes", comeAndGo(func(ctx context.Context, s *cloud.Scope) error {
			n, err := s.Network(ctx, "more", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.9.0/24")
			if err != nil {
				return err
			}
			return s.AddInterface(ctx, t.router, n.SubnetID())
		})},
		{"the router is updated", updateRouter},
		{"the agents are killed", restarted(false, true)},
		{"the controller is killed", restarted(true, false)},
	} {
		if err := change.do(ctx, s, t); err != nil {
			return "", fmt.Errorf("%s: %w", change.what, err)
		}
		for _, one := range all {
			if err := one.Await(ctx, 80, 20*time.Second); err != nil {
				return "", fmt.Errorf("%s: %s: %w", change.what, one.what, err)
			}
		}
	}
	var longest time.Duration
	var which string
	for _, one := range all {
		r, err := one.Now()
		if err != nil {
			return "", err
		}
		if r.LongestGap > longest {
			longest, which = r.LongestGap, one.what
		}
	}
	measured := fmt.Sprintf("%d connections, 6 changes, longest gap %s (%s)", len(all), ms(longest), which)
	if longest > shortGap {
		return measured, fmt.Errorf("silent for more than %v", shortGap)
	}
	return measured, nil
}

// comeAndGo makes something and takes it away again.
func comeAndGo(make func(context.Context, *cloud.Scope) error) func(context.Context, *cloud.Scope, *site) error {
	return func(ctx context.Context, s *cloud.Scope, _ *site) error {
		inner := s.Cloud.Scope(s.Prefix)
		s.Defer(inner.Close)
		if err := make(ctx, inner); err != nil {
			return err
		}
		if err := inner.Settle(ctx); err != nil {
			return err
		}
		return inner.Close(ctx)
	}
}

func updateRouter(ctx context.Context, s *cloud.Scope, t *site) error {
	id := t.router.GetMetadata().GetId()
	for _, routes := range [][]*weftv1.Route{{{Destination: "192.168.99.0/24", Nexthop: addr(t.vm["p1c2"]).String()}}, nil} {
		if _, err := s.UpdateRouter(ctx, &weftv1.Router{
			Metadata: &weftv1.Metadata{Id: id, Description: fmt.Sprintf("%d routes", len(routes))}, Routes: routes,
		}, "metadata.description", "routes"); err != nil {
			return err
		}
		if err := s.Settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// restarted kills the controller or all agents, and starts them again.
func restarted(controller, agents bool) func(context.Context, *cloud.Scope, *site) error {
	return func(ctx context.Context, s *cloud.Scope, _ *site) error {
		if err := down(ctx, s, controller, agents); err != nil {
			return err
		}
		if err := s.EnsureUp(ctx); err != nil {
			return err
		}
		return s.Settle(ctx)
	}
}

// switchDies kills ovs-vswitchd of a compute host and of the network host.
func switchDies(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var gaps []string
	for _, h := range []*lab.Host{s.Lab.Hosts[0], t.network} {
		private, err := s.Lab.StartPulse(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c2"]))
		if err != nil {
			return "", err
		}
		public, err := s.Lab.StartPulse(ctx, s.Lab.Outside, t.fip["p1c1"].Address)
		if err != nil {
			return "", err
		}
		out, err := s.Lab.StartPulse(ctx, t.vm["p1c2"].Box, lab.Far)
		if err != nil {
			return "", err
		}
		if err := h.RestartVswitchd(ctx); err != nil {
			return "", err
		}
		gap, err := worst(ctx, private, public, out)
		if err != nil {
			return "", fmt.Errorf("ovs-vswitchd of %s: %w", h.Name, err)
		}
		gaps = append(gaps, fmt.Sprintf("%s %s", h.Name, ms(gap)))
		if err := s.Lab.WarmTunnels(ctx); err != nil {
			return "", err
		}
		if err := s.Settle(ctx); err != nil {
			return "", err
		}
	}
	if err := t.works(ctx, s); err != nil {
		return "", err
	}
	return "silent for " + strings.Join(gaps, ", "), nil
}

// gatewayOnHost has the external gateway's address on br-ex of the network host, which translates to its own address: the
// second end of the seed's document. The machine to reach is the controller's.
func gatewayOnHost(ctx context.Context, s *cloud.Scope) (string, error) {
	no := proto.Bool(false)
	ext, err := s.NetworkWith(ctx, "ext", &weftv1.Network{
		ProviderNetworkType: "flat", ProviderPhysicalNetwork: lab.PhysicalNetwork, RouterExternal: proto.Bool(true),
	}, &weftv1.Subnet{Cidr: "172.24.4.224/28", EnableDhcp: no})
	if err != nil {
		return "", err
	}
	private, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "gre"}, "10.1.0.0/24")
	if err != nil {
		return "", err
	}
	router, err := s.Router(ctx, "router", cloud.RouterOf(false, ext, private))
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, private, "vm", 0, 1)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, ext, vms[0].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	h, err := centralHost(ctx, s.Cloud, router)
	if err != nil {
		return "", err
	}
	const onHost = `set -e
ip addr add 172.24.4.225/28 dev br-ex; ip link set dev br-ex up; sysctl -qw net.ipv4.ip_forward=1
iptables -A FORWARD -d 172.24.4.224/28 -j ACCEPT; iptables -A FORWARD -s 172.24.4.224/28 -j ACCEPT
iptables -t nat -I POSTROUTING 1 -s 172.24.4.224/28 -j MASQUERADE`
	const offHost = `ip addr del 172.24.4.225/28 dev br-ex; ip link set dev br-ex down; sysctl -qw net.ipv4.ip_forward=0
iptables -D FORWARD -d 172.24.4.224/28 -j ACCEPT; iptables -D FORWARD -s 172.24.4.224/28 -j ACCEPT
iptables -t nat -D POSTROUTING -s 172.24.4.224/28 -j MASQUERADE`
	s.Defer(func(ctx context.Context) error { _, err := h.Exec(ctx, "sh", "-c", offHost); return err })
	if _, err := h.Exec(ctx, "sh", "-c", onHost); err != nil {
		return "", err
	}
	if err := serve(ctx, s, s.Lab.Controller, web); err != nil {
		return "", err
	}
	for _, vm := range vms {
		if err := mustAsk(ctx, vm.Box, at(lab.ControllerIP), "controller", h.MgmtIP); err != nil {
			return "", err
		}
	}
	if err := serve(ctx, s, vms[0].Box, web); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, h.Box, at(f.Address), vms[0].Name, ext.Gateway()); err != nil {
		return "", err
	}
	return fmt.Sprintf("VMs leave as %s, %s reaches %s", h.MgmtIP, h.Name, f.Address), nil
}

// mostSilence is how long traffic through a network host that is drained may be silent.
const mostSilence = 500 * time.Millisecond

// networkHostDies lets a second network host join, drains the first, and then pulls the second's plug: centralised parts
// and DHCP move each time, the last time by themselves.
func networkHostDies(ctx context.Context, s *cloud.Scope) (string, error) {
	ext, err := s.External(ctx, "ext", "172.24.4.0/24", 0)
	if err != nil {
		return "", err
	}
	var nets []*cloud.Network
	var vms []*lab.VM
	for i, distributed := range []bool{true, false} {
		n, err := s.NetworkWith(ctx, fmt.Sprintf("net%d", i+1), &weftv1.Network{ProviderNetworkType: "vxlan"},
			&weftv1.Subnet{Cidr: fmt.Sprintf("10.2.%d.0/24", i+1)})
		if err != nil {
			return "", err
		}
		if _, err := s.Router(ctx, fmt.Sprintf("router%d", i+1), cloud.RouterOf(distributed, ext, n)); err != nil {
			return "", err
		}
		vm, err := s.VM(ctx, n, fmt.Sprintf("vm%d", i+1), s.Lab.Hosts[i].Name)
		if err != nil {
			return "", err
		}
		nets, vms = append(nets, n), append(vms, vm)
	}
	f, err := s.FloatingIP(ctx, ext, vms[1].PortID)
	if err != nil {
		return "", err
	}
	first := s.Lab.Hosts[2]
	second, err := s.Host(ctx, lab.HostConfig{Name: "network2"})
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	for _, n := range nets {
		if got, err := servers(ctx, s, n); err != nil || len(got) != 2 {
			return "", errors.Join(fmt.Errorf("DHCP servers of %s: %v, want 2", n.GetMetadata().GetName(), got), err)
		}
	}
	// moved watches all three ways out while the centralised parts move away from a host.
	moved := func(to *lab.Host, move func() error) (time.Duration, error) {
		var pulses []*lab.Pulse
		for i, box := range vms {
			p, err := s.Lab.StartPulse(ctx, box.Box, lab.Far)
			if err != nil {
				return 0, fmt.Errorf("router%d: %w", i+1, err)
			}
			pulses = append(pulses, p)
		}
		p, err := s.Lab.StartPulse(ctx, s.Lab.Outside, f.Address)
		if err != nil {
			return 0, err
		}
		if err := move(); err != nil {
			return 0, err
		}
		gap, err := worst(ctx, append(pulses, p)...)
		if err != nil {
			return gap, err
		}
		list, err := s.Routers.ListRouters(ctx, &weftv1.ListRoutersRequest{NetworkId: ext.ID()})
		if err != nil {
			return gap, err
		}
		for _, r := range list.GetRouters() {
			if got := r.GetStatus().GetGatewayHost(); got != to.Name {
				return gap, fmt.Errorf("%s is on %s, not on %s", r.GetMetadata().GetName(), got, to.Name)
			}
		}
		return gap, nil
	}
	drain := func(ctx context.Context, on bool) error {
		_, err := s.Hosts.UpdateHost(ctx, &weftv1.UpdateHostRequest{
			Host:       &weftv1.Host{Metadata: &weftv1.Metadata{Id: first.Name}, Draining: proto.Bool(on)},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"draining"}},
		})
		return err
	}
	s.Defer(func(ctx context.Context) error { return drain(ctx, false) })
	drained, err := moved(second, func() error { return errors.Join(drain(ctx, true), s.Settle(ctx)) })
	if err != nil {
		return "", fmt.Errorf("%s is drained: %w", first.Name, err)
	}
	if err := drain(ctx, false); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	died, err := moved(first, func() error { return second.PowerOff(ctx) })
	measured := fmt.Sprintf("silent for %s when drained, %s when dead (health timeout %v)", ms(drained), ms(died), HealthTimeout)
	if err != nil {
		return measured, fmt.Errorf("%s is dead: %w", second.Name, err)
	}
	if _, err := vms[0].Lease(ctx, "udhcpc"); err != nil {
		return measured, fmt.Errorf("%s is dead: %w", second.Name, err)
	}
	// From the last answer before the plug was pulled to the first one after: longer than what anybody noticed of the death.
	if died > HealthTimeout {
		return measured, errors.New("what was on the dead host did not work elsewhere within the health timeout")
	}
	if drained > mostSilence {
		return measured, fmt.Errorf("nobody need be silent for %v when a host is drained", mostSilence)
	}
	return measured, nil
}
