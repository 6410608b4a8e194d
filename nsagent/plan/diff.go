package plan

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Diff says by which steps what is becomes what must be. What serves to translate addresses comes before what brings
// traffic, adds come before deletes, and what must be told to others comes last. What is foreign is left alone. Of what
// waits for a device that is not there and that another namespace's plan makes, there is no step; see Waiting.
func Diff(want, have Namespace) []Step {
	d := &differ{want: want, have: have, devices: map[string]bool{"lo": true}, new: map[string]bool{}, is: map[string]Link{}, sysctls: map[string]bool{}}
	for _, l := range have.Links {
		d.is[l.Name] = l
		d.devices[l.Name] = true
	}
	if want.Name == Home {
		d.home()
		return d.steps
	}
	d.spread("net/ipv4/ip_forward", "net/ipv6/conf/all/", "net/ipv4/conf/all/", "net/ipv6/conf/default/", "net/ipv4/conf/default/")
	d.links()
	d.rest()
	removed := d.restore(false, want.IPv4, have.IPv4)
	if !have.NoIPv6 {
		d.restore(true, want.IPv6, have.IPv6)
	}
	d.spread("net/netfilter/") // there once conntrack is used
	d.adds()
	d.deletes()
	d.forget(removed)
	d.announce()
	return d.steps
}

// Waiting are the devices that what must be needs, that are not there, and that another namespace's plan makes.
func Waiting(want, have Namespace) []string {
	var out []string
	for _, l := range want.Links {
		if l.Given && !slices.ContainsFunc(have.Links, func(h Link) bool { return h.Name == l.Name }) {
			out = append(out, l.Name)
		}
	}
	return out
}

type differ struct {
	want, have Namespace
	steps      []Step
	// devices will be there when the steps are done; new are those that the steps make; is are those that are there.
	devices, new map[string]bool
	is           map[string]Link
	// sysctls have been looked at.
	sysctls map[string]bool
}

func (d *differ) step(s Step) { d.steps = append(d.steps, s) }

// spread sets what is so for the whole namespace, in the order in which one value follows from another.
func (d *differ) spread(prefixes ...string) {
	for _, p := range prefixes {
		for _, k := range slices.Sorted(maps.Keys(d.want.Sysctls)) {
			if strings.HasPrefix(k, p) {
				d.sysctl(k)
			}
		}
	}
}

func (d *differ) sysctl(key string) {
	if d.sysctls[key] || (d.have.NoIPv6 && strings.HasPrefix(key, "net/ipv6/")) {
		return
	}
	d.sysctls[key] = true
	if v := d.want.Sysctls[key]; d.have.Sysctls[key] != v {
		d.step(SetSysctl{key, v})
	}
}

// rest sets what is so for devices, of which the last part of the key but one is the name.
func (d *differ) rest() {
	for _, k := range slices.Sorted(maps.Keys(d.want.Sysctls)) {
		if d.devices[SysctlDevice(k)] {
			d.sysctl(k)
		}
	}
}

// SysctlDevice is the device that a sysctl is of, or "" for one that is of the namespace.
func SysctlDevice(key string) string {
	parts := strings.Split(key, "/")
	if len(parts) != 5 || parts[3] == "all" || parts[3] == "default" { // net/ipv4/conf/<device>/…
		return ""
	}
	return parts[3]
}

// restore changes iptables of a family, and gives the rules of nat that go.
func (d *differ) restore(ipv6 bool, want, have Ruleset) []string {
	text, removed := want.restore(have)
	if text != "" {
		d.step(Restore{IPv6: ipv6, Text: text})
	}
	return removed
}

// forget ends connections that go where nothing leads any more.
func (d *differ) forget(removed []string) {
	flows := forgotten(removed, d.want.IPv4)
	for _, s := range d.steps {
		// What was sent before through the snat namespace would leave by the floating IP's way with its own address.
		if r, ok := s.(AddRule); ok && r.Table == FloatingTable {
			flows = append(flows, Flow{OrigSrc: r.From.Addr(), Plain: true})
		}
	}
	if len(flows) > 0 {
		d.step(Forget{flows})
	}
}

// announces says whether neighbours must hear of addresses on a device. Those of a copy of a distributed router are heard
// on its own host alone (br-tun and physical bridges, table 1): by machines that knew another router by the same address.
func announces(dev string) bool {
	return slices.ContainsFunc([]string{devRouter, devGateway, devSnat, devExternal}, func(prefix string) bool { return strings.HasPrefix(dev, prefix) })
}

// announce tells of addresses that came, and of floating IPs that a fip namespace answers for now.
func (d *differ) announce() {
	told := map[string][]netip.Addr{}
	for _, s := range d.steps {
		switch s := s.(type) {
		case AddAddress:
			if announces(s.Dev) {
				told[s.Dev] = append(told[s.Dev], s.Prefix.Addr())
			}
		case PutRoute:
			if fg := d.want.external(); fg != "" && s.Destination.IsSingleIP() {
				told[fg] = append(told[fg], s.Destination.Addr())
			}
		}
	}
	for _, dev := range slices.Sorted(maps.Keys(told)) {
		d.step(Announce{dev, told[dev]})
	}
}

// external is the device of a fip namespace on the external network, or "".
func (n Namespace) external() string {
	for _, l := range n.Links {
		if strings.HasPrefix(l.Name, devExternal) {
			return l.Name
		}
	}
	return ""
}

// Announcements are all addresses that a device's link must know of.
func (n Namespace) Announcements(dev string) []netip.Addr {
	var out []netip.Addr
	if !announces(dev) {
		return nil
	}
	for _, a := range n.Addresses {
		if a.Dev == dev {
			out = append(out, a.Prefix.Addr())
		}
	}
	if dev == n.external() {
		for _, r := range n.Routes {
			if r.Table == MainTable && r.Destination.IsSingleIP() {
				out = append(out, r.Destination.Addr())
			}
		}
	}
	return out
}
