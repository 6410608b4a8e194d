package view

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// Who gets a local VLAN or an address begins without the connections of who had it; who only moves keeps his own.
func TestNewcomersInheritNothing(t *testing.T) {
	bind := func(tx viewtest.Tx, id, host, ip string) {
		tx.Put(&model.Port{Meta: model.Meta{ID: id}, NetworkID: "red", MAC: viewtest.MAC(77), AdminStateUp: true, PortSecurityEnabled: true,
			FixedIPs: []model.FixedIP{{SubnetID: "s-red", IP: netip.MustParseAddr(ip)}}},
			&model.Binding{PortID: id, Host: host, NetworkID: "red", Interface: "tap" + id, OFPort: 77})
	}
	for name, c := range map[string]struct {
		change func(tx viewtest.Tx)
		want   []string
	}{
		"a new port":                             {func(tx viewtest.Tx) { bind(tx, "new", "host1", "10.1.0.77") }, []string{"1 10.1.0.77"}},
		"a new port elsewhere":                   {func(tx viewtest.Tx) { bind(tx, "new", "host2", "10.1.0.77") }, nil},
		"a port that comes from another host":    {func(tx viewtest.Tx) { bind(tx, "red2", "host1", "10.1.0.2") }, nil},
		"a port that comes with another address": {func(tx viewtest.Tx) { bind(tx, "red2", "host1", "10.1.0.88") }, []string{"1 10.1.0.88"}},
		"another address":                        {func(tx viewtest.Tx) { bind(tx, "red1", "host1", "10.1.0.99") }, []string{"1 10.1.0.99"}},
		"another name":                           {func(tx viewtest.Tx) { bind(tx, "red1", "host1", "10.1.0.1") }, nil},
		"another local VLAN": {func(tx viewtest.Tx) {
			tx.Put(&model.LocalVLAN{Host: "host1", NetworkID: "red", VLAN: 9})
			bind(tx, "new", "host1", "10.1.0.77")
		}, []string{"9 invalid IP"}},
		"a local VLAN that had another network": {func(tx viewtest.Tx) {
			tx.Delete(state.LocalVLANs, "host1/red")
			tx.Put(&model.LocalVLAN{Host: "host1", NetworkID: "blue", VLAN: 1})
		}, []string{"1 invalid IP"}},
		"a host with a firewall bridge": {func(tx viewtest.Tx) {
			tx.Put(&model.Host{Meta: model.Meta{ID: "host1"}, Number: 1, FirewallDriver: model.FirewallHybrid})
			bind(tx, "new", "host1", "10.1.0.77")
			tx.Put(&model.Binding{PortID: "new", Host: "host1", NetworkID: "red", Interface: "tapnew", OFPort: 77, Firewalled: true})
		}, nil},
	} {
		before, after, changes := secured(t).Change(c.change)
		var got []string
		for _, s := range Newcomers(before, after, "host1", Affected(before, after, changes)["host1"]) {
			got = append(got, fmt.Sprint(s.Zone, " ", s.Address))
		}
		if d := cmp.Diff(c.want, slices.Clip(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A network that leaves a host leaves no connections behind there; one that stays keeps its own, and a local VLAN that
// another network has taken meanwhile is the newcomer's.
func TestLeaversAreForgotten(t *testing.T) {
	leave := func(tx viewtest.Tx, networks ...string) {
		for _, n := range networks {
			tx.Delete(state.LocalVLANs, "host1/"+n)
		}
	}
	for name, c := range map[string]struct {
		change func(tx viewtest.Tx)
		want   []string
	}{
		"a port goes, the network stays": {func(tx viewtest.Tx) { tx.Delete(state.Bindings, "red1") }, nil},
		"a network goes":                 {func(tx viewtest.Tx) { leave(tx, "red") }, []string{"1 invalid IP"}},
		"another takes its local VLAN": {func(tx viewtest.Tx) {
			leave(tx, "red")
			tx.Put(&model.LocalVLAN{Host: "host1", NetworkID: "blue", VLAN: 1})
		}, nil},
		"it goes from another host": {func(tx viewtest.Tx) { tx.Delete(state.LocalVLANs, "host2/red") }, nil},
	} {
		before, after, changes := secured(t).Change(c.change)
		var got []string
		for _, s := range Leavers(before, after, "host1", Affected(before, after, changes)["host1"]) {
			got = append(got, fmt.Sprint(s.Zone, " ", s.Address))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
