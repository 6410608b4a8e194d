package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// audience are machines that have asked a teller once, or opened a connection to it, and say nothing more: only answers can show
// that they are cut.
//
//	net 10.0.18.0/24   first host: teller, near       second host: far, bound
//
// The teller may be asked by UDP at web by members of the group of far, at web+1 and web+2 by all; by TCP at web and web+1 by all.
// Bound may only ask by UDP at web+2.
type audience struct {
	guarded
	rules map[string]*weftv1.SecurityGroupRule
	tales map[string]*lab.Tale
	lines map[string]*lab.Line
}

// Names of rules, and of what is heard by them.
const (
	oneRule, member, askersRule = "rule removed", "member left", "asker's rule removed"
	idle                        = "idle TCP"
	stays, idleStays            = "UDP that stays", "idle TCP that stays"
	overTunnel                  = ", tunnel"
)

// kept are those that rules go on to allow.
var kept = []string{stays, stays + overTunnel, idleStays}

func gather(ctx context.Context, s *cloud.Scope, driver string) (*audience, error) {
	a := &audience{guarded: guarded{scope: s, driver: driver, groups: map[string]*weftv1.SecurityGroup{}, vm: map[string]*lab.VM{}},
		rules: map[string]*weftv1.SecurityGroupRule{}, tales: map[string]*lab.Tale{}, lines: map[string]*lab.Line{}}
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.18.0/24")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"askers", "others", "teller"} {
		if a.groups[name], err = s.SecurityGroup(ctx, name); err != nil {
			return nil, err
		}
	}
	if a.groups["bound"], err = s.EmptyGroup(ctx, "bound"); err != nil {
		return nil, err
	}
	for _, r := range []struct {
		name, group, direction, protocol string
		port                             uint32
		remote                           string
	}{
		{oneRule, "teller", "ingress", "udp", web + 1, ""}, {member, "teller", "ingress", "udp", web, a.id("askers")}, {stays, "teller", "ingress", "udp", web + 2, ""},
		{idle, "teller", "ingress", "tcp", web, ""}, {idleStays, "teller", "ingress", "tcp", web + 1, ""}, {askersRule, "bound", "egress", "udp", web + 2, ""},
	} {
		if a.rules[r.name], err = s.Allow(ctx, a.groups[r.group], &weftv1.SecurityGroupRule{Direction: r.direction, Ethertype: "IPv4", Protocol: r.protocol,
			PortRangeMin: proto.Uint32(r.port), PortRangeMax: proto.Uint32(r.port), RemoteGroupId: r.remote}); err != nil {
			return nil, err
		}
	}
	var all []cloud.Wanted
	for _, v := range []struct {
		name, group string
		host        int
	}{{"teller", "teller", 0}, {"near", "others", 0}, {"far", "askers", 1}, {"bound", "bound", 1}} {
		all = append(all, cloud.Wanted{Network: n, Name: v.name, Host: s.Lab.Hosts[v.host].Name, Port: &weftv1.Port{SecurityGroups: []string{a.id(v.group)}}})
	}
	vms, err := s.VMs(ctx, all)
	if err != nil {
		return nil, err
	}
	for i, vm := range vms {
		a.vm[all[i].Name] = vm
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	return a, a.begin(ctx)
}

// begin has everybody ask once, and waits until answers come.
func (a *audience) begin(ctx context.Context) error {
	teller := a.vm["teller"]
	if err := a.scope.Lab.StartTeller(ctx, teller.Box, web, web+1, web+2); err != nil {
		return err
	}
	for _, h := range []struct {
		what, vm string
		port     uint16
	}{{oneRule, "near", web + 1}, {member, "far", web}, {askersRule, "bound", web + 2}, {stays, "near", web + 2}, {stays + overTunnel, "far", web + 2}} {
		t, err := a.scope.Lab.Listen(ctx, a.vm[h.vm].Box, netip.AddrPortFrom(addr(teller), h.port))
		if err != nil {
			return fmt.Errorf("%s: %w", h.what, err)
		}
		a.scope.Defer(t.Stop)
		a.tales[h.what] = t
		if err := t.Await(ctx, 100, 10*time.Second); err != nil {
			return fmt.Errorf("%s: %w", h.what, err)
		}
	}
	for _, h := range []struct {
		what, vm string
		port     uint16
	}{{idle, "near", web}, {idle + overTunnel, "far", web}, {idleStays, "near", web + 1}} {
		line, err := lab.OpenLine(ctx, "tcp", lab.Way{From: a.vm[h.vm].Box, To: teller.Box, Called: addr(teller)}, h.port)
		if err != nil {
			return fmt.Errorf("%s: %w", h.what, err)
		}
		a.scope.Defer(func(context.Context) error { line.Close(); return nil })
		a.lines[h.what] = line
	}
	return nil
}

// answersCut forbids streams that only flow back, one after the other, and connections in which nobody speaks before the
// rule has gone. What others allow goes on without a message lost.
func answersCut(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	a, err := gather(ctx, s, driver)
	if err != nil {
		return "", err
	}
	if err := a.deleteRule(ctx, a.rules[idle]); err != nil {
		return "", err
	}
	var told []string
	heard := map[string]uint64{}
	for _, forbid := range []struct {
		what string
		do   func() error
	}{
		{oneRule, func() error { return a.deleteRule(ctx, a.rules[oneRule]) }},
		{member, func() error { return a.regroup(ctx, "far", "others") }},
		{askersRule, func() error { return a.deleteRule(ctx, a.rules[askersRule]) }},
	} {
		start := time.Now()
		if err := forbid.do(); err != nil {
			return "", fmt.Errorf("%s: %w", forbid.what, err)
		}
		took, err := stalled(ctx, a.tales[forbid.what].Received, start)
		if err == nil {
			heard[forbid.what], err = a.tales[forbid.what].Received()
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", forbid.what, err)
		}
		told = append(told, fmt.Sprintf("%s %s", forbid.what, ms(took)))
	}
	messages, err := a.stayCut(ctx, heard)
	return fmt.Sprintf("%s; idle connections stay silent; none of %d other messages lost", strings.Join(told, ", "), messages), err
}

// stayCut has the teller speak in connections that were idle, and looks at what was heard of all: of those that are cut nothing
// more, of the others every message.
func (a *audience) stayCut(ctx context.Context, heard map[string]uint64) (messages uint64, err error) {
	var bad []error
	for what, line := range a.lines {
		switch err := line.Say(lab.Answerer, time.Second); {
		case err == nil && !slices.Contains(kept, what):
			bad = append(bad, fmt.Errorf("%s: its rule is gone, and what the teller says is heard", what))
		case err != nil && slices.Contains(kept, what):
			bad = append(bad, fmt.Errorf("%s: %w", what, err))
		}
	}
	for what, t := range a.tales {
		r, err := t.Now()
		switch {
		case err != nil:
			return 0, err
		case slices.Contains(kept, what):
			messages += r.Heard
			if r.Missing > 0 {
				bad = append(bad, fmt.Errorf("%s: %d messages of %d are missing", what, r.Missing, r.Heard))
			}
			bad = append(bad, t.Await(ctx, 100, 10*time.Second))
		case r.Heard != heard[what]:
			bad = append(bad, fmt.Errorf("%s: %d messages came after it was cut", what, r.Heard-heard[what]))
		}
	}
	return messages, errors.Join(bad...)
}
