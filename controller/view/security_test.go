package view

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// secured are threeHosts with judged ports: red1 (host1) and red2, blue2 (host2) of web, which its members may talk to; red3
// (host3) of db, which web and the office may talk to. web's set has the number 101, db's 102.
func secured(t testing.TB) *viewtest.Cloud {
	c := threeHosts(t)
	c.AddressGroup("office", 4, "192.0.2.0/24")
	c.Group("web", 1, "egress ipv4", "ingress ipv4 tcp 80-81 from 10.0.0.0/8", "ingress ipv4 udp from web")
	c.Group("db", 2, "ingress ipv4 tcp 5432 from web", "egress ipv4 to office")
	c.Secure("red1", "web")
	c.Secure("red2", "web")
	c.Secure("blue2", "web")
	c.Secure("red3", "db")
	return c
}

func TestPartsOfAFirewall(t *testing.T) {
	s := secured(t).Snapshot()
	for host, want := range map[string][]string{
		"host1": {"groupset/web", "multicast/red", "remote/10.1.0.1/32", "remote/10.1.0.2/32", "remote/10.1.0.4/32", "remotegroup/web",
			"station/red/fa:16:3e:00:00:01"},
		"host3": {"groupset/db", "multicast/red", "remote/10.1.0.1/32", "remote/10.1.0.2/32", "remote/10.1.0.4/32", "remote/192.0.2.0/24",
			"remotegroup/office", "remotegroup/web", "station/red/fa:16:3e:00:00:03"},
	} {
		var got []string
		for p := range Parts(s, host) {
			if p.Kind >= GroupSetPart {
				got = append(got, p.String())
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("firewall of %s (-want +got):\n%s", host, d)
		}
	}
}

func TestWhatAPartOfAFirewallHolds(t *testing.T) {
	c := secured(t)
	virtual := model.MAC{0, 0, 0x5e, 0, 1, 10}
	c.Bind("red4", "red", "host1", 8, 18, "10.1.0.8")
	c.Pair("red1", "10.1.0.100/32", virtual)
	s := c.Snapshot()
	h1, _ := ForHost(s, "host1")
	h3, _ := ForHost(s, "host3")
	prefix := netip.MustParsePrefix
	red := Network{ID: "red", Type: "vxlan", Segment: 100, VLAN: 1, Up: true}
	web := Set{Number: 101}
	tcp, udp, from, to := uint8(6), uint8(17), uint16(80), uint16(81)

	_, lp, _ := ForPort(s, h1, "red1")
	want := &Security{Set: web, Senders: []model.Sender{{MAC: virtual, IP: prefix("10.1.0.100/32")}, {MAC: viewtest.MAC(1), IP: prefix("10.1.0.1/32")}}}
	if d := cmp.Diff(want, lp.Security, same); d != "" {
		t.Errorf("red1 (-want +got):\n%s", d)
	}
	if _, lp, _ := ForPort(s, h1, "red4"); lp.Security != nil {
		t.Errorf("red4 has no port security, and is judged by %v", lp.Security)
	}
	rule := func(n int) string { return viewtest.RuleID(1, n) }
	gs, _ := ForGroupSet(s, h1, "web")
	wantSet := GroupSet{web, []Rule{{ID: rule(1)}, {ID: rule(2), Ingress: true, Protocol: &tcp, Min: &from, Max: &to, Prefix: prefix("10.0.0.0/8")},
		{ID: rule(3), Ingress: true, Protocol: &udp, Remote: 1, RemoteID: "web"}}}
	if d := cmp.Diff(wantSet, gs, same); d != "" {
		t.Errorf("set of web (-want +got):\n%s", d)
	}
	webGroup, office := RemoteGroup{ID: "web", Number: 1, Ingress: true}, RemoteGroup{ID: "office", Number: 4, Address: true, Egress: true}
	g, _ := ForRemoteGroup(s, h3, "office")
	if d := cmp.Diff(office, g); d != "" {
		t.Errorf("office (-want +got):\n%s", d)
	}
	r, _ := ForRemote(s, h3, "10.1.0.100/32")
	if d := cmp.Diff(Remote{Prefix: prefix("10.1.0.100/32"), Ingress: []RemoteGroup{webGroup}}, r, same); d != "" {
		t.Errorf("an address of web (-want +got):\n%s", d)
	}
	st, _ := ForStation(s, h1, StationID("red", viewtest.MAC(1)))
	receivers := []Receiver{{"red1", 11, web}}
	if d := cmp.Diff(Station{Network: red, MAC: viewtest.MAC(1), Receivers: receivers, Alone: true}, st, same); d != "" {
		t.Errorf("own MAC of red1 (-want +got):\n%s", d)
	}
	st, _ = ForStation(s, h1, StationID("red", virtual))
	if d := cmp.Diff(Station{Network: red, MAC: virtual, Receivers: receivers}, st, same); d != "" {
		t.Errorf("MAC of an allowed address pair (-want +got):\n%s", d)
	}
	m, _ := ForMulticast(s, h1, "red")
	if d := cmp.Diff(Multicast{Network: red, Judged: []Hearers{{Set: web, Ports: []uint32{11}}}, Ports: []uint32{18}, Uplink: 1}, m, same); d != "" {
		t.Errorf("red on host1 (-want +got):\n%s", d)
	}
	for what, is := range map[string]bool{
		"a set that no port of the host has":            second(ForGroupSet(s, h1, "db")),
		"a group that no rule in force on the host has": second(ForRemoteGroup(s, h1, "office")),
		"an address of such a group":                    second(ForRemote(s, h1, "192.0.2.0/24")),
		"an address of no group":                        second(ForRemote(s, h1, "10.1.0.8/32")),
		"the MAC of a port that nobody judges":          second(ForStation(s, h1, StationID("red", viewtest.MAC(8)))),
		"the MAC of a port of another host":             second(ForStation(s, h1, StationID("red", viewtest.MAC(2)))),
		"a network without judged ports":                second(ForMulticast(s, h1, "ext")),
		"no address":                                    second(ForRemote(s, h1, "10.1.0.300/32")),
		"no MAC":                                        second(ForStation(s, h1, "red/1")),
	} {
		if is {
			t.Errorf("%s is a part", what)
		}
	}
}

func second[T any](_ T, ok bool) bool { return ok }

func TestChangesOfAFirewallConcernOnlyWhomTheyConcern(t *testing.T) {
	regroup := func(s state.Snapshot, id string, groups ...string) *model.Port {
		p := *s.Port(id)
		p.SecurityGroups = groups
		return &p
	}
	for _, c := range []struct {
		name string
		do   func(s state.Snapshot, tx viewtest.Tx)
		want map[string][]string
	}{
		{"a port that is bound nowhere joins web", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "far"}, NetworkID: "other", MAC: viewtest.MAC(9), PortSecurityEnabled: true, SecurityGroups: []string{"web"},
				FixedIPs: []model.FixedIP{{IP: netip.MustParseAddr("10.7.0.1")}}})
		}, map[string][]string{"host1": {"remote/10.7.0.1/32"}, "host2": {"remote/10.7.0.1/32"}, "host3": {"remote/10.7.0.1/32"}}},
		{"a block joins the office", func(s state.Snapshot, tx viewtest.Tx) {
			g := *s.AddressGroup("office")
			g.Addresses = append(slices.Clone(g.Addresses), netip.MustParsePrefix("198.51.100.0/24"))
			tx.Put(&g)
		}, map[string][]string{"host3": {"remote/198.51.100.0/24"}}},
		{"a rule of db", func(s state.Snapshot, tx viewtest.Tx) {
			r := *s.SecurityGroupRule(viewtest.RuleID(2, 1))
			n := uint16(5433)
			r.PortRangeMax = &n
			tx.Put(&r)
		}, map[string][]string{"host3": {"groupset/db"}}},
		{"another description of a rule, a group, an address group", func(s state.Snapshot, tx viewtest.Tx) {
			r, g, a := *s.SecurityGroupRule(viewtest.RuleID(2, 1)), *s.SecurityGroup("db"), *s.AddressGroup("office")
			r.Description, g.Description, a.Description = "r", "g", "a"
			tx.Put(&r, &g, &a)
		}, map[string][]string{}},
		{"the only rule about the office goes", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Delete(state.SecurityGroupRules, viewtest.RuleID(2, 2))
		}, map[string][]string{"host3": {"groupset/db", "remotegroup/office", "remote/192.0.2.0/24"}}},
		{"red2 goes from web to db, as blue2 of its host does not", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Put(regroup(s, "red2", "db"))
		}, map[string][]string{
			"host1": {"remote/10.1.0.2/32"},
			// web is still named, by the rule of blue2's group.
			"host2": {"port/red2", "groupset/db", "groupset/web", "remotegroup/office", "remote/10.1.0.2/32", "remote/192.0.2.0/24",
				"station/red/fa:16:3e:00:00:02", "multicast/red"},
			"host3": {"remote/10.1.0.2/32"},
		}},
		{"port security of red3 goes off", func(s state.Snapshot, tx viewtest.Tx) {
			p := *s.Port("red3")
			p.PortSecurityEnabled = false
			tx.Put(&p)
		}, map[string][]string{"host3": {"port/red3", "groupset/db", "remotegroup/office", "remotegroup/web", "remote/10.1.0.1/32", "remote/10.1.0.2/32",
			"remote/10.1.0.4/32", "remote/192.0.2.0/24", "station/red/fa:16:3e:00:00:03", "multicast/red"}}},
		{"another number for a judged port", func(s state.Snapshot, tx viewtest.Tx) {
			b := *s.Binding("red3")
			b.OFPort = 77
			tx.Put(&b)
		}, map[string][]string{"host3": {"port/red3", "station/red/fa:16:3e:00:00:03", "multicast/red"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := secured(t)
			before, after, changes := cl.Change(func(tx viewtest.Tx) { c.do(cl.Snapshot(), tx) })
			got := names(Affected(before, after, changes))
			for h := range got {
				slices.Sort(got[h])
			}
			for h := range c.want {
				slices.Sort(c.want[h])
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("affected (-want +got):\n%s", d)
			}
		})
	}
}

// A host whose firewall driver is changed looks at everything again. br-int judges a port until it is behind its bridge.
func TestFirewallDriver(t *testing.T) {
	c := secured(t)
	h := *c.Snapshot().Host("host3")
	h.FirewallDriver = model.FirewallHybrid
	before, after, changes := c.Change(func(tx viewtest.Tx) { tx.Put(&h) })
	told := Affected(before, after, changes)
	for p := range Parts(before, "host3") {
		if _, is := told["host3"][p]; !is {
			t.Errorf("nobody looks at %v again", p)
		}
	}
	for host := range told {
		if host != "host3" {
			t.Errorf("%s is told: %v", host, strings.Join(names(told)[host], " "))
		}
	}
	host, _ := ForHost(after, "host3")
	if _, lp, _ := ForPort(after, host, "red3"); lp.Security == nil {
		t.Error("nobody judges red3 before its bridge does")
	}
	res := HostResources(after, "host3")
	want := Firewall{PortID: "red3", NetworkID: "red", Interface: "tap-red3", MAC: viewtest.MAC(3), MTU: after.Network("red").MTU,
		VLAN: after.LocalVLAN("host3", "red").VLAN, Security: *securityOf(after, after.Port("red3"))}
	if len(res.Firewalls) != 1 || !reflect.DeepEqual(res.Firewalls[0], want) {
		t.Errorf("firewalls: got %+v, want %+v", res.Firewalls, want)
	}
	if len(res.GroupSets) != 1 || len(res.RemoteGroups) != 2 || len(res.Remotes) == 0 {
		t.Errorf("it judges by %+v, %+v, %+v", res.GroupSets, res.RemoteGroups, res.Remotes)
	}

	b := *after.Binding("red3")
	b.Interface, b.Firewalled = "qvored3", true
	_, behind, _ := c.Change(func(tx viewtest.Tx) { tx.Put(&b) })
	if _, lp, _ := ForPort(behind, host, "red3"); lp.Security != nil {
		t.Errorf("red3 behind its bridge is judged by %v", lp.Security)
	}
	for p := range Parts(behind, "host3") {
		if got := lookSecurity(behind, host, p); !got.nothing() {
			t.Errorf("%v has rows of a firewall: %+v", p, got)
		}
	}
	if d := len(HostResources(behind, "host3").Firewalls); d != 1 {
		t.Errorf("%d firewalls", d)
	}

	// The way back: br-int learns while the bridge judges, and both judge until the bridge goes.
	plain := h
	plain.FirewallDriver = model.FirewallOpenFlow
	before, leaves, changes := c.Change(func(tx viewtest.Tx) { tx.Put(&plain) })
	if _, is := Affected(before, leaves, changes)["host3"][Part{PortPart, "red3"}]; !is {
		t.Error("nobody looks at red3 again")
	}
	learns := *securityOf(leaves, leaves.Port("red3"))
	learns.Set.Number = AllowAll
	if _, lp, _ := ForPort(leaves, host, "red3"); !reflect.DeepEqual(lp.Security, &learns) {
		t.Errorf("red3, whose bridge judges, is judged by %v", lp.Security)
	}
	want.Interface, want.Leaving = "qvored3", true
	if res := HostResources(leaves, "host3"); len(res.Firewalls) != 1 || !reflect.DeepEqual(res.Firewalls[0], want) || len(res.GroupSets) != 1 {
		t.Errorf("firewalls: got %+v, want %+v; sets %v", res.Firewalls, want, res.GroupSets)
	}
	released := b
	released.Firewalled = false
	before, judges, changes := c.Change(func(tx viewtest.Tx) { tx.Put(&released) })
	if _, is := Affected(before, judges, changes)["host3"][Part{PortPart, "red3"}]; !is {
		t.Error("nobody looks at red3 again")
	}
	if _, lp, _ := ForPort(judges, host, "red3"); !reflect.DeepEqual(lp.Security, securityOf(judges, judges.Port("red3"))) {
		t.Errorf("red3 is judged by %v", lp.Security)
	}
	if res := HostResources(judges, "host3"); len(res.Firewalls)+len(res.GroupSets)+len(res.Remotes) > 0 {
		t.Errorf("the host holds %+v", res)
	}
}
