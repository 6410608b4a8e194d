package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzREST: whatever comes to the HTTP door, it is answered, and never by an error of our own.
func FuzzREST(f *testing.F) {
	for _, r := range [][3]string{
		{"POST", "/v1/networks", `{"metadata":{"name":"blue"},"provider_network_type":"vxlan","mtu":"1450"}`},
		{"PATCH", "/v1/networks/blue?update_mask=mtu&validate_only=true", `{"mtu":1e3}`},
		{"GET", "/v1/ports?name=x&page_size=-1&page_token=%ff", ``},
		{"DELETE", "/v1/subnets/1?etag=%00", ``},
		{"POST", "/v1:apply", `{"objects":[{"subnet":{"cidr":"10.0.0.1/8"}},null,{}]}`},
		{"GET", "/v1:watch?kinds=network&start_revision=9223372036854775807", ``},
		{"POST", "/v1/ports", `{"fixed_ips":[{"ip_address":"::ffff:10.0.0.1"}],"mac_address":"x","unknown":1}`},
		{"PUT", "/", "\x00"}, {"GET", "/openapi.json", ``}, {"GET", "//../v1/hosts", ``},
	} {
		f.Add(r[0], r[1], r[2])
	}
	r, err := bareServer(f).NewREST(http.NotFoundHandler())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		// A stream goes on until its reader leaves.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1"+u.RequestURI(), strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		r.Server.Handler.ServeHTTP(w, req)
		if w.Code == http.StatusInternalServerError && ctx.Err() == nil {
			t.Errorf("%s %q %q: %d %s", method, target, body, w.Code, w.Body)
		}
	})
}
