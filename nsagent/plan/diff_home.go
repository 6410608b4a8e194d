package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// home says by which steps firewall bridges and what judges on them become what they must be. What judges comes first; a
// machine is put into a bridge only then.
func (d *differ) home() {
	adds, deletes, unused := setChanges(d.want.Sets, d.have.Sets)
	if adds != "" {
		d.step(RestoreSets{adds})
	}
	d.spread("net/bridge/")
	d.restore(false, d.want.IPv4, d.have.IPv4)
	if !d.have.NoIPv6 {
		d.restore(true, d.want.IPv6, d.have.IPv6)
	}
	if text, _ := d.want.Ethernet.restoreAs(d.have.Ethernet, "RETURN"); text != "" {
		d.step(RestoreEthernet{text})
	}
	if deletes != "" {
		d.step(RestoreSets{deletes})
	}
	wants, zones := ReadZones(d.want.IPv4), ReadZones(d.have.IPv4)
	var strange []uint16
	for _, b := range d.want.Bridges {
		if zones[b.Name] != wants[b.Name] && wants[b.Name] != 0 {
			strange = append(strange, b.Zone)
		}
	}
	if len(strange) > 0 {
		d.step(ForgetZones{strange})
	}
	is := map[string]Bridge{}
	for _, b := range d.have.Bridges {
		is[b.Name] = b
	}
	var taught []Bridge
	// Connections are copied when all bridges are there, and right before machines are put into them: what begins between is not copied.
	var copies, takes []Step
	for _, b := range d.want.Bridges {
		have, there := is[b.Name]
		if d.have.Held[b.Name] != nil {
			delete(is, b.Name)
			continue
		}
		if b.Leaving && there && !have.Taught && d.have.Plugged[OuterOfBridge(b.Name)] {
			b.Taps = have.Taps
			taught = append(taught, b)
		}
		if tap := d.have.Machine(b); tap != "" || there && !have.Ours {
			delete(is, b.Name)
			c, t := d.bridge(b, have, there, tap)
			copies, takes = append(copies, c...), append(takes, t...)
		}
	}
	d.steps = append(append(d.steps, copies...), takes...)
	if len(taught) > 0 {
		d.step(TeachConnections{taught})
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		d.unbridge(is[name])
	}
	if len(unused) > 0 {
		d.step(DestroySets{unused})
	}
}

// DiffSets is Diff of two states of the host's own namespace that differ in what is in sets, and in nothing else.
func DiffSets(want, have Namespace) []Step {
	var steps []Step
	adds, deletes, _ := setChanges(want.Sets, have.Sets)
	for _, text := range []string{adds, deletes} {
		if text != "" {
			steps = append(steps, RestoreSets{text})
		}
	}
	return steps
}

// bridge makes a bridge. It gives the steps that copy the connections of its machine, and put that into it.
func (d *differ) bridge(b, have Bridge, there bool, tap string) (copies, takes []Step) {
	switch {
	case !there:
		b.Machine = tap
		d.step(MakeBridge{b})
	case have.Ours && (!have.Right || have.MTU != b.MTU || have.Machine != tap && tap != ""):
		b.Machine = tap
		d.step(ChangeBridge{b})
	}
	// One that os-vif made gets its machine from who plugs it.
	if tap == "" || slices.Contains(have.Taps, tap) || there && !have.Ours && d.have.Devices[tap] != "" {
		return nil, nil
	}
	if d.have.tracks(b, tap) {
		b.Taps = []string{tap}
		copies = []Step{CopyConnections{b}}
	}
	if d.have.Devices[tap] == "" { // else Open vSwitch's datapath has to let go of it first
		takes = []Step{TakeTap{Bridge: b.Name, Tap: tap, For: b.For}}
	}
	return copies, takes
}

// unbridge takes away what is ours of a bridge that is not wanted, or has no machine any more. A machine is let go first, so
// that br-int can have it back.
func (d *differ) unbridge(b Bridge) {
	if !b.Ours {
		return
	}
	for _, tap := range b.Taps {
		d.step(ReleaseTap{Bridge: b.Name, Tap: tap})
	}
	if outer := OuterOfBridge(b.Name); !d.have.Plugged[outer] && d.have.Plugged != nil {
		d.step(DeleteBridge{b})
	}
}

// Machine is the device of the machine that a bridge is for, or "" when it is not there: what is in the bridge, else what was
// put into it, else the port's interface on br-int, else what Nova would call it.
func (n Namespace) Machine(want Bridge) string {
	var candidates []string
	for _, b := range n.Bridges {
		if b.Name == want.Name {
			candidates = append(append(candidates, b.Taps...), b.Machine)
		}
	}
	for _, name := range append(candidates, want.Interface, Tap(want.PortID)) {
		if _, exists := n.Devices[name]; exists && name != OuterOfBridge(want.Name) {
			return name
		}
	}
	return ""
}

// setChanges are the input of "ipset restore" that adds what is missing, the one that takes away what is too much, and the sets
// that nobody needs any more.
func setChanges(want, have map[string]Set) (adds, deletes string, unused []string) {
	var add, del strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want)) {
		w, h := want[name], have[name]
		if _, there := have[name]; !there {
			family := "inet"
			if w.IPv6 {
				family = "inet6"
			}
			fmt.Fprintf(&add, "create %s hash:net family %s maxelem %d -exist\n", name, family, maxElements)
		}
		missing, extra := difference(w.Entries, h.Entries)
		for _, p := range missing {
			fmt.Fprintf(&add, "add %s %v -exist\n", name, p)
		}
		for _, p := range extra {
			fmt.Fprintf(&del, "del %s %v -exist\n", name, p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, wanted := want[name]; !wanted {
			unused = append(unused, name)
		}
	}
	return add.String(), del.String(), unused
}

// maxElements is how many addresses a set may have; the kernel's default is 65,536.
const maxElements = 1 << 20

// ParseSets reads what ipset save printed: the sets that have a name of ours.
func ParseSets(text string) map[string]Set {
	out := map[string]Set{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || !OurSet(words[1]) {
			continue
		}
		s := out[words[1]]
		switch words[0] {
		case "create":
			s.IPv6 = slices.Contains(words, "inet6")
		case "add":
			if p, ok := parseEntry(words[2]); ok {
				s.Entries = append(s.Entries, p)
			}
		}
		out[words[1]] = s
	}
	for _, s := range out {
		slices.SortFunc(s.Entries, comparePrefixes)
	}
	return out
}

// parseEntry reads an entry: an address stands for itself.
func parseEntry(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return single(a), true
}
