package checks

import (
	"context"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// isolation is who must not reach whom.
var isolation = []Check{
	{Name: "tenants with overlapping subnets", Hosts: 2, Run: overlapping},
	{Name: "a port with admin_state_up=false is dead", Hosts: 2, Run: deadPort},
	{Name: "an interface that is nobody's port is silent", Hosts: 1, Run: foreignInterface},
}

// overlapping has two tenants with the same subnet. Each network has a VM on both hosts; the second has one more, whose
// address nobody in the first has.
func overlapping(ctx context.Context, s *cloud.Scope) (string, error) {
	const cidr = "10.7.8.0/24"
	red, err := s.Network(ctx, "red", &weftv1.Network{ProviderNetworkType: "vxlan"}, cidr)
	if err != nil {
		return "", err
	}
	blue, err := s.Network(ctx, "blue", &weftv1.Network{ProviderNetworkType: "vxlan"}, cidr)
	if err != nil {
		return "", err
	}
	reds, err := pair(ctx, s, red, "red", 0, 1)
	if err != nil {
		return "", err
	}
	blues, err := pair(ctx, s, blue, "blue", 0, 1, 0, 1)
	if err != nil {
		return "", err
	}
	if reds[0].Addresses[0] != blues[0].Addresses[0] {
		return "", fmt.Errorf("addresses do not overlap: %v and %v", reds[0].Addresses, blues[0].Addresses)
	}
	for _, vms := range [][]*lab.VM{reds, blues} {
		if _, err := allPing(ctx, vms...); err != nil {
			return "", err
		}
	}
	for _, from := range reds {
		for _, only := range blues[2:] {
			if err := mustNotPing(ctx, from.Box, only.Addresses[0].Addr()); err != nil {
				return "", err
			}
		}
	}
	// The one that answers must be the red one: its counters rise, those of its blue double do not.
	before, err := received(ctx, blues[1])
	if err != nil {
		return "", err
	}
	if _, err := mustPing(ctx, reds[0].Box, reds[1].Addresses[0].Addr(), lab.Pings{Count: 20}); err != nil {
		return "", err
	}
	after, err := received(ctx, blues[1])
	if err != nil {
		return "", err
	}
	if after != before {
		return "", fmt.Errorf("%s heard %d ICMP messages that were for %s", blues[1].Name, after-before, reds[1].Name)
	}
	return "same addresses, 0 packets across", nil
}

// received counts the ICMP messages that a VM has received.
func received(ctx context.Context, vm *lab.VM) (int, error) {
	out, err := vm.Box.Exec(ctx, "sh", "-c", "awk '/^Icmp: [0-9]/ { print $2 }' /proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var n int
	if _, err := fmt.Sscan(out, &n); err != nil {
		return 0, fmt.Errorf("%s: ICMP counter: %w", vm.Name, err)
	}
	return n, nil
}

func deadPort(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.9.0/24")
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0, 1, 0)
	if err != nil {
		return "", err
	}
	set := func(up bool, status string) error {
		if _, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
			Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: vms[0].PortID}, AdminStateUp: proto.Bool(up)},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"admin_state_up"}},
		}); err != nil {
			return fmt.Errorf("set admin_state_up=%t: %w", up, err)
		}
		if err := s.WaitStatus(ctx, vms[0].PortID, status); err != nil {
			return err
		}
		return s.Settle(ctx)
	}
	if _, err := allPing(ctx, vms...); err != nil {
		return "", err
	}
	if err := set(false, "DOWN"); err != nil {
		return "", err
	}
	// The switch says that rows are in force some milliseconds before its datapath has forgotten what it did by older ones.
	for _, h := range s.Lab.Hosts {
		if _, err := h.Exec(ctx, "ovs-appctl", "revalidator/wait"); err != nil {
			return "", err
		}
	}
	for _, other := range vms[1:] {
		if err := mustNotPing(ctx, other.Box, vms[0].Addresses[0].Addr()); err != nil {
			return "", err
		}
		if err := mustNotPing(ctx, vms[0].Box, other.Addresses[0].Addr()); err != nil {
			return "", err
		}
	}
	if _, err := allPing(ctx, vms[1:]...); err != nil {
		return "", fmt.Errorf("others meanwhile: %w", err)
	}
	if err := set(true, "ACTIVE"); err != nil {
		return "", err
	}
	took, err := allPing(ctx, vms...)
	return "silent while down, ping " + ms(took) + " again", err
}

// foreignInterface plugs an interface whose iface-id no port has.
func foreignInterface(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.7.10.0/24")
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, n, "vm", 0)
	if err != nil {
		return "", err
	}
	address := vms[0].Addresses[0]
	foreign, err := s.Lab.AddVM(ctx, lab.VMConfig{
		Name: s.Prefix + "foreign", Host: s.Lab.Hosts[0].Name, PortID: "ffffffff-ffff-4fff-8fff-ffffffffffff", MAC: "fa:16:3e:ff:ff:ff",
		Addresses: []netip.Prefix{netip.PrefixFrom(address.Addr().Next().Next(), address.Bits())},
	})
	if err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { return s.Lab.DelVM(ctx, foreign.Name) })
	var listed *weftv1.Interface
	if err := lab.Poll(ctx, limit, func() error {
		list, err := s.Diagnostics.ListInterfaces(ctx, &weftv1.ListInterfacesRequest{Host: foreign.Host, Unbound: true})
		if err != nil {
			return err
		}
		for _, i := range list.GetInterfaces() {
			if i.GetName() == foreign.Interface() {
				listed = i
				return nil
			}
		}
		return fmt.Errorf("%s: %s is not among the unbound interfaces", foreign.Host, foreign.Interface())
	}); err != nil {
		return "", err
	}
	if err := mustNotPing(ctx, foreign.Box, address.Addr()); err != nil {
		return "", err
	}
	if listed.GetMessage() == "" {
		return "", fmt.Errorf("%s is listed as unbound, but not why", listed.GetName())
	}
	return "listed as unbound, 0 packets through", nil
}
