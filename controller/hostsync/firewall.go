package hostsync

import (
	"fmt"
	"slices"

	"github.com/weft-sdn/weft/controller/view"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// firewalls are the resources that firewall bridges are made of.
func firewalls(res view.Resources) []*nodev1.Resource {
	var out []*nodev1.Resource
	for _, f := range res.Firewalls {
		out = append(out, &nodev1.Resource{Name: firewallName(f.PortID), Spec: &nodev1.Resource_Firewall{Firewall: firewall(f)}})
	}
	for _, g := range res.GroupSets {
		set := &nodev1.GroupSet{Number: g.Number}
		for _, r := range g.Rules {
			set.Rules = append(set.Rules, rule(r))
		}
		out = append(out, &nodev1.Resource{Name: fmt.Sprintf("groupset/%d", g.Number), Spec: &nodev1.Resource_GroupSet{GroupSet: set}})
	}
	for _, g := range res.RemoteGroups {
		out = append(out, &nodev1.Resource{Name: "remotegroup/" + g.ID, Spec: &nodev1.Resource_RemoteGroup{RemoteGroup: &nodev1.RemoteGroup{GroupId: g.ID}}})
	}
	for _, r := range res.Remotes {
		a := &nodev1.RemoteAddress{IpPrefix: r.Prefix.String()}
		for _, g := range append(r.Egress, r.Ingress...) {
			a.GroupIds = append(a.GroupIds, g.ID)
		}
		slices.Sort(a.GroupIds)
		a.GroupIds = slices.Compact(a.GroupIds)
		out = append(out, &nodev1.Resource{Name: "remoteaddress/" + a.IpPrefix, Spec: &nodev1.Resource_RemoteAddress{RemoteAddress: a}})
	}
	return out
}

func firewallName(port string) string { return "firewall/" + port }

func firewall(f view.Firewall) *nodev1.PortFirewall {
	out := &nodev1.PortFirewall{PortId: f.PortID, Interface: f.Interface, MacAddress: f.MAC.String(), NetworkId: f.NetworkID, Mtu: uint32(f.MTU),
		Vlan: uint32(f.VLAN), GroupSet: f.Security.Set.Number, Stateless: f.Security.Set.Stateless, Leaving: f.Leaving}
	for _, s := range f.Security.Senders {
		out.Senders = append(out.Senders, &nodev1.Sender{MacAddress: s.MAC.String(), IpPrefix: s.IP.String()})
	}
	return out
}

func rule(r view.Rule) *nodev1.FirewallRule {
	out := &nodev1.FirewallRule{Id: r.ID, Ingress: r.Ingress, Ipv6: r.IPv6, Protocol: wide(r.Protocol), PortRangeMin: wide(r.Min), PortRangeMax: wide(r.Max),
		RemoteGroupId: r.RemoteID}
	if r.Prefix.IsValid() {
		out.RemoteIpPrefix = r.Prefix.String()
	}
	return out
}

func wide[T uint8 | uint16](n *T) *uint32 {
	if n == nil {
		return nil
	}
	w := uint32(*n)
	return &w
}
