package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// judged are checks of security groups.
var judged = []Check{
	judgedBy("default security group", defaultGroup, inSwitch),
	judgedBy("default security group", defaultGroup, onBridge),
	{Name: "security groups by remote group", Hosts: 2, Run: byRemoteGroup},
	judgedBy("connections live through changes, restarts", connectionsLive, inSwitch),
	judgedBy("connections live through changes, restarts", connectionsLive, onBridge),
	judgedBy("connections that are forbidden are cut", connectionsCut, inSwitch),
	judgedBy("connections that are forbidden are cut", connectionsCut, onBridge),
	judgedBy("answers that are forbidden are cut", answersCut, inSwitch),
	judgedBy("answers that are forbidden are cut", answersCut, onBridge),
	judgedBy("a hostile machine", hostile, inSwitch),
	judgedBy("a hostile machine in a provider's VLAN", hostileInVLAN, inSwitch),
	judgedBy("a hostile machine", hostile, onBridge),
	judgedBy("a hostile machine in a provider's VLAN", hostileInVLAN, onBridge),
	judgedBy("a trace says what packets do", tracedRules, inSwitch),
	judgedBy("a trace says what packets do", tracedRules, onBridge),
	{Name: "nobody inherits connections", Hosts: 1, Run: heirs},
	{Name: "firewall bridge by remote group", Hosts: 2, Run: bridgedByRemoteGroup},
	{Name: "firewall bridge stops spoofing", Hosts: 2, Run: bridgeStopsSpoofing},
	{Name: "firewall bridge heals", Hosts: 2, Run: bridgeHeals},
	{Name: "firewall bridge of os-vif is adopted", Hosts: 2, Run: foreignBridge},
	{Name: "a host moves to firewall bridges and back", Hosts: 2, Run: driverMoves},
	{Name: "a host moves both ways, connections are idle", Hosts: 2, Run: idleDriverMoves},
}

// judgedBy is a check of two hosts whose ports are judged by one of the firewalls.
func judgedBy(name string, run func(ctx context.Context, s *cloud.Scope, driver string) (string, error), driver string) Check {
	if driver == onBridge {
		name += ", bridge"
	}
	return Check{Name: name, Hosts: 2, Run: func(ctx context.Context, s *cloud.Scope) (string, error) {
		if driver == onBridge {
			if err := bridge(ctx, s); err != nil {
				return "", err
			}
		}
		return run(ctx, s, driver)
	}}
}

// byRemoteGroup has a server that members of one group may ask, and nobody else: on the same host and on another. Whom a new rule
// allows may ask at once, and so may who joins; when the rule goes, an open connection is cut.
func byRemoteGroup(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "judged", &weftv1.Network{}, "10.0.6.0/24")
	if err != nil {
		return "", err
	}
	groups := map[string]*weftv1.SecurityGroup{}
	for _, name := range []string{"servers", "clients", "others"} {
		if groups[name], err = s.SecurityGroup(ctx, name); err != nil {
			return "", err
		}
	}
	rule, err := s.Allow(ctx, groups["servers"], &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4", Protocol: "tcp",
		PortRangeMin: proto.Uint32(web), PortRangeMax: proto.Uint32(web), RemoteGroupId: groups["clients"].GetMetadata().GetId()})
	if err != nil {
		return "", err
	}
	vms := map[string]*lab.VM{}
	for _, v := range []struct {
		name, group string
		host        int
	}{{"server", "servers", 0}, {"near", "clients", 0}, {"far", "clients", 1}, {"stranger", "others", 1}} {
		want := &weftv1.Port{SecurityGroups: []string{groups[v.group].GetMetadata().GetId()}}
		if vms[v.name], err = s.VMWith(ctx, n, v.name, s.Lab.Hosts[v.host].Name, want); err != nil {
			return "", err
		}
	}
	server, far, stranger := vms["server"], vms["far"], vms["stranger"]
	if err := serve(ctx, s, server.Box, web, web+1); err != nil {
		return "", err
	}
	if err := serve(ctx, s, far.Box, web); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	door := at(addr(server))
	for _, vm := range []*lab.VM{vms["near"], far} {
		if err := mustAsk(ctx, vm.Box, door, server.Name, addr(vm)); err != nil {
			return "", err
		}
		if err := mustNotAsk(ctx, vm.Box, netip.AddrPortFrom(door.Addr(), web+1)); err != nil {
			return "", fmt.Errorf("another port: %w", err)
		}
		if err := mustNotPing(ctx, vm.Box, door.Addr()); err != nil {
			return "", fmt.Errorf("another protocol: %w", err)
		}
	}
	if err := errors.Join(mustNotAsk(ctx, stranger.Box, door), mustNotAsk(ctx, server.Box, at(addr(far)))); err != nil {
		return "", err
	}
	second := uint32(web + 1)
	let, err := admitted(ctx, s, stranger, netip.AddrPortFrom(door.Addr(), web+1), groups["servers"], &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4",
		Protocol: "tcp", PortRangeMin: &second, PortRangeMax: &second, RemoteIpPrefix: addr(stranger).String() + "/32"})
	if err != nil {
		return "", err
	}
	joined, err := joins(ctx, s, stranger, groups["clients"])
	if err != nil {
		return "", err
	}
	if err := mustAsk(ctx, stranger.Box, door, server.Name, addr(stranger)); err != nil {
		return "", fmt.Errorf("after it joined: %w", err)
	}
	cut, err := cutByRule(ctx, s, far, door, rule)
	if err != nil {
		return "", err
	}
	if err := mustNotAsk(ctx, far.Box, door); err != nil {
		return "", fmt.Errorf("after the rule was gone: %w", err)
	}
	return fmt.Sprintf("members only, one port only; let in %s after the call for a rule; a new member after %s; cut %s after the rule was gone", ms(let), ms(joined), ms(cut)), nil
}

// joins puts a VM's port into one group, and says how long it took until all hosts knew.
func joins(ctx context.Context, s *cloud.Scope, vm *lab.VM, g *weftv1.SecurityGroup) (time.Duration, error) {
	start := time.Now()
	_, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: vm.PortID}, SecurityGroups: []string{g.GetMetadata().GetId()}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"security_groups"}}})
	if err == nil {
		err = s.Settle(ctx)
	}
	return time.Since(start), err
}

// cutByRule takes a rule away under a connection that it allowed.
func cutByRule(ctx context.Context, s *cloud.Scope, from *lab.VM, to netip.AddrPort, rule *weftv1.SecurityGroupRule) (time.Duration, error) {
	doomed, err := s.Lab.StartSession(ctx, from.Box, to)
	if err != nil {
		return 0, err
	}
	s.Defer(func(ctx context.Context) error { _, err := doomed.Stop(ctx); return err })
	if err := doomed.Await(ctx, 400, limit); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: rule.GetMetadata().GetId()}); err != nil {
		return 0, err
	}
	took, err := stalled(ctx, doomed.Received, start)
	if err != nil {
		return 0, fmt.Errorf("after the rule was gone: %w", err)
	}
	return took, nil
}

// stalled waits until nothing passes a connection any more, and says when the last of it came back: within a second.
func stalled(ctx context.Context, received func() (uint64, error), start time.Time) (time.Duration, error) {
	const quiet = 300 * time.Millisecond
	var last uint64
	var at time.Time
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := received()
		if err != nil {
			return 0, err
		}
		switch {
		case at.IsZero() || now != last:
			last, at = now, time.Now()
		case time.Since(at) > quiet:
			return at.Sub(start), nil
		}
		if at.Sub(start) > time.Second {
			return 0, fmt.Errorf("the connection still passes something after %s", ms(at.Sub(start)))
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
