package metadata

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// What becomes of a question, as the metric tells it.
const (
	wasServed  = "served"
	wasUnknown = "unknown_caller"
	wasTooMuch = "rate_limited"
	wasRefused = "refused"
	wasInVain  = "upstream_failed"
)

// methods are those that Nova's service knows.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete}

// asker is who asks, as far as the namespace can tell.
type asker struct {
	*plan.Caller
	addr netip.Addr
}

type askerKey struct{}

// handler answers the questions that come to a listener.
func (l *Listeners) handler(n *listener) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(result string, code int, text string) {
			l.requests.WithLabelValues(result).Inc()
			w.Header().Set("Connection", "close")
			http.Error(w, text, code)
		}
		who, limit := n.now.Load().find(r.RemoteAddr)
		switch {
		case who.Caller == nil:
			fail(wasUnknown, http.StatusNotFound, "no port of this network has the address that the question comes from")
		case !limit.Allow():
			w.Header().Set("Retry-After", "1")
			fail(wasTooMuch, http.StatusTooManyRequests, "too many questions; try again in a second")
		case !slices.Contains(methods, r.Method):
			fail(wasRefused, http.StatusMethodNotAllowed, "the metadata service does not know this method")
		case !strings.HasPrefix(r.URL.Path, "/"):
			fail(wasRefused, http.StatusBadRequest, "the path must begin with a slash")
		case slices.ContainsFunc(strings.Split(r.URL.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
			fail(wasRefused, http.StatusBadRequest, "the path must not lead upward")
		case l.upstream != nil:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), askerKey{}, who), l.cfg.Timeout)
			defer cancel()
			l.upstream.ServeHTTP(w, r.WithContext(ctx))
		default:
			l.requests.WithLabelValues(wasServed).Inc()
			l.tokens.builtin(w, r, who.Caller)
		}
	})
}

// limiter is what a rate limit says.
type limiter interface{ Allow() bool }

// find finds who has an address. Addresses of IPv4 may come in the clothes of IPv6.
func (c *callers) find(remote string) (asker, limiter) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return asker{}, nil
	}
	a := ap.Addr().Unmap().WithZone("")
	who := c.Callers[a]
	if who == nil {
		return asker{}, nil
	}
	return asker{who, a}, c.limits[who.PortID]
}
