package metadata

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// passed are the headers of a guest that the service upstream may see. All others are dropped: a list of the dangerous
// ones would have to know what each service, and each server before it, makes of "X_Instance_ID".
var passed = []string{"Accept", "Content-Type", "User-Agent"}

// Sign is X-Instance-ID-Signature: the HMAC-SHA256 of an instance id, in hex (Nova, metadata/handler.py).
func Sign(secret []byte, instanceID string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(instanceID))
	return hex.EncodeToString(h.Sum(nil))
}

// newUpstream makes a handler that asks the service, and what closes its idle connections.
func newUpstream(cfg Config, requests *prometheus.CounterVec) (h http.Handler, idle func()) {
	t := &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: cfg.Timeout, IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 16,
		MaxConnsPerHost: 256, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true}
	forbidden, silent := &rate.Sometimes{Interval: time.Minute}, &rate.Sometimes{Interval: time.Minute}
	p := &httputil.ReverseProxy{
		Transport: t,
		Rewrite: func(r *httputil.ProxyRequest) {
			who := r.In.Context().Value(askerKey{}).(asker)
			id := cmp.Or(who.InstanceID, who.PortID)
			out := http.Header{}
			for _, name := range passed {
				if v := r.In.Header.Get(name); v != "" {
					out.Set(name, v)
				}
			}
			// Without one, net/http would name itself.
			out.Set("User-Agent", cmp.Or(out.Get("User-Agent"), "weft-nsagent"))
			out.Set("X-Forwarded-For", who.addr.String())
			out.Set("X-Instance-ID", id)
			out.Set("X-Tenant-ID", who.ProjectID)
			out.Set("X-Instance-ID-Signature", Sign(cfg.Secret, id))
			r.Out.Header, r.Out.Trailer = out, nil
			// The path is the guest's, as it wrote it; where it goes is not.
			u := *r.In.URL
			u.Scheme, u.Host, u.User = cfg.URL.Scheme, cfg.URL.Host, nil
			if base := strings.Trim(cfg.URL.EscapedPath(), "/"); base != "" {
				u.Path, u.RawPath = "/"+strings.Trim(cfg.URL.Path, "/")+u.Path, "/"+base+u.EscapedPath()
			}
			u.RawQuery = r.Out.URL.RawQuery
			r.Out.URL, r.Out.Host = &u, ""
		},
		ModifyResponse: func(r *http.Response) error {
			requests.WithLabelValues(wasServed).Inc()
			if r.StatusCode == http.StatusForbidden {
				forbidden.Do(func() {
					cfg.Log.Warn("the metadata service refuses the signature; do both sides have the same secret?", "url", cfg.URL.Redacted())
				})
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			requests.WithLabelValues(wasInVain).Inc()
			w.Header().Set("Connection", "close")
			code, text := classify(r.Context(), err)
			if code >= 500 {
				silent.Do(func() { cfg.Log.Warn("no answer from the metadata service", "url", cfg.URL.Redacted(), "err", err) })
			}
			http.Error(w, text, code)
		},
	}
	return p, t.CloseIdleConnections
}

// classify says what a guest is told when there is no answer.
func classify(ctx context.Context, err error) (code int, text string) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "the body is larger than the metadata service takes"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err), ctx.Err() == context.DeadlineExceeded:
		return http.StatusGatewayTimeout, "the metadata service does not answer in time; try again later"
	}
	return http.StatusBadGateway, "the metadata service cannot be reached; try again later"
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
