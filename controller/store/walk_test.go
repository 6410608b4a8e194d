package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// walker does random things to a store. Its choices are few on purpose, so that they collide.
type walker struct {
	s *Store
}

var (
	walkHosts = []string{"h1", "h2", "h3"}
	walkMACs  = []string{"", "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"}
	walkTaps  = []string{"tap1", "tap2", "tap3", "tap4"}
	walkCIDRs = []string{"10.0.0.0/29", "10.0.0.8/29", "10.0.0.0/28", "10.0.1.0/30", "192.0.2.0/29", "fd00::/125"}
)

// TestAnythingGoes walks through random operations, good and bad, on which the invariants must hold after every step,
// and at the end the state must be the one that etcd holds.
func TestAnythingGoes(t *testing.T) {
	s := openTest(t, Config{DataDir: t.TempDir(), Ranges: Ranges{
		VXLAN: []Range{{5, 7}},
		VLAN:  map[string][]Range{"physnet1": {{10, 11}}},
	}})
	rapid.Check(t, func(t *rapid.T) {
		if _, err := s.client.Delete(context.Background(), prefix, clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		w := walker{s}
		w.settle(t)
		if rapid.Bool().Draw(t, "routed") {
			w.routed(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"":           func(t *rapid.T) { snap, _ := s.Snapshot(); invariants(t, snap) },
			"network":    w.network,
			"subnet":     w.subnet,
			"port":       w.port,
			"change":     w.change,
			"delete":     w.delete,
			"host":       w.host,
			"interfaces": w.interfaces,
			"state":      w.state,
			"several":    w.several,
			"plug":       w.plug,
			"down":       w.down,
			"drain":      w.drain,
			"prepared":   w.prepared,
			"router":     w.router,
			"reroute":    w.reroute,
			"connect":    w.connect,
			"disconnect": w.disconnect,
			"floating":   w.floating,
			"associate":  w.associate,
			"forward":    w.forward,
			"resubnet":   w.resubnet,
			"external":   w.turn,
			"group":      w.group,
			"addresses":  w.addressGroup,
			"rule":       w.rule,
		})
		snap, _ := s.Snapshot()
		fresh, err := load(context.Background(), s.client)
		if err != nil || len(fresh.bad) > 0 {
			t.Fatal(err, fresh.bad)
		}
		rebuilt := fresh.db.Snapshot()
		if d := cmp.Diff(dump(rebuilt), dump(snap), addrs); d != "" {
			t.Errorf("the state and etcd's contents (-etcd +state):\n%s", d)
		}
		if d := cmp.Diff(lookups(rebuilt, snap), lookups(snap, rebuilt)); d != "" {
			t.Errorf("the indexes and rebuilt ones (-rebuilt +state):\n%s", d)
		}
		w.end(t)
	})
}

// settle waits until the state has everything that etcd has.
func (w walker) settle(t *rapid.T) {
	res, err := w.s.client.Get(context.Background(), clockKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.s.wait(context.Background(), res.Header.Revision); err != nil {
		t.Fatal(err)
	}
}

// do runs an operation, which may be refused, but not in any way: a refusal is one of the typed errors.
func (w walker) do(t *rapid.T, fn func(*Tx) error) {
	_, err := w.s.Update(context.Background(), fn)
	var (
		invalid   *model.Invalid
		missing   *ErrNotFound
		exists    *ErrAlreadyExists
		inUse     *ErrInUse
		exhausted *ErrExhausted
		conflict  *ErrConflict
	)
	if err != nil && !errors.As(err, &invalid) && !errors.As(err, &missing) && !errors.As(err, &exists) &&
		!errors.As(err, &inUse) && !errors.As(err, &exhausted) && !errors.As(err, &conflict) {
		t.Fatalf("%T: %v", err, err)
	}
}

func pick[T any](t *rapid.T, what string, from ...T) T { return rapid.SampledFrom(from).Draw(t, what) }

// id picks an existing object, or one that does not exist.
func (w walker) id(t *rapid.T, k state.Kind) string {
	snap, _ := w.s.Snapshot()
	// Ids are random; the order of creation is not.
	objs := slices.SortedFunc(snap.ByIDPrefix(k, ""), func(a, b any) int { return meta(a).CreateTime.Compare(meta(b).CreateTime) })
	n := rapid.IntRange(0, len(objs)).Draw(t, string(k))
	if n == 0 {
		return "00000000-0000-0000-0000-000000000000"
	}
	return state.Key(objs[n-1])
}

func (w walker) network(t *rapid.T) {
	n := &model.Network{
		Type:            pick(t, "type", "", model.VXLAN, model.VLAN, model.Flat),
		PhysicalNetwork: pick(t, "physnet", "", "", "physnet1", "physnet2"),
		SegmentID:       pick[uint32](t, "segment", 0, 0, 6, 11, 5000),
	}
	n.RouterExternal = n.PhysicalNetwork != "" && rapid.Bool().Draw(t, "external")
	w.do(t, func(tx *Tx) error { _, err := tx.CreateNetwork(n); return err })
}

func (w walker) subnet(t *rapid.T) {
	cidr := netip.MustParsePrefix(pick(t, "cidr", walkCIDRs...))
	s := &model.Subnet{NetworkID: w.id(t, state.Networks), CIDR: cidr, EnableDHCP: cidr.Addr().Is4() && rapid.Bool().Draw(t, "dhcp")}
	if rapid.Bool().Draw(t, "gateway") {
		s.GatewayIP = model.DefaultGateway(cidr)
	}
	if cidr.Addr().Is6() {
		modes := []string{"", model.SLAAC, model.DHCPv6Stateless, model.DHCPv6Stateful}
		s.IPv6RAMode, s.IPv6AddressMode = pick(t, "ra mode", modes...), pick(t, "address mode", modes...)
		s.EnableDHCP = s.WantsDHCPv6()
	}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateSubnet(s); return err })
}

func (w walker) drawPort(t *rapid.T) *model.Port {
	p := &model.Port{NetworkID: w.id(t, state.Networks), BindingHostID: pick(t, "host", "", "", "h1", "h2")}
	if mac := pick(t, "mac", walkMACs...); mac != "" {
		p.MAC, _ = model.ParseMAC(mac)
	}
	switch pick(t, "ips", "auto", "fixed", "subnet") {
	case "fixed":
		p.FixedIPs = []model.FixedIP{{IP: netip.MustParseAddr(pick(t, "ip", "10.0.0.2", "10.0.0.3", "fd00::2"))}}
	case "subnet":
		p.FixedIPs = []model.FixedIP{{SubnetID: w.id(t, state.Subnets)}}
	}
	if rapid.Bool().Draw(t, "security") {
		w.secureDraw(t, p)
	}
	return p
}

func (w walker) port(t *rapid.T) {
	p := w.drawPort(t)
	w.do(t, func(tx *Tx) error { _, err := tx.CreatePort(p); return err })
}

func (w walker) change(t *rapid.T) {
	p := w.drawPort(t)
	p.ID = w.id(t, state.Ports)
	w.do(t, func(tx *Tx) error {
		if old := tx.Port(p.ID); old != nil {
			p.NetworkID = old.NetworkID
		}
		_, err := tx.UpdatePort(p, 0)
		return err
	})
}

func (w walker) delete(t *rapid.T) {
	k := pick(t, "kind", state.Networks, state.Subnets, state.Ports, state.Ports, state.Hosts, state.Routers, state.FloatingIPs, state.PortForwardings,
		state.SecurityGroups, state.SecurityGroupRules, state.AddressGroups)
	id := w.id(t, k)
	w.do(t, func(tx *Tx) error { return erase(tx, k, id) })
}

func erase(tx *Tx, k state.Kind, id string) error {
	switch k {
	case state.Networks:
		return tx.DeleteNetwork(id, 0)
	case state.Subnets:
		return tx.DeleteSubnet(id, 0)
	case state.Ports:
		return tx.DeletePort(id, 0)
	case state.Routers:
		return tx.DeleteRouter(id, 0)
	case state.FloatingIPs:
		return tx.DeleteFloatingIP(id, 0)
	case state.PortForwardings:
		return tx.DeletePortForwarding(id, 0)
	case state.SecurityGroups:
		return tx.DeleteSecurityGroup(id, 0)
	case state.SecurityGroupRules:
		return tx.DeleteSecurityGroupRule(id, 0)
	case state.AddressGroups:
		return tx.DeleteAddressGroup(id, 0)
	}
	return tx.DeleteHost(id, 0)
}

func (w walker) host(t *rapid.T) {
	name := pick(t, "host", walkHosts...)
	facts, boot := rapid.Bool().Draw(t, "facts"), pick(t, "boot", "1", "2")
	roles := pick(t, "roles", nil, []string{model.RoleNetwork}, []string{model.RoleCompute, model.RoleNetwork})
	mappings := pick(t, "mappings", nil, map[string]string{"physnet1": "br-ex"}, map[string]string{"physnet1": "br-ex", "physnet2": "br-2"})
	w.do(t, func(tx *Tx) error {
		if _, err := tx.EnsureHost(name); err != nil || !facts {
			return err
		}
		return tx.ReportHost(&model.HostFacts{Host: name, BootID: boot, Roles: roles, BridgeMappings: mappings})
	})
}

func (w walker) interfaces(t *rapid.T) {
	host := pick(t, "host", walkHosts...)
	var is []model.Interface
	for range rapid.IntRange(0, 2).Draw(t, "n") {
		is = append(is, model.Interface{
			Name:        pick(t, "name", walkTaps...),
			OFPort:      uint32(rapid.IntRange(0, 3).Draw(t, "ofport")),
			IfaceID:     pick(t, "iface-id", "", w.id(t, state.Ports)),
			AttachedMAC: pick(t, "mac", walkMACs...),
		})
	}
	full := rapid.Bool().Draw(t, "full")
	removed := []string{pick(t, "removed", walkTaps...)}
	w.do(t, func(tx *Tx) error { return tx.ReportInterfaces(host, full, is, removed) })
}

func (w walker) state(t *rapid.T) {
	st := &model.PortState{
		PortID: w.id(t, state.Ports),
		Status: pick(t, "status", model.PortActive, model.PortBuild, model.PortError, model.PortDown),
		Host:   pick(t, "host", walkHosts...),
	}
	w.do(t, func(tx *Tx) error { return tx.SetPortState(st) })
}

// several are operations in one transaction, whose last may fail.
func (w walker) several(t *rapid.T) {
	p, boom := w.drawPort(t), rapid.Bool().Draw(t, "boom")
	gone := w.id(t, state.Ports)
	w.do(t, func(tx *Tx) error {
		made, err := tx.CreatePort(p)
		if err != nil {
			return err
		}
		if err := tx.DeletePort(gone, 0); err != nil {
			return err
		}
		if _, err := tx.CreatePort(p); err != nil {
			return err
		}
		if boom {
			return tx.DeletePort("gone", 0)
		}
		return tx.DeletePort(made.ID, 0)
	})
}

// lookups asks every index of s about every key that s or other has.
func lookups(s, other state.Snapshot) map[string][]string {
	out := map[string][]string{}
	ask := func(key string, ids ...string) {
		slices.Sort(ids)
		out[key] = ids
	}
	for _, from := range []state.Snapshot{s, other} {
		for p := range from.Ports() {
			ask("network "+p.NetworkID, keys(s.PortsOf(p.NetworkID))...)
			ask("mac "+p.MAC.String(), keys(s.PortsByAttachedMAC(p.MAC))...)
			ask("device "+p.DeviceID, keys(s.PortsOfDevice(p.DeviceID))...)
			ask("wanted "+p.BindingHostID, keys(s.PortsWantedOn(p.BindingHostID))...)
			ask("iface-id "+p.ID, keys(s.InterfacesByIfaceID(p.ID))...)
			ask("attached-mac "+p.MAC.String(), keys(s.InterfacesByMAC(p.MAC.String()))...)
			for _, f := range p.FixedIPs {
				ask("subnet "+f.SubnetID, keys(s.PortsOfSubnet(f.SubnetID))...)
				if by := s.PortByIP(p.NetworkID, f.IP); by != nil {
					ask(fmt.Sprint("ip ", p.NetworkID, f.IP), by.ID)
				}
			}
		}
		for n := range from.Networks() {
			ask("subnets "+n.ID, keys(s.SubnetsOf(n.ID))...)
			ask("bindings "+n.ID, keys(s.BindingsOf(n.ID))...)
			ask("vlans "+n.ID, keys(s.LocalVLANsOf(n.ID))...)
			ask("gateways "+n.ID, keys(s.RoutersByGateway(n.ID))...)
			ask("floating "+n.ID, keys(s.FloatingIPsOfNetwork(n.ID))...)
			ask("served "+n.ID, keys(s.PortsOwned(n.ID, model.OwnerDHCP))...)
			if by := s.NetworkBySegment(n.Type, n.PhysicalNetwork, n.SegmentID); by != nil {
				ask(fmt.Sprint("segment ", n.Type, n.PhysicalNetwork, n.SegmentID), by.ID)
			}
		}
		for h := range from.Hosts() {
			ask("interfaces "+h.ID, keys(s.InterfacesOf(h.ID))...)
			ask("bindings on "+h.ID, keys(s.BindingsOn(h.ID))...)
			ask("vlans on "+h.ID, keys(s.LocalVLANsOn(h.ID))...)
			ask("routers on "+h.ID, keys(s.RouterHostsOn(h.ID))...)
			ask("schedules on "+h.ID, keys(s.SchedulesOn(h.ID))...)
		}
		for r := range from.Routers() {
			ask("hosts of "+r.ID, keys(s.RouterHostsOf(r.ID))...)
			ask("floating of "+r.ID, keys(s.FloatingIPsOfRouter(r.ID))...)
		}
		for f := range from.FloatingIPs() {
			ask("forwardings of "+f.ID, keys(s.PortForwardingsOf(f.ID))...)
			ask("floating of "+f.PortID, keys(s.FloatingIPsOfPort(f.PortID))...)
			if by := s.FloatingIPByRule(f.RouterID, f.RulePriority); by != nil {
				ask(fmt.Sprint("rule ", f.RouterID, f.RulePriority), by.ID)
			}
		}
		for g := range from.SecurityGroups() {
			ask("rules of "+g.ID, keys(s.RulesOf(g.ID))...)
			ask("rules about "+g.ID, keys(s.RulesAboutGroup(g.ID))...)
			ask("secured by "+g.ID, keys(s.PortsSecuredBy(g.ID))...)
			if by := s.SecurityGroupByNumber(g.Number); by != nil {
				ask(fmt.Sprint("group number ", g.Number), by.ID)
			}
		}
		for f := range from.PortForwardings() {
			ask("forwardings to "+f.InternalPortID, keys(s.PortForwardingsTo(f.InternalPortID))...)
		}
	}
	return out
}

func keys[T any](seq func(func(*T) bool)) (ids []string) {
	for obj := range seq {
		ids = append(ids, state.Key(obj))
	}
	return ids
}
