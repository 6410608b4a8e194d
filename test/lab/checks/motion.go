package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// shortGap is how long an address may be silent when it moves.
const shortGap = time.Second

// vipMoves has an address that two VMs on two hosts share, as VRRP does. It moves by gratuitous ARP alone, between VMs and
// back; a floating IP stands for it.
func vipMoves(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	port, err := s.PortWith(ctx, t.private[0], "vip", &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.1.100"}}})
	if err != nil {
		return "", err
	}
	vip := t.private[0].At(100)
	var vms []*lab.VM
	for i := range 2 {
		vm, err := s.VMWith(ctx, t.private[0], fmt.Sprintf("vrrp%d", i+1), s.Lab.Hosts[i].Name, &weftv1.Port{
			AllowedAddressPairs: []*weftv1.AddressPair{{IpAddress: vip.String()}},
		})
		if err != nil {
			return "", err
		}
		if err := serve(ctx, s, vm.Box, web); err != nil {
			return "", err
		}
		vms = append(vms, vm)
	}
	f, err := s.FloatingIP(ctx, t.ext, port.GetMetadata().GetId())
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := vms[0].TakeVIP(ctx, vip); err != nil {
		return "", err
	}
	callers := []string{"p1c1", "p1c2", "p2c1", "p2c2", "p3c2"}
	reached := func(vm *lab.VM) error {
		for _, name := range callers {
			if err := mustAsk(ctx, t.vm[name].Box, at(vip), vm.Name, addr(t.vm[name])); err != nil {
				return err
			}
		}
		return mustAsk(ctx, s.Lab.Outside, at(f.Address), vm.Name, t.ext.Gateway())
	}
	if err := reached(vms[0]); err != nil {
		return "", err
	}
	var gaps []time.Duration
	for i, to := range []*lab.VM{vms[1], vms[0]} {
		var pulses []*lab.Pulse
		for _, name := range callers {
			p, err := s.Lab.StartPulse(ctx, t.vm[name].Box, vip)
			if err != nil {
				return "", err
			}
			pulses = append(pulses, p)
		}
		public, err := s.Lab.StartPulse(ctx, s.Lab.Outside, f.Address)
		if err != nil {
			return "", err
		}
		pulses = append(pulses, public)
		// i is the one that has it.
		if err := vms[i].DropVIP(ctx, vip); err != nil {
			return "", err
		}
		if err := to.TakeVIP(ctx, vip); err != nil {
			return "", err
		}
		gap, err := worst(ctx, pulses...)
		if err != nil {
			return "", err
		}
		gaps = append(gaps, gap)
		if err := reached(to); err != nil {
			return "", err
		}
	}
	longest := max(gaps[0], gaps[1])
	measured := fmt.Sprintf("silent for %s there, %s back; floating IP in %s", ms(gaps[0]), ms(gaps[1]), t.network.Name)
	if longest > shortGap {
		return measured, fmt.Errorf("silent for more than %v", shortGap)
	}
	return measured, nil
}

// worst waits until every pulse beats again, ends them, and answers the longest gap.
func worst(ctx context.Context, pulses ...*lab.Pulse) (time.Duration, error) {
	var errs []error
	var gap time.Duration
	for _, p := range pulses {
		errs = append(errs, p.Await(ctx, 40, 30*time.Second))
	}
	for _, p := range pulses {
		r, err := p.Stop(context.WithoutCancel(ctx))
		errs = append(errs, err)
		gap = max(gap, r.Gap)
	}
	return gap, errors.Join(errs...)
}

// withoutMapping has a host that does not have the external network: floating IPs of its VMs, and of ports that are nowhere,
// are served where the centralised part is.
func withoutMapping(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	h, err := s.Host(ctx, lab.HostConfig{Name: "compute3", NoMapping: true})
	if err != nil {
		return "", err
	}
	vm, err := s.VM(ctx, t.private[0], "remote", h.Name)
	if err != nil {
		return "", err
	}
	if err := serve(ctx, s, vm.Box, web); err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, t.ext, vm.PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), vm.Name, t.ext.Gateway()); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", f.Address); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, vm.Box, at(addr(t.vm["p2c1"])), t.vm["p2c1"].Name, addr(vm)); err != nil {
		return "", err
	}
	is, err := s.FloatingIPs.GetFloatingIP(ctx, &weftv1.GetFloatingIPRequest{Id: f.ID()})
	if err != nil {
		return "", err
	}
	where := is.GetStatus()
	measured := fmt.Sprintf("served by %s in %.8s…", where.GetHost(), where.GetNamespace())
	if want := "snat-" + t.router.GetMetadata().GetId(); where.GetNamespace() != want || where.GetHost() != t.network.Name {
		return measured, fmt.Errorf("served by %s in %s, not by %s in %s", where.GetHost(), where.GetNamespace(), t.network.Name, want)
	}
	return measured, nil
}

// floatingMoves moves a floating IP between ports of one host, of two hosts, and of two routers.
func floatingMoves(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	other, err := addTenant(ctx, s, "other", "10.0.8.0/24", cloud.RouterOf(true, t.ext), 1)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, t.ext, t.vm["p3c1"].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	pulse, err := s.Lab.StartPulse(ctx, s.Lab.Outside, f.Address)
	if err != nil {
		return "", err
	}
	was := t.vm["p3c1"]
	for _, to := range []*lab.VM{t.vm["p3c2"], t.vm["p2c2"], other.vms[0], t.vm["p3c1"]} {
		if err := s.Associate(ctx, f, to.PortID); err != nil {
			return "", fmt.Errorf("move from %s to %s: %w", was.Name, to.Name, err)
		}
		if err := pulse.Await(ctx, 40, limit); err != nil {
			return "", fmt.Errorf("moved from %s to %s: %w", was.Name, to.Name, err)
		}
		if err := s.Settle(ctx); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), to.Name, t.ext.Gateway()); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, to.Box, at(lab.Far), "outside", f.Address); err != nil {
			return "", err
		}
		was = to
	}
	gap, err := worst(ctx, pulse)
	if err == nil && gap > shortGap {
		err = fmt.Errorf("silent for more than %v", shortGap)
	}
	return fmt.Sprintf("to a port, a host, a router and back, longest gap %s", ms(gap)), err
}

// vmMoves migrates a VM with a floating IP to another host and back, live: it is there, with its device, before it goes from
// where it was. There it goes when its port is given another host, as Nova does; it comes back when its device appears, as
// with libvirt alone. Nothing that the lab does is taken off what is measured.
func vmMoves(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	vm, err := t.add(ctx, s, t.private[0], "mover0", 0)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, t.ext, vm.PortID)
	if err != nil {
		return "", err
	}
	bind := func(host string) error {
		_, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
			Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: vm.PortID}, BindingHostId: host},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"binding_host_id"}}})
		return err
	}
	var gaps []time.Duration
	for n, asked := range []bool{true, false} {
		from, to := vm, s.Lab.Hosts[1-n]
		host := ""
		if asked {
			host = from.Host
		}
		if err := errors.Join(bind(host), s.Settle(ctx)); err != nil {
			return "", err
		}
		var pulses []*lab.Pulse
		for _, caller := range []struct {
			box *nsbox.Box
			to  netip.Addr
		}{{s.Lab.Outside, f.Address}, {t.vm["p2c2"].Box, addr(vm)}, {t.vm["p1c2"].Box, addr(vm)}} {
			p, err := s.Lab.StartPulse(ctx, caller.box, caller.to)
			if err != nil {
				return "", err
			}
			pulses = append(pulses, p)
		}
		if vm, err = t.twin(ctx, s, from, fmt.Sprintf("%smover%d", s.Prefix, n+1), to); err != nil {
			return "", err
		}
		if asked {
			// It is ready there, and not yet it.
			if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), from.Name, t.ext.Gateway()); err != nil {
				return "", err
			}
			if err := bind(to.Name); err != nil {
				return "", err
			}
		}
		if err := s.Lab.DelVM(ctx, from.Name); err != nil {
			return "", err
		}
		gap, err := worst(ctx, pulses...)
		if err != nil {
			return "", err
		}
		gaps = append(gaps, gap)
		if err := s.Settle(ctx); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, s.Lab.Outside, at(f.Address), vm.Name, t.ext.Gateway()); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", f.Address); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, vm.Box, at(addr(t.vm["p2c1"])), t.vm["p2c1"].Name, addr(vm)); err != nil {
			return "", err
		}
	}
	measured := fmt.Sprintf("silent for %s when another host is asked for, %s when its device appears there", ms(gaps[0]), ms(gaps[1]))
	if max(gaps[0], gaps[1]) > shortGap {
		return measured, fmt.Errorf("silent for more than %v", shortGap)
	}
	return measured, nil
}

// twin starts a second VM with the port of another, with a server in it, and waits until the controller sees its device.
func (t *site) twin(ctx context.Context, s *cloud.Scope, of *lab.VM, name string, host *lab.Host) (*lab.VM, error) {
	cfg := of.VMConfig
	cfg.Name, cfg.Host = name, host.Name
	vm, err := s.Lab.AddVM(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.Defer(func(ctx context.Context) error {
		if err := s.Lab.DelVM(ctx, name); !errors.Is(err, lab.ErrNoVM) {
			return err
		}
		return nil
	})
	if err := knowWhat(ctx, vm, of); err != nil {
		return nil, err
	}
	if err := serve(ctx, s, vm.Box, web); err != nil {
		return nil, err
	}
	return vm, lab.Poll(ctx, 20*time.Second, func() error {
		all, err := s.Diagnostics.ListInterfaces(ctx, &weftv1.ListInterfacesRequest{Host: host.Name})
		if err != nil {
			return err
		}
		for _, i := range all.GetInterfaces() {
			if i.GetName() == vm.Interface() {
				return nil
			}
		}
		return fmt.Errorf("nobody has seen %s on %s", vm.Interface(), host.Name)
	})
}

// knowWhat gives a VM the neighbours that another one knows.
func knowWhat(ctx context.Context, vm, of *lab.VM) error {
	known, err := of.Box.Exec(ctx, "ip", "-4", "neigh", "show", "dev", "eth0")
	if err != nil {
		return err
	}
	for line := range strings.Lines(known) {
		// "10.0.1.1 lladdr fa:16:3e:… REACHABLE"
		if f := strings.Fields(line); len(f) > 3 && f[1] == "lladdr" {
			if _, err := vm.Box.Exec(ctx, "ip", "neigh", "replace", f[0], "lladdr", f[2], "dev", "eth0"); err != nil {
				return err
			}
		}
	}
	return nil
}

// changesKind makes the router one of the other kind, and then of its own again. Everything works after each change.
func changesKind(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var gaps []time.Duration
	change := func(distributed bool) error {
		made, err := s.UpdateRouter(ctx, &weftv1.Router{
			Metadata: &weftv1.Metadata{Id: t.router.GetMetadata().GetId()}, Distributed: proto.Bool(distributed),
		}, "distributed")
		if err != nil {
			return fmt.Errorf("set distributed=%t: %w", distributed, err)
		}
		t.router = made
		return s.Settle(ctx)
	}
	was := t.router.GetDistributed()
	s.Defer(func(context.Context) error { return change(was) })
	begin := time.Now()
	for _, to := range []bool{!was, was} {
		private, err := s.Lab.StartPulse(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c2"]))
		if err != nil {
			return "", err
		}
		public, err := s.Lab.StartPulse(ctx, s.Lab.Outside, t.fip["p1c1"].Address)
		if err != nil {
			return "", err
		}
		if err := change(to); err != nil {
			return "", err
		}
		gap, err := worst(ctx, private, public)
		if err != nil {
			return "", err
		}
		gaps = append(gaps, gap)
		if err := t.works(ctx, s); err != nil {
			return "", fmt.Errorf("as distributed=%t: %w", to, err)
		}
		if err := t.takesItsWay(ctx); err != nil {
			return "", fmt.Errorf("as distributed=%t: %w", to, err)
		}
	}
	// Namespaces that took a device from each other would call that drift.
	switch told, err := driftTold(ctx, s, nil, t.router, begin); {
	case err != nil:
		return "", err
	case told != "":
		return "", fmt.Errorf("something was repaired: %s", told)
	}
	return fmt.Sprintf("east-west, floating IPs, SNAT after each; silent for %s and %s", ms(gaps[0]), ms(gaps[1])), nil
}

// takesItsWay pings between two networks, and fails when no round of pings goes by the network host just when it should. A machine
// whose connection was cut sends again for minutes, and Linux counts as forwarded what a rule then drops: that comes in one round,
// and pings that go astray in all of them.
func (t *site) takesItsWay(ctx context.Context) error {
	var wrong error
	for range pingRounds {
		routed, err := during(ctx, t.network, t.router, func() error {
			_, err := mustPing(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c2"]), lab.Pings{})
			return err
		})
		if err != nil {
			return err
		}
		if wrong = t.shortest(routed, int(routed)); wrong == nil {
			return nil
		}
	}
	return wrong
}
