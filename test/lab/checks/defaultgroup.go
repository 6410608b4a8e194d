package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// defaultGroup is what people get who say nothing about security: members of the default group talk to each other and to
// the world, and nobody else gets in. Ports that Weft makes for itself are not judged: who is in no group at all may do
// nothing, but gets a lease.
func defaultGroup(ctx context.Context, s *cloud.Scope, _ string) (string, error) {
	ext, err := s.External(ctx, "ext", "172.24.17.0/24", 0)
	if err != nil {
		return "", err
	}
	n, err := s.NetworkWith(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, &weftv1.Subnet{Cidr: "10.0.17.0/24"})
	if err != nil {
		return "", err
	}
	if _, err := s.Router(ctx, "router", cloud.RouterOf(true, ext, n)); err != nil {
		return "", err
	}
	// The first group of a project brings the default one.
	if _, err := s.SecurityGroup(ctx, "strangers"); err != nil {
		return "", err
	}
	vm := map[string]*lab.VM{}
	for _, v := range []struct {
		name, group string
		host        int
	}{{"member1", "default", 0}, {"member2", "default", 1}, {"stranger", s.Prefix + "strangers", 1}, {"mute", "default", 0}} {
		if vm[v.name], err = s.VMWith(ctx, n, v.name, s.Lab.Hosts[v.host].Name, &weftv1.Port{SecurityGroups: []string{v.group}}); err != nil {
			return "", err
		}
		if err := serve(ctx, s, vm[v.name].Box, web); err != nil {
			return "", err
		}
	}
	if _, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: vm["mute"].PortID}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"security_groups"}}}); err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, ext, vm["member1"].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	own, err := unjudged(ctx, s, n)
	if err != nil {
		return "", err
	}
	one, two, mute := vm["member1"], vm["member2"], vm["mute"]
	for _, may := range []func() error{
		func() error { return mustAsk(ctx, one.Box, at(addr(two)), two.Name, addr(one)) },
		func() error { return mustAsk(ctx, two.Box, at(addr(one)), one.Name, addr(two)) },
		func() error { return mustAsk(ctx, one.Box, at(lab.Far), "outside", f.Address) },
		func() error { _, err := mustPing(ctx, one.Box, n.Gateway(), lab.Pings{}); return err },
		func() error { _, err := fetch(ctx, one, "/latest/meta-data/instance-id"); return err },
		func() error { _, err := one.Lease(ctx, "udhcpc"); return err },
		func() error { _, err := mute.Lease(ctx, "udhcpc"); return err },
	} {
		if err := may(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("members only; %d ports of Weft's own are not judged; a lease without any group", own), errors.Join(
		mustNotAsk(ctx, s.Lab.Outside, at(f.Address)), mustNotPing(ctx, s.Lab.Outside, f.Address),
		mustNotAsk(ctx, vm["stranger"].Box, at(addr(one))), mustNotAsk(ctx, one.Box, at(addr(vm["stranger"]))),
		mustNotPing(ctx, mute.Box, n.Gateway()), mustNotAsk(ctx, mute.Box, at(addr(one))), mustNotPing(ctx, one.Box, addr(mute)))
}

// unjudged counts the ports of a network that Weft has made for routers and DHCP, and fails if one of them is judged.
func unjudged(ctx context.Context, s *cloud.Scope, n *cloud.Network) (count int, err error) {
	list, err := s.Ports.ListPorts(ctx, &weftv1.ListPortsRequest{NetworkId: n.ID()})
	if err != nil {
		return 0, err
	}
	for _, p := range list.GetPorts() {
		if !strings.HasPrefix(p.GetDeviceOwner(), "network:") {
			continue
		}
		count++
		if p.GetPortSecurityEnabled() || len(p.GetSecurityGroups()) > 0 {
			return 0, fmt.Errorf("port %s of Weft's own (%s) is judged", p.GetMetadata().GetId(), p.GetDeviceOwner())
		}
	}
	if count < 2 {
		return 0, fmt.Errorf("%d ports of router and DHCP: nothing was measured", count)
	}
	return count, nil
}
