package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// TestWalk changes what is wanted, and by hand what is there, over and over: after the steps, what is there is what is
// wanted, a second look finds nothing to do, and what is foreign is as it was.
func TestWalk(t *testing.T) {
	pool := cloud()
	rapid.Check(t, func(t *rapid.T) {
		kernel := map[string]*memory{}
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			want, _ := Build(drawResources(t, pool))
			for name, m := range kernel {
				if _, ok := want[name]; !ok {
					want[name] = Namespace{Name: name} // all that is ours goes
				}
				m.tamper(t)
			}
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if kernel[name] == nil {
					kernel[name] = newMemory(name)
				}
				kernel[name].follow(t, want[name])
			}
		}
	})
}

// drawResources chooses some of a host's resources, some of them changed.
func drawResources(t *rapid.T, pool []*nodev1.Resource) map[string]Resource {
	out := map[string]Resource{}
	for _, r := range pool {
		if !rapid.Bool().Draw(t, r.Name) {
			continue
		}
		r = proto.Clone(r).(*nodev1.Resource)
		switch s := r.Spec.(type) {
		case *nodev1.Resource_Router:
			keep := rapid.IntRange(0, len(s.Router.Interfaces)).Draw(t, "interfaces")
			s.Router.Interfaces = s.Router.Interfaces[:keep]
			s.Router.Metadata = rapid.Bool().Draw(t, "metadata")
			for _, i := range s.Router.Interfaces {
				if rapid.IntRange(0, 4).Draw(t, "mtu") == 0 {
					i.Device.Mtu = 1400
				}
				if rapid.IntRange(0, 4).Draw(t, "mac") == 0 {
					i.Device.MacAddress = "fa:16:3e:00:00:99"
				}
			}
			if s.Router.Gateway != nil && rapid.Bool().Draw(t, "gateway") {
				s.Router.Gateway.EnableSnat = rapid.Bool().Draw(t, "enable_snat")
				s.Router.Gateway.Device.Addresses[0] = rapid.SampledFrom([]string{"172.24.4.92/24", "172.24.4.93/24"}).Draw(t, "address")
			} else {
				s.Router.Gateway = nil
			}
			if s.Router.LinkLocal != "" && rapid.Bool().Draw(t, "link_local") {
				s.Router.LinkLocal, s.Router.FipNetworkId = "", ""
			}
		case *nodev1.Resource_FloatingIp:
			s.FloatingIp.FixedIpAddress = rapid.SampledFrom([]string{"10.0.1.148", "10.0.2.9"}).Draw(t, "fixed")
		case *nodev1.Resource_PortForwarding:
			s.PortForwarding.InternalFirst, s.PortForwarding.InternalLast = 7, 7
		}
		x, err := Read(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		out[r.Name] = x
	}
	return out
}

// follow takes the steps to what is wanted.
func (m *memory) follow(t *rapid.T, want Namespace) {
	before := fmt.Sprint(m.Foreign)
	// Pairs are made by the other end's plan: here, it was always quicker.
	for _, l := range want.Links {
		if l.Given && m.link(l.Name) == nil {
			m.Links = append(m.Links, Link{Name: l.Name, MAC: l.MAC, MTU: l.MTU, Offload: true, Peer: l.Peer})
		}
	}
	var taken []string
	for _, s := range Diff(want, m.copy()) {
		taken = append(taken, s.String())
		m.apply(s)
	}
	for _, s := range Diff(want, m.copy()) {
		t.Errorf("%s: still to do: %v\nafter %q", m.Name, s, taken)
	}
	if d := cmp.Diff(fmt.Sprint(m.Foreign), before); d != "" {
		t.Errorf("foreign: %s", d)
	}
	for _, l := range Lines(want, m.copy()) {
		if l.State == Missing && l.Section != SectionProcess {
			t.Errorf("%s: %+v\nafter %q", m.Name, l, taken)
		}
	}
}

func (m *memory) copy() Namespace {
	n := m.Namespace
	n.Sysctls = maps.Clone(n.Sysctls)
	n.Links, n.Addresses, n.Routes = slices.Clone(n.Links), slices.Clone(n.Addresses), slices.Clone(n.Routes)
	n.Rules, n.Neighbours = slices.Clone(n.Rules), slices.Clone(n.Neighbours)
	n.IPv4, n.IPv6 = restored(n.IPv4, ""), restored(n.IPv6, "")
	return n
}

// tamper changes something by hand.
func (m *memory) tamper(t *rapid.T) {
	somewhere := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		switch rapid.IntRange(0, 12).Draw(t, "what") {
		case 0:
			if len(m.Addresses) > 0 {
				m.apply(DeleteAddress{m.Addresses[somewhere(len(m.Addresses))]})
			}
		case 1:
			if len(m.Routes) > 0 {
				m.unroute(m.Routes[somewhere(len(m.Routes))])
			}
		case 2:
			if len(m.Rules) > 0 {
				m.Rules = append(m.Rules, m.Rules[somewhere(len(m.Rules))]) // as the seed shows it, twice
			}
		case 3:
			if len(m.Rules) > 0 {
				m.apply(DeleteRule{m.Rules[somewhere(len(m.Rules))]})
			}
		case 4:
			if len(m.Neighbours) > 0 {
				m.Neighbours[somewhere(len(m.Neighbours))].MAC = "02:00:00:00:00:00"
			}
		case 5:
			for _, k := range slices.Sorted(maps.Keys(m.Sysctls)) {
				m.Sysctls[k] = "7"
				break
			}
		case 6:
			if l := &m.Links[somewhere(len(m.Links))]; l.Name != "lo" {
				m.down(l.Name)
			}
		case 7:
			if l := m.Links[somewhere(len(m.Links))]; l.Name != "lo" {
				m.apply(DeleteLink{l})
			}
		case 8:
			if l := &m.Links[somewhere(len(m.Links))]; l.Name != "lo" {
				l.MTU, l.Tap.Up = 999, false
			}
		case 9:
			if l := &m.Links[somewhere(len(m.Links))]; l.Tap.Name != "" {
				l.Tap.Plugged = !l.Tap.Plugged
			}
		case 10:
			m.tamperRules(t)
		case 11:
			if l := m.Links[somewhere(len(m.Links))]; l.Name != "lo" && l.Up {
				m.apply(AddAddress{Address{Dev: l.Name, Prefix: netip.MustParsePrefix("10.77.0.1/24")}})
				m.apply(PutRoute{TableRoute{Table: 7, Destination: netip.MustParsePrefix("10.78.0.0/24"), Hops: []Hop{{Dev: l.Name}}}})
			}
		case 12:
			m.Foreign = append(m.Foreign, Line{SectionIPTables, "-A FORWARD -j mine", Foreign})
		}
	}
}

func (m *memory) tamperRules(t *rapid.T) {
	for _, name := range slices.Sorted(maps.Keys(m.IPv4)) {
		for _, c := range slices.Sorted(maps.Keys(m.IPv4[name].Chains)) {
			rules := slices.Clone(m.IPv4[name].Chains[c].Rules)
			switch rapid.IntRange(0, 6).Draw(t, "rule") {
			case 0:
				rules = nil
			case 1:
				rules = append(rules, "-j RETURN")
			case 2:
				slices.Reverse(rules)
			case 3:
				m.IPv4[name].Builtin["PREROUTING"] = nil
			case 4:
				m.IPv4[name].Chains["weft-l3-other"] = Chain{Rules: []string{"-j ACCEPT"}}
			}
			m.IPv4[name].Chains[c] = Chain{Rules: rules}
		}
	}
}
