package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// homeMemory is the host's own namespace of a kernel that is not there, with the ports of its br-int. It does what the steps say,
// and refuses what a kernel refuses.
type homeMemory struct {
	memory
	// owners are the bridges whose connections have last been in a zone; emptied are the zones that were emptied since.
	owners  map[uint16]string
	emptied map[uint16]bool
}

func newHomeMemory() *homeMemory {
	m := &homeMemory{memory: memory{Namespace{Name: Home, Sysctls: map[string]string{}, IPv4: Ruleset{}, IPv6: Ruleset{}, Ethernet: Ruleset{}, Sets: map[string]Set{},
		Devices: map[string]string{}, Plugged: map[string]bool{}}}, owners: map[uint16]string{}, emptied: map[uint16]bool{}}
	return m
}

func (m *homeMemory) copy() Namespace {
	n := m.memory.copy()
	n.Ethernet, n.Sets, n.Devices, n.Plugged = restored(m.Ethernet, ""), maps.Clone(m.Sets), maps.Clone(m.Devices), maps.Clone(m.Plugged)
	n.Bridges = slices.Clone(m.Bridges)
	return n
}

func (m *homeMemory) apply(s Step) {
	switch s := s.(type) {
	case RestoreSets:
		m.restoreSets(s.Text)
	case DestroySets:
		for _, name := range s.Names {
			if _, there := m.Sets[name]; !there || m.names("--match-set "+name+" ") {
				panic("set " + name + " is not there, or in use")
			}
			delete(m.Sets, name)
		}
	case Restore:
		m.memory.apply(s)
		m.whole()
		for bridge, zone := range ReadZones(m.IPv4) {
			if m.owners[zone] != bridge {
				m.owners[zone], m.emptied[zone] = bridge, false
			}
		}
	case RestoreEthernet:
		m.Ethernet = restored(m.Ethernet, s.Text)
		m.whole()
	case ForgetZones:
		for _, z := range s.Zones {
			m.emptied[z] = true
		}
	case MakeBridge:
		if m.bridge(s.Name) != nil {
			panic(s.Name + " is there already")
		}
		m.Bridges = append(m.Bridges, Bridge{Name: s.Name, PortID: s.PortID, MTU: s.MTU, Ours: true, Right: true, Machine: s.Machine})
		m.Devices[s.Name], m.Devices[InnerOfBridge(s.Name)], m.Devices[OuterOfBridge(s.Name)] = "", s.Name, ""
	case ChangeBridge:
		b := m.bridge(s.Name)
		b.MTU, b.Right, b.Machine = s.MTU, true, s.Machine
	case CopyConnections:
		if !m.emptied[s.Zone] || m.owners[s.Zone] != s.Name {
			panic(fmt.Sprintf("the connections of %s are copied to those of another", s.PortID))
		}
	case TakeTap:
		if in, exists := m.Devices[s.Tap]; !exists || in != "" {
			panic(s.Tap + " is not there, or in " + in)
		}
		b := m.bridge(s.Bridge)
		m.Devices[s.Tap], b.Taps = s.Bridge, append(b.Taps, s.Tap)
	case ReleaseTap:
		m.leave(s.Bridge, s.Tap)
	case DeleteBridge:
		if b := m.bridge(s.Name); len(b.Taps) > 0 || m.Plugged[OuterOfBridge(s.Name)] {
			panic(s.Name + " is in use")
		}
		m.Bridges = slices.DeleteFunc(m.Bridges, func(b Bridge) bool { return b.Name == s.Name })
		for _, dev := range []string{s.Name, InnerOfBridge(s.Name), OuterOfBridge(s.Name)} {
			delete(m.Devices, dev)
		}
	default:
		m.memory.apply(s)
	}
}

func (m *homeMemory) bridge(name string) *Bridge {
	for i := range m.Bridges {
		if m.Bridges[i].Name == name {
			return &m.Bridges[i]
		}
	}
	return nil
}

// leave takes a device out of a bridge.
func (m *homeMemory) leave(bridge, tap string) {
	if m.Devices[tap] != bridge {
		panic(tap + " is not in " + bridge)
	}
	b := m.bridge(bridge)
	m.Devices[tap], b.Taps = "", slices.DeleteFunc(slices.Clone(b.Taps), func(t string) bool { return t == tap })
}

// restoreSets is ipset restore.
func (m *homeMemory) restoreSets(text string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		s, there := m.Sets[words[1]]
		if words[0] == "create" {
			if !there {
				m.Sets[words[1]] = Set{IPv6: slices.Contains(words, "inet6")}
			}
			continue
		}
		p := netip.MustParsePrefix(words[2])
		if !there || s.IPv6 != p.Addr().Is6() {
			panic("no set for " + line)
		}
		s.Entries = slices.DeleteFunc(slices.Clone(s.Entries), func(e netip.Prefix) bool { return e == p })
		if words[0] == "add" {
			s.Entries = append(s.Entries, p)
			slices.SortFunc(s.Entries, comparePrefixes)
		}
		m.Sets[words[1]] = s
	}
}

// whole panics where a rule names a chain or a set that is not there, which a kernel refuses.
func (m *homeMemory) whole() {
	for _, set := range []Ruleset{m.IPv4, m.IPv6, m.Ethernet} {
		for _, t := range set {
			for _, r := range t.all() {
				words := strings.Fields(r)
				for i, w := range words {
					switch {
					case w == "-j" && strings.HasPrefix(words[i+1], ourChains):
						if _, there := t.Chains[words[i+1]]; !there {
							panic("no chain for " + r)
						}
					case w == "--match-set":
						if _, there := m.Sets[words[i+1]]; !there {
							panic("no set for " + r)
						}
					}
				}
			}
		}
	}
}

// names says whether a rule of iptables has some words.
func (m *homeMemory) names(words string) bool {
	for _, set := range []Ruleset{m.IPv4, m.IPv6} {
		for _, t := range set {
			if slices.ContainsFunc(t.all(), func(r string) bool { return strings.Contains(r, words) }) {
				return true
			}
		}
	}
	return false
}

func (t Table) all() (out []string) {
	for _, rules := range t.Builtin {
		out = append(out, rules...)
	}
	for _, c := range t.Chains {
		out = append(out, c.Rules...)
	}
	return out
}

// guards says whether nothing passes a bridge, in either direction, that its port's chains have not judged.
func (m *homeMemory) guards(bridge string) bool {
	inner := InnerOfBridge(bridge)
	for _, set := range []Ruleset{m.IPv4, m.IPv6} {
		f := set["filter"]
		judged := f.Chains[fwChain].Rules
		if !slices.Equal(f.Builtin["FORWARD"], []string{"-j " + fw + "FORWARD"}) || !slices.ContainsFunc(f.Chains[fw+"FORWARD"].Rules, func(r string) bool { return strings.HasSuffix(r, "-j "+fwChain) }) ||
			!slices.ContainsFunc(judged, func(r string) bool { return strings.Contains(r, "--physdev-in "+inner+" ") }) ||
			!slices.ContainsFunc(judged, func(r string) bool { return strings.Contains(r, "--physdev-out "+inner+" ") }) {
			return false
		}
	}
	f := m.Ethernet["filter"]
	return slices.Equal(f.Builtin["FORWARD"], []string{"-j " + fw + "FORWARD"}) && slices.Contains(f.Chains[fw+"FORWARD"].Rules, "-i "+inner+" -j "+fwTypes)
}
