package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// faults is what must survive when something dies. Traffic never waits for control.
var faults = []Check{
	{Name: "controller killed under traffic", Hosts: 2, Run: killed(true, false)},
	{Name: "agents killed under traffic", Hosts: 2, Run: killed(false, true)},
	{Name: "controller and agents killed under traffic", Hosts: 2, Run: killed(true, true)},
	{Name: "ovs-vswitchd killed under traffic", Hosts: 2, Run: switchKilled(true)},
	{Name: "ovs-vswitchd killed while no controller runs", Hosts: 2, Run: switchKilled(false)},
}

// probeRate is packets per second in each direction.
const probeRate = 200

// around is how many packets must have come through, both ways, before and after a fault.
const around = 100

// underTraffic makes a VM on each of the first two hosts and runs a probe between them while it does what it is told.
func underTraffic(ctx context.Context, s *cloud.Scope, do func(p *lab.Probe, vms []*lab.VM) error) (lab.ProbeResult, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.14.0/24")
	if err != nil {
		return lab.ProbeResult{}, err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1)
	if err != nil {
		return lab.ProbeResult{}, err
	}
	if _, err := allPing(ctx, vms...); err != nil {
		return lab.ProbeResult{}, err
	}
	p, err := s.Lab.StartProbe(ctx, vms[0].Box, vms[1].Box, vms[0].Addresses[0].Addr(), vms[1].Addresses[0].Addr(), probeRate)
	if err != nil {
		return lab.ProbeResult{}, err
	}
	if err = p.Await(ctx, around, limit); err == nil {
		if err = do(p, vms); err == nil {
			err = p.Await(ctx, around, limit)
		}
	}
	r, stopErr := p.Stop(context.WithoutCancel(ctx))
	return r, errors.Join(err, stopErr)
}

// traffic is a probe's result for people.
func traffic(r lab.ProbeResult) string {
	return fmt.Sprintf("%d of %d packets lost, longest gap %s", r.Lost(), r.AToB.Sent+r.BToA.Sent, ms(max(r.AToB.LongestGap, r.BToA.LongestGap)))
}

// killed kills the controller, all agents or both by SIGKILL, leaves them dead for a while, and starts them again. No
// packet may be lost; and since nothing changed, no row either: not one flow-mod is sent.
func killed(controller, agents bool) func(context.Context, *cloud.Scope) (string, error) {
	return func(ctx context.Context, s *cloud.Scope) (string, error) {
		var back time.Duration
		var mods int64
		r, err := underTraffic(ctx, s, func(p *lab.Probe, _ []*lab.VM) error {
			s.Defer(s.EnsureUp)
			if err := down(ctx, s, controller, agents); err != nil {
				return err
			}
			// Dead for as long as this many packets take.
			if err := p.Await(ctx, around, limit); err != nil {
				return err
			}
			start := time.Now()
			if err := s.EnsureUp(ctx); err != nil {
				return err
			}
			if err := s.Settle(ctx); err != nil {
				return err
			}
			back = time.Since(start)
			if !controller {
				return nil
			}
			var err error
			mods, err = flowMods(ctx, s)
			return err
		})
		measured := fmt.Sprintf("%s; in sync %s after the start", traffic(r), ms(back))
		if controller {
			measured += fmt.Sprintf(", %d flow-mods", mods)
		}
		switch {
		case err != nil:
			return measured, err
		case r.Lost() != 0:
			return measured, errors.New("packets were lost")
		case mods != 0:
			return measured, errors.New("rows were written though nothing had changed")
		}
		return measured, nil
	}
}

// down kills by SIGKILL; nothing starts what it killed again.
func down(ctx context.Context, s *cloud.Scope, controller, agents bool) error {
	if controller {
		if err := s.Lab.KillController(ctx); err != nil {
			return err
		}
	}
	if !agents {
		return nil
	}
	for _, h := range s.Lab.Hosts {
		if err := h.KillAgent(ctx); err != nil {
			return err
		}
	}
	return nil
}

// flowMods counts what the controller has sent to the bridges of all hosts since they connected.
func flowMods(ctx context.Context, s *cloud.Scope) (int64, error) {
	list, err := s.Hosts.ListHosts(ctx, &weftv1.ListHostsRequest{})
	if err != nil {
		return 0, err
	}
	var sum int64
	bridges := 0
	for _, h := range list.GetHosts() {
		for _, b := range h.GetStatus().GetBridges() {
			sum += b.GetFlowMods()
			if b.GetConnected() {
				bridges++
			}
		}
	}
	if bridges < 2*len(s.Lab.Hosts) {
		return sum, fmt.Errorf("%d bridges of %d hosts are connected: nothing was measured", bridges, len(s.Lab.Hosts))
	}
	return sum, nil
}

// switchKilled kills the first host's ovs-vswitchd, with the controller running or dead. The rows must come back as they
// were, and with them the traffic.
func switchKilled(controller bool) func(context.Context, *cloud.Scope) (string, error) {
	return func(ctx context.Context, s *cloud.Scope) (string, error) {
		h := s.Lab.Hosts[0]
		var healed time.Duration
		r, err := underTraffic(ctx, s, func(p *lab.Probe, vms []*lab.VM) error {
			before, err := ours(ctx, h)
			if err != nil {
				return err
			}
			if !controller {
				if err := saved(ctx, h, vms[0], vms[1]); err != nil {
					return err
				}
				s.Defer(s.EnsureUp)
				if err := s.Lab.KillController(ctx); err != nil {
					return err
				}
			}
			start := time.Now()
			if err := h.RestartVswitchd(ctx); err != nil {
				return err
			}
			if err := lab.WaitPing(ctx, vms[0].Box, vms[1].Addresses[0].Addr(), 60*time.Second); err != nil {
				return err
			}
			healed = time.Since(start)
			return lab.Poll(ctx, 30*time.Second, func() error {
				after, err := ours(ctx, h)
				if err == nil && after != before {
					err = fmt.Errorf("%s: rows are not what they were: %s", h.Name, difference(before, after))
				}
				return err
			})
		})
		return fmt.Sprintf("first ping %s after the kill, same rows; %s", ms(healed), traffic(r)), err
	}
}

// saved waits until the agent has on disk, as OpenFlow messages, the rows for its own VM and for one on another host: it
// puts saving off for a second while more changes come.
func saved(ctx context.Context, h *lab.Host, own, other *lab.VM) error {
	mac, err := net.ParseMAC(other.MAC)
	if err != nil {
		return err
	}
	for file, holds := range map[string][]byte{"flows-br-int": []byte(own.PortID), "flows-br-tun": mac} {
		if err := lab.Poll(ctx, limit, func() error {
			text, err := h.State(file)
			if err == nil && !bytes.Contains(text, holds) {
				err = fmt.Errorf("%s: %s is not saved for %s and %s", h.Name, file, own.Name, other.Name)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// ours is all rows of br-int and br-tun of a host.
func ours(ctx context.Context, h *lab.Host) (string, error) {
	var all strings.Builder
	for _, bridge := range []string{"br-int", "br-tun"} {
		rows, err := h.Flows(ctx, bridge)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(rows) {
			fmt.Fprintf(&all, "%s %s\n", bridge, strings.TrimSpace(line))
		}
	}
	return all.String(), nil
}
