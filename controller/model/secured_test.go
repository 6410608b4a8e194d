package model

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestWhatAPortMaySendFrom(t *testing.T) {
	own, other := MAC{0xfa, 0x16, 0x3e, 0, 0, 1}, MAC{0, 0, 0x5e, 0, 1, 0x0a}
	block := netip.MustParsePrefix
	p := &Port{MAC: own, FixedIPs: []FixedIP{{IP: netip.MustParseAddr("fd00::1")}, {IP: netip.MustParseAddr("10.0.0.1")}},
		AllowedAddressPairs: []AddressPair{
			{IP: block("10.0.0.1/32")}, // is there already
			{IP: block("10.0.0.100/32"), MAC: other},
			{IP: block("10.0.0.100/32")},
			{IP: block("10.9.0.0/16"), MAC: own},
		}}
	same := cmpopts.EquateComparable(netip.Prefix{})
	senders := []Sender{
		{other, block("10.0.0.100/32")},
		{own, block("10.0.0.1/32")}, {own, block("10.0.0.100/32")}, {own, block("10.9.0.0/16")}, {own, block("fd00::1/128")},
	}
	if d := cmp.Diff(senders, p.Senders(), same); d != "" {
		t.Errorf("senders (-want +got):\n%s", d)
	}
	members := []netip.Prefix{block("10.0.0.1/32"), block("10.0.0.100/32"), block("10.9.0.0/16"), block("fd00::1/128")}
	if d := cmp.Diff(members, p.Members(), same); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]MAC{other, own}, p.Stations()); d != "" {
		t.Errorf("stations (-want +got):\n%s", d)
	}
	if got := own.LinkLocal().String(); got != "fe80::f816:3eff:fe00:1" {
		t.Errorf("link-local address %s", got)
	}
}

func TestPortsOfOursAreNotJudged(t *testing.T) {
	for _, c := range []struct {
		enabled bool
		owner   string
		want    bool
	}{{true, "", true}, {true, "compute:nova", true}, {false, "", false}, {true, OwnerDHCP, false}, {true, OwnerRouterInterface, false}} {
		p := Port{PortSecurityEnabled: c.enabled, Meta: Meta{}, DeviceOwner: c.owner}
		if p.Secured() != c.want {
			t.Errorf("port security %v, device owner %q: judged %v", c.enabled, c.owner, !c.want)
		}
	}
}
