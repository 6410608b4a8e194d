package plan

import (
	"maps"
	"slices"
	"strings"
)

// memory is a namespace of a kernel that is not there: it does what the steps say, and by itself what a kernel does.
type memory struct{ Namespace }

func newMemory(name string) *memory {
	return &memory{Namespace{Name: name, Rules: slices.Clone(kernelRules), Sysctls: map[string]string{}, IPv4: Ruleset{}, IPv6: Ruleset{},
		Links: []Link{{Name: "lo", MAC: "00:00:00:00:00:00", MTU: 65536, Up: true, Offload: true}}}}
}

func (m *memory) link(name string) *Link {
	for i := range m.Links {
		if m.Links[i].Name == name {
			return &m.Links[i]
		}
	}
	return nil
}

func (m *memory) apply(s Step) {
	switch s := s.(type) {
	case SetSysctl:
		if d := SysctlDevice(s.Key); d != "" && m.link(d) == nil {
			panic("no device for " + s.Key)
		}
		m.Sysctls[s.Key] = s.Value
	case MakeLink:
		if m.link(s.Name) != nil {
			panic(s.Name + " is there already")
		}
		m.Links = append(m.Links, s.Link)
	case ChangeLink:
		m.change(s.Link)
	case StopLink:
		m.down(s.Name)
	case DeleteLink:
		m.down(s.Name)
		m.Addresses = slices.DeleteFunc(m.Addresses, func(a Address) bool { return a.Dev == s.Name })
		m.Links = slices.DeleteFunc(m.Links, func(l Link) bool { return l.Name == s.Name })
		maps.DeleteFunc(m.Sysctls, func(k, _ string) bool { return SysctlDevice(k) == s.Name })
	case AddAddress:
		s.For = ""
		m.Addresses = append(m.Addresses, s.Address)
		m.connect(s.Dev)
	case DeleteAddress:
		m.Addresses = slices.DeleteFunc(m.Addresses, func(a Address) bool { return a.Dev == s.Dev && a.Prefix == s.Prefix })
		m.Routes = slices.DeleteFunc(m.Routes, func(r TableRoute) bool {
			return r.Connected && r.Hops[0].Dev == s.Dev && r.Destination == s.Prefix.Masked() && (r.Src == s.Prefix.Addr() || s.Prefix.Addr().Is6())
		})
		m.connect(s.Dev) // another address of the subnet takes over
	case PutNeighbour:
		m.Neighbours = slices.DeleteFunc(m.Neighbours, func(n Neighbour) bool { return n.Dev == s.Dev && n.IP == s.IP })
		s.For = ""
		m.Neighbours = append(m.Neighbours, s.Neighbour)
	case DeleteNeighbour:
		m.Neighbours = slices.DeleteFunc(m.Neighbours, func(n Neighbour) bool { return n.Dev == s.Dev && n.IP == s.IP })
	case PutRoute:
		for _, h := range s.Hops {
			if l := m.link(h.Dev); l == nil || !l.Up {
				panic("no way for " + s.String())
			}
		}
		m.unroute(s.TableRoute)
		s.For = ""
		m.Routes = append(m.Routes, s.TableRoute)
	case DeleteRoute:
		m.unroute(s.TableRoute)
	case AddRule:
		s.For = ""
		m.Rules = append(m.Rules, s.Rule)
	case DeleteRule:
		i := slices.Index(m.Rules, s.Rule)
		m.Rules = slices.Delete(m.Rules, i, i+1)
	case Restore:
		if s.IPv6 {
			m.IPv6 = restored(m.IPv6, s.Text)
		} else {
			m.IPv4 = restored(m.IPv4, s.Text)
		}
	}
}

func (m *memory) change(l Link) {
	is := m.link(l.Name)
	if l.MAC != "" {
		is.MAC = l.MAC
	}
	if l.MTU != 0 {
		is.MTU = l.MTU
	}
	plugged := is.Tap.Plugged
	is.Offload, is.Tap, is.Up = l.Offload, l.Tap, l.Up
	is.Tap.Plugged = plugged
	m.connect(l.Name)
}

// down is what happens when a device goes down.
func (m *memory) down(name string) {
	if l := m.link(name); l != nil {
		l.Up = false
	}
	m.Routes = slices.DeleteFunc(m.Routes, func(r TableRoute) bool {
		r.Hops = slices.DeleteFunc(slices.Clone(r.Hops), func(h Hop) bool { return h.Dev == name })
		return len(r.Hops) == 0
	})
	for i := range m.Routes {
		m.Routes[i].Hops = slices.DeleteFunc(slices.Clone(m.Routes[i].Hops), func(h Hop) bool { return h.Dev == name })
	}
	m.Neighbours = slices.DeleteFunc(m.Neighbours, func(n Neighbour) bool { return n.Dev == name })
	m.Addresses = slices.DeleteFunc(m.Addresses, func(a Address) bool { return a.Dev == name && a.Prefix.Addr().Is6() })
}

// connect makes the routes that go with the addresses of a device.
func (m *memory) connect(dev string) {
	if l := m.link(dev); l == nil || !l.Up {
		return
	}
	for _, a := range m.Addresses {
		t := TableRoute{Table: MainTable, Destination: a.Prefix.Masked(), Hops: []Hop{{Dev: dev}}, Connected: true}
		if a.Prefix.Addr().Is4() {
			t.Src = a.Prefix.Addr()
		}
		if a.Dev == dev && !a.Prefix.IsSingleIP() && !slices.ContainsFunc(m.Routes, func(r TableRoute) bool { return r.Connected && r.Destination == t.Destination }) {
			m.unroute(t)
			m.Routes = append(m.Routes, t)
		}
	}
}

func (m *memory) unroute(t TableRoute) {
	m.Routes = slices.DeleteFunc(m.Routes, func(r TableRoute) bool { return r.Table == t.Table && r.Destination == t.Destination })
}

// restored is what iptables-restore --noflush makes of rules.
func restored(set Ruleset, text string) Ruleset {
	out := Ruleset{}
	for name, t := range set {
		out[name] = Table{Builtin: map[string][]string{}, Chains: maps.Clone(t.Chains)}
		for c, r := range t.Builtin {
			out[name].Builtin[c] = slices.Clone(r)
		}
	}
	var t Table
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		chain, rule, _ := strings.Cut(line[min(3, len(line)):], " ")
		_, ours := t.Chains[chain]
		rules := t.Builtin[chain]
		if ours {
			rules = slices.Clone(t.Chains[chain].Rules)
		}
		switch {
		case line[0] == '*':
			t = out.table(line[1:])
			continue
		case line[0] == ':':
			name, _, _ := strings.Cut(line[1:], " ")
			t.Chains[name] = Chain{}
			continue
		case strings.HasPrefix(line, "-A "):
			if !ours {
				panic("no chain for " + line)
			}
			rules = append(rules, rule)
		case strings.HasPrefix(line, "-I "):
			rules = append([]string{strings.TrimPrefix(rule, "1 ")}, rules...)
		case strings.HasPrefix(line, "-D "):
			i := slices.Index(rules, rule)
			if i < 0 {
				panic("no rule for " + line)
			}
			rules = slices.Delete(rules, i, i+1)
		case strings.HasPrefix(line, "-X "):
			if len(rules) > 0 {
				panic("not empty: " + chain)
			}
			delete(t.Chains, chain)
			continue
		default:
			continue
		}
		if ours {
			t.Chains[chain] = Chain{Rules: rules}
		} else {
			t.Builtin[chain] = rules
		}
	}
	return out
}
