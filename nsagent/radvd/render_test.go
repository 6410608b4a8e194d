package radvd

import (
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/nsagent/plan"
)

var update = flag.Bool("update", false, "rewrite the files in testdata instead of comparing with them")

func ip(s string) netip.Addr     { return netip.MustParseAddr(s) }
func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// all has everything that an advertisement can say.
func all() plan.Advertiser {
	dns := []netip.Addr{ip("2001:4860:4860::8888"), ip("fd00:1::53"), ip("fe80::1"), ip("::5:3"), ip("fd00:0:0:1::")}
	return plan.Advertiser{RouterID: "81689e42-91a4-4094-b699-3bef28777c0b", Namespace: "qrouter-81689e42-91a4-4094-b699-3bef28777c0b", Devices: []plan.AdvertisingDevice{
		{Name: "qr-341474f8-a8", MTU: 1500, Advertisement: plan.Advertisement{Managed: true, Prefixes: []plan.AdvertisedPrefix{{Prefix: cidr("fd00:3:0:0:8000::/65")}}}},
		{Name: "qr-48adc8c6-aa", MTU: 1450, Advertisement: plan.Advertisement{DefaultRouter: true, OtherConfig: true, DNS: dns,
			Prefixes: []plan.AdvertisedPrefix{{Prefix: cidr("fd00:1::/64"), Autonomous: true}, {Prefix: cidr("2001:db8:1:2::/64")}}}},
	}}
}

func TestConfiguration(t *testing.T) {
	golden := filepath.Join("testdata", confFile)
	got := render(all())
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", golden, d)
	}
}

// TestRadvdTakesIt: radvd itself finds nothing wrong with it.
func TestRadvdTakesIt(t *testing.T) {
	many := all()
	for a := ip("fd00:53::"); len(many.Devices[1].DNS) < 16; a = a.Next() {
		many.Devices[1].DNS = append(many.Devices[1].DNS, a)
	}
	odd := all()
	odd.Devices = odd.Devices[:1]
	odd.Devices[0].Prefixes[0].Prefix = cidr("::/64")
	for name, a := range map[string]plan.Advertiser{"all": all(), "16 name servers": many, "a prefix of zeroes": odd} {
		file := filepath.Join(t.TempDir(), confFile)
		if err := os.WriteFile(file, []byte(render(a)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("radvd", "--configtest", "-C", file).CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 1 || !strings.HasSuffix(string(out), "syntax ok\n") {
			t.Errorf("%s: %v: %s\n%s", name, err, out, render(a))
		}
	}
}

func TestWhatCannotBeAdvertised(t *testing.T) {
	for want, change := range map[string]func(*plan.Advertiser){
		"devices: there is none":                                            func(a *plan.Advertiser) { a.Devices = nil },
		`device "qr-1; }" is no name of a network device`:                   func(a *plan.Advertiser) { a.Devices[0].Name = "qr-1; }" },
		"device qr-341474f8-a8: mtu 1279 is not in 1280..65535":             func(a *plan.Advertiser) { a.Devices[0].MTU = 1279 },
		"device qr-341474f8-a8: prefix 10.0.0.0/24 is not IPv6":             func(a *plan.Advertiser) { a.Devices[0].Prefixes[0].Prefix = cidr("10.0.0.0/24") },
		"device qr-48adc8c6-aa: name server 9.9.9.9 is not an IPv6 address": func(a *plan.Advertiser) { a.Devices[1].DNS[0] = ip("9.9.9.9") },
	} {
		a := all()
		change(&a)
		if err := check(a); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := check(all()); err != nil {
		t.Error(err)
	}
}
