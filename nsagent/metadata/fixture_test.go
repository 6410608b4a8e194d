package metadata

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/space"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a-shared-secret"

// site is a router's namespace with two machines behind it.
type site struct {
	*Listeners
	t        testing.TB
	in       *space.Space
	vm1, vm2 *space.Space
	want     plan.Listener
	log      *lines
}

// lines is a log that is kept.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSite(t *testing.T, change func(*Config)) *site {
	t.Helper()
	s := &site{t: t, in: space.New(t, "qrouter-r1"), vm1: space.New(t, "vm1"), vm2: space.New(t, "vm2"), log: &lines{}}
	cfg := Config{Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: prometheus.NewRegistry()}
	if change != nil {
		change(&cfg)
	}
	s.Listeners = New(cfg)
	t.Cleanup(s.Close)
	for i, vm := range []*space.Space{s.vm1, s.vm2} {
		qr := fmt.Sprint("qr-", i)
		s.in.Veth(qr, fmt.Sprintf("fa:16:3e:01:00:%02x", i), vm, "eth0", fmt.Sprintf("fa:16:3e:00:00:1%d", i+1))
		s.in.Run("ip", "addr", "add", fmt.Sprintf("10.0.%d.1/24", i), "dev", qr)
		vm.Run("ip", "addr", "add", fmt.Sprintf("10.0.%d.1%d/24", i, i+1), "dev", "eth0")
		vm.Run("ip", "route", "add", "default", "via", fmt.Sprintf("10.0.%d.1", i))
	}
	// What leads there is not ours to test.
	s.in.Run("ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
	s.want = plan.Listener{Namespace: "qrouter-r1", Addr: "169.254.169.254:80", RouterID: "r1", Callers: map[netip.Addr]*plan.Caller{
		netip.MustParseAddr("10.0.0.11"): vm(1), netip.MustParseAddr("10.0.1.12"): vm(2),
	}}
	return s
}

// vm is a caller with all that there can be; its number is in everything.
func vm(n int) *plan.Caller {
	return &plan.Caller{PortID: fmt.Sprintf("%d1111111-2222-3333-4444-555555555555", n), NetworkID: fmt.Sprint("network-", n), ProjectID: fmt.Sprint("project-", n),
		InstanceID: fmt.Sprint("instance-", n), Hostname: fmt.Sprint("vm", n), MAC: fmt.Sprintf("fa:16:3e:00:00:1%d", n),
		Addresses: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.0.%d.1%d", n-1, n)), netip.MustParseAddr(fmt.Sprintf("fd00::%d", n))},
		UserData:  []byte(fmt.Sprintf("#!/bin/sh\necho user-data-%d \x00\xff\n", n)), PublicKeys: map[string]string{"me": fmt.Sprintf("ssh-ed25519 AAAA%d me\n", n), "another": "ssh-rsa BBBB"},
		Meta: map[string]string{"role": fmt.Sprint("role-", n)}}
}

func (s *site) ensure() {
	s.t.Helper()
	if err := s.Ensure(s.in, s.want); err != nil {
		s.t.Fatal(err)
	}
}

// get asks from a machine, with headers "Name: value", and returns status and body.
func (s *site) get(from *space.Space, path string, headers ...string) (int, string) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n", path)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	code, body, err := s.raw(from, b.String()+"\r\n")
	if err != nil {
		s.t.Fatal(err)
	}
	return code, body
}

// raw sends bytes from a machine, and reads one answer.
func (s *site) raw(from *space.Space, request string) (int, string, error) {
	c, err := dial(from)
	if err != nil {
		return 0, "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return 0, "", err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	// Of a refusal the end may be lost, when not all of the question was read.
	body, err := io.ReadAll(r.Body)
	if r.StatusCode >= 400 {
		err = nil
	}
	return r.StatusCode, string(body), err
}

func dial(from *space.Space) (c net.Conn, err error) {
	err = from.Do(func() error {
		c, err = net.Dial("tcp4", "169.254.169.254:80")
		return err
	})
	return c, err
}

// nova is a service upstream, which notes what it is asked.
type nova struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
	body  []string
}

func newNova(t *testing.T, answer http.HandlerFunc) *nova {
	n := &nova{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		n.mu.Lock()
		n.asked, n.body = append(n.asked, r.Clone(r.Context())), append(n.body, string(b))
		n.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

func (n *nova) last() (*http.Request, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.asked) == 0 {
		return nil, ""
	}
	return n.asked[len(n.asked)-1], n.body[len(n.body)-1]
}

func (n *nova) url(t *testing.T) *url.URL {
	u, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
