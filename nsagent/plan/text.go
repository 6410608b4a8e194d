package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Text is the whole namespace as the tools would print it, section by section.
func (n Namespace) Text() string {
	var s strings.Builder
	section := ""
	for _, l := range n.lines() {
		if l.Section != section {
			section = l.Section
			fmt.Fprintf(&s, "[%s]\n", section)
		}
		s.WriteString(l.Text + "\n")
	}
	return s.String()
}

// lines are all that is wanted of a namespace, or all of it that is ours.
func (n Namespace) lines() []Line {
	var out []Line
	add := func(section, text string) { out = append(out, Line{Section: section, Text: text}) }
	for _, l := range n.Links {
		add(SectionLink, l.String())
	}
	for _, b := range n.Bridges {
		add(SectionLink, b.Name)
	}
	for _, a := range n.Addresses {
		add(SectionAddress, a.String())
	}
	for _, r := range n.Routes {
		add(SectionRoute, r.String())
	}
	for _, r := range n.Rules {
		add(SectionRule, r.String())
	}
	for _, e := range n.Neighbours {
		add(SectionNeighbour, e.String())
	}
	for _, k := range slices.Sorted(maps.Keys(n.Sysctls)) {
		add(SectionSysctl, sysctlText(k, n.Sysctls[k]))
	}
	for _, l := range n.IPv4.lines("iptables") {
		add(SectionIPTables, l)
	}
	for _, l := range n.IPv6.lines("ip6tables") {
		add(SectionIPTables, l)
	}
	for _, l := range n.Ethernet.lines("ebtables") {
		add(SectionIPTables, l)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Sets)) {
		add(SectionSet, "create "+name)
		for _, p := range n.Sets[name].Entries {
			add(SectionSet, "add "+name+" "+p.String())
		}
	}
	if n.Server != nil {
		add(SectionProcess, n.Server.line())
	}
	if n.Advertiser != nil {
		add(SectionProcess, n.Advertiser.line())
	}
	if n.Listener != nil {
		add(SectionProcess, n.Listener.line())
	}
	return out
}

func (s *Server) line() string { return "dnsmasq for network " + s.NetworkID + " on " + s.Device }

func (a *Advertiser) line() string {
	names := make([]string, 0, len(a.Devices))
	for _, d := range a.Devices {
		names = append(names, d.Name)
	}
	return "radvd for router " + a.RouterID + " on " + strings.Join(names, ", ")
}

func (l *Listener) line() string { return "metadata listener on " + l.Addr }

func (l Link) String() string {
	state := "down"
	if l.Up {
		state = "up"
	}
	text := fmt.Sprintf("%s mtu %d %s %s", l.Name, l.MTU, l.MAC, state)
	switch {
	case l.Tap.Name != "":
		text += " peer " + l.Tap.Name
	case l.Peer.Name != "":
		text += " peer " + l.Peer.Name + " in " + l.Peer.Namespace
	}
	return text
}

func (a Address) String() string { return a.Prefix.String() + " dev " + a.Dev }

func (r TableRoute) String() string {
	dst := r.Destination.String()
	switch {
	case r.Destination.Bits() == 0:
		dst = "default"
	case r.Destination.IsSingleIP():
		dst = r.Destination.Addr().String()
	}
	hop := func(h Hop) string {
		s := ""
		if h.Via.IsValid() {
			s += " via " + h.Via.String()
		}
		s += " dev " + h.Dev
		if h.OnLink {
			s += " onlink"
		}
		return s
	}
	var s strings.Builder
	s.WriteString(dst)
	if len(r.Hops) == 1 {
		s.WriteString(hop(r.Hops[0]))
	}
	if r.Table != MainTable {
		fmt.Fprintf(&s, " table %d", r.Table)
	}
	if r.Connected {
		s.WriteString(" proto kernel")
	} else {
		s.WriteString(" proto static")
	}
	if r.Src.IsValid() {
		s.WriteString(" src " + r.Src.String())
	}
	if len(r.Hops) > 1 {
		for _, h := range r.Hops {
			s.WriteString(" nexthop" + hop(h))
		}
	}
	return s.String()
}

func (r Rule) String() string {
	from := "all"
	switch {
	case r.IIF != "":
		from = "all iif " + r.IIF
	case r.From.IsValid() && r.From.IsSingleIP():
		from = r.From.Addr().String()
	case r.From.IsValid():
		from = r.From.String()
	}
	table, named := tableNames[r.Table]
	if !named {
		table = strconv.FormatUint(uint64(r.Table), 10)
	}
	text := fmt.Sprintf("%d: from %s lookup %s", r.Priority, from, table)
	if r.IPv6 && !r.From.IsValid() {
		return "-6 " + text
	}
	return text
}

// tableNames are iproute2's.
var tableNames = map[uint32]string{localTable: "local", MainTable: "main", defaultTable: "default"}

func (n Neighbour) String() string {
	return fmt.Sprintf("%v dev %s lladdr %s PERMANENT", n.IP, n.Dev, n.MAC)
}

func sysctlText(key, value string) string {
	return strings.ReplaceAll(key, "/", ".") + " = " + value
}

// tableOrder is the order in which packets pass tables.
var tableOrder = []string{"raw", "mangle", "nat", "filter"}

// lines are the rules of the set as the tool's -S prints them.
func (s Ruleset) lines(tool string) []string {
	var out []string
	for _, name := range tableOrder {
		t, ok := s[name]
		if !ok {
			continue
		}
		head := tool + " -t " + name + " "
		for _, c := range builtins {
			for _, r := range t.Builtin[c] {
				out = append(out, head+"-A "+c+" "+r)
			}
		}
		for _, c := range slices.Sorted(maps.Keys(t.Chains)) {
			if len(t.Chains[c].Rules) == 0 {
				out = append(out, head+"-N "+c)
			}
			for _, r := range t.Chains[c].Rules {
				out = append(out, head+"-A "+c+" "+r)
			}
		}
	}
	return out
}
