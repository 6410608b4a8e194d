package metadata

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Whatever a guest sends, in whichever clothes, it gets nothing of another port's.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET //openstack/latest/user_data/../.. HTTP/1.0\r\n\r\n", "GET http://10.0.1.12/latest/user-data HTTP/1.1\r\nHost: 10.0.1.12\r\nX-Forwarded-For: 10.0.1.12\r\n\r\n",
		"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%2e%2e/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /latest/meta-data/public-keys/0/openssh-key?x=%zz HTTP/1.1\r\nHost: x\r\nX-Instance-ID: instance-2\r\n\r\n",
		"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n\r\n",
		"GET /latest/user-data HTTP/1.1\r\nHost: x\r\nX-Aws-Ec2-Metadata-Token: AAAAAGZvcmdlZA==\r\n\r\n",
	} {
		f.Add(s, "10.0.0.11:1")
		f.Add(s, "[::ffff:10.0.0.11]:1")
		f.Add(s, "[fe80::1%eth0]:1")
	}
	l := New(Config{})
	n := &listener{}
	n.set(l.cfg, plan.Listener{Callers: map[netip.Addr]*plan.Caller{netip.MustParseAddr("10.0.0.11"): vm(1), netip.MustParseAddr("10.0.1.12"): vm(2)}})
	h := l.handler(n)
	f.Fuzz(func(t *testing.T, request, from string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
		if err != nil {
			return
		}
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body := w.Body.String()
		ap, err := netip.ParseAddrPort(from)
		mine := err == nil && ap.Addr().Unmap().WithZone("") == netip.MustParseAddr("10.0.1.12")
		for _, theirs := range []string{"user-data-2", "instance-2", "role-2", "AAAA2", "fa:16:3e:00:00:12"} {
			if !mine && strings.Contains(body, theirs) {
				t.Errorf("%q from %s is answered by %q", request, from, body)
			}
		}
		if w.Code == 200 && body == "" && r.Method != http.MethodHead {
			t.Errorf("%q from %s: an empty answer", request, from)
		}
	})
}

func TestAddressInTheClothesOfIPv6(t *testing.T) {
	l := New(Config{})
	n := &listener{}
	n.set(l.cfg, plan.Listener{Callers: map[netip.Addr]*plan.Caller{netip.MustParseAddr("10.0.0.11"): vm(1)}})
	for from, want := range map[string]bool{"10.0.0.11:1": true, "[::ffff:10.0.0.11]:1": true, "[::10.0.0.11]:1": false, "10.0.0.12:1": false, "": false, "10.0.0.11": false} {
		if who, _ := n.now.Load().find(from); (who.Caller != nil) != want {
			t.Errorf("%q: %v", from, who.Caller)
		}
	}
}
