package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Policy is what the API tells of ports, security groups, rules and address groups, as package controller/policy judges by
// it: a second opinion on packets, which no table of a switch has a part in.
type Policy struct{ snapshot state.Snapshot }

// Answered says whether a packet that begins a conversation may get to the other end, and what answers to it back.
func (p Policy) Answered(from, to policy.End, packet policy.Packet) bool {
	return policy.May(p.snapshot, from, to, packet).Allowed() && policy.MayAnswer(p.snapshot, from, to, packet).Allowed()
}

// Policy asks the API.
func (c *Cloud) Policy(ctx context.Context) (Policy, error) {
	ports, err1 := c.Ports.ListPorts(ctx, &weftv1.ListPortsRequest{})
	groups, err2 := c.SecurityGroups.ListSecurityGroups(ctx, &weftv1.ListSecurityGroupsRequest{})
	rules, err3 := c.SecurityGroupRules.ListSecurityGroupRules(ctx, &weftv1.ListSecurityGroupRulesRequest{})
	addresses, err4 := c.AddressGroups.ListAddressGroups(ctx, &weftv1.ListAddressGroupsRequest{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Policy{}, err
	}
	for _, next := range []string{ports.GetNextPageToken(), groups.GetNextPageToken(), rules.GetNextPageToken(), addresses.GetNextPageToken()} {
		if next != "" {
			return Policy{}, errors.New("more objects than one page holds")
		}
	}
	db := state.New()
	txn := db.Begin()
	for _, p := range ports.GetPorts() {
		err1 = errors.Join(err1, put(txn, state.Ports, p, modelPort))
	}
	for _, g := range groups.GetSecuritygroups() {
		err1 = errors.Join(err1, put(txn, state.SecurityGroups, g, modelGroup))
	}
	for _, r := range rules.GetSecuritygrouprules() {
		err1 = errors.Join(err1, put(txn, state.SecurityGroupRules, r, modelRule))
	}
	for _, g := range addresses.GetAddressgroups() {
		err1 = errors.Join(err1, put(txn, state.AddressGroups, g, modelAddresses))
	}
	if err1 != nil {
		return Policy{}, err1
	}
	txn.Commit()
	return Policy{db.Snapshot()}, nil
}

func put[P interface{ GetMetadata() *weftv1.Metadata }, M any](txn *state.Txn, k state.Kind, p P, read func(P, model.Meta) (M, error)) error {
	m, err := read(p, model.Meta{ID: p.GetMetadata().GetId(), Name: p.GetMetadata().GetName(), ProjectID: p.GetMetadata().GetProjectId()})
	if err == nil {
		err = txn.Put(k, m)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", k, p.GetMetadata().GetId(), err)
	}
	return nil
}

func modelPort(p *weftv1.Port, meta model.Meta) (*model.Port, error) {
	mac, err := model.ParseMAC(p.GetMacAddress())
	m := &model.Port{
		Meta: meta, NetworkID: p.GetNetworkId(), MAC: mac, DeviceOwner: p.GetDeviceOwner(), DeviceID: p.GetDeviceId(),
		PortSecurityEnabled: p.GetPortSecurityEnabled(), SecurityGroups: p.GetSecurityGroups(),
	}
	for _, f := range p.GetFixedIps() {
		ip, e := netip.ParseAddr(f.GetIpAddress())
		err = errors.Join(err, e)
		m.FixedIPs = append(m.FixedIPs, model.FixedIP{SubnetID: f.GetSubnetId(), IP: ip})
	}
	for _, a := range p.GetAllowedAddressPairs() {
		ip, e := prefix(a.GetIpAddress())
		pair := model.AddressPair{IP: ip}
		if a.GetMacAddress() != "" {
			var e2 error
			pair.MAC, e2 = model.ParseMAC(a.GetMacAddress())
			e = errors.Join(e, e2)
		}
		err = errors.Join(err, e)
		m.AllowedAddressPairs = append(m.AllowedAddressPairs, pair)
	}
	return m, err
}

func modelGroup(g *weftv1.SecurityGroup, meta model.Meta) (*model.SecurityGroup, error) {
	return &model.SecurityGroup{Meta: meta, Stateful: g.GetStateful(), Default: g.GetStatus().GetIsDefault()}, nil
}

func modelRule(r *weftv1.SecurityGroupRule, meta model.Meta) (m *model.SecurityGroupRule, err error) {
	m = &model.SecurityGroupRule{
		Meta: meta, SecurityGroupID: r.GetSecurityGroupId(), Direction: r.GetDirection(), EtherType: r.GetEthertype(),
		RemoteGroupID: r.GetRemoteGroupId(), RemoteAddressGroupID: r.GetRemoteAddressGroupId(),
	}
	if r.GetProtocol() != "" {
		n, ok := model.ParseProtocol(r.GetProtocol())
		if !ok {
			return nil, fmt.Errorf("protocol %q", r.GetProtocol())
		}
		m.Protocol = &n
	}
	if r.PortRangeMin != nil {
		n := uint16(r.GetPortRangeMin())
		m.PortRangeMin = &n
	}
	if r.PortRangeMax != nil {
		n := uint16(r.GetPortRangeMax())
		m.PortRangeMax = &n
	}
	if r.GetRemoteIpPrefix() != "" {
		m.RemoteIPPrefix, err = netip.ParsePrefix(r.GetRemoteIpPrefix())
	}
	return m, err
}

func modelAddresses(g *weftv1.AddressGroup, meta model.Meta) (*model.AddressGroup, error) {
	m := &model.AddressGroup{Meta: meta}
	var errs error
	for _, a := range g.GetAddresses() {
		p, err := prefix(a)
		errs = errors.Join(errs, err)
		m.Addresses = append(m.Addresses, p)
	}
	return m, errs
}

// prefix reads a block, or an address, which is a block of one.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
