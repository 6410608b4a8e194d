package dnsmasq

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/nsagent/plan"
)

var update = flag.Bool("update", false, "rewrite the files in testdata/weft instead of comparing with them")

func ip(s string) netip.Addr     { return netip.MustParseAddr(s) }
func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func hostAt(port, mac, name string, addresses ...string) plan.ServerHost {
	h := plan.ServerHost{PortID: port, MAC: mac, Hostname: name}
	for _, a := range addresses {
		h.Addresses = append(h.Addresses, plan.SubnetAddress{SubnetID: "s", IP: ip(a)})
	}
	return h
}

// neutrons is a network of the reference deployment.
func neutrons() plan.Server {
	return plan.Server{NetworkID: "981cacc9-49f5-4adf-90b9-fc2b74171b72", Namespace: "qdhcp-981cacc9-49f5-4adf-90b9-fc2b74171b72",
		Device: "ns-48089424-79", Domain: "openstacklocal", MTU: 1450,
		Subnets: []plan.ServerSubnet{{ID: "e6641043-613a-4b96-af1c-7a7268542c22", CIDR: cidr("10.0.2.0/24"), Gateway: ip("10.0.2.1"),
			DNS: []netip.Addr{ip("8.8.8.8")}, MetadataVia: ip("10.0.2.1")}},
		Hosts: []plan.ServerHost{
			hostAt("p1", "fa:16:3e:f6:2a:5f", "host-10-0-2-1", "10.0.2.1"), hostAt("p2", "fa:16:3e:81:c1:a0", "host-10-0-2-168", "10.0.2.168"),
			hostAt("p3", "fa:16:3e:7b:6e:06", "host-10-0-2-102", "10.0.2.102"), hostAt("p4", "fa:16:3e:26:6d:84", "host-10-0-2-201", "10.0.2.201"),
		}}
}

// The files of Neutron's dnsmasq for the same network, from a running deployment.
func TestFilesAreThoseOfNeutron(t *testing.T) {
	got, err := render(neutrons())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{hostFile: got.host, addnFile: got.addn, optsFile: got.opts} {
		want, err := os.ReadFile(filepath.Join("testdata/neutron", name))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), text); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata/weft", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestCommandLine(t *testing.T) {
	s := everything()
	golden(t, "arguments", strings.Join(arguments(s, "/var/lib/weft/dhcp/"+s.NetworkID, 24*time.Hour), "\n")+"\n")
}

// everything is a network with all that there can be.
func everything() plan.Server {
	s := neutrons()
	s.Domain, s.MTU = "weft.internal", 1400
	s.Subnets[0].Routes = []plan.Route{{Destination: cidr("10.9.0.0/16"), NextHop: ip("10.0.2.254")}, {Destination: cidr("10.9.0.0/16"), NextHop: ip("10.0.2.253")}}
	s.Subnets = append(s.Subnets,
		plan.ServerSubnet{ID: "isolated", CIDR: cidr("10.0.3.0/30"), NoDNS: true, MetadataVia: ip("10.0.3.2")},
		plan.ServerSubnet{ID: "bare", CIDR: cidr("10.0.4.0/23"), DNS: []netip.Addr{ip("2001:db8::53")}},
		plan.ServerSubnet{ID: "own-default", CIDR: cidr("10.0.8.0/24"), Gateway: ip("10.0.8.1"), DNS: []netip.Addr{ip("10.0.8.2"), ip("10.0.8.3")},
			Routes: []plan.Route{{Destination: cidr("0.0.0.0/0"), NextHop: ip("10.0.8.9")}}},
		plan.ServerSubnet{ID: "stateful", CIDR: cidr("fd00:1::/64"), DNS: []netip.Addr{ip("fd00:1::2"), ip("2001:db8::53")}},
		plan.ServerSubnet{ID: "stateful-bare", CIDR: cidr("fd00:2::/80"), NoDNS: true},
		plan.ServerSubnet{ID: "stateless", CIDR: cidr("fd00:3::/64"), Stateless: true, DNS: []netip.Addr{ip("fd00:3::2")}},
		plan.ServerSubnet{ID: "stateless-too", CIDR: cidr("fd00:4::/64"), Stateless: true, DNS: []netip.Addr{ip("fd00:4::2"), ip("fd00:3::2")}})
	s.Hosts[2].Options = []plan.Option{{Name: "mtu", Value: "1300"}, {Name: "ntp-server", Value: "10.0.0.1,10.0.0.2"}, {Name: "224", Value: "#1 a/b"}, {Name: "router"}}
	s.Hosts[3].Addresses = append(s.Hosts[3].Addresses, plan.SubnetAddress{SubnetID: "isolated", IP: ip("10.0.3.1")}, plan.SubnetAddress{IP: ip("fd00::1")})
	s.Hosts = append(s.Hosts,
		hostAt("p5", "fa:16:3e:00:00:05", "both", "fd00:1::5", "10.0.2.5", "fd00:1::1:5", "fd00:2::5", "fd00:3::5"),
		hostAt("p6", "fa:16:3e:00:00:06", "both-stateless", "10.0.2.6", "10.0.4.6", "fd00:3::6"),
		hostAt("p7", "fa:16:3e:00:00:07", "stateful", "fd00:2::7"),
		hostAt("p8", "fa:16:3e:00:00:08", "stateless", "fd00:4::8", "fd00:3::8"),
		hostAt("p9", "fa:16:3e:00:00:09", "not-served", "fd00:9::9"))
	return s
}

func TestFiles(t *testing.T) {
	got, err := render(everything())
	// Its value begins with "#", which dnsmasq would take for a comment.
	if err == nil || err.Error() != `port p3: option 224: its value holds "#", which dnsmasq would not take as it is` {
		t.Errorf("error %v", err)
	}
	golden(t, hostFile, got.host)
	golden(t, addnFile, got.addn)
	golden(t, optsFile, got.opts)
}

// Without a domain, names of addn_hosts are those of the hosts file, which dnsmasq would take addresses of.
func TestFilesWithoutADomain(t *testing.T) {
	s := everything()
	s.Domain, s.Subnets = "", s.Subnets[len(s.Subnets)-3:]
	s.Hosts = s.Hosts[len(s.Hosts)-4:]
	got, err := render(s)
	if err != nil {
		t.Fatal(err)
	}
	want := texts{
		host: "fa:16:3e:00:00:06\nfa:16:3e:00:00:06,both-stateless,10.0.2.6\nfa:16:3e:00:00:06,both-stateless,10.0.4.6\nfa:16:3e:00:00:07,stateful,[fd00:2::7]\nfa:16:3e:00:00:08\n",
		addn: "10.0.2.6\tboth-stateless\n10.0.4.6\tboth-stateless\nfd00:2::7\tstateful\n",
		opts: "tag:subnet-stateful-bare,option6:dns-server\ntag:subnet-stateless,option6:dns-server,[fd00:3::2]\n" +
			"tag:subnet-stateless-too,option6:dns-server,[fd00:4::2],[fd00:3::2]\noption6:dns-server,[fd00:3::2],[fd00:4::2]\n",
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(texts{})); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// Everything that people choose is tried with what would end a line, a word, or the file's meaning.
func TestNothingIsSmuggledIn(t *testing.T) {
	clean, err := render(neutrons())
	if err != nil {
		t.Fatal(err)
	}
	for _, evil := range []string{"a\nfa:16:3e:00:00:66,evil,10.0.2.66", "a,10.0.2.66", "a b", "a\tb", "a\"b", "a\\b", "a\x00b", "ä", "-a", strings.Repeat("a", 70), "a.b", "", "a\r\nb", "#"} {
		s := neutrons()
		s.Hosts = append(s.Hosts, hostAt("p5", "fa:16:3e:00:00:55", evil, "10.0.2.55"))
		got, err := render(s)
		if d := cmp.Diff(clean.host+clean.addn+clean.opts, got.host+got.addn+got.opts); err == nil || d != "" {
			t.Errorf("hostname %q: error %v, files\n%s", evil, err, d)
		}
		for _, bad := range []plan.ServerHost{hostAt(evil, "fa:16:3e:00:00:55", "ok", "10.0.2.55"), hostAt("p5", evil, "ok", "10.0.2.55")} {
			s := neutrons()
			s.Hosts = append(s.Hosts, bad)
			got, err := render(s)
			// A tag with a name that is allowed harms nobody.
			if d := cmp.Diff(clean.host, got.host); !idPattern.MatchString(bad.PortID) && (err == nil || d != "") {
				t.Errorf("port %q, MAC %q: error %v, files\n%s", bad.PortID, bad.MAC, err, d)
			}
		}
		s = neutrons()
		s.Domain = evil
		if err := checkServer(s); err == nil && evil != "" && evil != "a.b" {
			t.Errorf("domain %q is accepted", evil)
		}
		for _, field := range []func(*plan.Server){
			func(s *plan.Server) { s.NetworkID = evil }, func(s *plan.Server) { s.Device = evil }, func(s *plan.Server) { s.Subnets[0].ID = evil },
		} {
			s := neutrons()
			field(&s)
			if err := checkServer(s); err == nil && evil != "a.b" && len(evil) < 65 {
				t.Errorf("%q is accepted as %+v", evil, s)
			}
		}
	}
	for _, o := range []plan.Option{
		{Name: "mtu,1400\n", Value: "1"}, {Name: "option:mtu", Value: "1"}, {Name: "tag:x,mtu"}, {Name: "0"}, {Name: "255"}, {Name: "026"}, {Name: "-1"}, {Name: ""},
		{Name: "encap:43"}, {Name: "42", Value: "a\ntag:other,3,1.2.3.4"}, {Name: "42", Value: `"`}, {Name: "42", Value: `\`}, {Name: "42", Value: "a #b"},
		{Name: "42", Value: " a"}, {Name: "42", Value: strings.Repeat("a", 256)}, {Name: "42", Value: "\x7f"}, {Name: "42", Value: "é"},
	} {
		s := neutrons()
		s.Hosts[0].Options = []plan.Option{o}
		got, err := render(s)
		if d := cmp.Diff(clean.host+clean.opts, got.host+got.opts); err == nil || d != "" {
			t.Errorf("option %+v: error %v, files\n%s", o, err, d)
		}
	}
}

// More routes than an option can hold must not take the way to the metadata service along.
func TestTooManyRoutes(t *testing.T) {
	s := neutrons()
	for i := range 60 {
		s.Subnets[0].Routes = append(s.Subnets[0].Routes, plan.Route{Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24), NextHop: ip("10.0.2.9")})
	}
	got, err := render(s)
	if err == nil || err.Error() != "subnet e6641043-613a-4b96-af1c-7a7268542c22: host_routes: 62 routes take 494 bytes, and a DHCP option has 255; they are not announced" {
		t.Errorf("error %v", err)
	}
	want, _ := os.ReadFile("testdata/neutron/opts")
	if d := cmp.Diff(string(want), got.opts); d != "" {
		t.Errorf("opts (-want +got):\n%s", d)
	}
}

func TestServerThatCannotBe(t *testing.T) {
	err := checkServer(plan.Server{NetworkID: "n", Device: "ns-0123456789abcdef", Domain: "a..b", MTU: 60,
		Subnets: []plan.ServerSubnet{{ID: "s", CIDR: cidr("fd00::/63")}, {ID: "s2", CIDR: cidr("10.0.0.0/24"), Stateless: true}, {ID: "s3"}}})
	want := `device "ns-0123456789abcdef" is no name of a network device
domain: "a..b" is no domain: labels of 1 to 63 letters, digits and "-" are, with dots between
mtu 60 is not in 68..65535
subnet s: cidr fd00::/63 has less than the 64 bits that dnsmasq can serve
subnet s2: cidr 10.0.0.0/24 is not IPv6, and only DHCPv6 can be stateless
subnet s3: there is no cidr`
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}
