package hostsync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// maxDelta is about how many bytes of resources go into one Delta; an agent takes messages of 64 MiB.
const maxDelta = 8 << 20

// order is that in which kinds of resources are sent when one Delta does not hold them all: the namespaces themselves
// before what is in them, so that an agent knows all namespaces that are ours from its first Delta on.
var order = []string{"bridge", "tunnel", "port", "router", "snat", "fip", "dhcp", "floatingip", "portforwarding", "endpoint",
	"groupset", "remotegroup", "remoteaddress", "firewall"}

func byOrder(a, b string) int {
	return cmp.Or(cmp.Compare(slices.Index(order, kindOf(a)), slices.Index(order, kindOf(b))), cmp.Compare(a, b))
}

// atOnce says of a resource that is not wanted any more that it can go before the flows that lead to it: none does, or it would be in
// the way. What firewalls judge by stays as long as one that is not wanted any more does, whose ports br-int may not judge yet. The
// snat namespace of a router that has become centralised gives the device of the gateway to the router's: as long as both were
// wanted, they would take it from each other.
func (a *agent) atOnce(name string) bool {
	kind, id, _ := strings.Cut(name, "/")
	switch kind {
	case "floatingip", "portforwarding", "endpoint":
		return true
	case "snat":
		return a.wanted["router/"+id].GetRouter().GetGateway() != nil
	case "groupset", "remotegroup", "remoteaddress":
		for other := range a.removals {
			if kindOf(other) == "firewall" {
				return false
			}
		}
		return true
	}
	return false
}

// late says of a resource that its change is told when flows are in force: br-int learns of connections before the agent makes it
// learn of those that there were before. What the agent does not know at all it is told at once.
func (a *agent) late(name string) bool {
	return a.sent[name] != "" && a.wanted[name].GetFirewall().GetLeaving()
}

// sendUpserts sends what is new or changed, as much as fits into a Delta, and takes away what can go at once. The first Delta
// of a stream also tells what stays; what flows need stays until they do not.
func (a *agent) sendUpserts() {
	if a.session == nil || a.inflight != nil {
		return
	}
	d := &nodev1.Delta{Full: a.full}
	size := 0
	for _, name := range slices.SortedFunc(maps.Keys(a.upserts), byOrder) {
		if a.late(name) {
			continue
		}
		if size += proto.Size(a.wanted[name]); size > maxDelta && len(d.Upserts) > 0 {
			break
		}
		a.upsert(d, name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.removals)) {
		if a.atOnce(name) {
			a.remove(d, name)
		}
	}
	if a.full {
		now := map[string]bool{}
		for _, r := range d.Upserts {
			now[r.Name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(a.sent)) {
			if !now[name] {
				d.Unchanged = append(d.Unchanged, name)
			}
		}
		d.Connected = a.host.connectedBridges()
	}
	if a.full || len(d.Upserts) > 0 || len(d.Removed) > 0 {
		a.full = false
		a.send(d)
	}
}

// upsert tells of a resource with a Delta.
func (a *agent) upsert(d *nodev1.Delta, name string) {
	d.Upserts = append(d.Upserts, a.wanted[name])
	a.sent[name] = a.wanted[name].Version
	delete(a.upserts, name)
}

// remove takes a resource away with a Delta.
func (a *agent) remove(d *nodev1.Delta, name string) {
	d.Removed = append(d.Removed, name)
	delete(a.sent, name)
	delete(a.removals, name)
	delete(a.remotes, name)
}

// sendRest takes away what no flow needs any more, and sends what has waited for flows. The loop calls it when every bridge has
// acknowledged the snapshot. A tunnel also stays while the host at its other end is being programmed: until then that may still
// send into it.
func (a *agent) sendRest() {
	if a.session == nil || a.inflight != nil || a.full {
		return
	}
	d := &nodev1.Delta{}
	for _, name := range slices.SortedFunc(maps.Keys(a.upserts), byOrder) {
		a.upsert(d, name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.removals)) {
		if a.host.fleet.programming(a.remotes[name]) {
			continue
		}
		a.remove(d, name)
	}
	if a.held = len(a.removals) > 0; len(d.Upserts) > 0 || len(d.Removed) > 0 {
		a.send(d)
	}
}

func (a *agent) send(d *nodev1.Delta) {
	a.nonce++
	a.inflight = d
	d.Nonce, d.Revision = fmt.Sprint(a.nonce), a.host.rev
	// On an error the stream is over, and its end is on its way to us.
	if err := a.session.SendDelta(d); err != nil {
		a.host.fleet.cfg.Log.Warn("delta not sent", "host", a.host.name, "err", err)
	}
}
