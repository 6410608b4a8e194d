package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
)

func named(m *model.Meta) []string {
	if m.Name == "" {
		return nil
	}
	return []string{m.Name}
}

// optional leaves objects with an empty value out of an index.
func optional(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// table is a kind's indexes.
type table struct {
	id     *index
	all    []*index
	byName map[string]*index
}

// tables are all kinds, and indexCount is how many indexes they have.
var tables, indexCount = schema()

func schema() (map[Kind]*table, int) {
	type indexes map[string]*index
	kinds := map[Kind]indexes{
		Networks: {
			"id":   byKey[model.Network](),
			"name": by(func(o *model.Network) []string { return named(&o.Meta) }),
			"segment": by(func(o *model.Network) []string {
				return []string{o.Type, o.PhysicalNetwork, fmt.Sprint(o.SegmentID)}
			}),
			"qos": by(func(o *model.Network) []string { return optional(o.QoSPolicyID) }),
		},
		Subnets: {
			"id":      byKey[model.Subnet](),
			"name":    by(func(o *model.Subnet) []string { return named(&o.Meta) }),
			"network": by(func(o *model.Subnet) []string { return []string{o.NetworkID} }),
		},
		Ports: {
			"id":      byKey[model.Port](),
			"name":    by(func(o *model.Port) []string { return named(&o.Meta) }),
			"network": by(func(o *model.Port) []string { return []string{o.NetworkID} }),
			"mac":     by(func(o *model.Port) []string { return []string{o.NetworkID, o.MAC.String()} }),
			"anymac":  by(func(o *model.Port) []string { return []string{o.MAC.String()} }),
			"device":  by(func(o *model.Port) []string { return optional(o.DeviceID) }),
			"wanted":  by(func(o *model.Port) []string { return optional(o.BindingHostID) }),
			// In order of owner, so that AnyOwned finds ours together.
			"netowner": by(func(o *model.Port) []string {
				if o.DeviceOwner == "" {
					return nil
				}
				return []string{o.NetworkID, o.DeviceOwner}
			}),
			"secured": many(func(o *model.Port) (keys [][]string) {
				if !o.PortSecurityEnabled {
					return nil
				}
				for _, id := range o.SecurityGroups {
					keys = append(keys, []string{id})
				}
				return keys
			}),
			"groupset": by(func(o *model.Port) []string {
				if !o.PortSecurityEnabled {
					return nil
				}
				return []string{o.GroupSetKey()}
			}),
			"member":  many(memberKeys),
			"station": many(stationKeys),
			"qos":     by(func(o *model.Port) []string { return optional(o.QoSPolicyID) }),
			"allowed": many(func(o *model.Port) (keys [][]string) {
				for _, a := range o.AllowedAddressPairs {
					if a.IP.IsSingleIP() {
						keys = append(keys, []string{o.NetworkID, a.IP.Addr().String()})
					}
				}
				return keys
			}),
			"ip": many(func(o *model.Port) (keys [][]string) {
				for _, f := range o.FixedIPs {
					keys = append(keys, []string{o.NetworkID, f.IP.String()})
				}
				return keys
			}),
			"subnet": many(func(o *model.Port) (keys [][]string) {
				seen := map[string]bool{}
				for _, f := range o.FixedIPs {
					if !seen[f.SubnetID] {
						seen[f.SubnetID] = true
						keys = append(keys, []string{f.SubnetID})
					}
				}
				return keys
			}),
		},
		Hosts: {
			"id":   byKey[model.Host](),
			"name": by(func(o *model.Host) []string { return named(&o.Meta) }),
		},
		HostFacts: {"id": byKey[model.HostFacts]()},
		Interfaces: {
			"id":      byKey[model.Interface](),
			"ifaceid": by(func(o *model.Interface) []string { return optional(o.IfaceID) }),
			"mac":     by(func(o *model.Interface) []string { return optional(o.AttachedMAC) }),
		},
		Bindings: {
			"id":      byKey[model.Binding](),
			"network": by(func(o *model.Binding) []string { return []string{o.NetworkID} }),
			// Those of a host, too.
			"hostnet": by(func(o *model.Binding) []string { return []string{o.Host, o.NetworkID} }),
		},
		LocalVLANs: {
			"id":      byKey[model.LocalVLAN](),
			"network": by(func(o *model.LocalVLAN) []string { return []string{o.NetworkID} }),
		},
		PortStates: {"id": byKey[model.PortState]()},
		Routers: {
			"id":   byKey[model.Router](),
			"name": by(func(o *model.Router) []string { return named(&o.Meta) }),
			"gateway": by(func(o *model.Router) []string {
				if o.Gateway == nil {
					return nil
				}
				return []string{o.Gateway.NetworkID}
			}),
		},
		FloatingIPs: {
			"id":      byKey[model.FloatingIP](),
			"name":    by(func(o *model.FloatingIP) []string { return named(&o.Meta) }),
			"network": by(func(o *model.FloatingIP) []string { return []string{o.FloatingNetworkID} }),
			"address": by(func(o *model.FloatingIP) []string { return []string{o.Address.String()} }),
			"port":    by(func(o *model.FloatingIP) []string { return optional(o.PortID) }),
			"router":  by(func(o *model.FloatingIP) []string { return optional(o.RouterID) }),
			"rule": by(func(o *model.FloatingIP) []string {
				if o.RulePriority == 0 {
					return nil
				}
				return []string{o.RouterID, fmt.Sprint(o.RulePriority)}
			}),
		},
		PortForwardings: {
			"id":         byKey[model.PortForwarding](),
			"name":       by(func(o *model.PortForwarding) []string { return named(&o.Meta) }),
			"floatingip": by(func(o *model.PortForwarding) []string { return []string{o.FloatingIPID} }),
			"port":       by(func(o *model.PortForwarding) []string { return []string{o.InternalPortID} }),
		},
		RouterHosts: {
			"id":     byKey[model.RouterHost](),
			"router": by(func(o *model.RouterHost) []string { return []string{o.RouterID} }),
			"host":   by(func(o *model.RouterHost) []string { return []string{o.Host} }),
		},
		Schedules: {
			"id": byKey[model.Schedule](),
			"host": many(func(o *model.Schedule) (keys [][]string) {
				for _, host := range o.Hosts() {
					keys = append(keys, []string{host})
				}
				return keys
			}),
		},
		HostHealths: {"id": byKey[model.HostHealth]()},
		SwitchFacts: {"id": byKey[model.SwitchFacts]()},
		SecurityGroups: {
			"id":      byKey[model.SecurityGroup](),
			"name":    by(func(o *model.SecurityGroup) []string { return named(&o.Meta) }),
			"project": by(func(o *model.SecurityGroup) []string { return []string{o.ProjectID} }),
			"number":  by(func(o *model.SecurityGroup) []string { return []string{fmt.Sprint(o.Number)} }),
		},
		SecurityGroupRules: {
			"id":           byKey[model.SecurityGroupRule](),
			"name":         by(func(o *model.SecurityGroupRule) []string { return named(&o.Meta) }),
			"group":        by(func(o *model.SecurityGroupRule) []string { return []string{o.SecurityGroupID} }),
			"remotegroup":  by(func(o *model.SecurityGroupRule) []string { return optional(o.RemoteGroupID) }),
			"addressgroup": by(func(o *model.SecurityGroupRule) []string { return optional(o.RemoteAddressGroupID) }),
		},
		AddressGroups: {
			"id":      byKey[model.AddressGroup](),
			"name":    by(func(o *model.AddressGroup) []string { return named(&o.Meta) }),
			"address": many(addressKeys),
			"number":  by(func(o *model.AddressGroup) []string { return []string{fmt.Sprint(o.Number)} }),
		},
		GroupSets: {
			"id":     byKey[model.GroupSet](),
			"number": by(func(o *model.GroupSet) []string { return []string{fmt.Sprint(o.Number)} }),
		},
		QoSPolicies: {
			"id":   byKey[model.QoSPolicy](),
			"name": by(func(o *model.QoSPolicy) []string { return named(&o.Meta) }),
		},
	}
	// In order of name, so that every process numbers them alike.
	tables, n := map[Kind]*table{}, 0
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t := &table{id: kinds[k][byID], byName: kinds[k]}
		for _, name := range slices.Sorted(maps.Keys(kinds[k])) {
			i := kinds[k][name]
			i.name, i.number = name, n
			n++
			t.all = append(t.all, i)
		}
		tables[k] = t
	}
	return tables, n
}
