package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// External makes an external network: untagged on the physical network, or in a VLAN of it if vlan is not 0. The machine
// outside has the address of its gateway.
func (s *Scope) External(ctx context.Context, name, cidr string, vlan uint16) (*Network, error) {
	want := &weftv1.Network{ProviderNetworkType: "flat", ProviderPhysicalNetwork: lab.PhysicalNetwork, RouterExternal: proto.Bool(true)}
	if vlan != 0 {
		want.ProviderNetworkType, want.ProviderSegmentationId = "vlan", uint32(vlan)
	}
	n, err := s.Network(ctx, name, want, cidr)
	if err != nil {
		return nil, err
	}
	device, err := s.Lab.JoinOutside(ctx, netip.PrefixFrom(n.Gateway(), n.CIDR.Bits()), vlan)
	if err != nil {
		return nil, err
	}
	s.Defer(func(ctx context.Context) error { return s.Lab.LeaveOutside(ctx, device) })
	return n, nil
}

// Router makes a router, with its gateway and interfaces in the same transaction.
func (s *Scope) Router(ctx context.Context, name string, want *weftv1.Router) (*weftv1.Router, error) {
	want = proto.CloneOf(want)
	want.Metadata = &weftv1.Metadata{Name: s.Prefix + name}
	made, err := s.Routers.CreateRouter(ctx, &weftv1.CreateRouterRequest{Router: want})
	if err != nil {
		return nil, fmt.Errorf("create router %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error { return s.DeleteRouter(ctx, made.GetMetadata().GetId()) })
	return made, nil
}

// RouterOf is what to ask for: a router with its gateway on the external network and interfaces on the others. It has no
// gateway when external is nil.
func RouterOf(distributed bool, external *Network, networks ...*Network) *weftv1.Router {
	r := &weftv1.Router{Distributed: proto.Bool(distributed)}
	if external != nil {
		r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: external.ID()}
	}
	for _, n := range networks {
		r.Interfaces = append(r.Interfaces, &weftv1.RouterInterface{SubnetId: n.SubnetID()})
	}
	return r
}

// DeleteRouter removes a router with its interfaces. One that is gone already is no error.
func (c *Cloud) DeleteRouter(ctx context.Context, id string) error {
	_, err := c.UpdateRouter(ctx, &weftv1.Router{Metadata: &weftv1.Metadata{Id: id}}, "interfaces", "routes")
	if err == nil {
		_, err = c.Routers.DeleteRouter(ctx, &weftv1.DeleteRouterRequest{Id: id})
	}
	return gone(err)
}

// UpdateRouter gives a router the fields of another.
func (c *Cloud) UpdateRouter(ctx context.Context, r *weftv1.Router, fields ...string) (*weftv1.Router, error) {
	return c.Routers.UpdateRouter(ctx, &weftv1.UpdateRouterRequest{Router: r, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
}

// AddInterface gives a router a port on a subnet.
func (s *Scope) AddInterface(ctx context.Context, router *weftv1.Router, subnetID string) error {
	id := router.GetMetadata().GetId()
	if _, err := s.Routers.AddRouterInterface(ctx, &weftv1.AddRouterInterfaceRequest{Id: id, SubnetId: subnetID}); err != nil {
		return fmt.Errorf("add interface on %s: %w", subnetID, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Routers.RemoveRouterInterface(ctx, &weftv1.RemoveRouterInterfaceRequest{Id: id, SubnetId: subnetID})
		return gone(err)
	})
	return nil
}

// GatewayAddress is the address of a router on its external network.
func GatewayAddress(r *weftv1.Router) (netip.Addr, error) {
	ips := r.GetExternalGatewayInfo().GetExternalFixedIps()
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("router %s has no external address", r.GetMetadata().GetName())
	}
	return netip.ParseAddr(ips[0].GetIpAddress())
}

// FloatingIP is a floating IP with its address.
type FloatingIP struct {
	*weftv1.FloatingIP
	Address netip.Addr
}

// ID of the floating IP.
func (f *FloatingIP) ID() string { return f.GetMetadata().GetId() }

// FloatingIP makes a floating IP for a port; an empty port id makes one that stands for nothing yet.
func (s *Scope) FloatingIP(ctx context.Context, external *Network, portID string) (*FloatingIP, error) {
	return s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: external.ID(), PortId: portID})
}

// FloatingIPWith makes a floating IP as it is wanted.
func (s *Scope) FloatingIPWith(ctx context.Context, want *weftv1.FloatingIP) (*FloatingIP, error) {
	made, err := s.FloatingIPs.CreateFloatingIP(ctx, &weftv1.CreateFloatingIPRequest{Floatingip: want})
	if err != nil {
		return nil, fmt.Errorf("create floating IP: %w", err)
	}
	s.Defer(func(ctx context.Context) error { return s.DeleteFloatingIP(ctx, made.GetMetadata().GetId()) })
	f := &FloatingIP{FloatingIP: made}
	if f.Address, err = netip.ParseAddr(made.GetFloatingIpAddress()); err != nil {
		return nil, fmt.Errorf("floating IP: %w", err)
	}
	return f, nil
}

// DeleteFloatingIP removes a floating IP. One that is gone already is no error.
func (c *Cloud) DeleteFloatingIP(ctx context.Context, id string) error {
	_, err := c.FloatingIPs.DeleteFloatingIP(ctx, &weftv1.DeleteFloatingIPRequest{Id: id})
	return gone(err)
}

// Associate lets a floating IP stand for another port, or for none.
func (c *Cloud) Associate(ctx context.Context, f *FloatingIP, portID string) error {
	_, err := c.FloatingIPs.UpdateFloatingIP(ctx, &weftv1.UpdateFloatingIPRequest{
		Floatingip: &weftv1.FloatingIP{Metadata: &weftv1.Metadata{Id: f.ID()}, PortId: portID},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"port_id"}},
	})
	return err
}

// Forward makes a port forwarding.
func (s *Scope) Forward(ctx context.Context, want *weftv1.PortForwarding) (*weftv1.PortForwarding, error) {
	made, err := s.PortForwardings.CreatePortForwarding(ctx, &weftv1.CreatePortForwardingRequest{Portforwarding: want})
	if err != nil {
		return nil, fmt.Errorf("create port forwarding: %w", err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.PortForwardings.DeletePortForwarding(ctx, &weftv1.DeletePortForwardingRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}

// Host puts one more host into the lab, with an agent, and waits until it is ready. Close takes it out again.
func (s *Scope) Host(ctx context.Context, cfg lab.HostConfig) (*lab.Host, error) {
	s.Defer(func(ctx context.Context) error {
		if _, err := s.Lab.Host(cfg.Name); err != nil {
			// It did not even begin.
			return nil
		}
		err := s.Lab.RemoveHost(ctx, cfg.Name)
		return errors.Join(err, s.ForgetHost(ctx, cfg.Name))
	})
	h, err := s.Lab.AddHost(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := h.StartAgent(ctx); err != nil {
		return nil, err
	}
	return h, s.WaitReady(ctx)
}

// ForgetHost deletes what Weft knows of a host that is gone for good. One that is not known is no error.
func (c *Cloud) ForgetHost(ctx context.Context, name string) error {
	_, err := c.Hosts.DeleteHost(ctx, &weftv1.DeleteHostRequest{Id: name})
	return gone(err)
}
