package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// TestWalkHome does to firewall bridges what TestWalk does to routers: it changes what is wanted, which machines there are, and
// by hand what is there. After the steps, what is there is what is wanted, and a second look finds nothing to do. No step is
// one that a kernel refuses, a machine comes behind its firewall only when that judges as it should, and none that was judged
// is for a moment not.
func TestWalkHome(t *testing.T) {
	pool := homePool()
	rapid.Check(t, func(t *rapid.T) {
		m := newHomeMemory()
		// Open vSwitch's datapath in the kernel holds the devices that are on br-int.
		held := map[bool]string{true: "ovs-system"}[rapid.Bool().Draw(t, "kernel datapath")]
		zones := map[string]uint16{}
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			m.machines(t, held)
			m.tamperHome(t)
			want := Namespace{Name: Home} // all that is ours goes
			if s := Group(m.draw(t, pool))[Home]; s != nil {
				if rapid.Bool().Draw(t, "restart") {
					zones = ReadZones(m.IPv4)
				}
				zones = s.Zones(zones)
				want, _ = s.Build(zones)
			}
			m.followHome(t, want, held)
		}
	})
}

// homeMachines are the devices of the machines of two ports that the pool has: one that Nova names, and one that libvirt does.
var homeMachines = map[string]string{judgedPort: "tapbc39a196-00", looseGroup: "vnet3"}

// homePool is a port by its groups and one without any rule of its own, two sets of groups, and two groups that rules name.
func homePool() []*nodev1.Resource {
	pool := bridged()
	second := strings.Replace(remoteGroup, "f57a", "0001", 1)
	few := proto.Clone(pool[2]).(*nodev1.Resource)
	few.Name = "groupset/102"
	few.GetGroupSet().Number = 102
	for i, r := range few.GetGroupSet().Rules {
		if r.RemoteGroupId != "" {
			r.RemoteGroupId = second
		}
		r.Id = fmt.Sprintf("00000000-0000-4000-8000-00000000010%d", i)
	}
	return append(pool, few,
		&nodev1.Resource{Name: "remotegroup/" + second, Spec: &nodev1.Resource_RemoteGroup{RemoteGroup: &nodev1.RemoteGroup{GroupId: second}}},
		&nodev1.Resource{Name: "remoteaddress/10.0.3.4/32", Spec: &nodev1.Resource_RemoteAddress{RemoteAddress: &nodev1.RemoteAddress{IpPrefix: "10.0.3.4/32", GroupIds: []string{second, remoteGroup}}}},
		&nodev1.Resource{Name: "remoteaddress/fd00::7/128", Spec: &nodev1.Resource_RemoteAddress{RemoteAddress: &nodev1.RemoteAddress{IpPrefix: "fd00::7/128", GroupIds: []string{remoteGroup}}}})
}

// draw chooses some of the resources, some of them changed.
func (m *homeMemory) draw(t *rapid.T, pool []*nodev1.Resource) map[string]Resource {
	out := map[string]Resource{}
	for _, r := range pool {
		if rapid.IntRange(0, 3).Draw(t, r.Name) == 0 {
			continue
		}
		r = proto.Clone(r).(*nodev1.Resource)
		switch s := r.Spec.(type) {
		case *nodev1.Resource_Firewall:
			f := s.Firewall
			f.GroupSet = rapid.SampledFrom([]uint32{101, 102, 0}).Draw(t, "group set")
			f.Stateless = rapid.Bool().Draw(t, "stateless")
			f.Senders = f.Senders[:rapid.IntRange(1, len(f.Senders)).Draw(t, "senders")]
			f.Mtu = rapid.SampledFrom([]uint32{1450, 1500}).Draw(t, "mtu")
			// The controller says what is on br-int, as far as it has heard.
			if f.Interface = homeMachines[f.PortId]; m.bridge(BridgeOf(f.PortId)) != nil && rapid.Bool().Draw(t, "interface") {
				f.Interface = OuterOf(f.PortId)
			}
		case *nodev1.Resource_GroupSet:
			var rules []*nodev1.FirewallRule
			for _, x := range s.GroupSet.Rules {
				if rapid.Bool().Draw(t, "rule") {
					rules = append(rules, x)
				}
			}
			s.GroupSet.Rules = rules
		case *nodev1.Resource_RemoteAddress:
			s.RemoteAddress.GroupIds = s.RemoteAddress.GroupIds[:rapid.IntRange(1, len(s.RemoteAddress.GroupIds)).Draw(t, "groups")]
		}
		x, err := Read(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		out[r.Name] = x
	}
	return out
}

// machines come and go, and os-vif makes a bridge for one.
func (m *homeMemory) machines(t *rapid.T, held string) {
	for _, port := range slices.Sorted(maps.Keys(homeMachines)) {
		dev, bridge, outer := homeMachines[port], BridgeOf(port), OuterOf(port)
		in, exists := m.Devices[dev]
		switch what := rapid.IntRange(0, 4).Draw(t, "machine"); {
		case what == 0 && exists:
			if b := m.bridge(in); b != nil {
				m.leave(in, dev)
			}
			delete(m.Devices, dev)
			delete(m.Plugged, dev)
		case what == 1 && !exists && m.bridge(bridge) == nil && !m.Plugged[outer]:
			m.Bridges = append(m.Bridges, Bridge{Name: bridge, MTU: 9000, Taps: []string{dev}})
			m.Devices[dev], m.Devices[bridge], m.Devices[InnerOf(port)], m.Devices[outer] = bridge, "", bridge, held
			m.Plugged[outer] = true
		case what >= 2 && !exists && m.bridge(bridge) == nil:
			m.Devices[dev], m.Plugged[dev] = held, true
		}
	}
}

// exchange is what the agent does with br-int between two looks: it puts there what is to be, the machine's device or the bridge's
// pair, and takes off what is not.
func (m *homeMemory) exchange(want Namespace, held string) {
	for port, dev := range homeMachines {
		bridge, outer := BridgeOf(port), OuterOf(port)
		in, exists := m.Devices[dev]
		b := m.bridge(bridge)
		wanted := slices.ContainsFunc(want.Bridges, func(w Bridge) bool { return w.Name == bridge })
		put := func(name string, on bool) {
			was := m.Plugged[name]
			if m.Plugged[name] = on; on {
				m.Devices[name] = held
			} else if delete(m.Plugged, name); was && m.Devices[name] == held {
				m.Devices[name] = ""
			}
		}
		switch {
		case b != nil && !b.Ours: // os-vif's affair
		case !exists:
			put(dev, false)
			put(outer, false)
			delete(m.Devices, dev)
			if b == nil {
				delete(m.Devices, outer)
			}
		case wanted && b != nil:
			put(dev, false)
			put(outer, true)
		case !wanted && in == "":
			put(outer, false)
			if b == nil {
				delete(m.Devices, outer)
			}
			put(dev, true)
		}
	}
}

// followHome takes the steps to what is wanted, and has br-int follow.
func (m *homeMemory) followHome(t *rapid.T, want Namespace, held string) {
	var taken []string
	for look := 0; ; look++ {
		have := m.copy()
		steps := Diff(want, have)
		if look > 0 && len(steps) == 0 {
			break
		}
		if look == 4 {
			t.Fatalf("still to do: %v\nafter %q", steps, taken)
		}
		for _, s := range steps {
			taken = append(taken, s.String())
			m.judgedBefore(t, want, s, taken)
		}
		m.exchange(want, held)
	}
	m.settled(t, want, taken)
}

// judgedBefore takes one step, and looks at whom it leaves unjudged.
func (m *homeMemory) judgedBefore(t *rapid.T, want Namespace, s Step, taken []string) {
	var guarded []string
	for _, b := range want.Bridges {
		if m.guards(b.Name) {
			guarded = append(guarded, b.Name)
		}
	}
	if take, is := s.(TakeTap); is {
		for _, late := range Diff(want, m.copy()) {
			switch late.(type) {
			case Restore, RestoreEthernet, SetSysctl, RestoreSets:
				t.Fatalf("%v before %v\nafter %q", take, late, taken)
			}
		}
	}
	m.apply(s)
	for _, b := range guarded {
		if !m.guards(b) {
			t.Fatalf("nobody judges %s after %v\nafter %q", b, s, taken)
		}
	}
}

// settled compares with what was wanted.
func (m *homeMemory) settled(t *rapid.T, want Namespace, taken []string) {
	// A bridge is there while its machine is.
	have, absent := m.copy(), map[string]bool{}
	for _, b := range want.Bridges {
		dev := homeMachines[b.PortID]
		in, exists := m.Devices[dev]
		absent[b.Name] = !exists
		if exists && in != b.Name {
			t.Errorf("%s is in %q and not in %s\nafter %q", dev, in, b.Name, taken)
		}
		if is := m.bridge(b.Name); exists && is != nil && is.Ours && (!is.Right || is.MTU != b.MTU || is.Machine != dev) {
			t.Errorf("%+v is not as %+v\nafter %q", *is, b, taken)
		}
		if z := ReadZones(want.IPv4)[b.Name]; z != 0 && (!m.emptied[z] || m.owners[z] != b.Name) {
			t.Errorf("%s has the connections of another in zone %d\nafter %q", b.Name, z, taken)
		}
		if exists && !m.guards(b.Name) {
			t.Errorf("nobody judges %s\nafter %q", b.Name, taken)
		}
	}
	for _, l := range Lines(want, have) {
		foreign := m.bridge(l.Text)
		switch {
		case l.Section == SectionSysctl && l.State == Foreign: // it stays as it is
		case l.State == Missing && l.Section == SectionLink && absent[l.Text]:
		case l.State == Foreign && foreign != nil && (!foreign.Ours || absent[l.Text]):
		case l.State != OK:
			t.Errorf("%+v\nafter %q", l, taken)
		}
	}
	// The order of rules, which lines do not tell.
	for _, x := range []struct{ want, have Ruleset }{{want.IPv4, m.IPv4}, {want.IPv6, m.IPv6}, {want.Ethernet, m.Ethernet}} {
		for name, table := range x.want {
			for c, chain := range table.Chains {
				if d := cmp.Diff(chain.Rules, x.have[name].Chains[c].Rules); chain.Ordered && d != "" {
					t.Errorf("%s %s (-want +got):\n%s\nafter %q", name, c, d, taken)
				}
			}
		}
	}
}

// tamperHome changes something by hand.
func (m *homeMemory) tamperHome(t *rapid.T) {
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0:
			m.tamperChain(m.IPv4, t)
		case 1:
			m.tamperChain(m.IPv6, t)
		case 2:
			m.tamperChain(m.Ethernet, t)
		case 3:
			for _, name := range slices.Sorted(maps.Keys(m.Sets)) {
				s := m.Sets[name]
				if stranger := netip.MustParsePrefix("192.0.2.1/32"); rapid.Bool().Draw(t, "empty") {
					s.Entries = nil
				} else if !s.IPv6 && !slices.Contains(s.Entries, stranger) {
					s.Entries = append(slices.Clone(s.Entries), stranger)
				}
				m.Sets[name] = s
			}
		case 4:
			m.Sysctls["net/bridge/bridge-nf-call-iptables"] = "0"
		case 5:
			for i := range m.Bridges {
				if b := &m.Bridges[i]; b.Ours {
					b.Right = false
				}
			}
		case 6:
			for _, b := range slices.Clone(m.Bridges) {
				for _, tap := range b.Taps {
					if b.Ours {
						m.leave(b.Name, tap)
					}
				}
			}
		}
	}
}

// tamperChain spoils a chain of ours.
func (m *homeMemory) tamperChain(set Ruleset, t *rapid.T) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		chains := slices.Sorted(maps.Keys(set[name].Chains))
		if len(chains) == 0 {
			continue
		}
		c := rapid.SampledFrom(chains).Draw(t, "chain")
		rules := slices.Clone(set[name].Chains[c].Rules)
		switch rapid.IntRange(0, 4).Draw(t, "rule") {
		case 0:
			rules = nil
		case 1:
			rules = append(rules, "-j RETURN")
		case 2:
			slices.Reverse(rules)
		case 3:
			for b := range set[name].Builtin {
				set[name].Builtin[b] = nil
			}
		case 4:
			set[name].Chains[fw+"iother"] = Chain{Rules: []string{"-j ACCEPT"}}
		}
		set[name].Chains[c] = Chain{Rules: rules}
	}
}

// TestSetsOnly: where only members differ, the short way gives what the long one does. Any other difference it leaves to that.
func TestSetsOnly(t *testing.T) {
	pool := homePool()
	rapid.Check(t, func(t *rapid.T) {
		m := newHomeMemory()
		before := m.draw(t, pool)
		after := maps.Clone(before)
		other := ""
		for name, r := range m.draw(t, pool) {
			if _, member := r.(*RemoteAddress); member {
				after[name] = r
			} else if before[name] != nil {
				other = name
			}
		}
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if _, member := after[name].(*RemoteAddress); member && rapid.IntRange(0, 3).Draw(t, name) == 0 {
				delete(after, name)
			}
		}
		was, is := Group(before)[Home], Group(after)[Home]
		if was == nil || len(was.Firewalls) == 0 {
			return // the sets are not there either
		}
		if !is.SameButMembers(was) {
			t.Fatal("nothing but members differs")
		}
		zones := was.Zones(nil)
		old, _ := was.Build(zones)
		want, _ := is.Build(zones)
		got := is.BuildSets(old)
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
			t.Errorf("what must be (-want +got):\n%s", d)
		}
		if d := cmp.Diff(Diff(want, old), DiffSets(got, old), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("steps (-want +got):\n%s", d)
		}
		if other != "" {
			delete(after, other)
			if s := Group(after)[Home]; s != nil && s.SameButMembers(was) {
				t.Errorf("without %s it is not the same", other)
			}
		}
	})
}
