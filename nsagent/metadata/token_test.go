package metadata

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

func TestTokens(t *testing.T) {
	l := New(Config{})
	n := &listener{}
	n.set(l.cfg, plan.Listener{Callers: map[netip.Addr]*plan.Caller{netip.MustParseAddr("10.0.0.11"): vm(1), netip.MustParseAddr("10.0.0.12"): vm(2)}})
	h := l.handler(n)
	ask := func(method, path, from string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.RemoteAddr = from + ":1"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const token, ttl, path = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds", "/latest/api/token"
	given := ask("PUT", path, "10.0.0.11", ttl, "60")
	if given.Code != http.StatusOK || given.Header().Get(ttl) != "60" || given.Body.Len() == 0 {
		t.Fatalf("no token: %d %v %q", given.Code, given.Header(), given.Body)
	}
	mine := given.Body.String()
	other := New(Config{}).tokens
	for _, tc := range []struct {
		what, method, path, from string
		headers                  []string
		code                     int
	}{
		{"with its token", "GET", "/latest/meta-data/instance-id", "10.0.0.11", []string{token, mine}, 200},
		{"without", "GET", "/latest/meta-data/instance-id", "10.0.0.11", nil, 200},
		{"with another machine's", "GET", "/latest/meta-data/instance-id", "10.0.0.12", []string{token, mine}, 401},
		{"with one that was made up", "GET", "/latest/meta-data/instance-id", "10.0.0.11", []string{token, "AAAA"}, 401},
		{"with two", "GET", "/latest/meta-data/instance-id", "10.0.0.11", []string{token, mine, token, mine}, 401},
		{"with one of an earlier process", "GET", "/latest/user-data", "10.0.0.11", []string{token, other.token(time.Now().Add(time.Hour), vm(1))}, 401},
		{"with one that has ended", "GET", "/latest/user-data", "10.0.0.11", []string{token, l.tokens.token(time.Now().Add(-time.Second), vm(1))}, 401},
		{"no time", "PUT", path, "10.0.0.11", nil, 400},
		{"too long a time", "PUT", path, "10.0.0.11", []string{ttl, "21601"}, 400},
		{"no number", "PUT", path, "10.0.0.11", []string{ttl, "ten"}, 400},
		{"through a proxy", "PUT", path, "10.0.0.11", []string{ttl, "60", "X-Forwarded-For", "10.0.0.11"}, 403},
		{"read as a page", "GET", path, "10.0.0.11", nil, 404},
		{"put elsewhere", "PUT", "/latest/user-data", "10.0.0.11", []string{ttl, "60"}, 405},
		{"by a stranger", "PUT", path, "10.0.0.99", []string{ttl, "60"}, 404},
	} {
		if w := ask(tc.method, tc.path, tc.from, tc.headers...); w.Code != tc.code {
			t.Errorf("%s: %d %q, want %d", tc.what, w.Code, w.Body, tc.code)
		}
	}
}
