package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// reach is who must reach whom.
var reach = []Check{
	{Name: "same network, one host", Hosts: 1, Run: sameHost},
	{Name: "same network, two hosts, VXLAN", Hosts: 2, Run: tunnel("vxlan", UnderlayMTU-50)},
	{Name: "same network, two hosts, GRE", Hosts: 2, Run: tunnel("gre", UnderlayMTU-42)},
	{Name: "same network, two hosts, Geneve", Hosts: 2, Run: tunnel("geneve", UnderlayMTU-58)},
	{Name: "same network, three hosts, VXLAN", Hosts: 3, Run: threeHosts("vxlan")},
	{Name: "same network, three hosts, GRE", Hosts: 3, Run: threeHosts("gre")},
	{Name: "same network, three hosts, Geneve", Hosts: 3, Run: threeHosts("geneve")},
	{Name: "IPv6, two hosts", Hosts: 2, Run: ipv6},
	{Name: "VLAN network through br-ex, and a machine outside", Hosts: 2, Run: provider("vlan", 101)},
	{Name: "flat network through br-ex, and a machine outside", Hosts: 2, Run: provider("flat", 0)},
	{Name: "learning instead of l2_population", Hosts: 2, Run: learning},
	{Name: "ARP and ND are answered on the host", Hosts: 2, Run: answeredLocally},
}

// UnderlayMTU is the lab's; what is announced for a network follows from it and the type of tunnel.
const UnderlayMTU = lab.UnderlayMTU

// transferSize is how much TCP carries in a check: enough to leave slow start, and to fail when checksums or MTU are wrong.
const transferSize = 4 << 20

// allPing lets every VM ping every other, and answers the largest average time.
func allPing(ctx context.Context, vms ...*lab.VM) (time.Duration, error) {
	var slowest time.Duration
	for _, from := range vms {
		for _, to := range vms {
			if from == to {
				continue
			}
			for _, a := range to.Addresses {
				took, err := mustPing(ctx, from.Box, a.Addr(), lab.Pings{})
				if err != nil {
					return slowest, err
				}
				slowest = max(slowest, took)
			}
		}
	}
	return slowest, nil
}

// pingRounds is how often a round of pings may be tried: on a busy machine the userspace datapath drops a packet now and
// then, which says nothing about who reaches whom. What a fault costs is counted by probes, and there no packet may lack.
const pingRounds = 3

// mustPing pings and fails when no round of pings is answered whole.
func mustPing(ctx context.Context, from *nsbox.Box, to netip.Addr, p lab.Pings) (time.Duration, error) {
	var errs []error
	for range pingRounds {
		r, err := lab.Ping(ctx, from, to, p)
		if err != nil {
			return r.Average, err
		}
		if r.Received == r.Sent {
			return r.Average, nil
		}
		errs = append(errs, fmt.Errorf("%s to %s: %d of %d pings answered, missing %v", from.Name, to, r.Received, r.Sent, r.Missing))
	}
	return 0, errors.Join(errs...)
}

// mustNotPing pings and fails when an answer comes.
func mustNotPing(ctx context.Context, from *nsbox.Box, to netip.Addr) error {
	r, err := lab.Ping(ctx, from, to, lab.Pings{Wait: 300 * time.Millisecond})
	if err == nil && r.Received != 0 {
		err = fmt.Errorf("%s reaches %s, and must not", from.Name, to)
	}
	return err
}

// pair makes a VM on each of two hosts; the hosts may be the same.
func pair(ctx context.Context, s *cloud.Scope, n *cloud.Network, prefix string, hosts ...int) ([]*lab.VM, error) {
	var vms []*lab.VM
	for i, h := range hosts {
		vm, err := s.VM(ctx, n, fmt.Sprintf("%s%d", prefix, i+1), s.Lab.Hosts[h].Name)
		if err != nil {
			return nil, err
		}
		vms = append(vms, vm)
	}
	return vms, s.Settle(ctx)
}

// transfer sends TCP both ways and answers the slower rate, for people.
func transfer(ctx context.Context, a, b *lab.VM) (string, error) {
	var slowest time.Duration
	for _, way := range [][2]*lab.VM{{a, b}, {b, a}} {
		took, err := lab.Transfer(ctx, way[0].Box, way[0].Addresses[0].Addr(), way[1].Box, transferSize, time.Minute)
		if err != nil {
			return "", fmt.Errorf("TCP from %s to %s: %w", way[0].Name, way[1].Name, err)
		}
		slowest = max(slowest, took)
	}
	return fmt.Sprintf("TCP %.0f Mbit/s", float64(transferSize)*8/1e6/slowest.Seconds()), nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func sameHost(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{}, "10.7.1.0/24")
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 0)
	if err != nil {
		return "", err
	}
	took, err := allPing(ctx, vms...)
	if err != nil {
		return "", err
	}
	tcp, err := transfer(ctx, vms[0], vms[1])
	return fmt.Sprintf("ping %s, %s", ms(took), tcp), err
}

// tunnel checks a type of tunnel: pings, TCP, and that the announced MTU is the largest packet that passes.
func tunnel(kind string, mtu int) func(context.Context, *cloud.Scope) (string, error) {
	return func(ctx context.Context, s *cloud.Scope) (string, error) {
		n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: kind}, "10.7.2.0/24")
		if err != nil {
			return "", err
		}
		if int(n.GetMtu()) != mtu {
			return "", fmt.Errorf("MTU %d is announced, %d is what the underlay leaves", n.GetMtu(), mtu)
		}
		vms, err := pair(ctx, s, n, "vm", 0, 1)
		if err != nil {
			return "", err
		}
		took, err := allPing(ctx, vms...)
		if err != nil {
			return "", err
		}
		if err := usesTunnel(ctx, s.Lab, kind); err != nil {
			return "", err
		}
		to := vms[1].Addresses[0].Addr()
		if _, err := mustPing(ctx, vms[0].Box, to, lab.Pings{Size: mtu}); err != nil {
			return "", fmt.Errorf("packets of the announced %d bytes: %w", mtu, err)
		}
		tcp, err := transfer(ctx, vms[0], vms[1])
		return fmt.Sprintf("ping %s, %s, MTU %d", ms(took), tcp, mtu), err
	}
}

// tunnelTo is the name of the port of that type that leads to a host.
func tunnelTo(kind string, h *lab.Host) string {
	a := h.TunnelIP.As4()
	return fmt.Sprintf("%s-%x", kind, a[:])
}

// usesTunnel fails unless the first two hosts have tunnels of this type to each other.
func usesTunnel(ctx context.Context, l *lab.Lab, kind string) error {
	for i, other := range []int{1, 0} {
		name := tunnelTo(kind, l.Hosts[other])
		ports, err := l.Hosts[i].Exec(ctx, "ovs-vsctl", "--timeout=20", "list-ports", "br-tun")
		if err != nil {
			return err
		}
		if !strings.Contains("\n"+ports, "\n"+name+"\n") {
			return fmt.Errorf("%s: no port %s on br-tun, only %v", l.Hosts[i].Name, name, strings.Fields(ports))
		}
	}
	return nil
}

func threeHosts(kind string) func(context.Context, *cloud.Scope) (string, error) {
	return func(ctx context.Context, s *cloud.Scope) (string, error) {
		n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: kind}, "10.7.3.0/24")
		if err != nil {
			return "", err
		}
		vms, err := pair(ctx, s, n, "vm", 0, 1, 2)
		if err != nil {
			return "", err
		}
		took, err := allPing(ctx, vms...)
		if err != nil {
			return "", err
		}
		tcp, err := transfer(ctx, vms[1], vms[2])
		return fmt.Sprintf("6 pairs, ping %s, %s", ms(took), tcp), err
	}
}

func ipv6(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.4.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.AddSubnet(ctx, n, "fd00:91::/64"); err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1)
	if err != nil {
		return "", err
	}
	for _, vm := range vms {
		if len(vm.Addresses) != 2 {
			return "", fmt.Errorf("%s has addresses %v, not one of each subnet", vm.Name, vm.Addresses)
		}
	}
	took, err := allPing(ctx, vms...)
	return "both versions, ping " + ms(took), err
}

// provider checks a network of a physical network: VMs on two hosts reach each other and the machine outside.
func provider(kind string, vlan uint32) func(context.Context, *cloud.Scope) (string, error) {
	return func(ctx context.Context, s *cloud.Scope) (string, error) {
		n, err := s.Network(ctx, "net", &weftv1.Network{
			ProviderNetworkType: kind, ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: vlan,
		}, "10.7.5.0/24")
		if err != nil {
			return "", err
		}
		outside, _ := netip.AddrFromSlice(append(n.CIDR.Addr().AsSlice()[:3], 250))
		device, err := s.Lab.JoinOutside(ctx, netip.PrefixFrom(outside, 24), uint16(vlan))
		if err != nil {
			return "", err
		}
		s.Defer(func(ctx context.Context) error { return s.Lab.LeaveOutside(ctx, device) })
		vms, err := pair(ctx, s, n, "vm", 0, 1)
		if err != nil {
			return "", err
		}
		took, err := allPing(ctx, vms...)
		if err != nil {
			return "", err
		}
		for _, vm := range vms {
			if _, err := mustPing(ctx, vm.Box, outside, lab.Pings{}); err != nil {
				return "", err
			}
		}
		tcp, err := transfer(ctx, vms[0], vms[1])
		return fmt.Sprintf("ping %s, %s, outside answers", ms(took), tcp), err
	}
}

func learning(ctx context.Context, s *cloud.Scope) (string, error) {
	no := false
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "gre", L2Population: &no}, "10.7.6.0/24")
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1)
	if err != nil {
		return "", err
	}
	took, err := allPing(ctx, vms...)
	if err != nil {
		return "", err
	}
	// What was learned is in table 20, by the MAC of the other side.
	for i, other := range []int{1, 0} {
		rows, err := s.Lab.Hosts[i].Flows(ctx, "br-tun")
		if err != nil {
			return "", err
		}
		learned := false
		for row := range strings.Lines(rows) {
			learned = learned || strings.Contains(row, "table=20,") && strings.Contains(row, "hard_timeout=") && strings.Contains(row, "dl_dst="+vms[other].MAC)
		}
		if !learned {
			return "", fmt.Errorf("%s: %s was not learned into table 20", s.Lab.Hosts[i].Name, vms[other].MAC)
		}
	}
	return "ping " + ms(took), nil
}

// answeredLocally counts what leaves the first host while a VM asks for an address that Weft knows.
func answeredLocally(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.7.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.AddSubnet(ctx, n, "fd00:92::/64"); err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1)
	if err != nil {
		return "", err
	}
	sniff, err := s.Lab.StartSniff(ctx, s.Lab.Hosts[0].Box, "eth1")
	if err != nil {
		return "", err
	}
	_, err = allPing(ctx, vms...)
	seen, stopErr := sniff.Stop(context.WithoutCancel(ctx))
	if err != nil {
		return "", err
	}
	if stopErr != nil {
		return "", stopErr
	}
	known := 0
	for _, a := range vms[1].Addresses {
		known += seen.Tunneled.Questions[a.Addr().String()]
	}
	if known != 0 {
		return "", fmt.Errorf("questions for addresses that are known left the host: %v", seen.Tunneled.Questions)
	}
	if seen.Tunneled.Unicast == 0 {
		return "", fmt.Errorf("no packet left by the tunnel: nothing was measured")
	}
	return fmt.Sprintf("0 questions left the host, %d packets did", seen.Tunneled.Unicast), nil
}
