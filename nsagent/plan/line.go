package plan

import "slices"

// Line is one thing that is, or should be, in a namespace.
type Line struct {
	// Section is link, address, route, rule, neighbour, sysctl, iptables, ipset or process.
	Section string
	// Text is the thing as the tool prints it: "10.0.1.1/24 dev qr-0123…".
	Text string
	// State is OK, Missing or Foreign.
	State string
}

// States of a Line.
const (
	OK      = "ok"
	Missing = "missing" // desired and not there
	Foreign = "foreign" // there and not desired
)

// Sections of lines, in the order in which they are told.
const (
	SectionLink      = "link"
	SectionAddress   = "address"
	SectionRoute     = "route"
	SectionRule      = "rule"
	SectionNeighbour = "neighbour"
	SectionSysctl    = "sysctl"
	SectionIPTables  = "iptables"
	SectionSet       = "ipset"
	SectionProcess   = "process"
)

// Lines holds a namespace as it is against what must be, section by section.
func Lines(want, have Namespace) []Line {
	wanted, found := want.lines(), have.lines()
	missing, extra := difference(wanted, found)
	count := map[Line]int{}
	for _, l := range missing {
		count[l]++
	}
	var out []Line
	for _, l := range wanted {
		state := OK
		if count[l] > 0 {
			count[l]--
			state = Missing
		}
		l.State = state
		out = append(out, l)
	}
	for _, l := range append(extra, have.Foreign...) {
		l.State = Foreign
		out = append(out, l)
	}
	order := []string{SectionLink, SectionAddress, SectionRoute, SectionRule, SectionNeighbour, SectionSysctl, SectionIPTables, SectionSet, SectionProcess}
	slices.SortStableFunc(out, func(a, b Line) int { return slices.Index(order, a.Section) - slices.Index(order, b.Section) })
	return out
}
