package state

import (
	"fmt"
	"iter"
	"net/netip"

	"github.com/hashicorp/go-memdb"

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

	SecurityGroups     Kind = "securitygroups"
	SecurityGroupRules Kind = "securitygrouprules"
	AddressGroups      Kind = "addressgroups"
	GroupSets          Kind = "groupsets"
	QoSPolicies        Kind = "qospolicies"
)

// Kinds lists all kinds in the order in which a reader may depend on them.
var Kinds = []Kind{Hosts, HostFacts, Networks, Subnets, Ports, Interfaces, Bindings, LocalVLANs, PortStates,
	Routers, FloatingIPs, PortForwardings, RouterHosts, Schedules, HostHealths,
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
	db *memdb.MemDB
}

// New makes an empty state.
func New() (*DB, error) {
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		return nil, fmt.Errorf("state schema: %w", err)
	}
	// A copy does not keep watch channels for every changed node; nobody here would wait on them.
	return &DB{db: db.Snapshot()}, nil
}

// Fork makes a DB that begins with the same state and goes its own way. It costs nothing.
func (d *DB) Fork() *DB { return &DB{db: d.db.Snapshot()} }

// Txn is a set of changes being made on top of a state. Only one Txn that writes may be open.
type Txn struct {
	Snapshot
}

// Begin starts a set of changes.
func (d *DB) Begin() *Txn {
	t := d.db.Txn(true)
	t.TrackChanges()
	return &Txn{Snapshot{t}}
}

// Put adds or replaces an object: a pointer to a model struct.
func (t *Txn) Put(k Kind, obj any) error {
	if err := t.txn.Insert(string(k), obj); err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	return nil
}

// Delete removes an object by its key; it is no error when there is none.
func (t *Txn) Delete(k Kind, key string) error {
	obj := t.first(k, "id", key)
	if obj == nil {
		return nil
	}
	return t.txn.Delete(string(k), obj)
}

// Changes lists what the transaction has changed so far, one entry an object.
func (t *Txn) Changes() []Change {
	var cs []Change
	for _, c := range t.txn.Changes() {
		k := Kind(c.Table)
		obj := c.After
		if obj == nil {
			obj = c.Before
		}
		cs = append(cs, Change{Kind: k, Key: Key(obj), Old: c.Before, New: c.After})
	}
	return cs
}

// Commit makes the changes visible to snapshots taken from now on.
func (t *Txn) Commit() { t.txn.Commit() }

// Abort drops the changes.
func (t *Txn) Abort() { t.txn.Abort() }

// Snapshot takes the state as it is now.
func (d *DB) Snapshot() Snapshot { return Snapshot{d.db.Txn(false)} }

// Snapshot is an immutable view of every object. It is safe for concurrent readers.
type Snapshot struct {
	txn *memdb.Txn
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

func (s Snapshot) first(k Kind, index string, args ...any) any {
	obj, err := s.txn.First(string(k), index, args...)
	if err != nil {
		// Only an index that the schema does not have can fail here.
		panic(fmt.Sprintf("state: %s by %s: %v", k, index, err))
	}
	return obj
}

func get[T any](s Snapshot, k Kind, index string, args ...any) *T {
	obj, _ := s.first(k, index, args...).(*T)
	return obj
}

func all[T any](s Snapshot, k Kind, index string, args ...any) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := s.txn.Get(string(k), index, args...)
		if err != nil {
			panic(fmt.Sprintf("state: %s by %s: %v", k, index, err))
		}
		for obj := it.Next(); obj != nil; obj = it.Next() {
			if !yield(obj.(*T)) {
				return
			}
		}
	}
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
	return all[model.Interface](s, Interfaces, "host", host)
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
	return all[model.Binding](s, Bindings, "host", host)
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
	return all[model.LocalVLAN](s, LocalVLANs, "host", host)
}

// Named iterates over the objects of a kind (networks, subnets, ports) that have the name.
func (s Snapshot) Named(k Kind, name string) iter.Seq[any] {
	return s.anyBy(k, "name", name)
}

// ByIDPrefix iterates over the objects of a kind whose key begins with the prefix.
func (s Snapshot) ByIDPrefix(k Kind, prefix string) iter.Seq[any] {
	return s.anyBy(k, "id_prefix", prefix)
}

// Object returns the object of that kind and key, or nil.
func (s Snapshot) Object(k Kind, key string) any { return s.first(k, "id", key) }

// Len counts the objects of a kind. It costs as much as there are.
func (s Snapshot) Len(k Kind) int {
	n := 0
	for range s.anyBy(k, "id") {
		n++
	}
	return n
}

func (s Snapshot) anyBy(k Kind, index string, args ...any) iter.Seq[any] {
	return func(yield func(any) bool) {
		it, err := s.txn.Get(string(k), index, args...)
		if err != nil {
			panic(fmt.Sprintf("state: %s by %s: %v", k, index, err))
		}
		for obj := it.Next(); obj != nil; obj = it.Next() {
			if !yield(obj) {
				return
			}
		}
	}
}
