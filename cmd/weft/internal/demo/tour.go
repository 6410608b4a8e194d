package demo

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// demoNetwork is a network of the demo with its VMs.
type demoNetwork struct {
	name, kind, cidr string
	vms              []demoVM
}

// demoVM is a VM, and the number of its host, which counts around when there are fewer.
type demoVM struct {
	name string
	host int
	// groups are its security groups.
	groups []string
}

// The tour's security groups: what every port has that names none, whose members may talk to each other, and one for what
// the world may reach.
var (
	members = []string{"default"}
	public  = []string{"default", "web"}
)

// tourNetworks are two networks of a tenant, and one of another with the same addresses on another type of tunnel. The
// first ones are the router's.
var tourNetworks = []demoNetwork{
	{"blue", "vxlan", "10.0.1.0/24", []demoVM{{"vma", 0, public}, {"vmb", 1, members}}},
	{"red", "vxlan", "10.0.2.0/24", []demoVM{{"vmc", 1, members}}},
	{"green", "gre", "10.0.1.0/24", []demoVM{{"vmd", 0, members}, {"vme", 2, members}}},
}

// routed is how many of tourNetworks have the router, and farVM is a VM that the first one's VMs reach by it.
const (
	routed = 2
	farVM  = "vmc"
)

// publicVLAN is the VLAN of the demo's external network; what is untagged is left for the checks.
const publicVLAN = 100

// tour makes what there is to look at: networks, a distributed router between them and to the world, security groups, VMs
// that get their addresses by DHCP, a floating IP.
func (d *demo) tour(ctx context.Context, c *cloud.Cloud) error {
	s := c.Scope("")
	var networks []*cloud.Network
	for _, n := range tourNetworks {
		if err := d.step("network", func() (string, error) {
			made, err := s.NetworkWith(ctx, n.name, &weftv1.Network{ProviderNetworkType: n.kind}, &weftv1.Subnet{Cidr: n.cidr})
			if err != nil {
				return "", err
			}
			networks = append(networks, made)
			return fmt.Sprintf("%s %s (%s, MTU %d), DHCP", n.name, n.cidr, n.kind, made.GetMtu()), nil
		}); err != nil {
			return err
		}
	}
	var outer *cloud.Network
	if err := d.step("router", func() (told string, err error) {
		outer, told, err = addRouter(ctx, s, networks[:routed])
		return told, err
	}); err != nil {
		return err
	}
	if err := d.step("security", func() (string, error) { return addSecurity(ctx, s) }); err != nil {
		return err
	}
	for i, n := range tourNetworks {
		if err := d.step("VMs", func() (string, error) { return n.start(ctx, s, networks[i]) }); err != nil {
			return err
		}
	}
	if err := d.step("floating IP", func() (string, error) { return addFloatingIP(ctx, s, outer) }); err != nil {
		return err
	}
	return d.step("world", func() (string, error) { return seenOutside(ctx, s) })
}

// start starts the network's VMs, one on each host in turn, and lets them ask for a lease.
func (n demoNetwork) start(ctx context.Context, s *cloud.Scope, network *cloud.Network) (string, error) {
	var vms []*lab.VM
	for _, v := range n.vms {
		vm, _, err := s.BareVM(ctx, network, v.name, s.Lab.Hosts[v.host%len(s.Lab.Hosts)].Name, &weftv1.Port{SecurityGroups: v.groups})
		if err != nil {
			return "", err
		}
		vms = append(vms, vm)
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	told := n.name + ":"
	for _, vm := range vms {
		lease, err := vm.Lease(ctx, "udhcpc")
		if err != nil {
			return "", err
		}
		if err := vm.UseLease(ctx, lease); err != nil {
			return "", err
		}
		told += fmt.Sprintf(" %s@%s has %s", vm.Name, vm.Host, lease.Address.Addr())
	}
	return told + " by udhcpc", nil
}

// addRouter makes the external network and the router between it and the others.
func addRouter(ctx context.Context, s *cloud.Scope, networks []*cloud.Network) (*cloud.Network, string, error) {
	outer, err := s.External(ctx, "public", "203.0.113.0/24", publicVLAN)
	if err != nil {
		return nil, "", err
	}
	router, err := s.Router(ctx, "edge", cloud.RouterOf(true, outer, networks...))
	if err != nil {
		return nil, "", err
	}
	gateway, err := cloud.GatewayAddress(router)
	if err != nil {
		return nil, "", err
	}
	if err := s.Settle(ctx); err != nil {
		return nil, "", err
	}
	is, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
	if err != nil {
		return nil, "", err
	}
	return outer, fmt.Sprintf("edge, distributed: blue, red, and the world as %s by %s", gateway, is.GetStatus().GetGatewayHost()), nil
}

// addFloatingIP makes a floating IP for the first VM.
func addFloatingIP(ctx context.Context, s *cloud.Scope, outer *cloud.Network) (string, error) {
	vm, err := s.Lab.VM(tourNetworks[0].vms[0].name)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, outer, vm.PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is %s, by %s; the world may ping it", f.Address, vm.Name, vm.Host), lab.WaitPing(ctx, s.Lab.Outside, f.Address, 10*time.Second)
}

// addSecurity makes the group of what the world may reach. The default group comes with it.
func addSecurity(ctx context.Context, s *cloud.Scope) (string, error) {
	web, err := s.SecurityGroup(ctx, "web")
	if err != nil {
		return "", err
	}
	for _, r := range []*weftv1.SecurityGroupRule{
		{Protocol: "icmp"},
		{Protocol: "tcp", PortRangeMin: proto.Uint32(22), PortRangeMax: proto.Uint32(22)},
		{Protocol: "tcp", PortRangeMin: proto.Uint32(lab.WebPort), PortRangeMax: proto.Uint32(lab.WebPort)},
	} {
		r.Direction = "ingress"
		if _, err := s.Allow(ctx, web, r); err != nil {
			return "", err
		}
	}
	return "default: members hear each other only; web: anybody may ping, ssh, http", nil
}

// seenOutside asks the machine outside how it sees the VMs of the first network.
func seenOutside(ctx context.Context, s *cloud.Scope) (string, error) {
	told := fmt.Sprintf("%s sees", lab.Far)
	for _, v := range tourNetworks[0].vms {
		vm, err := s.Lab.VM(v.name)
		if err != nil {
			return "", err
		}
		g, err := lab.Ask(ctx, vm.Box, "tcp", netip.AddrPortFrom(lab.Far, lab.WebPort))
		if err != nil {
			return "", err
		}
		told += fmt.Sprintf(" %s as %s", v.name, g.Caller.Addr())
	}
	return told, nil
}
