package state

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/weft-sdn/weft/controller/model"
)

// Kind names a sort of object. It is also the first part of the object's key in the store.
type Kind string

// Kinds of objects: what people ask for, what hosts report, and what the store allocates.
const (
	Networks   Kind = "networks"
	Subnets    Kind = "subnets"
	Ports      Kind = "ports"
	Hosts      Kind = "hosts"
	HostFacts  Kind = "hostfacts"
	Interfaces Kind = "interfaces"
	Bindings   Kind = "bindings"
	LocalVLANs Kind = "localvlans"
	PortStates Kind = "portstates"

	Routers         Kind = "routers"
	FloatingIPs     Kind = "floatingips"
	PortForwardings Kind = "portforwardings"
	RouterHosts     Kind = "routerhosts"
	Schedules       Kind = "schedules"
	HostHealths     Kind = "hosthealths"
	SwitchFacts     Kind = "switchfacts"

	SecurityGroups     Kind = "securitygroups"
	SecurityGroupRules Kind = "securitygrouprules"
	AddressGroups      Kind = "addressgroups"
	GroupSets          Kind = "groupsets"
	QoSPolicies        Kind = "qospolicies"
)

// Kinds lists all kinds in the order in which a reader may depend on them.
var Kinds = []Kind{Hosts, HostFacts, Networks, Subnets, Ports, Interfaces, Bindings, LocalVLANs, PortStates,
	Routers, FloatingIPs, PortForwardings, RouterHosts, Schedules, HostHealths, SwitchFacts,
	SecurityGroups, SecurityGroupRules, AddressGroups, GroupSets, QoSPolicies}

// Change is one object before and after: Old is nil for a new one, New is nil for a removed one.
type Change struct {
	Kind Kind
	Key  string
	Old  any
	New  any
}

// DB is the mutable side: one writer puts objects in, anybody takes snapshots.
type DB struct {
	root atomic.Pointer[root]
}

// New makes an empty state.
func New() *DB { return NewLoad().DB() }

func with(r *root) *DB {
	d := &DB{}
	d.root.Store(r)
	return d
}

// Fork makes a DB that begins with the same state and goes its own way. It costs nothing.
func (d *DB) Fork() *DB { return with(d.root.Load()) }

// Txn is a set of changes being made on top of a state.
type Txn struct {
	Snapshot
	db      *DB
	changes []Change
}

// Begin starts a set of changes. Of several that were begun, the last to be committed is what remains.
func (d *DB) Begin() *Txn {
	return &Txn{Snapshot: Snapshot{d.root.Load().changeable()}, db: d}
}

// Put adds or replaces an object: a pointer to a model struct.
func (t *Txn) Put(k Kind, obj any) error {
	old, err := t.root.put(k, obj)
	if err == nil {
		t.changes = append(t.changes, Change{k, Key(obj), old, obj})
	}
	return err
}

// Delete removes an object by its key; it is no error when there is none.
func (t *Txn) Delete(k Kind, key string) error {
	if old := t.root.remove(k, key); old != nil {
		t.changes = append(t.changes, Change{k, key, old, nil})
	}
	return nil
}

// Changes lists what the transaction has changed so far, one entry an object, in the order in which each was changed
// last. What came and went is not in it.
func (t *Txn) Changes() []Change {
	type ident struct {
		kind Kind
		key  string
	}
	last, before := map[ident]int{}, map[ident]any{}
	for i, c := range t.changes {
		id := ident{c.Kind, c.Key}
		if _, seen := last[id]; !seen {
			before[id] = c.Old
		}
		last[id] = i
	}
	var cs []Change
	for i, c := range t.changes {
		id := ident{c.Kind, c.Key}
		if c.Old = before[id]; last[id] == i && (c.Old != nil || c.New != nil) {
			cs = append(cs, c)
		}
	}
	return cs
}

// Commit makes the changes visible to snapshots taken from now on.
func (t *Txn) Commit() { t.db.root.Store(t.root.frozen()) }

// Abort drops the changes.
func (t *Txn) Abort() {}

// Snapshot takes the state as it is now.
func (d *DB) Snapshot() Snapshot { return Snapshot{d.root.Load()} }

// Snapshot is an immutable view of every object. It is safe for concurrent readers.
type Snapshot struct {
	root *root
}

// Key is the key of an object inside its kind: its id, or host/name, host/network and the like for facts and allocations.
func Key(obj any) string {
	switch o := obj.(type) {
	case *model.Network:
		return o.ID
	case *model.Subnet:
		return o.ID
	case *model.Port:
		return o.ID
	case *model.Host:
		return o.ID
	case *model.HostFacts:
		return o.Host
	case *model.Interface:
		return o.Host + "/" + o.Name
	case *model.Binding:
		return o.PortID
	case *model.LocalVLAN:
		return o.Host + "/" + o.NetworkID
	case *model.PortState:
		return o.PortID
	case *model.Router:
		return o.ID
	case *model.FloatingIP:
		return o.ID
	case *model.PortForwarding:
		return o.ID
	case *model.RouterHost:
		return o.RouterID + "/" + o.Host
	case *model.Schedule:
		return o.RouterID
	case *model.HostHealth:
		return o.Host
	case *model.SwitchFacts:
		return o.Host
	case *model.SecurityGroup:
		return o.ID
	case *model.SecurityGroupRule:
		return o.ID
	case *model.AddressGroup:
		return o.ID
	case *model.GroupSet:
		return o.Key
	case *model.QoSPolicy:
		return o.ID
	}
	panic(fmt.Sprintf("state: no key for a %T", obj))
}

// get returns the first object that an index has under a key, or nil.
func get[T any](s Snapshot, k Kind, index string, parts ...string) *T {
	obj, _ := s.first(k, index, parts...).(*T)
	return obj
}

func (s Snapshot) first(k Kind, index string, parts ...string) any {
	i := indexOf(k, index)
	if index == byID {
		e, _ := s.root.trees[i.number].get().Get(entry{key: parts[0]})
		return e.obj
	}
	return s.root.first(i, join(parts))
}

// beginning is first with a last part that may be cut short.
func (s Snapshot) beginning(k Kind, index string, parts ...string) any {
	return s.root.first(indexOf(k, index), strings.TrimSuffix(join(parts), sep))
}

// all iterates over the objects that an index has under a key, in order of id; over all that it has when no key is given.
func all[T any](s Snapshot, k Kind, index string, parts ...string) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		s.each(k, index, parts, func(obj any) bool { return yield(obj.(*T)) })
	}
}

// on iterates over the objects of a host, of a kind whose keys begin with it.
func on[T any](s Snapshot, k Kind, host string) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		s.root.each(indexOf(k, byID), host+"/", func(obj any) bool { return yield(obj.(*T)) })
	}
}

func (s Snapshot) each(k Kind, index string, parts []string, yield func(any) bool) {
	prefix := ""
	if len(parts) > 0 {
		prefix = join(parts)
	}
	s.root.each(indexOf(k, index), prefix, yield)
}

func indexOf(k Kind, name string) *index {
	if i := tables[k].byName[name]; i != nil {
		return i
	}
	panic(fmt.Sprintf("state: no index %s of %s", name, k))
}

// Network returns the network, or nil.
func (s Snapshot) Network(id string) *model.Network { return get[model.Network](s, Networks, "id", id) }

// Subnet returns the subnet, or nil.
func (s Snapshot) Subnet(id string) *model.Subnet { return get[model.Subnet](s, Subnets, "id", id) }

// Port returns the port, or nil.
func (s Snapshot) Port(id string) *model.Port { return get[model.Port](s, Ports, "id", id) }

// Host returns the host, or nil.
func (s Snapshot) Host(id string) *model.Host { return get[model.Host](s, Hosts, "id", id) }

// HostFacts returns what the host's agent reported, or nil.
func (s Snapshot) HostFacts(host string) *model.HostFacts {
	return get[model.HostFacts](s, HostFacts, "id", host)
}

// Binding returns where the port is bound, or nil.
func (s Snapshot) Binding(port string) *model.Binding {
	return get[model.Binding](s, Bindings, "id", port)
}

// LocalVLAN returns the network's VLAN on the host, or nil when the host does not carry the network.
func (s Snapshot) LocalVLAN(host, network string) *model.LocalVLAN {
	return get[model.LocalVLAN](s, LocalVLANs, "id", host+"/"+network)
}

// PortState returns what was acknowledged about the port, or nil.
func (s Snapshot) PortState(port string) *model.PortState {
	return get[model.PortState](s, PortStates, "id", port)
}

// Interface returns an interface of a host, or nil.
func (s Snapshot) Interface(host, name string) *model.Interface {
	return get[model.Interface](s, Interfaces, "id", host+"/"+name)
}

// Networks iterates over all networks in order of id; Subnets, Ports and Hosts likewise.
func (s Snapshot) Networks() iter.Seq[*model.Network] { return all[model.Network](s, Networks, "id") }

// Subnets iterates over all subnets.
func (s Snapshot) Subnets() iter.Seq[*model.Subnet] { return all[model.Subnet](s, Subnets, "id") }

// Ports iterates over all ports.
func (s Snapshot) Ports() iter.Seq[*model.Port] { return all[model.Port](s, Ports, "id") }

// Hosts iterates over all hosts.
func (s Snapshot) Hosts() iter.Seq[*model.Host] { return all[model.Host](s, Hosts, "id") }

// Interfaces iterates over all interfaces.
func (s Snapshot) Interfaces() iter.Seq[*model.Interface] {
	return all[model.Interface](s, Interfaces, "id")
}

// SubnetsOf iterates over a network's subnets.
func (s Snapshot) SubnetsOf(network string) iter.Seq[*model.Subnet] {
	return all[model.Subnet](s, Subnets, "network", network)
}

// PortsOf iterates over a network's ports.
func (s Snapshot) PortsOf(network string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "network", network)
}

// PortByMAC returns the network's port with that MAC, or nil.
func (s Snapshot) PortByMAC(network string, mac model.MAC) *model.Port {
	return get[model.Port](s, Ports, "mac", network, mac.String())
}

// PortsByAttachedMAC iterates over the ports of all networks with that MAC.
func (s Snapshot) PortsByAttachedMAC(mac model.MAC) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "anymac", mac.String())
}

// PortByIP returns the network's port with that address, or nil.
func (s Snapshot) PortByIP(network string, ip netip.Addr) *model.Port {
	return get[model.Port](s, Ports, "ip", network, ip.String())
}

// PortsOfSubnet iterates over the ports that have an address of the subnet.
func (s Snapshot) PortsOfSubnet(subnet string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "subnet", subnet)
}

// PortsOfDevice iterates over a device's ports.
func (s Snapshot) PortsOfDevice(device string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "device", device)
}

// PortsWantedOn iterates over the ports with that binding_host_id.
func (s Snapshot) PortsWantedOn(host string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "wanted", host)
}

// NetworkBySegment returns the network that has the segment id in that type and physical network, or nil.
func (s Snapshot) NetworkBySegment(networkType, physnet string, id uint32) *model.Network {
	return get[model.Network](s, Networks, "segment", networkType, physnet, fmt.Sprint(id))
}

// InterfacesOf iterates over a host's interfaces.
func (s Snapshot) InterfacesOf(host string) iter.Seq[*model.Interface] {
	return on[model.Interface](s, Interfaces, host)
}

// InterfacesByIfaceID iterates over the interfaces, on any host, that claim the iface-id.
func (s Snapshot) InterfacesByIfaceID(id string) iter.Seq[*model.Interface] {
	return all[model.Interface](s, Interfaces, "ifaceid", id)
}

// InterfacesByMAC iterates over the interfaces, on any host, with that attached-mac in lower case.
func (s Snapshot) InterfacesByMAC(mac string) iter.Seq[*model.Interface] {
	return all[model.Interface](s, Interfaces, "mac", mac)
}

// BindingsOf iterates over the bindings of a network, on all hosts.
func (s Snapshot) BindingsOf(network string) iter.Seq[*model.Binding] {
	return all[model.Binding](s, Bindings, "network", network)
}

// BindingsOn iterates over the bindings on a host, of all networks.
func (s Snapshot) BindingsOn(host string) iter.Seq[*model.Binding] {
	return all[model.Binding](s, Bindings, "hostnet", host)
}

// BindingsAt iterates over the bindings of a network on a host.
func (s Snapshot) BindingsAt(host, network string) iter.Seq[*model.Binding] {
	return all[model.Binding](s, Bindings, "hostnet", host, network)
}

// LocalVLANsOf iterates over the hosts that carry the network.
func (s Snapshot) LocalVLANsOf(network string) iter.Seq[*model.LocalVLAN] {
	return all[model.LocalVLAN](s, LocalVLANs, "network", network)
}

// LocalVLANsOn iterates over the networks that the host carries.
func (s Snapshot) LocalVLANsOn(host string) iter.Seq[*model.LocalVLAN] {
	return on[model.LocalVLAN](s, LocalVLANs, host)
}

// Named iterates over the objects of a kind (networks, subnets, ports) that have the name.
func (s Snapshot) Named(k Kind, name string) iter.Seq[any] {
	return func(yield func(any) bool) { s.each(k, "name", []string{name}, yield) }
}

// ByIDPrefix iterates over the objects of a kind whose key begins with the prefix.
func (s Snapshot) ByIDPrefix(k Kind, prefix string) iter.Seq[any] {
	return func(yield func(any) bool) { s.root.each(indexOf(k, byID), prefix, yield) }
}

// Object returns the object of that kind and key, or nil.
func (s Snapshot) Object(k Kind, key string) any { return s.first(k, byID, key) }

// Len counts the objects of a kind.
func (s Snapshot) Len(k Kind) int { return s.root.trees[indexOf(k, byID).number].get().Len() }
