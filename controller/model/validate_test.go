package model

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const id = "3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f"

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// lines prints violations as field: message.
func lines(vs []Violation) (out []string) {
	for _, v := range vs {
		out = append(out, v.Field+": "+v.Message)
	}
	return out
}

func judged(t *testing.T, vs []Violation, want []string) {
	t.Helper()
	if d := cmp.Diff(want, lines(vs)); d != "" {
		t.Errorf("violations (-want +got):\n%s", d)
	}
}

func TestNetworkValidate(t *testing.T) {
	for name, c := range map[string]struct {
		n    Network
		want []string
	}{
		"everything left to the store": {n: Network{}},
		"vxlan at its limits":          {n: Network{Meta: Meta{ID: id}, Type: VXLAN, MTU: 68, SegmentID: MaxVNI}},
		"gre key of 32 bits":           {n: Network{Type: GRE, SegmentID: MaxGREKey}},
		"vlan":                         {n: Network{Type: VLAN, PhysicalNetwork: "physnet1", SegmentID: 4094}},
		"flat":                         {n: Network{Type: Flat, PhysicalNetwork: "physnet1"}},
		"all wrong at once": {
			n: Network{Meta: Meta{ID: "x", Name: strings.Repeat("ä", 256), Description: "a\nb"}, Type: VXLAN, MTU: 67, PhysicalNetwork: "a:b", SegmentID: MaxVNI + 1},
			want: []string{
				`metadata.id: "x" is not a UUID: write e.g. 3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f`,
				"metadata.name: has 256 characters; at most 255 are allowed",
				"mtu: 67 is not in 68..65535; 0 has it computed",
				`provider_physical_network: "a:b" is not a physical network's name: use 1..64 visible ASCII characters without ':' and ','`,
				"provider_segmentation_id: 16777216 is not in 1..16777215, the range of vxlan; 0 has one chosen",
				`provider_physical_network: "a:b" is given, but a vxlan network is carried by tunnels; leave it out`,
			},
		},
		"id not canonical": {
			n:    Network{Meta: Meta{ID: "3F0C9D52-6F0E-4C9B-9D5E-0A4B1C2D3E4F"}},
			want: []string{`metadata.id: "3F0C9D52-6F0E-4C9B-9D5E-0A4B1C2D3E4F" is not in the canonical form; write ` + id},
		},
		"control character in the name": {
			n:    Network{Meta: Meta{Name: "a\x1b[31m"}},
			want: []string{"metadata.name: contains the unprintable character U+001B; remove it"},
		},
		"text direction override in the name": {
			n:    Network{Meta: Meta{Name: "a\u202eb"}},
			want: []string{"metadata.name: contains the unprintable character U+202E; remove it"},
		},
		"not UTF-8": {
			n:    Network{Meta: Meta{ProjectID: "\xff"}},
			want: []string{"metadata.project_id: is not valid UTF-8"},
		},
		"labels": {
			n: Network{Meta: Meta{Labels: map[string]string{"": "x", "a": "\x00", "b\n": "y"}}},
			want: []string{
				"metadata.labels: a key is empty",
				`metadata.labels["a"]: contains the unprintable character U+0000; remove it`,
				"metadata.labels: contains the unprintable character U+000A; remove it",
			},
		},
		"unknown type": {
			n:    Network{Type: "vlxan"},
			want: []string{`provider_network_type: "vlxan" is unknown; choose one of vxlan, gre, geneve, vlan, flat`},
		},
		"vlan without a physical network": {
			n: Network{Type: VLAN, SegmentID: 4095},
			want: []string{
				"provider_segmentation_id: 4095 is not in 1..4094, the range of vlan; 0 has one chosen",
				"provider_physical_network: is missing; a vlan network needs the name of a physical network, as in the hosts' bridge_mappings",
			},
		},
		"flat with a segment": {
			n:    Network{Type: Flat, PhysicalNetwork: "p", SegmentID: 7},
			want: []string{"provider_segmentation_id: 7 is given, but a flat network has none; leave it out"},
		},
	} {
		t.Run(name, func(t *testing.T) { judged(t, c.n.Validate(), c.want) })
	}
	many := Network{Meta: Meta{Labels: map[string]string{}}}
	for i := range MaxLabels + 1 {
		many.Labels[strings.Repeat("x", i+1)] = ""
	}
	judged(t, many.Validate(), []string{"metadata.labels: there are 65; at most 64 are allowed"})
}

func TestSubnetValidate(t *testing.T) {
	pools := func(ranges ...string) (out []Range) {
		for _, r := range ranges {
			start, end, _ := strings.Cut(r, "-")
			out = append(out, Range{addr(start), addr(end)})
		}
		return out
	}
	for name, c := range map[string]struct {
		s    Subnet
		want []string
	}{
		"plain":                     {s: Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("10.0.1.1"), AllocationPools: pools("10.0.1.2-10.0.1.254")}},
		"IPv6":                      {s: Subnet{CIDR: prefix("fd00:1::/64"), GatewayIP: addr("fd00:1::1")}},
		"two addresses, RFC 3021":   {s: Subnet{CIDR: prefix("10.0.1.0/31"), GatewayIP: addr("10.0.1.0"), AllocationPools: pools("10.0.1.1-10.0.1.1")}},
		"pools in any order":        {s: Subnet{CIDR: prefix("10.0.1.0/24"), AllocationPools: pools("10.0.1.100-10.0.1.109", "10.0.1.10-10.0.1.19")}},
		"no cidr":                   {s: Subnet{}, want: []string{"cidr: is missing: write e.g. 10.0.1.0/24 or fd00:1::/64"}},
		"host bits":                 {s: Subnet{CIDR: prefix("10.0.1.5/24")}, want: []string{`cidr: "10.0.1.5/24" has host bits; did you mean 10.0.1.0/24?`}},
		"IPv4-mapped":               {s: Subnet{CIDR: prefix("::ffff:10.0.1.0/120")}, want: []string{`cidr: "::ffff:10.0.1.0/120" is IPv4-mapped; did you mean 10.0.1.0/24?`}},
		"everything":                {s: Subnet{CIDR: prefix("0.0.0.0/0")}, want: []string{"cidr: 0.0.0.0/0 is the whole address space; give a smaller block"}},
		"multicast":                 {s: Subnet{CIDR: prefix("224.0.0.0/24")}, want: []string{"cidr: 224.0.0.0/24 overlaps 224.0.0.0/4, which is multicast"}},
		"link-local":                {s: Subnet{CIDR: prefix("fe80::/64")}, want: []string{"cidr: fe80::/64 overlaps fe80::/10, which is link-local, which every interface has by itself"}},
		"gateway outside":           {s: Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("10.0.2.1")}, want: []string{"gateway_ip: 10.0.2.1 is outside 10.0.1.0/24"}},
		"gateway of another family": {s: Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("fd00::1")}, want: []string{"gateway_ip: fd00::1 is outside 10.0.1.0/24"}},
		"gateway with a zone": {
			s:    Subnet{CIDR: prefix("fd00::/64"), GatewayIP: addr("fd00::1%eth0")},
			want: []string{`gateway_ip: "fd00::1%eth0" has a zone id, which only one host understands; did you mean fd00::1?`},
		},
		"gateway is the network address": {
			s:    Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("10.0.1.0")},
			want: []string{"gateway_ip: 10.0.1.0 is the network address of 10.0.1.0/24; choose one of 10.0.1.1-10.0.1.254"},
		},
		"gateway is the broadcast address": {
			s:    Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("10.0.1.255")},
			want: []string{"gateway_ip: 10.0.1.255 is the broadcast address of 10.0.1.0/24; choose one of 10.0.1.1-10.0.1.254"},
		},
		"gateway is the anycast address": {
			s:    Subnet{CIDR: prefix("fd00::/64"), GatewayIP: addr("fd00::")},
			want: []string{"gateway_ip: fd00:: is the subnet-router anycast address of fd00::/64; choose one of fd00::1-fd00::ffff:ffff:ffff:ffff"},
		},
		"pools, all wrong at once": {
			s: Subnet{CIDR: prefix("10.0.1.0/24"), GatewayIP: addr("10.0.1.1"), AllocationPools: append(pools(
				"10.0.1.1-10.0.1.50", "10.0.1.40-10.0.1.60", "10.0.1.45-10.0.1.46", "10.0.1.90-10.0.1.80", "10.0.2.1-10.0.2.9", "10.0.1.200-10.0.1.255",
			), Range{})},
			want: []string{
				"allocation_pools[0]: 10.0.1.1-10.0.1.50 contains the gateway 10.0.1.1; split the pool around it",
				"allocation_pools[3]: 10.0.1.90-10.0.1.80 is reversed; write 10.0.1.80-10.0.1.90",
				"allocation_pools[4].start: 10.0.2.1 is outside 10.0.1.0/24",
				"allocation_pools[4].end: 10.0.2.9 is outside 10.0.1.0/24",
				"allocation_pools[5].end: 10.0.1.255 is the broadcast address of 10.0.1.0/24; choose one of 10.0.1.1-10.0.1.254",
				"allocation_pools[6].start: is missing",
				"allocation_pools[6].end: is missing",
				"allocation_pools[1]: 10.0.1.40-10.0.1.60 overlaps allocation_pools[0] (10.0.1.1-10.0.1.50)",
				"allocation_pools[2]: 10.0.1.45-10.0.1.46 overlaps allocation_pools[1] (10.0.1.40-10.0.1.60)",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.NetworkID = id
			judged(t, c.s.Validate(), c.want)
		})
	}
	judged(t, (&Subnet{CIDR: prefix("10.0.0.0/8")}).Validate(), []string{"network_id: is missing"})
}

func TestPortValidate(t *testing.T) {
	p := &Port{
		Meta: Meta{ID: "no"}, MAC: MAC{1, 2, 3, 4, 5, 6}, DeviceID: "\x00", DeviceOwner: strings.Repeat("x", 256), BindingHostID: "-h",
		FixedIPs: []FixedIP{{}, {SubnetID: "s"}, {IP: addr("10.0.0.1")}, {SubnetID: "s", IP: addr("10.0.0.1")}, {IP: addr("::ffff:10.0.0.1")}, {IP: addr("fe80::1%2")}},
	}
	judged(t, p.Validate(), []string{
		`metadata.id: "no" is not a UUID: write e.g. 3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f`,
		"network_id: is missing",
		"mac_address: 01:02:03:04:05:06 is a multicast address; the first byte must be even, e.g. 00",
		"fixed_ips[0]: is empty; give subnet_id, ip_address or both",
		"fixed_ips[3].ip_address: 10.0.0.1 is also in fixed_ips[2]",
		`fixed_ips[4].ip_address: "::ffff:10.0.0.1" is an IPv4-mapped IPv6 address; did you mean 10.0.0.1?`,
		`fixed_ips[5].ip_address: "fe80::1%2" has a zone id, which only one host understands; did you mean fe80::1?`,
		"device_id: contains the unprintable character U+0000; remove it",
		"device_owner: has 256 characters; at most 255 are allowed",
		`binding_host_id: "-h" is not a hostname: use letters, digits, '-', '_' and '.', and begin with a letter or digit`,
	})
	dvr := &Port{NetworkID: id, MAC: MAC{0xfa, 0x16, 0x3f, 0, 0, 1}}
	judged(t, dvr.Validate(), []string{
		"mac_address: fa:16:3f:00:00:01 begins with fa:16:3f, which is kept for the hosts' distributed routers; choose another",
	})
	judged(t, (&Port{NetworkID: id}).Validate(), nil)
}

func TestHostValidate(t *testing.T) {
	h := &Host{
		Meta: Meta{ID: "a/b"}, TunnelIP: addr("fe80::1"), Roles: []string{"compute", "storage", "compute"},
		BridgeMappings: map[string]string{"p1": "br-ex", "p2": "br-ex", "p3": "br-int", "p4": "a-name-of-17-chars", "p,5": "br-5"},
	}
	judged(t, h.Validate(), []string{
		`metadata.id: "a/b" is not a hostname: use letters, digits, '-', '_' and '.', and begin with a letter or digit`,
		"tunnel_ip: fe80::1 is link-local, which other hosts cannot reach without a zone; use a global or unique local address",
		`bridge_mappings["p,5"]: "p,5" is not a physical network's name: use 1..64 visible ASCII characters without ':' and ','`,
		`bridge_mappings["p2"]: bridge br-ex is already mapped to p1; a bridge carries one physical network`,
		`bridge_mappings["p3"]: br-int is the controller's own bridge; name the bridge that leads to the physical network`,
		`bridge_mappings["p4"]: "a-name-of-17-chars" is not a bridge's name: use 1..15 visible ASCII characters without '/' and ':'`,
		`roles[1]: "storage" is unknown; choose compute or network`,
		"roles[2]: compute is listed twice",
	})
	judged(t, (&Host{Meta: Meta{ID: "compute-1.example_a"}, TunnelIP: addr("10.0.0.1"), Roles: []string{"compute", "network"}}).Validate(), nil)
	judged(t, (&Host{TunnelIP: addr("224.0.0.1")}).Validate(), []string{
		"metadata.id: is empty; give the hostname",
		"tunnel_ip: 224.0.0.1 is not the address of a host",
	})
	judged(t, (&HostFacts{Host: strings.Repeat("h", 254), OVSVersion: "\n", TunnelIP: addr("0.0.0.0")}).Validate(), []string{
		"host: has 254 characters; a hostname has at most 253",
		"ovs_version: contains the unprintable character U+000A; remove it",
		"tunnel_ip: 0.0.0.0 is not the address of a host",
	})
	judged(t, (&Interface{IfaceID: "\x00"}).Validate(), []string{
		"name: is empty",
		"iface_id: contains the unprintable character U+0000; remove it",
	})
}
