package metadata

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/ovs"
	"github.com/weft-sdn/weft/test/space"
)

func TestEachMachineGetsItsOwn(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	for n, from := range map[int]*space.Space{1: s.vm1, 2: s.vm2} {
		out := from.Run("curl", "-sS", "--max-time", "5", "http://169.254.169.254/latest/meta-data/instance-id")
		if want := fmt.Sprint("instance-", n); out != want {
			t.Errorf("vm%d gets %q", n, out)
		}
	}
	// Whatever it says of itself.
	for _, h := range []string{"X-Forwarded-For: 10.0.1.12", "X-Instance-ID: instance-2", "Forwarded: for=10.0.1.12", "X-Real-IP: 10.0.1.12"} {
		if code, body := s.get(s.vm1, "/latest/user-data", h); code != 200 || strings.Contains(body, "user-data-2") {
			t.Errorf("with %s: %d %q", h, code, body)
		}
	}
	// Nor an address that is no port's.
	s.vm1.Run("ip", "addr", "add", "10.0.0.99/24", "dev", "eth0")
	s.vm1.Run("ip", "route", "change", "default", "via", "10.0.0.1", "src", "10.0.0.99")
	if code, body := s.get(s.vm1, "/latest/user-data"); code != 404 || body != "no port of this network has the address that the question comes from\n" {
		t.Errorf("a stranger gets %d %q", code, body)
	}
}

func TestBuiltInTakesNothing(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	for _, c := range []struct {
		request string
		code    int
	}{
		{"PUT /latest/user-data HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
		{"POST /openstack/latest/password HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 405},
		{"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"GET latest HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET http://elsewhere/latest/meta-data/hostname HTTP/1.1\r\nHost: x\r\n\r\n", 200}, // the path counts
		{"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 32<<10) + "\r\n\r\n", 431},
		{"GET /" + strings.Repeat("a", 32<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		{"garbage\r\n\r\n", 400},
	} {
		if code, body, err := s.raw(s.vm1, c.request); err != nil || code != c.code {
			t.Errorf("%.60q: %d %q, %v", c.request, code, body, err)
		}
	}
}

func TestUpstreamSeesWhoAsks(t *testing.T) {
	n := newNova(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-nova")
		io.WriteString(w, "from nova")
	})
	s := newSite(t, func(c *Config) { c.URL, c.Secret = n.url(t), []byte(secret) })
	s.ensure()
	code, body := s.get(s.vm1, "/openstack/latest/meta%20data.json?recursive=true",
		"User-Agent: Cloud-Init/24.1", "Accept: */*",
		// What a guest could claim to be somebody else with, also as servers behind us might read it.
		"X-Forwarded-For: 10.0.1.12", "X-Instance-ID: instance-2", "x-instance-id: instance-2", "X_Instance_ID: instance-2", "X-Instance-ID-Signature: 00", "X-Instance-ID-Signature: 11",
		"X-Tenant-ID: project-2", "X-Neutron-Router-ID: r2", "X-Neutron-Network-ID: n2", "X-Metadata-Provider: x", "X-Metadata-Provider-Signature: x", "Forwarded: for=10.0.1.12",
		"X-Real-IP: 10.0.1.12", "X-Forwarded-Host: evil", "Authorization: Basic eDp4", "Cookie: a=b", "Upgrade: websocket", "Proxy-Connection: keep-alive")
	if code != 200 || body != "from nova" {
		t.Errorf("%d %q", code, body)
	}
	r, _ := n.last()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("instance-1"))
	want := http.Header{"Accept": {"*/*"}, "User-Agent": {"Cloud-Init/24.1"}, "X-Forwarded-For": {"10.0.0.11"}, "X-Instance-Id": {"instance-1"}, "X-Tenant-Id": {"project-1"},
		"X-Instance-Id-Signature": {hex.EncodeToString(mac.Sum(nil))}}
	if d := cmp.Diff(want, r.Header); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	if r.Method != "GET" || r.RequestURI != "/openstack/latest/meta%20data.json?recursive=true" || r.Host != n.url(t).Host {
		t.Errorf("%s %s at %s", r.Method, r.RequestURI, r.Host)
	}

	code, _, err := s.raw(s.vm2, "POST /openstack/latest/password HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	r, sent := n.last()
	if err != nil || code != 200 || r.Method != "POST" || sent != "hello" || r.Header.Get("X-Instance-ID") != "instance-2" {
		t.Errorf("post: %d, %v; %s %q by %s", code, err, r.Method, sent, r.Header.Get("X-Instance-ID"))
	}
	if code, body, err := s.raw(s.vm2, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("a", 100000)); err != nil || code != 413 {
		t.Errorf("large post: %d %q, %v", code, body, err)
	}
	if said := s.log.String(); strings.Contains(said, secret) || strings.Contains(said, "hello") {
		t.Errorf("the log tells:\n%s", said)
	}
}

// The signature of the reference deployment's dump (metadata_headers.log), whose secret is not known, has this form.
func TestSignature(t *testing.T) {
	// HMAC_SHA256("key", "The quick brown fox jumps over the lazy dog")
	if got := Sign([]byte("key"), "The quick brown fox jumps over the lazy dog"); got != "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8" {
		t.Errorf("signature %s", got)
	}
}

func TestUpstreamBelowAPath(t *testing.T) {
	n := newNova(t, func(http.ResponseWriter, *http.Request) {})
	s := newSite(t, func(c *Config) { c.URL = n.url(t).JoinPath("nova/"); c.Secret = []byte(secret) })
	s.ensure()
	if code, body := s.get(s.vm1, "/latest/a%2fb"); code != 200 {
		t.Fatalf("%d %q", code, body)
	}
	if r, _ := n.last(); r.RequestURI != "/nova/latest/a%2fb" {
		t.Errorf("%s", r.RequestURI)
	}
	for _, path := range []string{"/../admin", "/latest/%2e%2e/..", "/latest%2f..%2fadmin"} {
		if code, _ := s.get(s.vm1, path); code != 400 {
			t.Errorf("%s: %d", path, code)
		}
	}
	if r, _ := n.last(); r.RequestURI != "/nova/latest/a%2fb" {
		t.Errorf("%s", r.RequestURI)
	}
}

func TestUpstreamAway(t *testing.T) {
	release := make(chan struct{})
	n := newNova(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	s := newSite(t, func(c *Config) { c.URL, c.Secret, c.Timeout = n.url(t), []byte(secret), 200*time.Millisecond })
	s.ensure()
	if code, body := s.get(s.vm1, "/"); code != 504 || body != "the metadata service does not answer in time; try again later\n" {
		t.Errorf("%d %q", code, body)
	}
	n.CloseClientConnections()
	n.Listener.Close()
	if code, body := s.get(s.vm1, "/"); code != 502 || body != "the metadata service cannot be reached; try again later\n" {
		t.Errorf("%d %q", code, body)
	}
	if got := testutil.ToFloat64(s.requests.WithLabelValues(wasInVain)); got != 2 {
		t.Errorf("%v questions in vain", got)
	}
}

func TestRateLimitIsOfEachPort(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Rate, c.Burst = 0.001, 3 })
	s.ensure()
	for i := range 4 {
		want := 200
		if i == 3 {
			want = 429
		}
		if code, body := s.get(s.vm1, "/latest/meta-data/hostname"); code != want {
			t.Errorf("question %d: %d %q", i, code, body)
		}
	}
	if code, _ := s.get(s.vm2, "/"); code != 200 {
		t.Errorf("the other machine: %d", code)
	}
	s.ensure() // who may ask is told anew, and nobody's share with it
	if code, _ := s.get(s.vm1, "/"); code != 429 {
		t.Errorf("after a change: %d", code)
	}
}

func TestCallersChangeOnAnOpenConnection(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	c, err := dial(s.vm1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	ask := func() (int, string) {
		t.Helper()
		if _, err := io.WriteString(c, "GET /latest/meta-data/hostname HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if code, body := ask(); code != 200 || body != "vm1" {
		t.Errorf("%d %q", code, body)
	}
	// The port has another name, and then its address is another port's, and then nobody's.
	a := netip.MustParseAddr("10.0.0.11")
	renamed := vm(1)
	renamed.Hostname = "renamed"
	s.want.Callers = map[netip.Addr]*plan.Caller{a: renamed}
	s.ensure()
	if code, body := ask(); code != 200 || body != "renamed" {
		t.Errorf("%d %q", code, body)
	}
	s.want.Callers = nil
	s.ensure()
	if code, _ := ask(); code != 404 {
		t.Errorf("%d", code)
	}
}

func TestConnectionsAreShared(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range maxConnsPerCaller {
		c, err := dial(s.vm1)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	c, err := dial(s.vm1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("one connection too many: %v", err)
	}
	if code, _ := s.get(s.vm2, "/"); code != 200 {
		t.Errorf("the other machine: %d", code)
	}
	for _, c := range held {
		c.Close()
	}
	ovs.Await(t, "the places to be given back", func() bool {
		code, _, err := s.raw(s.vm1, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		return err == nil && code == 200
	})
}

func TestListenerComesAndGoes(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	s.ensure()
	s.Stop("qrouter-r1")
	s.Stop("qrouter-r1")
	if c, err := dial(s.vm1); err == nil {
		c.Close()
		t.Error("it listens still")
	}
	// Everywhere in the namespace, where a rule redirects to it; never on IPv6.
	s.want.Addr = ":9697"
	s.ensure()
	if out := s.in.Run("ss", "-Hltn"); !strings.Contains(out, "0.0.0.0:9697") || strings.Contains(out, "*:9697") || strings.Contains(out, "[::]") {
		t.Errorf("sockets:\n%s", out)
	}
	s.want.Addr = "169.254.169.254:80"
	s.ensure()
	if code, _ := s.get(s.vm1, "/"); code != 200 {
		t.Errorf("%d", code)
	}

	// The namespace is another one by now, though its name is the same.
	other := space.New(t, "qrouter-r1")
	if err := s.Ensure(other, s.want); err == nil || err.Error() != "metadata in qrouter-r1: listen tcp4 169.254.169.254:80: bind: cannot assign requested address" {
		t.Errorf("without the address: %v", err)
	}
	other.Run("ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
	if err := s.Ensure(other, s.want); err != nil {
		t.Fatal(err)
	}
	if c, err := dial(s.vm1); err == nil {
		c.Close()
		t.Error("it listens in the former namespace")
	}
	s.Close()
	if err := s.Ensure(other, s.want); err == nil {
		t.Error("it listens after Close")
	}
}

func TestListenerThatFailedIsOpenedAgain(t *testing.T) {
	s := newSite(t, nil)
	s.ensure()
	s.mu.Lock()
	n := s.open["qrouter-r1"]
	s.mu.Unlock()
	n.srv.Close()
	<-n.done
	s.ensure()
	if code, _ := s.get(s.vm1, "/"); code != 200 {
		t.Errorf("%d", code)
	}
}
