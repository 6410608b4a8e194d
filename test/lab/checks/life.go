package checks

import (
	"context"
	"fmt"
	"strings"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// life is what must happen, and what must be gone, when things come, move and go.
var life = []Check{
	{Name: "every host knows the DVR MAC of every other", Hosts: 2, Run: dvrMACs},
	{Name: "a port moves to another host", Hosts: 3, Run: moves},
	{Name: "the last port of a network leaves nothing", Hosts: 2, Run: leavesNothing},
	{Name: "a row deleted behind our back comes back", Hosts: 2, Run: deletedRow},
	{Name: "a row added behind our back goes", Hosts: 1, Run: addedRow},
	{Name: "memory of controller and agents", Hosts: 1, Run: memory},
}

// dvrMACs looks into br-tun for the rows that each host must have for the DVR MACs of all others, who started when it did.
func dvrMACs(ctx context.Context, s *cloud.Scope) (string, error) {
	list, err := s.Hosts.ListHosts(ctx, &weftv1.ListHostsRequest{})
	if err != nil {
		return "", err
	}
	macs := map[string]string{}
	for _, h := range list.GetHosts() {
		macs[h.GetMetadata().GetId()] = h.GetStatus().GetDvrMacAddress()
	}
	found := 0
	for _, h := range s.Lab.Hosts {
		rows, err := h.Flows(ctx, "br-tun")
		if err != nil {
			return "", err
		}
		for _, other := range s.Lab.Hosts {
			if other == h {
				continue
			}
			mac := macs[other.Name]
			if !strings.HasPrefix(mac, "fa:16:3f:") {
				return "", fmt.Errorf("%s has DVR MAC %q", other.Name, mac)
			}
			if !strings.Contains(rows, "table=9, priority=1,dl_src="+mac) {
				return "", fmt.Errorf("%s: no row for the DVR MAC %s of %s in table 9", h.Name, mac, other.Name)
			}
			found++
		}
	}
	return fmt.Sprintf("%d of %d rows", found, len(s.Lab.Hosts)*(len(s.Lab.Hosts)-1)), nil
}

// moves moves a VM from the second host to the third, where the network has another one already. It is reached there at
// once, and no host keeps a row that leads to where it was.
func moves(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.11.0/24")
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1, 2)
	if err != nil {
		return "", err
	}
	if _, err := allPing(ctx, vms...); err != nil {
		return "", err
	}
	from, to := s.Lab.Hosts[1], s.Lab.Hosts[2]
	moved, err := s.Lab.MoveVM(ctx, vms[1].Name, to.Name)
	if err != nil {
		return "", err
	}
	// Who pings before the port is wired has its machine ask again for a neighbour only after a second.
	start := time.Now()
	if err := lab.Poll(ctx, limit, func() error {
		p, err := s.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: moved.PortID})
		if err == nil && (p.GetStatus().GetHost() != to.Name || p.GetStatus().GetStatus() != "ACTIVE") {
			err = fmt.Errorf("port is %s on %s, not ACTIVE on %s", p.GetStatus().GetStatus(), p.GetStatus().GetHost(), to.Name)
		}
		return err
	}); err != nil {
		return "", err
	}
	if err := lab.WaitPing(ctx, vms[0].Box, moved.Addresses[0].Addr(), limit); err != nil {
		return "", err
	}
	reached := time.Since(start)
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	took, err := allPing(ctx, vms[0], moved, vms[2])
	if err != nil {
		return "", err
	}
	if err := forgotten(ctx, s, n, moved, from, to); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s to %s, reached %s after it was plugged in, ping %s, no old rows", from.Name, to.Name, ms(reached), ms(took)), nil
}

// forgotten fails when the host that a VM has left knows its MAC on any bridge, or when another one still sends to that
// host, which has no port of the network any more. One that is neither must send to where the VM is now.
func forgotten(ctx context.Context, s *cloud.Scope, n *cloud.Network, vm *lab.VM, from, to *lab.Host) error {
	for _, bridge := range []string{"br-int", "br-tun"} {
		rows, err := from.Flows(ctx, bridge)
		if err != nil {
			return err
		}
		if strings.Contains(rows, vm.MAC) {
			return fmt.Errorf("%s %s still has rows of %s", from.Name, bridge, vm.MAC)
		}
	}
	kind := n.GetProviderNetworkType()
	segment := fmt.Sprintf("set_field:%#x->tun_id", n.GetProviderSegmentationId())
	for _, h := range s.Lab.Hosts {
		if h == from {
			continue
		}
		rows, err := h.NamedFlows(ctx, "br-tun")
		if err != nil {
			return err
		}
		leads := false
		for row := range strings.Lines(rows) {
			if strings.Contains(row, segment) && strings.Contains(row, tunnelTo(kind, from)) {
				return fmt.Errorf("%s still sends the network to %s: %s", h.Name, from.Name, strings.TrimSpace(row))
			}
			leads = leads || strings.Contains(row, "dl_dst="+vm.MAC) && strings.Contains(row, segment) && strings.Contains(row, tunnelTo(kind, to))
		}
		if leads != (h == s.Lab.Hosts[0]) {
			return fmt.Errorf("%s: a row leads to %s on %s by tunnel: %t", h.Name, vm.MAC, to.Name, leads)
		}
	}
	return nil
}

// leavesNothing compares what the hosts have before a network has its first port with what they have after its last: first
// one of them, while the network goes on at others, and then all.
func leavesNothing(ctx context.Context, s *cloud.Scope) (string, error) {
	before, err := inventory(ctx, s.Lab)
	if err != nil {
		return "", err
	}
	inner := s.Cloud.Scope(s.Prefix)
	n, err := inner.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "geneve"}, "10.7.12.0/24")
	s.Defer(inner.Close)
	if err != nil {
		return "", err
	}
	first, second := s.Lab.Hosts[0], s.Lab.Hosts[1]
	stays, err := inner.VM(ctx, n, "vm1", first.Name)
	if err != nil {
		return "", err
	}
	goes := inner.Cloud.Scope(inner.Prefix)
	inner.Defer(goes.Close)
	leaves, err := goes.VM(ctx, n, "vm2", second.Name)
	if err != nil {
		return "", err
	}
	if _, err := allPing(ctx, stays, leaves); err != nil {
		return "", err
	}
	during, err := inventory(ctx, s.Lab)
	if err != nil {
		return "", err
	}
	for _, h := range []*lab.Host{first, second} {
		if only(h, during) == only(h, before) {
			return "", fmt.Errorf("nothing changed on %s while the network had ports", h.Name)
		}
	}
	if err := goes.Close(ctx); err != nil {
		return "", err
	}
	if err := lab.Poll(ctx, limit, func() error {
		now, err := inventory(ctx, s.Lab)
		switch {
		case err != nil:
			return err
		case only(second, now) != only(second, before):
			return fmt.Errorf("the last port of %s is gone; left over or missing: %s", second.Name, difference(only(second, before), only(second, now)))
		case only(first, now) == only(first, before) || strings.Contains(only(first, now), tunnelTo("geneve", second)):
			return fmt.Errorf("%s, where the network goes on, still has the tunnel to %s, or nothing of the network", first.Name, second.Name)
		}
		return nil
	}); err != nil {
		return "", err
	}
	if err := inner.Close(ctx); err != nil {
		return "", err
	}
	// Tunnels go by the agents, after the rows that used them.
	return fmt.Sprintf("%d rows and ports gone again", strings.Count(during, "\n")-strings.Count(before, "\n")), lab.Poll(ctx, limit, func() error {
		after, err := inventory(ctx, s.Lab)
		if err == nil && after != before {
			err = fmt.Errorf("left over or missing: %s", difference(before, after))
		}
		return err
	})
}

// only is what an inventory says of one host.
func only(h *lab.Host, inventory string) string {
	var lines strings.Builder
	for line := range strings.Lines(inventory) {
		if strings.HasPrefix(line, h.Name+" ") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// deletedRow deletes what carries a VM's packets to the other host, and waits until it is back.
func deletedRow(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.13.0/24")
	if err != nil {
		return "", err
	}
	if _, err := pair(ctx, s, n, "vm", 0, 1); err != nil {
		return "", err
	}
	h := s.Lab.Hosts[0]
	took, err := repaired(ctx, h, "br-tun", func() error {
		_, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "del-flows", "br-tun", "table=20")
		return err
	})
	return "table 20 is back after " + ms(took), err
}

func addedRow(ctx context.Context, s *cloud.Scope) (string, error) {
	h := s.Lab.Hosts[0]
	took, err := repaired(ctx, h, "br-int", func() error {
		_, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-int", "table=0,priority=9999,actions=NORMAL")
		return err
	})
	return "gone after " + ms(took), err
}

// repaired spoils a bridge and answers how long it took until the rows were the same again. The time includes running
// ovs-ofctl twice.
func repaired(ctx context.Context, h *lab.Host, bridge string, spoil func() error) (time.Duration, error) {
	want, err := h.Flows(ctx, bridge)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := spoil(); err != nil {
		return 0, err
	}
	err = lab.Poll(ctx, 30*time.Second, func() error {
		got, err := h.Flows(ctx, bridge)
		if err == nil && got != want {
			err = fmt.Errorf("%s %s is not as it was: %s", h.Name, bridge, difference(want, got))
		}
		return err
	})
	return time.Since(start), err
}

// Limits of resident memory in bytes.
const (
	controllerMemory = 150 << 20
	agentMemory      = 40 << 20
)

func memory(ctx context.Context, s *cloud.Scope) (string, error) {
	controller, err := lab.Memory(ctx, s.Lab.Controller, lab.ControllerProcess)
	if err != nil {
		return "", err
	}
	var agent int64
	for _, h := range s.Lab.Hosts {
		m, err := lab.Memory(ctx, h.Box, lab.AgentProcess)
		if err != nil {
			return "", err
		}
		agent = max(agent, m)
	}
	measured := fmt.Sprintf("controller %d MiB, largest agent %d MiB", controller>>20, agent>>20)
	if controller > controllerMemory || agent > agentMemory {
		return measured, fmt.Errorf("more than %d MiB or %d MiB", controllerMemory>>20, agentMemory>>20)
	}
	return measured, nil
}
