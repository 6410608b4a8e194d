package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// idleDriverMoves moves a host to firewall bridges, lets connections begin there, and moves it back while nobody says anything.
// Then the side speaks first that has not begun the connection: that is an answer, whatever the rules say of what its side may begin.
// When the rule goes by which they began, they are over.
func idleDriverMoves(ctx context.Context, s *cloud.Scope) (string, error) {
	h := s.Lab.Hosts[0]
	n, err := s.Network(ctx, "idle", &weftv1.Network{}, "10.0.12.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.AddSubnet(ctx, n, "fd00:12::/64"); err != nil {
		return "", err
	}
	// The server may begin nothing, and nobody may begin anything with the caller.
	server, err := s.EmptyGroup(ctx, "server")
	if err != nil {
		return "", err
	}
	caller, err := s.EmptyGroup(ctx, "caller")
	if err != nil {
		return "", err
	}
	var rules []*weftv1.SecurityGroupRule
	for _, protocol := range []string{"tcp", "udp"} {
		for _, g := range []struct {
			group     *weftv1.SecurityGroup
			direction string
		}{{server, "ingress"}, {caller, "egress"}} {
			for _, family := range []string{"IPv4", "IPv6"} {
				r, err := s.Allow(ctx, g.group, &weftv1.SecurityGroupRule{Direction: g.direction, Ethertype: family, Protocol: protocol,
					PortRangeMin: proto.Uint32(web), PortRangeMax: proto.Uint32(web + 3)})
				if err != nil {
					return "", err
				}
				rules = append(rules, r)
			}
		}
	}
	vm := map[string]*lab.VM{}
	for _, v := range []struct {
		name string
		host int
		want *weftv1.Port
	}{
		{"server", 0, &weftv1.Port{SecurityGroups: []string{server.GetMetadata().GetId()}}},
		{"caller", 0, &weftv1.Port{SecurityGroups: []string{caller.GetMetadata().GetId()}}},
		{"far", 1, &weftv1.Port{PortSecurityEnabled: proto.Bool(false)}},
	} {
		if vm[v.name], err = s.VMWith(ctx, n, v.name, s.Lab.Hosts[v.host].Name, v.want); err != nil {
			return "", err
		}
	}
	// The server's own firewall takes nothing that it holds for no part of a connection.
	for _, tool := range []string{"iptables", "ip6tables"} {
		if _, err := vm["server"].Box.Exec(ctx, tool, "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"); err != nil {
			return "", err
		}
	}
	s.Defer(func(ctx context.Context) error { return noBridges(ctx, h) })
	s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
	err = driver(ctx, s, h.Name, onBridge)
	if err == nil {
		err = s.Settle(ctx)
	}
	for _, name := range []string{"server", "caller"} {
		if err == nil {
			err = behindBridge(ctx, h, vm[name])
		}
	}
	if err != nil {
		return "", err
	}
	var lines []*lab.Line
	defer func() {
		for _, l := range lines {
			l.Close()
		}
	}()
	for i, way := range [][2]string{{"far", "server"}, {"caller", "far"}, {"caller", "server"}} {
		for _, protocol := range []string{"tcp", "udp"} {
			for _, a := range vm[way[1]].Addresses {

				l, err := lab.OpenLine(ctx, protocol, vm[way[0]].Box, vm[way[1]].Box, netip.AddrPortFrom(a.Addr(), web+uint16(i)))
				if err != nil {
					return "", err
				}
				lines = append(lines, l)
			}
		}
	}
	start := time.Now()
	if err := driver(ctx, s, h.Name, inSwitch); err != nil {
		return "", err
	}
	if err := errors.Join(s.Settle(ctx), noBridges(ctx, h)); err != nil {
		return "", err
	}
	took := time.Since(start)
	for _, l := range lines {
		if err := errors.Join(l.Say(lab.Answerer, time.Second), l.Say(lab.Opener, time.Second)); err != nil {
			return "", fmt.Errorf("moved back: %w", err)
		}
	}
	for _, r := range rules {
		if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()}); err != nil {
			return "", err
		}
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	for _, l := range lines {
		for _, end := range []int{lab.Answerer, lab.Opener} {
			if err := l.Say(end, 300*time.Millisecond); err == nil {
				return "", fmt.Errorf("%v: its rule is gone, and it goes on", l)
			}
		}
	}
	return fmt.Sprintf("moved in %s; %d idle connections went on, and were cut when their rules went", ms(took), len(lines)), nil
}
