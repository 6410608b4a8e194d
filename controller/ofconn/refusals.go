package ofconn

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// refusals logs connections that never were admitted. Anybody who reaches the port can cause them, so their number must
// not be that of the lines.
type refusals struct {
	to      *slog.Logger
	mu      sync.Mutex
	limit   *rate.Limiter
	dropped int
}

// A burst is told in full; after it, one line in five seconds.
const (
	refusalBurst    = 20
	refusalInterval = 5 * time.Second
)

func newRefusals(to *slog.Logger) *refusals {
	return &refusals{to: to, limit: rate.NewLimiter(rate.Every(refusalInterval), refusalBurst)}
}

func (r *refusals) log(remote net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.limit.Allow() {
		r.dropped++
		return
	}
	r.to.Warn("OpenFlow connection refused", "remote", remote.String(), "err", err, "not_logged", r.dropped)
	r.dropped = 0
}

// isPassing says whether the next accept may well succeed.
func isPassing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED)
}
