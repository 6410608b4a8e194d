package store

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// madeItself holds a port's addresses of subnets with SLAAC against what its machine would make itself.
func madeItself(t failer, s state.Snapshot, p *model.Port) {
	t.Helper()
	for sn := range s.SubnetsOf(p.NetworkID) {
		if sn.IPv6RAMode != "slaac" && sn.IPv6RAMode != "dhcpv6-stateless" && sn.IPv6AddressMode != "slaac" && sn.IPv6AddressMode != "dhcpv6-stateless" {
			continue
		}
		a := sn.CIDR.Addr().As16()
		m := p.MAC
		own := netip.AddrFrom16([16]byte(append(a[:8:8], m[0]^2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5])))
		by := s.PortByIP(p.NetworkID, own)
		var has []netip.Addr
		for _, f := range p.FixedIPs {
			if f.SubnetID == sn.ID {
				has = append(has, f.IP)
			}
		}
		switch {
		case model.OwnedByWeft(p.DeviceOwner):
		case len(has) > 1 || len(has) == 1 && has[0] != own:
			t.Errorf("port %s with %s has %v of %s, where its machine makes itself %s", p.ID, p.MAC, has, sn.CIDR, own)
		case len(has) == 0 && by == nil:
			t.Errorf("port %s lacks %s, which its machine makes itself, and nobody else has", p.ID, own)
		}
	}
}

func subnet6(t testing.TB, s *Store, network, cidr, ra, addresses string) *model.Subnet {
	t.Helper()
	return made(t, s, func(tx *Tx) (*model.Subnet, error) {
		p := netip.MustParsePrefix(cidr)
		in := &model.Subnet{NetworkID: network, CIDR: p, GatewayIP: model.DefaultGateway(p), IPv6RAMode: ra, IPv6AddressMode: addresses}
		in.EnableDHCP = in.WantsDHCPv6()
		return tx.CreateSubnet(in)
	})
}

func TestAddressesThatMachinesMake(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	mac := func(b byte) model.MAC { return model.MAC{0xfa, 0x16, 0x3e, 0, 0, b} }
	subnet(t, s, n.ID, "10.0.0.0/24")
	early := port(t, s, &model.Port{NetworkID: n.ID, MAC: mac(1)})
	bare := port(t, s, &model.Port{NetworkID: n.ID, MAC: mac(2), FixedIPs: []model.FixedIP{}})
	wantIPs(t, "before", early, "10.0.0.2")

	auto := subnet6(t, s, n.ID, "fd00:1::/64", model.SLAAC, model.SLAAC)
	now := func(p *model.Port) *model.Port { snap, _ := s.Snapshot(); return snap.Port(p.ID) }
	wantIPs(t, "ports that were there", now(early), "10.0.0.2", "fd00:1::f816:3eff:fe00:1")
	wantIPs(t, "even without any address", now(bare), "fd00:1::f816:3eff:fe00:2")

	subnet6(t, s, n.ID, "fd00:2::/64", model.DHCPv6Stateful, model.DHCPv6Stateful)
	subnet6(t, s, n.ID, "fd00:3::/64", "", model.DHCPv6Stateless)
	late := port(t, s, &model.Port{NetworkID: n.ID, MAC: mac(3)})
	got := map[string]bool{}
	for _, ip := range ips(late) {
		got[ip] = true
	}
	// fd00:2::2, or the one behind it, when the network's DHCP server has that.
	if len(got) != 4 || !got["10.0.0.3"] || !got["fd00:1::f816:3eff:fe00:3"] || !got["fd00:3::f816:3eff:fe00:3"] {
		t.Errorf("a new port has %v", ips(late))
	}

	moved := made(t, s, func(tx *Tx) (*model.Port, error) {
		p := clonePort(tx.Port(late.ID))
		p.MAC = mac(0x33)
		return tx.UpdatePort(p, 0)
	})
	if _, err := s.Update(t.Context(), func(tx *Tx) error { invariants(t, tx.Snapshot); return nil }); err != nil {
		t.Fatal(err)
	}
	if !portHas(moved, "fd00:1::f816:3eff:fe00:33") || !portHas(moved, "fd00:3::f816:3eff:fe00:33") || len(moved.FixedIPs) != 4 {
		t.Errorf("with another MAC it has %v", ips(moved))
	}

	refused[*model.Invalid](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID, FixedIPs: fixed("fd00:1::9")}),
		fmt.Sprintf("fixed_ips[0].ip_address: machines on subnet %s make their address of their MAC, which is not chosen yet; leave ip_address out", auto.ID))
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID, MAC: mac(9), FixedIPs: fixed("fd00:1::9")}),
		fmt.Sprintf("fixed_ips[0].ip_address: machines on subnet %s make their address of their MAC: it is fd00:1::f816:3eff:fe00:9; leave ip_address out", auto.ID))
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID, FixedIPs: []model.FixedIP{{SubnetID: auto.ID}, {SubnetID: auto.ID}}}),
		fmt.Sprintf("fixed_ips[1].subnet_id: machines on subnet %s make themselves one address of their MAC, and this is the second; leave it out", auto.ID))
	refused[*model.Invalid](t, s, func(tx *Tx) error {
		in := cloneSubnet(tx.Subnet(auto.ID))
		in.IPv6RAMode, in.IPv6AddressMode = "", ""
		_, err := tx.UpdateSubnet(in, 0)
		return err
	}, "ipv6_ra_mode: is slaac and cannot be changed", "ipv6_address_mode: is slaac and cannot be changed")

	// Nobody can free the ports of what their machines make themselves: it goes with the subnet.
	update(t, s, func(tx *Tx) error { return tx.DeleteSubnet(auto.ID, 0) })
	wantIPs(t, "after the subnet", now(early), "10.0.0.2", "fd00:3::f816:3eff:fe00:1")
}

func portHas(p *model.Port, ip string) bool {
	for _, has := range ips(p) {
		if has == ip {
			return true
		}
	}
	return false
}

// TestDHCPv6IsServed: a network with DHCPv6 alone has its DHCP port, with an address of the subnet; one with SLAAC has none.
func TestDHCPv6IsServed(t *testing.T) {
	s := newStore(t)
	host(t, s, "net1")
	update(t, s, func(tx *Tx) error {
		return tx.ReportHost(&model.HostFacts{Host: "net1", Roles: []string{model.RoleNetwork}})
	})
	made, told := network(t, s, "made"), network(t, s, "told")
	subnet6(t, s, made.ID, "fd00:1::/64", model.SLAAC, model.SLAAC)
	subnet6(t, s, told.ID, "fd00:2::/64", model.DHCPv6Stateful, model.DHCPv6Stateful)
	snap, _ := s.Snapshot()
	for n, want := range map[string][]string{made.ID: nil, told.ID: {"fd00:2::2"}} {
		var got []string
		for p := range snap.PortsOwned(n, model.OwnerDHCP) {
			got = append(got, ips(p)...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("DHCP ports (-want +got):\n%s", d)
		}
	}
}

// TestSelfMadeAddressesOfManyPorts: what one transaction does not hold comes with the next.
func TestSelfMadeAddressesOfManyPorts(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	s.cfg.MaxTxnOps = 128
	for range 4 {
		update(t, s, func(tx *Tx) error {
			for range 50 {
				if _, err := tx.CreatePort(&model.Port{NetworkID: n.ID}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	sn := subnet6(t, s, n.ID, "fd00:1::/64", model.SLAAC, "")
	eventually(t, "every port has its address", func() bool {
		snap, _ := s.Snapshot()
		has := 0
		for range snap.PortsOfSubnet(sn.ID) {
			has++
		}
		return has == 200
	})
}
