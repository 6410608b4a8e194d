package model

import (
	"net/netip"
	"testing"
)

func ptr[T any](v T) *T { return &v }

func TestRuleRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*SecurityGroupRule)
		want   string
	}{
		{"good", func(*SecurityGroupRule) {}, ""},
		{"any protocol", func(r *SecurityGroupRule) { r.Protocol, r.PortRangeMin, r.PortRangeMax = nil, nil, nil }, ""},
		{"ICMP type alone", func(r *SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = ptr[uint8](1), ptr[uint16](8), nil
		}, ""},
		{"ICMPv6 type and code", func(r *SecurityGroupRule) {
			r.EtherType, r.Protocol, r.PortRangeMin, r.PortRangeMax = IPv6, ptr[uint8](58), ptr[uint16](1), ptr[uint16](0)
		}, ""},
		{"VRRP", func(r *SecurityGroupRule) { r.Protocol, r.PortRangeMin, r.PortRangeMax = ptr[uint8](112), nil, nil }, ""},
		{"nothing", func(r *SecurityGroupRule) { *r = SecurityGroupRule{} },
			`security_group_id: is missing; direction: "" is unknown; choose ingress or egress; ethertype: "" is unknown; choose IPv4 or IPv6`},
		{"ports without protocol", func(r *SecurityGroupRule) { r.Protocol = nil },
			"protocol: is missing: ports are those of a protocol; choose tcp, udp or sctp, or icmp or icmpv6 for type and code"},
		{"min greater than max", func(r *SecurityGroupRule) { r.PortRangeMin = ptr[uint16](99) }, "port_range_min: 99 is greater than port_range_max, 90; exchange them"},
		{"port 0", func(r *SecurityGroupRule) { r.PortRangeMin = ptr[uint16](0) }, "port_range_min: 0 is no port; give 1..65535, or leave both out for all"},
		{"min alone", func(r *SecurityGroupRule) { r.PortRangeMax = nil }, "port_range_max: is missing beside port_range_min; give both, the same for one port"},
		{"max alone", func(r *SecurityGroupRule) { r.PortRangeMin = nil }, "port_range_min: is missing beside port_range_max; give both, the same for one port"},
		{"ports of GRE", func(r *SecurityGroupRule) { r.Protocol = ptr[uint8](47) },
			"port_range_min: is given, but Open vSwitch knows ports of tcp, udp and sctp only, and not of gre; leave ports out"},
		{"ICMP type and code too large", func(r *SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = ptr[uint8](1), ptr[uint16](256), ptr[uint16](257)
		},
			"port_range_min: 256 is no ICMP type: it is not in 0..255; port_range_max: 257 is no ICMP code: it is not in 0..255"},
		{"ICMP code without type", func(r *SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = ptr[uint8](1), nil, ptr[uint16](0)
		},
			"port_range_min: is missing: an ICMP code is one of a type, which is port_range_min"},
		{"ICMPv6 over IPv4", func(r *SecurityGroupRule) { r.Protocol, r.PortRangeMin, r.PortRangeMax = ptr[uint8](58), nil, nil },
			"protocol: icmpv6 is carried by IPv6 only; choose icmp, or ethertype IPv6"},
		{"ICMP over IPv6", func(r *SecurityGroupRule) {
			r.EtherType, r.Protocol, r.PortRangeMin, r.PortRangeMax = IPv6, ptr[uint8](1), nil, nil
		},
			"protocol: icmp is carried by IPv4 only; choose icmpv6, or ethertype IPv4"},
		{"extension header", func(r *SecurityGroupRule) {
			r.EtherType, r.Protocol, r.PortRangeMin, r.PortRangeMax = IPv6, ptr[uint8](43), nil, nil
		},
			"protocol: 43 is an IPv6 extension header: what follows it is judged; name that, or leave it out for any"},
		{"prefix of the other family", func(r *SecurityGroupRule) { r.RemoteIPPrefix = netip.MustParsePrefix("fd00::/64") },
			"remote_ip_prefix: fd00::/64 is IPv6, but ethertype is IPv4; give a block of the same family"},
		{"host bits", func(r *SecurityGroupRule) { r.RemoteIPPrefix = netip.MustParsePrefix("10.0.0.1/8") },
			`remote_ip_prefix: "10.0.0.1/8" has host bits; did you mean 10.0.0.0/8?`},
		{"two remotes", func(r *SecurityGroupRule) {
			r.RemoteIPPrefix, r.RemoteGroupID = netip.MustParsePrefix("10.0.0.0/8"), "x"
		}, "remote_group_id: is given beside remote_ip_prefix; give one of them, and another rule for the other"},
		{"two groups", func(r *SecurityGroupRule) { r.RemoteGroupID, r.RemoteAddressGroupID = "x", "y" },
			"remote_address_group_id: is given beside remote_group_id; give one of them, and another rule for the other"},
	} {
		r := &SecurityGroupRule{SecurityGroupID: "g", Direction: Ingress, EtherType: IPv4, Protocol: ptr[uint8](6), PortRangeMin: ptr[uint16](80), PortRangeMax: ptr[uint16](90)}
		c.change(r)
		if got := (&Invalid{r.Validate()}).Error(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAddressGroupRefusals(t *testing.T) {
	g := &AddressGroup{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), {}, netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::1/128")}}
	want := `addresses[1]: is missing: write e.g. 192.0.2.0/24; addresses[2]: "10.0.0.1/24" has host bits; did you mean 10.0.0.0/24?; addresses[3]: is the same as addresses[0]`
	if got := (&Invalid{g.Validate()}).Error(); got != want {
		t.Errorf("got %s", got)
	}
	g.Addresses = make([]netip.Prefix, MaxGroupAddresses+1)
	if got := (&Invalid{g.Validate()}).Error(); got != "addresses: there are 4097; at most 4096 are allowed: give larger blocks" {
		t.Errorf("got %s", got)
	}
}

func TestFirewallDrivers(t *testing.T) {
	for driver, want := range map[string]string{
		"": "", "openvswitch": "", "iptables_hybrid": "",
		"noop": `firewall_driver: "noop" is unknown; choose openvswitch or iptables_hybrid, or leave it out`,
	} {
		if got := (&Invalid{(&Host{Meta: Meta{ID: "h1"}, FirewallDriver: driver}).Validate()}).Error(); got != want {
			t.Errorf("%q: got %s", driver, got)
		}
	}
}

func TestProtocols(t *testing.T) {
	for s, want := range map[string]uint8{"tcp": 6, "ICMPv6": 58, "ipv6-icmp": 58, "112": 112, "0": 0} {
		if n, ok := ParseProtocol(s); !ok || n != want {
			t.Errorf("%s is %d, %v", s, n, ok)
		}
	}
	for _, s := range []string{"", "tpc", "256", "-1"} {
		if n, ok := ParseProtocol(s); ok {
			t.Errorf("%q is %d", s, n)
		}
	}
	if ProtocolName(58) != "icmpv6" || ProtocolName(200) != "200" {
		t.Error(ProtocolName(58), ProtocolName(200))
	}
}
