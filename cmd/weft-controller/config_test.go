package main

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/controller/store"
)

// parsed is the configuration that command-line arguments make.
func parsed(t *testing.T, args ...string) config {
	t.Helper()
	var c config
	f := pflag.NewFlagSet("weft-controller", pflag.ContinueOnError)
	c.flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

var quiet = slog.New(slog.DiscardHandler)

func TestStoreConfig(t *testing.T) {
	c := parsed(t, "--data-dir=/d", "--vxlan-range=1:100,200:300", "--vlan-range=physnet1:100:199", "--underlay-mtu=9000", "--dhcp-agents-per-network=3", "--store-quota=4096")
	got, err := c.storeConfig(quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := store.Config{DataDir: "/d", QuotaBytes: 4 << 30, TenantNetworkTypes: []string{"vxlan"}, UnderlayMTU: 9000, DHCPAgentsPerNetwork: 3, Ranges: store.Ranges{
		VXLAN: []store.Range{{Min: 1, Max: 100}, {Min: 200, Max: 300}},
		VLAN:  map[string][]store.Range{"physnet1": {{Min: 100, Max: 199}}},
	}}
	if d := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".TLS" }, cmp.Ignore())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWrongFlagsAreRefusedByName(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--store=files"}, `--store: "files"`},
		{[]string{"--store=external"}, "--etcd-endpoints"},
		{[]string{"--store=external", "--etcd-endpoints=http://127.0.0.1:1", "--etcd-cert=x"}, "go together"},
		{[]string{"--store=external", "--etcd-endpoints=http://127.0.0.1:1", "--etcd-ca=/nowhere.pem"}, "/nowhere.pem"},
		{[]string{"--store=external", "--etcd-endpoints=http://127.0.0.1:1", "--name=a/b"}, `--name: "a/b" is not`},
		{[]string{"--store=external", "--etcd-endpoints=http://127.0.0.1:1", "--leader-lease=1s"}, "--leader-lease: 1s is not"},
		{[]string{"--store=external", "--etcd-endpoints=http://127.0.0.1:1", "--leader-lease=2500ms"}, "--leader-lease: 2.5s is not"},
		{[]string{"--store-quota=-1"}, "--store-quota: -1 is negative"},
		{[]string{"--vxlan-range=5"}, `--vxlan-range: "5" is not MIN:MAX`},
		{[]string{"--gre-range=a:b"}, "--gre-range"},
		{[]string{"--vlan-range=100:199"}, "PHYSNET:MIN:MAX"},
		{[]string{"--vlan-range=:1:2"}, "PHYSNET:MIN:MAX"},
		{[]string{"--dhcp-agents-per-network=0"}, "--dhcp-agents-per-network"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			c := parsed(t, tc.args...)
			if _, err := c.storeConfig(quiet); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want something of %q", err, tc.want)
			}
		})
	}
	c := parsed(t, "--host-timeout=2s")
	if err := c.health(); err == nil || !strings.Contains(err.Error(), "--host-timeout: 2s is less than 3s") {
		t.Errorf("a host timeout of 2 s: %v", err)
	}
	for _, bad := range []string{"x", "0x1/", "0x10/0x0f"} {
		c := parsed(t, "--tolerate-cookie="+bad)
		if _, err := c.tolerated(); err == nil || !strings.Contains(err.Error(), "--tolerate-cookie") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A host that lives is asked for a sign of life several times before it would be down, whatever people set.
func TestSignsOfLifeAreAskedForInTime(t *testing.T) {
	for _, tc := range []struct {
		args       []string
		echo, ping time.Duration
	}{
		{nil, 1750 * time.Millisecond, 1750 * time.Millisecond},
		{[]string{"--host-timeout=3s"}, 500 * time.Millisecond, time.Second},
		{[]string{"--host-timeout=1m"}, 5 * time.Second, 5 * time.Second},
		{[]string{"--host-timeout=1m", "--openflow-echo-interval=1s"}, time.Second, 5 * time.Second},
		{[]string{"--openflow-echo-interval=20s"}, 1750 * time.Millisecond, 1750 * time.Millisecond},
	} {
		c := parsed(t, tc.args...)
		if err := c.health(); err != nil || c.echo() != tc.echo || c.ping() != tc.ping {
			t.Errorf("%v: switches every %v, agents every %v, %v; want %v, %v", tc.args, c.echo(), c.ping(), err, tc.echo, tc.ping)
		}
	}
}

func TestToleratedCookies(t *testing.T) {
	c := parsed(t, "--tolerate-cookie=0xabc0/0xfff0", "--tolerate-cookie=7")
	got, err := c.tolerated()
	if d := cmp.Diff([]hostsync.CookieMask{{Value: 0xabc0, Mask: 0xfff0}, {Value: 7, Mask: ^uint64(0)}}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestTargetsOfSwitches(t *testing.T) {
	at := func(addr string) []net.Listener {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return []net.Listener{ln}
	}
	local := at("127.0.0.1:0")
	c := parsed(t)
	for encrypted, scheme := range map[bool]string{false: "tcp:", true: "ssl:"} {
		if got, err := c.targets(local, encrypted); err != nil || !cmp.Equal(got, []string{scheme + local[0].Addr().String()}) {
			t.Errorf("%v %v", got, err)
		}
	}
	if _, err := c.targets(at("[::]:0"), false); err == nil || !strings.Contains(err.Error(), "--openflow-advertise") {
		t.Errorf("a listener everywhere: %v", err)
	}
	c = parsed(t, "--openflow-advertise=tcp:10.0.0.1:6653")
	if got, err := c.targets(at("[::]:0"), false); err != nil || !cmp.Equal(got, []string{"tcp:10.0.0.1:6653"}) {
		t.Errorf("%v %v", got, err)
	}
}

func TestListenersWantACertificateWithItsKey(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"--tls-ca=/ca.pem"}, "--tls-ca: a CA alone does not serve; give --tls-cert and --tls-key"},
		{[]string{"--tls-cert=/cert.pem"}, "go together"},
		{[]string{"--tls-cert=/nowhere.pem", "--tls-key=/key.pem"}, "/nowhere.pem"},
	} {
		c := parsed(t, tc.args...)
		conf, err := c.serverTLS(quiet)
		if conf != nil || tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v: %v, %v, want %q", tc.args, conf, err, tc.want)
		}
	}
}
