package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// Scope makes things in a cloud and remembers them, so that Close can take them all away.
type Scope struct {
	*Cloud
	// Prefix starts the name of everything that the scope makes.
	Prefix string
	undo   []func(context.Context) error
	// open is the security group of ports that name none; nil until there is one.
	open *weftv1.SecurityGroup
}

// Scope begins to remember.
func (c *Cloud) Scope(prefix string) *Scope { return &Scope{Cloud: c, Prefix: prefix} }

// Defer adds what Close is to do, before what is there already.
func (s *Scope) Defer(undo func(context.Context) error) { s.undo = append(s.undo, undo) }

// Close undoes everything, newest first, and waits until the hosts have too. It goes on after errors and tells them all.
func (s *Scope) Close(ctx context.Context) error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i](ctx))
	}
	s.undo, s.open = nil, nil
	return errors.Join(append(errs, s.Settle(ctx))...)
}

// gone makes an error of a delete nil when the object was gone already.
func gone(err error) error {
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}

// Network is a network with its first subnet.
type Network struct {
	*weftv1.Network
	Subnet *weftv1.Subnet
	CIDR   netip.Prefix
}

// Network makes a network and a subnet of it that no DHCP server serves.
func (s *Scope) Network(ctx context.Context, name string, want *weftv1.Network, cidr string) (*Network, error) {
	return s.NetworkWith(ctx, name, want, &weftv1.Subnet{Cidr: cidr, EnableDhcp: proto.Bool(false)})
}

// NetworkWith makes a network with a subnet as it is wanted.
func (s *Scope) NetworkWith(ctx context.Context, name string, want *weftv1.Network, subnet *weftv1.Subnet) (*Network, error) {
	want = proto.CloneOf(want)
	want.Metadata = &weftv1.Metadata{Name: s.Prefix + name}
	made, err := s.Networks.CreateNetwork(ctx, &weftv1.CreateNetworkRequest{Network: want})
	if err != nil {
		return nil, fmt.Errorf("create network %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Networks.DeleteNetwork(ctx, &weftv1.DeleteNetworkRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	n := &Network{Network: made}
	if n.CIDR, err = netip.ParsePrefix(subnet.GetCidr()); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}
	n.Subnet, err = s.addSubnet(ctx, n, subnet)
	return n, err
}

// AddSubnet makes a further subnet of a network, without DHCP.
func (s *Scope) AddSubnet(ctx context.Context, n *Network, cidr string) (*weftv1.Subnet, error) {
	return s.addSubnet(ctx, n, &weftv1.Subnet{Cidr: cidr, EnableDhcp: proto.Bool(false)})
}

func (s *Scope) addSubnet(ctx context.Context, n *Network, want *weftv1.Subnet) (*weftv1.Subnet, error) {
	want = proto.CloneOf(want)
	want.NetworkId = n.GetMetadata().GetId()
	want.Metadata = &weftv1.Metadata{Name: n.GetMetadata().GetName() + "-" + want.GetCidr()}
	made, err := s.Subnets.CreateSubnet(ctx, &weftv1.CreateSubnetRequest{Subnet: want})
	if err != nil {
		return nil, fmt.Errorf("create subnet %s: %w", want.GetCidr(), err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Subnets.DeleteSubnet(ctx, &weftv1.DeleteSubnetRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}

// DeleteNetwork removes a network with its subnets. One that is gone already is no error.
func (c *Cloud) DeleteNetwork(ctx context.Context, id string) error {
	list, err := c.Subnets.ListSubnets(ctx, &weftv1.ListSubnetsRequest{NetworkId: id})
	for _, s := range list.GetSubnets() {
		if err == nil {
			_, err = c.Subnets.DeleteSubnet(ctx, &weftv1.DeleteSubnetRequest{Id: s.GetMetadata().GetId()})
		}
	}
	if err == nil {
		_, err = c.Networks.DeleteNetwork(ctx, &weftv1.DeleteNetworkRequest{Id: id})
	}
	return gone(err)
}

// ID of the network.
func (n *Network) ID() string { return n.GetMetadata().GetId() }

// SubnetID is the id of its first subnet.
func (n *Network) SubnetID() string { return n.Subnet.GetMetadata().GetId() }

// At is an address of its first subnet, by number.
func (n *Network) At(number byte) netip.Addr {
	a := n.CIDR.Addr().As4()
	a[3] += number
	return netip.AddrFrom4(a)
}

// Gateway is the gateway address of its first subnet.
func (n *Network) Gateway() netip.Addr { return n.At(1) }

// Port makes a port with an address of each IP version that the network has.
func (s *Scope) Port(ctx context.Context, n *Network, name string) (*weftv1.Port, error) {
	return s.PortWith(ctx, n, name, &weftv1.Port{})
}

// PortWith makes a port as it is wanted. One that says nothing about its security has the network's, as any port, and is in
// a group that lets everything in: checks of other things are about ports that are judged, and pass.
func (s *Scope) PortWith(ctx context.Context, n *Network, name string, want *weftv1.Port) (*weftv1.Port, error) {
	want = proto.CloneOf(want)
	want.Metadata, want.NetworkId = &weftv1.Metadata{Name: s.Prefix + name}, n.ID()
	if n.GetPortSecurityEnabled() && want.PortSecurityEnabled == nil && want.SecurityGroups == nil {
		open, err := s.openGroup(ctx)
		if err != nil {
			return nil, err
		}
		want.SecurityGroups = []string{open.GetMetadata().GetId()}
	}
	made, err := s.Ports.CreatePort(ctx, &weftv1.CreatePortRequest{Port: want})
	if err != nil {
		return nil, fmt.Errorf("create port %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Ports.DeletePort(ctx, &weftv1.DeletePortRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}

// VM makes a port and a VM with it on a host, and waits until the port is ACTIVE.
func (s *Scope) VM(ctx context.Context, n *Network, name, host string) (*lab.VM, error) {
	return s.VMWith(ctx, n, name, host, &weftv1.Port{})
}

// VMWith is VM with a port as it is wanted.
func (s *Scope) VMWith(ctx context.Context, n *Network, name, host string, want *weftv1.Port) (*lab.VM, error) {
	port, err := s.PortWith(ctx, n, name, want)
	if err != nil {
		return nil, err
	}
	cfg, err := s.VMConfig(ctx, port, s.Prefix+name, host)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, cfg)
}

// BareVM is VMWith, but the VM has no address: a DHCP client has to get one. It has the MTU of the underlay.
func (s *Scope) BareVM(ctx context.Context, n *Network, name, host string, want *weftv1.Port) (*lab.VM, *weftv1.Port, error) {
	port, err := s.PortWith(ctx, n, name, want)
	if err != nil {
		return nil, nil, err
	}
	vm, err := s.start(ctx, lab.VMConfig{Name: s.Prefix + name, Host: host, PortID: port.GetMetadata().GetId(), MAC: port.GetMacAddress()})
	return vm, port, err
}

// Wanted is a VM to make: see VMWith.
type Wanted struct {
	Network    *Network
	Name, Host string
	Port       *weftv1.Port
}

// VMs makes many VMs at once, and takes them away at once.
func (s *Scope) VMs(ctx context.Context, all []Wanted) ([]*lab.VM, error) {
	configs := make([]lab.VMConfig, len(all))
	for i, w := range all {
		port, err := s.PortWith(ctx, w.Network, w.Name, w.Port)
		if err != nil {
			return nil, err
		}
		if configs[i], err = s.VMConfig(ctx, port, s.Prefix+w.Name, w.Host); err != nil {
			return nil, err
		}
	}
	s.Defer(func(ctx context.Context) error {
		var g errgroup.Group
		for _, cfg := range configs {
			g.Go(func() error {
				if err := s.Lab.DelVM(ctx, cfg.Name); !errors.Is(err, lab.ErrNoVM) {
					return err
				}
				return nil
			})
		}
		return g.Wait()
	})
	vms := make([]*lab.VM, len(all))
	var g errgroup.Group
	for i, cfg := range configs {
		g.Go(func() (err error) {
			if vms[i], err = s.Lab.AddVM(ctx, cfg); err != nil {
				return err
			}
			return s.WaitStatus(ctx, cfg.PortID, "ACTIVE")
		})
	}
	return vms, g.Wait()
}

// start starts a VM that Close ends, and waits until its port is ACTIVE.
func (s *Scope) start(ctx context.Context, cfg lab.VMConfig) (*lab.VM, error) {
	vm, err := s.Lab.AddVM(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.Defer(func(ctx context.Context) error {
		if err := s.Lab.DelVM(ctx, cfg.Name); !errors.Is(err, lab.ErrNoVM) {
			return err
		}
		return nil
	})
	return vm, s.WaitStatus(ctx, cfg.PortID, "ACTIVE")
}

// VMConfig is a VM that has the addresses, IPv4 gateway and MTU of a port.
func (c *Cloud) VMConfig(ctx context.Context, port *weftv1.Port, name, host string) (lab.VMConfig, error) {
	cfg := lab.VMConfig{Name: name, Host: host, PortID: port.GetMetadata().GetId(), MAC: port.GetMacAddress()}
	network, err := c.Networks.GetNetwork(ctx, &weftv1.GetNetworkRequest{Id: port.GetNetworkId()})
	if err != nil {
		return cfg, fmt.Errorf("get network of port %s: %w", name, err)
	}
	cfg.MTU = int(network.GetMtu())
	for _, f := range port.GetFixedIps() {
		subnet, err := c.Subnets.GetSubnet(ctx, &weftv1.GetSubnetRequest{Id: f.GetSubnetId()})
		if err != nil {
			return cfg, fmt.Errorf("get subnet of port %s: %w", name, err)
		}
		prefix, err := netip.ParsePrefix(subnet.GetCidr())
		if err != nil {
			return cfg, fmt.Errorf("subnet of port %s: %w", name, err)
		}
		address, err := netip.ParseAddr(f.GetIpAddress())
		if err != nil {
			return cfg, fmt.Errorf("address of port %s: %w", name, err)
		}
		cfg.Addresses = append(cfg.Addresses, netip.PrefixFrom(address, prefix.Bits()))
		if gateway, err := netip.ParseAddr(subnet.GetGatewayIp()); err == nil && gateway.Is4() {
			cfg.Gateway = gateway
		}
	}
	return cfg, nil
}

// WaitStatus waits until a port has a status.
func (c *Cloud) WaitStatus(ctx context.Context, portID, want string) error {
	return lab.Poll(ctx, 30*time.Second, func() error {
		p, err := c.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: portID})
		if err != nil {
			return fmt.Errorf("get port %s: %w", portID, err)
		}
		if got := p.GetStatus(); got.GetStatus() != want {
			return fmt.Errorf("port %s is %s on %q, not %s: %s", p.GetMetadata().GetName(), got.GetStatus(), got.GetHost(), want, why(got.GetConditions()))
		}
		return nil
	})
}
