package checks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// guarded is a network with servers that some may ask, and connections of every kind that are open.
//
//	world ── ext ── router ── net 10.0.16.0/24   first host: server (floating IP), near, bystander, outcast
//	                                             second host: far, listed, second
//
// The server may be asked at web by clients, near and far, and by the world; at web+1 by listed, who is in an address group;
// at web+2 by anybody. The second server is in another group.
type guarded struct {
	scope *cloud.Scope
	// driver is that of the hosts.
	driver    string
	groups    map[string]*weftv1.SecurityGroup
	addresses *weftv1.AddressGroup
	// fromWorld is the rule that lets the world in.
	fromWorld *weftv1.SecurityGroupRule
	vm        map[string]*lab.VM
	fip       netip.Addr
	open      []session
	// churned is how often churn has been done.
	churned int
}

// guard builds it and opens the connections.
func guard(ctx context.Context, s *cloud.Scope, driver string) (*guarded, error) {
	g := &guarded{scope: s, driver: driver, groups: map[string]*weftv1.SecurityGroup{}, vm: map[string]*lab.VM{}}
	ext, err := s.External(ctx, "ext", "172.24.16.0/24", 0)
	if err != nil {
		return nil, err
	}
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.16.0/24")
	if err != nil {
		return nil, err
	}
	if _, err := s.Router(ctx, "router", cloud.RouterOf(true, ext, n)); err != nil {
		return nil, err
	}
	listed := n.At(40)
	if g.addresses, err = s.AddressGroup(ctx, "list", listed.String()); err != nil {
		return nil, err
	}
	// Those whose rules name others come last, and go first.
	for _, name := range []string{"clients", "others", "server", "second"} {
		if g.groups[name], err = s.SecurityGroup(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, r := range []struct {
		group string
		port  uint32
		rule  *weftv1.SecurityGroupRule
	}{
		{"server", web, &weftv1.SecurityGroupRule{RemoteGroupId: g.id("clients")}},
		{"server", web, &weftv1.SecurityGroupRule{RemoteIpPrefix: ext.Gateway().String() + "/32"}},
		{"server", web + 1, &weftv1.SecurityGroupRule{RemoteAddressGroupId: g.addresses.GetMetadata().GetId()}},
		{"server", web + 2, &weftv1.SecurityGroupRule{}},
		{"second", web, &weftv1.SecurityGroupRule{}},
	} {
		r.rule.Direction, r.rule.Protocol, r.rule.PortRangeMin, r.rule.PortRangeMax = "ingress", "tcp", &r.port, &r.port
		made, err := s.Allow(ctx, g.groups[r.group], r.rule)
		if err != nil {
			return nil, err
		}
		if made.GetRemoteIpPrefix() != "" {
			g.fromWorld = made
		}
	}
	var all []cloud.Wanted
	for i, v := range []struct {
		name, group string
		host        int
	}{{"server", "server", 0}, {"near", "clients", 0}, {"bystander", "others", 0}, {"far", "clients", 1}, {"listed", "others", 1}, {"second", "second", 1}, {"outcast", "others", 0}} {
		port := &weftv1.Port{SecurityGroups: []string{g.id(v.group)}, FixedIps: []*weftv1.FixedIP{{IpAddress: n.At(byte(36 + i)).String()}}}
		all = append(all, cloud.Wanted{Network: n, Name: v.name, Host: s.Lab.Hosts[v.host].Name, Port: port})
	}
	vms, err := s.VMs(ctx, all)
	if err != nil {
		return nil, err
	}
	for i, vm := range vms {
		g.vm[all[i].Name] = vm
	}
	for _, name := range []string{"server", "second"} {
		if err := serve(ctx, s, g.vm[name].Box, web, web+1, web+2); err != nil {
			return nil, err
		}
	}
	f, err := s.FloatingIP(ctx, ext, g.vm["server"].PortID)
	if err != nil {
		return nil, err
	}
	g.fip = f.Address
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	return g, g.connect(ctx)
}

func (g *guarded) id(group string) string { return g.groups[group].GetMetadata().GetId() }

// The connections.
const (
	bySameHost     = "same host"
	byTunnel       = "tunnel"
	byFloatingIP   = "floating IP"
	byAddressGroup = "address group"
	bySecondGroup  = "second server"
	byAnybody      = "anybody's port"
)

// connect opens one connection for each reason to be allowed.
func (g *guarded) connect(ctx context.Context) error {
	server := addr(g.vm["server"])
	for _, c := range []struct {
		what string
		from *lab.VM
		to   netip.AddrPort
	}{
		{bySameHost, g.vm["near"], at(server)},
		{byTunnel, g.vm["far"], at(server)},
		{byFloatingIP, nil, at(g.fip)},
		{byAddressGroup, g.vm["listed"], netip.AddrPortFrom(server, web+1)},
		{bySecondGroup, g.vm["near"], at(addr(g.vm["second"]))},
		{byAnybody, g.vm["far"], netip.AddrPortFrom(server, web+2)},
	} {
		box := g.scope.Lab.Outside
		if c.from != nil {
			box = c.from.Box
		}
		one, err := g.scope.Lab.StartSession(ctx, box, c.to)
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		g.scope.Defer(func(ctx context.Context) error { _, err := one.Stop(ctx); return err })
		g.open = append(g.open, session{c.what, one})
	}
	return nil
}

// live waits until all open connections have carried more, and answers the longest gap that one of them ever had.
func (g *guarded) live(ctx context.Context) (longest time.Duration, err error) {
	for _, one := range g.open {
		if err := one.Await(ctx, 80, 20*time.Second); err != nil {
			return 0, fmt.Errorf("%s: %w", one.what, err)
		}
		r, err := one.Now()
		if err != nil {
			return 0, err
		}
		longest = max(longest, r.LongestGap)
	}
	return longest, nil
}

// regroup gives a VM's port one security group.
func (g *guarded) regroup(ctx context.Context, vm, group string) error {
	_, err := g.scope.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: g.vm[vm].PortID}, SecurityGroups: []string{g.id(group)}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"security_groups"}}})
	return err
}

// list gives the address group these addresses.
func (g *guarded) list(ctx context.Context, addresses ...string) error {
	_, err := g.scope.AddressGroups.UpdateAddressGroup(ctx, &weftv1.UpdateAddressGroupRequest{
		Addressgroup: &weftv1.AddressGroup{Metadata: &weftv1.Metadata{Id: g.addresses.GetMetadata().GetId()}, Addresses: addresses},
		UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"addresses"}}})
	return err
}

func (g *guarded) deleteRule(ctx context.Context, r *weftv1.SecurityGroupRule) error {
	_, err := g.scope.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()})
	return err
}

// unrelated is how many changes are made that have nothing to do with the connections.
const unrelated = 1000

// churn makes them, at random: rules, members and addresses come and go, of the very groups that allow the connections. Some rules
// stay.
func (g *guarded) churn(ctx context.Context) error {
	listed := addr(g.vm["listed"]).String()
	r := rand.New(rand.NewPCG(unrelated, uint64(g.churned)))
	first := g.churned * 2 * unrelated // no rule twice
	g.churned++
	var rules []*weftv1.SecurityGroupRule
	for i := range unrelated {
		var err error
		switch what := r.IntN(4); {
		case what == 0 && len(rules) > 0:
			gone := r.IntN(len(rules))
			err = g.deleteRule(ctx, rules[gone])
			rules = slices.Delete(rules, gone, gone+1)
		case what <= 1 && len(rules) < 40:
			var made *weftv1.SecurityGroupRule
			made, err = g.scope.Allow(ctx, g.groups[[]string{"server", "second", "others"}[r.IntN(3)]], g.harmless(r, first+i))
			rules = append(rules, made)
		case what == 2:
			err = g.regroup(ctx, "bystander", []string{"clients", "others"}[r.IntN(2)])
		default:
			more := []string{listed, fmt.Sprintf("203.0.113.%d", r.IntN(250)), fmt.Sprintf("198.18.%d.0/24", r.IntN(250))}
			err = g.list(ctx, more[:1+r.IntN(len(more))]...)
		}
		if err != nil {
			return fmt.Errorf("change %d: %w", i, err)
		}
	}
	if err := errors.Join(g.regroup(ctx, "bystander", "others"), g.list(ctx, listed)); err != nil {
		return err
	}
	return g.scope.Settle(ctx)
}

// harmless is the rule of the change with that number: one that nobody here makes use of. It names a group that goes later than
// those that get it.
func (g *guarded) harmless(r *rand.Rand, i int) *weftv1.SecurityGroupRule {
	rule := &weftv1.SecurityGroupRule{Direction: "ingress", Protocol: "udp",
		PortRangeMin: proto.Uint32(uint32(1000 + i)), PortRangeMax: proto.Uint32(uint32(1000 + i + r.IntN(100)))}
	switch r.IntN(3) {
	case 0:
		rule.RemoteIpPrefix = fmt.Sprintf("192.0.2.%d/32", r.IntN(250))
	case 1:
		rule.RemoteGroupId = g.id([]string{"clients", "others"}[r.IntN(2)])
	default:
		rule.RemoteAddressGroupId = g.addresses.GetMetadata().GetId()
	}
	return rule
}

// rowTable is the number of a row's table.
var rowTable = regexp.MustCompile(`table=(\d+),`)

// firewallTables are the first and the last table of the firewall in br-int.
var firewallTables = [2]int{71, 94}

// rows are the rows of all bridges of the first two hosts, those of the firewall's tables apart.
func (g *guarded) rows(ctx context.Context) (others, firewall string, err error) {
	var kept, judging strings.Builder
	for _, h := range g.scope.Lab.Hosts[:2] {
		for _, bridge := range []string{"br-int", "br-tun", "br-ex"} {
			rows, err := h.Flows(ctx, bridge)
			if err != nil {
				return "", "", err
			}
			for row := range strings.Lines(rows) {
				table := 0
				if m := rowTable.FindStringSubmatch(row); m != nil {
					if table, err = strconv.Atoi(m[1]); err != nil {
						return "", "", err
					}
				}
				to := &kept
				if bridge == "br-int" && table >= firewallTables[0] && table <= firewallTables[1] {
					to = &judging
				}
				fmt.Fprintf(to, "%s %s %s\n", h.Name, bridge, strings.TrimSpace(row))
			}
		}
	}
	return kept.String(), judging.String(), nil
}

// foreignMods counts what the controller has sent to bridges that no firewall is in.
func (g *guarded) foreignMods(ctx context.Context) (sum int64, err error) {
	list, err := g.scope.Hosts.ListHosts(ctx, &weftv1.ListHostsRequest{})
	if err != nil {
		return 0, err
	}
	for _, h := range list.GetHosts() {
		for _, b := range h.GetStatus().GetBridges() {
			if b.GetName() != "br-int" {
				sum += b.GetFlowMods()
			}
		}
	}
	return sum, nil
}
