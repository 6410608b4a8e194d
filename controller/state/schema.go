package state

import (
	"fmt"

	"github.com/hashicorp/go-memdb"

	"github.com/weft-sdn/weft/controller/model"
)

// index is a memdb index made of one function: the parts of the key of an object, in order; nil when it has none.
type index[T any] func(*T) []string

// sep ends each part of an index key, so that a part is never the beginning of another.
const sep = "\x00"

func join(parts []string) []byte {
	n := 0
	for _, p := range parts {
		n += len(p) + len(sep)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = append(append(b, p...), sep...)
	}
	return b
}

func (f index[T]) FromObject(raw any) (bool, []byte, error) {
	o, ok := raw.(*T)
	if !ok {
		return false, nil, fmt.Errorf("is a %T, not a %T", raw, o)
	}
	parts := f(o)
	return parts != nil, join(parts), nil
}

func (f index[T]) FromArgs(args ...any) ([]byte, error) { return fromArgs(args) }

// PrefixFromArgs makes <index>_prefix queries possible: the last part may be cut short.
func (f index[T]) PrefixFromArgs(args ...any) ([]byte, error) {
	b, err := fromArgs(args)
	if err != nil {
		return nil, err
	}
	return b[:len(b)-len(sep)], nil
}

// multi is an index with any number of keys an object.
type multi[T any] func(*T) [][]string

func (f multi[T]) FromObject(raw any) (bool, [][]byte, error) {
	o, ok := raw.(*T)
	if !ok {
		return false, nil, fmt.Errorf("is a %T, not a %T", raw, o)
	}
	var keys [][]byte
	for _, parts := range f(o) {
		keys = append(keys, join(parts))
	}
	return len(keys) > 0, keys, nil
}

func (f multi[T]) FromArgs(args ...any) ([]byte, error) { return fromArgs(args) }

// PrefixFromArgs is as for index.
func (f multi[T]) PrefixFromArgs(args ...any) ([]byte, error) {
	return index[T](nil).PrefixFromArgs(args...)
}

func fromArgs(args []any) ([]byte, error) {
	var few [4]string
	parts := few[:0]
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("argument %d is a %T, not a string", i, a)
		}
		parts = append(parts, s)
	}
	return join(parts), nil
}

func unique(ix memdb.Indexer) *memdb.IndexSchema {
	return &memdb.IndexSchema{Unique: true, Indexer: ix}
}

func many(ix memdb.Indexer) *memdb.IndexSchema {
	return &memdb.IndexSchema{AllowMissing: true, Indexer: ix}
}

func byKey[T any]() *memdb.IndexSchema {
	return unique(index[T](func(o *T) []string { return []string{Key(o)} }))
}

func by[T any](f func(*T) []string) *memdb.IndexSchema { return many(index[T](f)) }

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

func schema() *memdb.DBSchema {
	type indexes map[string]*memdb.IndexSchema
	tables := map[Kind]indexes{
		Networks: {
			"id":   byKey[model.Network](),
			"name": by(func(o *model.Network) []string { return named(&o.Meta) }),
			"segment": by(func(o *model.Network) []string {
				return []string{o.Type, o.PhysicalNetwork, fmt.Sprint(o.SegmentID)}
			}),
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
			"secured": many(multi[model.Port](func(o *model.Port) (keys [][]string) {
				if !o.PortSecurityEnabled {
					return nil
				}
				for _, id := range o.SecurityGroups {
					keys = append(keys, []string{id})
				}
				return keys
			})),
			"groupset": by(func(o *model.Port) []string {
				if !o.PortSecurityEnabled {
					return nil
				}
				return []string{o.GroupSetKey()}
			}),
			"member":  many(multi[model.Port](memberKeys)),
			"station": many(multi[model.Port](stationKeys)),
			"qos":     by(func(o *model.Port) []string { return optional(o.QoSPolicyID) }),
			"allowed": many(multi[model.Port](func(o *model.Port) (keys [][]string) {
				for _, a := range o.AllowedAddressPairs {
					if a.IP.IsSingleIP() {
						keys = append(keys, []string{o.NetworkID, a.IP.Addr().String()})
					}
				}
				return keys
			})),
			"ip": many(multi[model.Port](func(o *model.Port) (keys [][]string) {
				for _, f := range o.FixedIPs {
					keys = append(keys, []string{o.NetworkID, f.IP.String()})
				}
				return keys
			})),
			"subnet": many(multi[model.Port](func(o *model.Port) (keys [][]string) {
				seen := map[string]bool{}
				for _, f := range o.FixedIPs {
					if !seen[f.SubnetID] {
						seen[f.SubnetID] = true
						keys = append(keys, []string{f.SubnetID})
					}
				}
				return keys
			})),
		},
		Hosts: {
			"id":   byKey[model.Host](),
			"name": by(func(o *model.Host) []string { return named(&o.Meta) }),
		},
		HostFacts: {"id": byKey[model.HostFacts]()},
		Interfaces: {
			"id":      byKey[model.Interface](),
			"host":    by(func(o *model.Interface) []string { return []string{o.Host} }),
			"ifaceid": by(func(o *model.Interface) []string { return optional(o.IfaceID) }),
			"mac":     by(func(o *model.Interface) []string { return optional(o.AttachedMAC) }),
		},
		Bindings: {
			"id":      byKey[model.Binding](),
			"host":    by(func(o *model.Binding) []string { return []string{o.Host} }),
			"network": by(func(o *model.Binding) []string { return []string{o.NetworkID} }),
			"hostnet": by(func(o *model.Binding) []string { return []string{o.Host, o.NetworkID} }),
		},
		LocalVLANs: {
			"id":      byKey[model.LocalVLAN](),
			"host":    by(func(o *model.LocalVLAN) []string { return []string{o.Host} }),
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
			"id":   byKey[model.Schedule](),
			"host": by(func(o *model.Schedule) []string { return []string{o.Host} }),
		},
		HostHealths: {"id": byKey[model.HostHealth]()},
		SecurityGroups: {
			"id":      byKey[model.SecurityGroup](),
			"name":    by(func(o *model.SecurityGroup) []string { return named(&o.Meta) }),
			"project": by(func(o *model.SecurityGroup) []string { return []string{o.ProjectID} }),
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
			"address": many(multi[model.AddressGroup](addressKeys)),
		},
		GroupSets: {"id": byKey[model.GroupSet]()},
		QoSPolicies: {
			"id":   byKey[model.QoSPolicy](),
			"name": by(func(o *model.QoSPolicy) []string { return named(&o.Meta) }),
		},
	}
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for k, ixs := range tables {
		t := &memdb.TableSchema{Name: string(k), Indexes: map[string]*memdb.IndexSchema{}}
		for name, ix := range ixs {
			ix.Name = name
			t.Indexes[name] = ix
		}
		s.Tables[string(k)] = t
	}
	return s
}
