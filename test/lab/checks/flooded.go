package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// notFlooded takes away the tunnel to a VM that everybody knows. What is for it comes nowhere then, and least of all to the
// network host, which has a part in its network (docs/decisions/0040).
func notFlooded(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	near, far := s.Lab.Hosts[0], s.Lab.Hosts[1]
	from, to := t.vm["p1c1"], t.vm["p2c2"]
	if _, err := mustPing(ctx, from.Box, addr(to), lab.Pings{}); err != nil {
		return "", err
	}
	heard := 0
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"the tunnel is away", func() error {
			return t.withoutTunnel(ctx, s, far, near, to, func() error { return mustNotPing(ctx, from.Box, addr(to)) })
		}},
		{"the other end is started", func() error { return t.restartedUnder(ctx, s, far) }},
		{"this end is started", func() error { return t.restartedUnder(ctx, s, near) }},
	} {
		seen, _, err := t.watched(ctx, s, "eth1", step.do)
		if err != nil {
			return "", fmt.Errorf("%s: %w", step.what, err)
		}
		// What else comes there may be for the world.
		n := seen.Tunneled.Destinations[addr(from).String()] + seen.Tunneled.Destinations[addr(to).String()]
		if n > 0 {
			return "", fmt.Errorf("%s: %d packets between subnets came to %s: %v", step.what, n, t.network.Name, seen.Tunneled.Samples)
		}
		heard += n
		if err := errors.Join(s.Lab.WarmTunnels(ctx), s.Settle(ctx)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("tunnel away, either end's ovs-vswitchd started: %s heard %d packets", t.network.Name, heard), nil
}

// withoutTunnel does something while a host's end of its tunnel to another is missing: its switch is dead, so that the agent
// can ask for the port and does not get it. The other host must have heard, and have nothing that leads to the VM.
func (t *site) withoutTunnel(ctx context.Context, s *cloud.Scope, far, near *lab.Host, vm *lab.VM, do func() error) error {
	if err := far.KillVswitchd(ctx); err != nil {
		return err
	}
	alive := false
	start := func(ctx context.Context) error {
		if alive {
			return nil
		}
		alive = true
		return far.StartVswitchd(ctx)
	}
	s.Defer(start)
	if _, err := far.Exec(ctx, "ovs-vsctl", "--timeout=20", "--no-wait", "del-port", "br-tun", fmt.Sprintf("vxlan-%x", near.TunnelIP.AsSlice())); err != nil {
		return err
	}
	if err := lab.Poll(ctx, 20*time.Second, func() error {
		rows, err := near.NamedFlows(ctx, "br-tun")
		if err != nil {
			return err
		}
		for row := range strings.Lines(rows) {
			if strings.Contains(row, "dl_dst="+vm.MAC) && strings.Contains(row, "output:") {
				return fmt.Errorf("%s still sends to %s: %s", near.Name, far.Name, strings.TrimSpace(row))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := start(ctx); err != nil {
		return err
	}
	return lab.WaitPing(ctx, t.vm["p1c1"].Box, addr(vm), 30*time.Second)
}

// restartedUnder kills ovs-vswitchd of a host under traffic both ways between subnets, and waits until all of it is back.
func (t *site) restartedUnder(ctx context.Context, s *cloud.Scope, h *lab.Host) error {
	var pulses []*lab.Pulse
	for _, names := range [][2]string{{"p1c1", "p2c2"}, {"p2c2", "p1c1"}} {
		p, err := s.Lab.StartPulse(ctx, t.vm[names[0]].Box, addr(t.vm[names[1]]))
		if err != nil {
			return err
		}
		pulses = append(pulses, p)
	}
	if err := h.RestartVswitchd(ctx); err != nil {
		return err
	}
	_, err := worst(ctx, pulses...)
	return err
}
