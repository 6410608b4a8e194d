package ovsdb

import (
	"cmp"
	"maps"
	"slices"
)

// State is the database at one moment, indexed. It is read-only.
type State struct {
	root        *rootRow
	bridges     map[string]*bridgeRow    // by name
	ports       map[string]*portRow      // by name
	interfaces  map[string]*interfaceRow // by name
	controllers map[string]*controllerRow
	ssl         *sslRow // nil when there is none

	interfaceOf map[string]*interfaceRow // by UUID
	portByUUID  map[string]*portRow
	portOf      map[string]*portRow   // by UUID of the interface
	bridgeOf    map[string]*bridgeRow // by UUID of the port
}

// newState indexes rows.
func newState(root *rootRow, bridges []*bridgeRow, ports []*portRow, interfaces []*interfaceRow, controllers []*controllerRow, ssl []*sslRow) *State {
	s := &State{root: root,
		bridges: make(map[string]*bridgeRow, len(bridges)), ports: make(map[string]*portRow, len(ports)),
		interfaces: make(map[string]*interfaceRow, len(interfaces)), controllers: make(map[string]*controllerRow, len(controllers)),
		interfaceOf: make(map[string]*interfaceRow, len(interfaces)), portByUUID: make(map[string]*portRow, len(ports)),
		portOf: make(map[string]*portRow, len(interfaces)), bridgeOf: make(map[string]*bridgeRow, len(ports)),
	}
	for _, i := range interfaces {
		s.interfaces[i.Name], s.interfaceOf[i.UUID] = i, i
	}
	for _, p := range ports {
		s.ports[p.Name], s.portByUUID[p.UUID] = p, p
		for _, u := range p.Interfaces {
			// The database lets two rows hold one. Whose it is must not depend on the order in which they came.
			if other := s.portOf[u]; other == nil || p.UUID < other.UUID {
				s.portOf[u] = p
			}
		}
	}
	for _, b := range bridges {
		s.bridges[b.Name] = b
		for _, u := range b.Ports {
			if other := s.bridgeOf[u]; other == nil || b.UUID < other.UUID {
				s.bridgeOf[u] = b
			}
		}
	}
	for _, c := range controllers {
		s.controllers[c.UUID] = c
	}
	for _, r := range ssl {
		if r.UUID == value(root.SSL) {
			s.ssl = r
		}
	}
	return s
}

// OVSVersion is the version of the running ovs-vswitchd, or of the last that ran; "" when none ever did.
func (s *State) OVSVersion() string { return value(s.root.OVSVersion) }

// Applied says whether ovs-vswitchd has done what the transaction with that number asked for.
func (s *State) Applied(cfg int64) bool { return int64(s.root.CurCfg) >= cfg }

// Interface is what the database says of an interface of a bridge.
type Interface struct {
	Name   string
	Bridge string
	// Type is "", internal, patch, vxlan …
	Type string
	// OFPort is the OpenFlow port number; 0 when the switch has not added the port.
	OFPort uint32
	// IfaceID and AttachedMAC are external_ids:iface-id and external_ids:attached-mac.
	IfaceID     string
	AttachedMAC string
	// Bound: its port is in a VLAN in which it may talk.
	Bound bool
	// Error says why the switch could not add the port.
	Error string
}

// Interfaces lists the interfaces of some bridges, by name.
func (s *State) Interfaces(bridges ...string) map[string]Interface {
	out := map[string]Interface{}
	for _, name := range bridges {
		b := s.bridges[name]
		if b == nil {
			continue
		}
		for _, pu := range b.Ports {
			p := s.portByUUID[pu]
			if p == nil {
				continue
			}
			for _, iu := range p.Interfaces {
				if i := s.interfaceOf[iu]; i != nil {
					out[i.Name] = Interface{Name: i.Name, Bridge: name, Type: i.Type, OFPort: i.ofport(), Error: value(i.Error),
						Bound: p.Tag != nil && *p.Tag != DeadVLAN, IfaceID: i.ExternalIDs["iface-id"], AttachedMAC: i.ExternalIDs["attached-mac"]}
				}
			}
		}
	}
	return out
}

// HasMaster says whether a controller that is connected to the bridge is its master, as far as the switch has told:
// after a crash of ovs-vswitchd the answer is that of before.
func (s *State) HasMaster(bridge string) bool {
	b := s.bridges[bridge]
	if b == nil {
		return false
	}
	return slices.ContainsFunc(b.Controllers, func(u string) bool {
		c := s.controllers[u]
		return c != nil && c.IsConnected && value(c.Role) == "master"
	})
}

// ofport is the port number, 0 when there is none: ovs-vswitchd writes -1 when it failed.
func (i *interfaceRow) ofport() uint32 {
	if n := value(i.OFPort); n > 0 {
		return uint32(n)
	}
	return 0
}

// find locates a port by name, and the bridge that it is on; the bridge is nil for a port on none. No name is no port,
// though the database would take a row of that name.
func (s *State) find(port string) (*portRow, *bridgeRow) {
	p := s.ports[port]
	if p == nil || port == "" {
		return nil, nil
	}
	return p, s.bridgeOf[p.UUID]
}

// byName orders rows for diffs that do not depend on the order of the mirror.
func byName[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.SortedFunc(maps.Keys(m), cmp.Compare[string]) {
		out = append(out, m[k])
	}
	return out
}

// Row tells incarnations of an interface apart: one that was unplugged and plugged again has another. "" when there is
// none.
func (s *State) Row(iface string) string {
	if i := s.interfaces[iface]; i != nil {
		return i.UUID
	}
	return ""
}

// Connected says whether any controller is connected to the bridge.
func (s *State) Connected(bridge string) bool {
	b := s.bridges[bridge]
	return b != nil && slices.ContainsFunc(b.Controllers, func(u string) bool {
		c := s.controllers[u]
		return c != nil && c.IsConnected
	})
}
