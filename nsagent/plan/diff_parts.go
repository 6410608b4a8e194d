package plan

import (
	"slices"
	"strings"
)

// links makes, changes and replaces devices.
func (d *differ) links() {
	for _, l := range d.want.Links {
		is, there := d.is[l.Name]
		switch {
		case there && !l.Given && is.otherEnd() != l.otherEnd():
			d.step(DeleteLink{is})
			d.gone(l.Name)
			d.make(l)
		case there:
			d.change(l, is)
		case !l.Given:
			d.make(l)
		}
	}
}

func (l Link) otherEnd() Peer {
	if l.Tap.Name != "" {
		return Peer{"", l.Tap.Name}
	}
	return l.Peer
}

func (d *differ) make(l Link) {
	d.step(MakeLink{l})
	d.devices[l.Name], d.new[l.Name] = true, true
}

// gone forgets all that was on a device.
func (d *differ) gone(name string) {
	delete(d.is, name)
	h := &d.have
	h.Addresses = slices.DeleteFunc(slices.Clone(h.Addresses), func(a Address) bool { return a.Dev == name })
	h.Neighbours = slices.DeleteFunc(slices.Clone(h.Neighbours), func(n Neighbour) bool { return n.Dev == name })
	h.Routes = slices.DeleteFunc(slices.Clone(h.Routes), func(r TableRoute) bool { return slices.ContainsFunc(r.Hops, func(x Hop) bool { return x.Dev == name }) })
	kept := map[string]string{}
	for k, v := range h.Sysctls {
		if !strings.Contains(k, "/"+name+"/") {
			kept[k] = v
		}
	}
	h.Sysctls = kept
}

func (d *differ) change(l, is Link) {
	c := Link{Name: l.Name, Up: l.Up, Offload: l.Offload, Tap: l.Tap, For: l.For}
	if l.MAC != is.MAC {
		c.MAC = l.MAC
	}
	if l.MTU != is.MTU {
		c.MTU = l.MTU
	}
	is.Tap.Plugged = false
	if c.MAC != "" || c.MTU != 0 || l.Up != is.Up || l.Offload != is.Offload || (l.Tap.Name != "" && l.Tap != is.Tap) {
		d.step(ChangeLink{c})
		if !is.Up {
			d.new[l.Name] = true // the kernel makes its routes anew
		}
	}
}

// adds adds addresses, neighbours, routes and rules on devices that are there.
func (d *differ) adds() {
	d.addRules(true)
	has := map[Address]bool{}
	for _, a := range d.have.Addresses {
		a.For = ""
		has[a] = true
	}
	added := map[Address]bool{}
	for _, a := range d.want.Addresses {
		k := Address{Dev: a.Dev, Prefix: a.Prefix}
		if d.devices[a.Dev] && !has[k] {
			d.step(AddAddress{a})
			added[k] = true
		}
	}
	known := map[Neighbour]bool{}
	for _, n := range d.have.Neighbours {
		n.For = ""
		known[n] = true
	}
	for _, n := range d.want.Neighbours {
		if d.devices[n.Dev] && !known[Neighbour{Dev: n.Dev, IP: n.IP, MAC: n.MAC}] {
			d.step(PutNeighbour{n})
		}
	}
	d.addRoutes(added)
	d.addRules(false)
}

// addRules adds the rules that the kernel begins with, or the others. Without the former no next hop can be reached.
func (d *differ) addRules(kernels bool) {
	missing, _ := difference(bare(d.want.Rules), bare(d.have.Rules))
	for _, r := range d.want.Rules {
		b := r
		b.For = ""
		i := slices.Index(missing, b)
		if i >= 0 && kernels == slices.Contains(kernelRules, b) && (r.IIF == "" || d.devices[r.IIF]) && !(r.IPv6 && d.have.NoIPv6) {
			missing = slices.Delete(missing, i, i+1)
			d.step(AddRule{r})
		}
	}
}

func bare(rules []Rule) []Rule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].For = ""
	}
	return out
}

func (d *differ) addRoutes(added map[Address]bool) {
	has := map[routeKey]TableRoute{}
	for _, r := range d.have.Routes {
		has[routeKey{r.Table, r.Destination}] = r
	}
	for _, r := range d.want.Routes {
		is, there := has[routeKey{r.Table, r.Destination}]
		if (there && is.same(r)) || slices.ContainsFunc(r.Hops, func(h Hop) bool { return !d.devices[h.Dev] }) {
			continue
		}
		if r.Connected && (d.new[r.Hops[0].Dev] || slices.ContainsFunc(d.want.Addresses, func(a Address) bool {
			return a.Dev == r.Hops[0].Dev && a.Prefix.Masked() == r.Destination && added[Address{Dev: a.Dev, Prefix: a.Prefix}]
		})) {
			continue // the kernel does it with the address
		}
		d.step(PutRoute{r})
	}
}

func (r TableRoute) same(o TableRoute) bool {
	return r.Connected == o.Connected && r.Src == o.Src && slices.Equal(r.Hops, o.Hops)
}

// deletes deletes what is ours and no longer wanted.
func (d *differ) deletes() {
	_, extra := difference(bare(d.want.Rules), bare(d.have.Rules))
	for _, r := range extra {
		d.step(DeleteRule{r})
	}
	doomed := map[string]bool{} // with the device goes all that is on it
	for _, l := range d.have.Links {
		if _, still := d.is[l.Name]; still && !d.wants(l.Name) && OurDevice(l.Name) {
			doomed[l.Name] = true
		}
	}
	wanted := map[routeKey]bool{}
	for _, r := range d.want.Routes {
		wanted[routeKey{r.Table, r.Destination}] = true
	}
	for _, r := range d.have.Routes {
		if !r.Connected && !wanted[routeKey{r.Table, r.Destination}] && !slices.ContainsFunc(r.Hops, func(h Hop) bool { return doomed[h.Dev] }) {
			d.step(DeleteRoute{r})
		}
	}
	d.deleteAddresses(doomed)
	for _, l := range d.have.Links {
		switch {
		case !doomed[l.Name]:
		case !l.Tap.Plugged:
			d.step(DeleteLink{l})
		case l.Up:
			d.step(StopLink{l})
		}
	}
}

func (d *differ) wants(link string) bool {
	return slices.ContainsFunc(d.want.Links, func(l Link) bool { return l.Name == link })
}

func (d *differ) deleteAddresses(doomed map[string]bool) {
	type place struct{ dev, ip string }
	near := map[place]bool{}
	for _, n := range d.want.Neighbours {
		near[place{n.Dev, n.IP.String()}] = true
	}
	for _, n := range d.have.Neighbours {
		if !near[place{n.Dev, n.IP.String()}] && !doomed[n.Dev] {
			d.step(DeleteNeighbour{n})
		}
	}
	keep := map[Address]bool{}
	for _, a := range d.want.Addresses {
		keep[Address{Dev: a.Dev, Prefix: a.Prefix}] = true
	}
	for _, a := range d.have.Addresses {
		if !keep[Address{Dev: a.Dev, Prefix: a.Prefix}] && !doomed[a.Dev] {
			d.step(DeleteAddress{a})
		}
	}
}
