package checks

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// Firewall drivers of hosts.
const (
	inSwitch = "openvswitch"
	onBridge = "iptables_hybrid"
)

// driver says what judges the ports of a host.
func driver(ctx context.Context, s *cloud.Scope, host, name string) error {
	_, err := s.Hosts.UpdateHost(ctx, &weftv1.UpdateHostRequest{
		Host:       &weftv1.Host{Metadata: &weftv1.Metadata{Id: host}, FirewallDriver: name},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"firewall_driver"}}})
	if err != nil {
		return fmt.Errorf("firewall driver of %s: %w", host, err)
	}
	return nil
}

// bridge gives ports of the first two hosts firewall bridges, for as long as the check takes.
func bridge(ctx context.Context, s *cloud.Scope) error {
	for _, h := range s.Lab.Hosts[:2] {
		s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
		if err := driver(ctx, s, h.Name, onBridge); err != nil {
			return err
		}
	}
	return s.Settle(ctx)
}

func bridgedByRemoteGroup(ctx context.Context, s *cloud.Scope) (string, error) {
	if err := bridge(ctx, s); err != nil {
		return "", err
	}
	return byRemoteGroup(ctx, s)
}
