package model

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseMAC(t *testing.T) {
	want := MAC{0xfa, 0x16, 0x3e, 0, 0, 0x0a}
	for _, s := range []string{"fa:16:3e:00:00:0a", "FA:16:3E:00:00:0A", "fa-16-3e-00-00-0a", "fa16.3e00.000a"} {
		if m, err := ParseMAC(s); err != nil || m != want || m.String() != "fa:16:3e:00:00:0a" {
			t.Errorf("%s: %s, %v", s, m, err)
		}
	}
	for s, want := range map[string]string{
		"":                        `"" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
		"fa:16:3e:00:00":          `"fa:16:3e:00:00" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
		"fa:16:3e:00:00:0g":       `"fa:16:3e:00:00:0g" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
		"02:00:5e:10:00:00:00:01": `"02:00:5e:10:00:00:00:01" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
		"00:00:00:00:00:00":       `"00:00:00:00:00:00" is no interface's address; leave it out to have one chosen`,
	} {
		if _, err := ParseMAC(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
	for in, want := range map[string]string{"FA-16-3E-00-00-01": "fa:16:3e:00:00:01", "Nonsense": "nonsense", "": ""} {
		if got := NormalMAC(in); got != want {
			t.Errorf("normal form of %q: %q", in, got)
		}
	}
}

func TestMACInJSON(t *testing.T) {
	for _, m := range []MAC{{}, {0xfa, 0x16, 0x3e, 1, 2, 3}} {
		b, err := json.Marshal(Port{MAC: m})
		if err != nil {
			t.Fatal(err)
		}
		var p Port
		if err := json.Unmarshal(b, &p); err != nil || p.MAC != m {
			t.Errorf("%s became %s, %v", m, p.MAC, err)
		}
	}
}

func TestParseAddr(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "fd00::1", "fe80::1"} {
		if a, err := ParseAddr(s); err != nil || a.String() != s {
			t.Errorf("%s: %s, %v", s, a, err)
		}
	}
	for s, want := range map[string]string{
		"":                `"" is not an IP address: write e.g. 10.0.1.5 or fd00::5`,
		"10.0.0.256":      `"10.0.0.256" is not an IP address: write e.g. 10.0.1.5 or fd00::5`,
		"10.0.0.1/24":     `"10.0.0.1/24" is a prefix, not an address; did you mean 10.0.0.1?`,
		"fe80::1%eth0":    `"fe80::1%eth0" has a zone id, which only one host understands; did you mean fe80::1?`,
		"::ffff:10.0.0.1": `"::ffff:10.0.0.1" is an IPv4-mapped IPv6 address; did you mean 10.0.0.1?`,
	} {
		if _, err := ParseAddr(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

func TestParsePrefix(t *testing.T) {
	for _, s := range []string{"10.0.1.0/24", "10.0.1.1/32", "fd00:1::/64"} {
		if p, err := ParsePrefix(s); err != nil || p.String() != s {
			t.Errorf("%s: %s, %v", s, p, err)
		}
	}
	for s, want := range map[string]string{
		"":                    `"" is not an address block: write e.g. 10.0.1.0/24 or fd00:1::/64`,
		"10.0.1.0/33":         `"10.0.1.0/33" is not an address block: write e.g. 10.0.1.0/24 or fd00:1::/64`,
		"10.0.1.5":            `"10.0.1.5" lacks a prefix length; did you mean 10.0.1.0/24?`,
		"fd00::5":             `"fd00::5" lacks a prefix length; did you mean fd00::/64?`,
		"10.0.1.5/24":         `"10.0.1.5/24" has host bits; did you mean 10.0.1.0/24?`,
		"fd00::5/64":          `"fd00::5/64" has host bits; did you mean fd00::/64?`,
		"::ffff:10.0.1.0/120": `"::ffff:10.0.1.0/120" is IPv4-mapped; did you mean 10.0.1.0/24?`,
		"::ffff:0:0/80":       `"::ffff:0.0.0.0/80" is IPv4-mapped; write the IPv4 block`,
	} {
		if _, err := ParsePrefix(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

func TestDefaultGatewayAndPools(t *testing.T) {
	for cidr, want := range map[string][]string{
		"10.0.1.0/24": {"10.0.1.1", "10.0.1.2-10.0.1.254"},
		"10.0.1.0/30": {"10.0.1.1", "10.0.1.2-10.0.1.2"},
		"10.0.1.0/31": {"10.0.1.0", "10.0.1.1-10.0.1.1"},
		"10.0.1.7/32": {"10.0.1.7"},
		"fd00::/64":   {"fd00::1", "fd00::2-fd00::ffff:ffff:ffff:ffff"},
		"fd00::/127":  {"fd00::", "fd00::1-fd00::1"},
	} {
		p := netip.MustParsePrefix(cidr)
		g := DefaultGateway(p)
		got := []string{g.String()}
		for _, r := range DefaultPools(p, g) {
			got = append(got, r.String())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", cidr, d)
		}
	}
	var got []string
	for _, r := range DefaultPools(netip.MustParsePrefix("10.0.1.0/24"), netip.MustParseAddr("10.0.1.9")) {
		got = append(got, r.String())
	}
	if d := cmp.Diff([]string{"10.0.1.1-10.0.1.8", "10.0.1.10-10.0.1.254"}, got); d != "" {
		t.Errorf("gateway in the middle (-want +got):\n%s", d)
	}
	whole := DefaultPools(netip.MustParsePrefix("10.0.1.0/29"), netip.Addr{})
	want := []Range{{netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("10.0.1.6")}}
	if d := cmp.Diff(want, whole, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("no gateway (-want +got):\n%s", d)
	}
}

func TestInvalidIsOneLine(t *testing.T) {
	var err error = &Invalid{[]Violation{{"cidr", "is missing"}, {"mtu", "is 3"}}}
	var inv *Invalid
	if !errors.As(err, &inv) || err.Error() != "cidr: is missing; mtu: is 3" {
		t.Error(err)
	}
}
