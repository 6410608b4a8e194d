package model

import (
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestRouterValidate(t *testing.T) {
	r := &Router{
		Meta:    Meta{ID: "no", Name: "\x00"},
		Gateway: &ExternalGateway{FixedIPs: []FixedIP{{}, {IP: addr("::ffff:10.0.0.1")}, {IP: addr("10.0.0.9")}, {IP: addr("10.0.0.9")}}},
		Interfaces: []RouterInterface{
			{}, {SubnetID: "s"}, {SubnetID: "s"}, {PortID: "p"}, {PortID: "p"},
		},
		Routes: []Route{{Destination: prefix("0.0.0.0/0"), NextHop: addr("10.0.0.9")}, {NextHop: addr("fe80::1%2")}},
	}
	judged(t, r.Validate(), []string{
		`metadata.id: "no" is not a UUID: write e.g. 3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f`,
		"metadata.name: contains the unprintable character U+0000; remove it",
		"external_gateway_info.network_id: is missing; name an external network",
		"external_gateway_info.external_fixed_ips[0]: is empty; give subnet_id, ip_address or both",
		`external_gateway_info.external_fixed_ips[1].ip_address: "::ffff:10.0.0.1" is an IPv4-mapped IPv6 address; did you mean 10.0.0.1?`,
		"external_gateway_info.external_fixed_ips[3].ip_address: 10.0.0.9 is also in external_gateway_info.external_fixed_ips[2]",
		"interfaces[0]: is empty; give subnet_id or port_id",
		"interfaces[2].subnet_id: s is also in interfaces[1]",
		"interfaces[4].port_id: p is also in interfaces[3]",
		"routes[1].destination: is missing: write e.g. 192.168.0.0/16 or fd00:9::/64",
		`routes[1].nexthop: "fe80::1%2" has a zone id, which only one host understands; did you mean fe80::1?`,
	})
	judged(t, (&Router{Gateway: &ExternalGateway{NetworkID: id}, Routes: []Route{
		{prefix("10.9.0.0/16"), addr("10.0.0.9")}, {prefix("10.9.0.0/16"), addr("10.0.0.10")},
	}}).Validate(), nil)
}

func TestExternalNetworkValidate(t *testing.T) {
	judged(t, (&Network{Type: VXLAN, RouterExternal: true}).Validate(), []string{
		"router_external: is true, but only a flat or vlan network leads outside; give provider_network_type and provider_physical_network",
	})
	judged(t, (&Network{RouterExternal: true}).Validate(), []string{
		"router_external: is true, but only a flat or vlan network leads outside; give provider_network_type and provider_physical_network",
	})
	judged(t, (&Network{Type: Flat, PhysicalNetwork: "physnet1", RouterExternal: true}).Validate(), nil)
}

func TestPortRange(t *testing.T) {
	a, b := PortRange{80, 89}, PortRange{89, 89}
	if a.Len() != 10 || b.Len() != 1 || (PortRange{1, 65535}).Len() != 65535 || a.String() != "80:89" || b.String() != "89" {
		t.Errorf("%d %d %s %s", a.Len(), b.Len(), a, b)
	}
	if !a.Overlaps(b) || !b.Overlaps(a) || a.Overlaps(PortRange{90, 99}) {
		t.Error("overlaps")
	}
}

func TestSubnetDHCP(t *testing.T) {
	addrs := func(as ...string) (out []netip.Addr) {
		for _, a := range as {
			out = append(out, addr(a))
		}
		return out
	}
	four := Subnet{NetworkID: id, CIDR: prefix("10.0.1.0/24"), EnableDHCP: true}
	for name, c := range map[string]struct {
		change func(*Subnet)
		want   []string
	}{
		"plain":          {change: func(s *Subnet) { s.DNSNameservers = addrs("9.9.9.9", "10.0.1.53") }},
		"none announced": {change: func(s *Subnet) { s.DNSNameservers = addrs("0.0.0.0") }},
		"routes":         {change: func(s *Subnet) { s.HostRoutes = []Route{{prefix("0.0.0.0/0"), addr("10.0.1.9")}} }},
		"IPv6 without": {change: func(s *Subnet) {
			s.CIDR, s.EnableDHCP, s.DNSNameservers = prefix("fd00::/64"), false, addrs("fd00::53")
		}},
		"IPv6": {change: func(s *Subnet) { s.CIDR = prefix("fd00::/64") }, want: []string{
			"enable_dhcp: is true, and fd00::/64 is IPv6: give it the ipv6_address_mode dhcpv6-stateful or dhcpv6-stateless, or leave enable_dhcp out"}},
		"SLAAC": {change: func(s *Subnet) {
			s.CIDR, s.EnableDHCP, s.IPv6RAMode, s.IPv6AddressMode = prefix("fd00::/64"), false, SLAAC, SLAAC
		}},
		"SLAAC by DHCP": {change: func(s *Subnet) { s.CIDR, s.IPv6RAMode, s.IPv6AddressMode = prefix("fd00::/64"), SLAAC, SLAAC }, want: []string{
			"enable_dhcp: is true, and fd00::/64 is IPv6: give it the ipv6_address_mode dhcpv6-stateful or dhcpv6-stateless, or leave enable_dhcp out"}},
		"stateful":                   {change: func(s *Subnet) { s.CIDR, s.IPv6AddressMode = prefix("fd00::/96"), DHCPv6Stateful }},
		"stateful of a large prefix": {change: func(s *Subnet) { s.CIDR, s.IPv6AddressMode = prefix("fd00::/48"), DHCPv6Stateful }, want: []string{`ipv6_address_mode: "dhcpv6-stateful" is served for prefixes of 64 bits or more (dnsmasq), and fd00::/48 has 48`}},
		"stateless, others' RA":      {change: func(s *Subnet) { s.CIDR, s.IPv6AddressMode = prefix("fd00::/64"), DHCPv6Stateless }},
		"RA, others' DHCP":           {change: func(s *Subnet) { s.CIDR, s.EnableDHCP, s.IPv6RAMode = prefix("fd00::/64"), false, DHCPv6Stateful }},
		"stateless, and no DHCP":     {change: func(s *Subnet) { s.CIDR, s.EnableDHCP, s.IPv6AddressMode = prefix("fd00::/64"), false, DHCPv6Stateless }, want: []string{`enable_dhcp: is false, and ipv6_address_mode is "dhcpv6-stateless"; leave one of them out`}},
		"modes of IPv4":              {change: func(s *Subnet) { s.IPv6RAMode = SLAAC }, want: []string{"ipv6_ra_mode: is for IPv6 subnets, and 10.0.1.0/24 is IPv4; leave it out"}},
		"SLAAC of a small prefix":    {change: func(s *Subnet) { s.CIDR, s.EnableDHCP, s.IPv6AddressMode = prefix("fd00::/80"), false, SLAAC }, want: []string{`ipv6_address_mode: "slaac" needs a prefix of 64 bits, of which machines make themselves an address (RFC 4862), and fd00::/80 has 80`}},
		"modes that differ":          {change: func(s *Subnet) { s.CIDR, s.IPv6RAMode, s.IPv6AddressMode = prefix("fd00::/64"), SLAAC, DHCPv6Stateful }, want: []string{`ipv6_address_mode: "dhcpv6-stateful" is not what routers advertise by ipv6_ra_mode "slaac"; give both the same, or only one`}},
		"unknown mode":               {change: func(s *Subnet) { s.CIDR, s.EnableDHCP, s.IPv6RAMode = prefix("fd00::/64"), false, "SLAAC" }, want: []string{`ipv6_ra_mode: "SLAAC" is none of slaac, dhcpv6-stateless, dhcpv6-stateful`}},
		"routes of IPv6": {change: func(s *Subnet) {
			s.CIDR, s.EnableDHCP, s.HostRoutes = prefix("fd00::/64"), false, []Route{{prefix("fd01::/64"), addr("fd00::9")}}
		}, want: []string{"host_routes: are announced by DHCP for IPv4 only, and fd00::/64 is IPv6; leave them out"}},
		"too many servers": {change: func(s *Subnet) { s.DNSNameservers = make([]netip.Addr, 17) }, want: []string{"dns_nameservers: there are 17; at most 16 are allowed"}},
		"too many routes":  {change: func(s *Subnet) { s.HostRoutes = make([]Route, 21) }, want: []string{"host_routes: there are 21; at most 20 are allowed"}},
		"servers": {
			change: func(s *Subnet) {
				s.DNSNameservers = append(addrs("9.9.9.9", "9.9.9.9", "fd00::53", "0.0.0.0", "127.0.0.53", "::ffff:10.0.0.1"), netip.Addr{})
			},
			want: []string{
				"dns_nameservers[1]: 9.9.9.9 is also in dns_nameservers[0]",
				"dns_nameservers[2]: fd00::53 is of another IP version than 10.0.1.0/24",
				"dns_nameservers[3]: 0.0.0.0 announces no name server at all; give it alone, or leave it out",
				"dns_nameservers[4]: 127.0.0.53 is in 127.0.0.0/8, which is loopback",
				`dns_nameservers[5]: "::ffff:10.0.0.1" is an IPv4-mapped IPv6 address; did you mean 10.0.0.1?`,
				"dns_nameservers[6]: is missing",
			},
		},
		"next hops": {
			change: func(s *Subnet) {
				s.HostRoutes = []Route{{prefix("10.9.0.0/16"), addr("10.0.2.9")}, {prefix("10.9.0.0/16"), addr("10.0.1.255")}, {prefix("fd00::/64"), addr("fd00::1")}}
			},
			want: []string{
				"host_routes[0].nexthop: 10.0.2.9 is outside 10.0.1.0/24",
				"host_routes[1].nexthop: 10.0.1.255 is the broadcast address of 10.0.1.0/24; choose one of 10.0.1.1-10.0.1.254",
				"host_routes[2].nexthop: fd00::1 is outside 10.0.1.0/24",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := four
			c.change(&s)
			judged(t, s.Validate(), c.want)
		})
	}
}

func TestAddressPairs(t *testing.T) {
	p := Port{NetworkID: id, AllowedAddressPairs: []AddressPair{
		{IP: prefix("10.0.1.100/32")}, {IP: prefix("0.0.0.0/0"), MAC: MAC{0, 0, 0x5e, 0, 1, 7}}, {IP: prefix("10.0.1.100/32")},
		{}, {IP: prefix("10.0.1.9/24")}, {IP: prefix("224.0.0.18/32")}, {IP: prefix("fe80::1/128"), MAC: MAC{1}},
	}}
	judged(t, p.Validate(), []string{
		"allowed_address_pairs[2]: is the same as allowed_address_pairs[0]",
		"allowed_address_pairs[3].ip_address: is missing: write e.g. 10.0.1.100 or 10.0.1.0/28",
		`allowed_address_pairs[4].ip_address: "10.0.1.9/24" has host bits; did you mean 10.0.1.0/24?`,
		"allowed_address_pairs[5].ip_address: 224.0.0.18/32 is multicast, which is nobody's own address",
		"allowed_address_pairs[6].mac_address: 01:00:00:00:00:00 is a multicast address; the first byte must be even, e.g. 00",
	})
	p.AllowedAddressPairs = make([]AddressPair, 11)
	judged(t, p.Validate(), []string{"allowed_address_pairs: there are 11; at most 10 are allowed: give a block instead"})
}

func TestDHCPOptions(t *testing.T) {
	opts := func(nv ...string) Port {
		p := Port{NetworkID: id}
		for i := 0; i < len(nv); i += 2 {
			p.ExtraDHCPOpts = append(p.ExtraDHCPOpts, DHCPOption{Name: nv[i], Value: nv[i+1], IPVersion: 4})
		}
		return p
	}
	good := opts("bootfile-name", "pxelinux.0", "tftp-server-address", "10.0.0.1, 10.0.0.2", "mtu", "9000", "T1", "12h", "T2", "3600",
		"server-ip-address", "10.0.0.9", "43", "01:04:0a:00:00:01", "254", "", "router", "")
	judged(t, good.Validate(), nil)
	bad := opts("bootfile", "x", "0", "x", "255", "10.0.0.1", "067", "x", "lease-time", "1", "51", "60", "66", "a", "tftp-server", "b",
		"ntp-server", "pool.ntp.org", "router", ",", "mtu", "70000", "26", "x", "T1", "soon", "T2", "1hh", "domain-name", "a\nconf-file=/etc/shadow", "6", "fd00::1")
	bad.ExtraDHCPOpts = append(bad.ExtraDHCPOpts, DHCPOption{Name: "44", Value: "10.0.0.1", IPVersion: 6})
	no := func(i int, name string) string {
		return fmt.Sprintf("extra_dhcp_opts[%d].opt_name: %q is not a DHCP option; give one of dnsmasq's names (dnsmasq --help dhcp), or a number 1..254", i, name)
	}
	judged(t, bad.Validate(), []string{
		no(0, "bootfile"), no(1, "0"), no(2, "255"), no(3, "067"), no(4, "lease-time"),
		`extra_dhcp_opts[5].opt_name: "51" is the lease time, which the DHCP server alone decides`,
		"extra_dhcp_opts[7].opt_name: option 66 is also in extra_dhcp_opts[6]",
		`extra_dhcp_opts[8].opt_value: "pool.ntp.org" is not what ntp-server has: IPv4 addresses with commas between them`,
		`extra_dhcp_opts[9].opt_value: "," is not what router has: IPv4 addresses with commas between them`,
		`extra_dhcp_opts[10].opt_value: "70000" is not what mtu has: a number 0..65535`,
		"extra_dhcp_opts[11].opt_name: option 26 is also in extra_dhcp_opts[10]",
		`extra_dhcp_opts[12].opt_value: "soon" is not what T1 has: seconds, or e.g. 12h`,
		`extra_dhcp_opts[13].opt_value: "1hh" is not what T2 has: seconds, or e.g. 12h`,
		"extra_dhcp_opts[14].opt_value: contains the unprintable character U+000A; remove it",
		`extra_dhcp_opts[15].opt_value: "fd00::1" is not what 6 has: IPv4 addresses with commas between them`,
		"extra_dhcp_opts[16].ip_version: 6 is not served; only 4 is",
	})
	many := Port{NetworkID: id, ExtraDHCPOpts: make([]DHCPOption, 65)}
	judged(t, many.Validate(), []string{"extra_dhcp_opts: there are 65; at most 64 are allowed"})
}

// The names are dnsmasq's own.
func TestDHCPOptionsAreDnsmasqs(t *testing.T) {
	out, err := exec.Command("dnsmasq", "--help", "dhcp").Output()
	if err != nil {
		t.Skip("needs dnsmasq:", err)
	}
	var theirs, ours []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 {
			if _, err := strconv.Atoi(f[0]); err == nil {
				theirs = append(theirs, f[0]+" "+f[1])
			}
		}
	}
	for name, o := range dhcpOptions {
		ours = append(ours, fmt.Sprint(o.number, " ", name))
	}
	slices.Sort(theirs)
	slices.Sort(ours)
	if !slices.Equal(theirs, ours) {
		t.Errorf("dnsmasq knows\n%v\nand we know\n%v", theirs, ours)
	}
}

func TestInstance(t *testing.T) {
	n := Instance{
		Hostname: "web-1", UserData: make([]byte, MaxUserData), PublicKeys: map[string]string{"me": "ssh-ed25519 AAAA me@here\n"},
		Meta: map[string]string{"role": "web"},
	}
	p := Port{NetworkID: id, Instance: &n}
	judged(t, p.Validate(), nil)
	n = Instance{
		Hostname: "web.example.org", UserData: make([]byte, MaxUserData+1),
		PublicKeys: map[string]string{"": "a", "empty": "", "long": strings.Repeat("k", MaxPublicKey+1), "two": "a\nb"},
		Meta:       map[string]string{"": "x", "k": "\x00"},
	}
	judged(t, p.Validate(), []string{
		`instance.hostname: "web.example.org" is not a hostname without domain: use 1..63 letters, digits and '-', which neither begins nor ends it`,
		"instance.user_data: has 65537 bytes; at most 65536 are allowed: have it fetch the rest",
		"instance.public_keys: a key is empty",
		`instance.public_keys["empty"]: is empty`,
		`instance.public_keys["long"]: has 16385 bytes; at most 16384 are allowed`,
		`instance.public_keys["two"]: is more than one line; give one public key, e.g. ssh-ed25519 AAAA… name`,
		"instance.meta: a key is empty",
		`instance.meta["k"]: contains the unprintable character U+0000; remove it`,
	})
	many := map[string]string{}
	for i := range 129 {
		many[fmt.Sprint(i)] = "x"
	}
	n = Instance{Hostname: "-a", PublicKeys: maps.Clone(many), Meta: many}
	judged(t, p.Validate(), []string{
		`instance.hostname: "-a" is not a hostname without domain: use 1..63 letters, digits and '-', which neither begins nor ends it`,
		"instance.public_keys: there are 129; at most 64 are allowed",
		"instance.meta: there are 129; at most 128 are allowed",
	})
}
