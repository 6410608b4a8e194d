package metadata

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Space is a namespace to listen in. It is an alias, so that other packages may declare the same.
type Space = interface {
	// Name is the namespace's.
	Name() string
	// Do runs a function inside, on a thread of its own; sockets that it makes belong there.
	Do(func() error) error
}

// Config is what the listeners of a host have in common.
type Config struct {
	// URL is a Nova-compatible metadata service, e.g. http://10.0.0.5:8775; nil: the package answers itself.
	URL *url.URL
	// Secret is what that service and this host share to sign instance ids with.
	Secret []byte
	// Timeout is how long the service may take for an answer; default 30 s.
	Timeout time.Duration
	// Rate is how many questions a port may ask in a second, after a first Burst; default 20 and 200. cloud-init asks some
	// fifty in a row.
	Rate  rate.Limit
	Burst int

	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Bounds on what a guest can make the agent hold.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 30 * time.Second
	// writeTimeout bounds an answer; it begins before the service upstream is asked.
	writeTimeout = 60 * time.Second
	maxHeader    = 16 << 10
	maxBody      = 64 << 10
	// maxConns and maxConnsPerCaller are of one listener.
	maxConns          = 1024
	maxConnsPerCaller = 32
)

// Listeners are the metadata listeners of a host, one for each namespace.
type Listeners struct {
	cfg      Config
	upstream http.Handler // nil: built in
	idle     func()       // closes idle connections upstream
	requests *prometheus.CounterVec
	tokens   *tokens

	mu     sync.Mutex
	open   map[string]*listener
	closed bool
}

// listener is an open socket in a namespace.
type listener struct {
	addr string
	home string // the namespace's identity
	srv  *http.Server
	done chan struct{} // closed when nobody accepts any more
	now  atomic.Pointer[callers]
}

// callers are those who may ask, and how often.
type callers struct {
	plan.Listener
	limits map[string]*rate.Limiter // by port id
}

// New makes Listeners; there is nothing to run.
func New(cfg Config) *Listeners {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Rate == 0 {
		cfg.Rate, cfg.Burst = 20, 200
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listeners{cfg: cfg, open: map[string]*listener{}, idle: func() {}, tokens: newTokens(), requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "weft", Subsystem: "metadata", Name: "requests_total", Help: "Questions to the metadata service, by what became of them."}, []string{"result"})}
	if cfg.URL != nil {
		l.upstream, l.idle = newUpstream(cfg, l.requests)
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(l.requests)
	}
	return l
}

// Ensure makes the listener of a namespace listen, and answer those callers. One that listens already keeps its socket
// and its connections.
func (l *Listeners) Ensure(in Space, want plan.Listener) error {
	home, err := identity(in)
	if err != nil {
		return fmt.Errorf("metadata in %s: %w", want.Namespace, err)
	}
	l.mu.Lock()
	have, closed := l.open[want.Namespace], l.closed
	l.mu.Unlock()
	if closed {
		return errors.New("metadata: closed")
	}
	if have != nil && have.addr == want.Addr && have.home == home && have.accepts() {
		have.set(l.cfg, want)
		return nil
	}
	l.Stop(want.Namespace)
	if err := l.listen(in, home, want); err != nil {
		return fmt.Errorf("metadata in %s: %w", want.Namespace, err)
	}
	return nil
}

func (l *Listeners) listen(in Space, home string, want plan.Listener) error {
	var ln net.Listener
	err := in.Do(func() (err error) {
		ln, err = net.Listen(network(want.Addr), want.Addr)
		return err
	})
	if err != nil {
		return err
	}
	n := &listener{addr: want.Addr, home: home, done: make(chan struct{})}
	n.set(l.cfg, want)
	n.srv = &http.Server{Handler: l.handler(n), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(l.cfg.Log.Handler(), slog.LevelDebug)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.Join(errors.New("closed"), ln.Close())
	}
	l.open[want.Namespace] = n
	go func() {
		defer close(n.done)
		if err := n.srv.Serve(newLimited(ln)); !errors.Is(err, http.ErrServerClosed) {
			l.cfg.Log.Error("metadata listener ended; it is opened again with the next look at the namespace", "namespace", want.Namespace, "err", err)
		}
	}()
	return nil
}

// network keeps a listener without an address from listening on IPv6 too, where no rule guards it.
func network(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		return "tcp6"
	}
	return "tcp4"
}

// accepts says whether the listener is still open.
func (n *listener) accepts() bool {
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// set changes who may ask. Who asked before has used up as much as before.
func (n *listener) set(cfg Config, want plan.Listener) {
	c := &callers{Listener: want, limits: make(map[string]*rate.Limiter, len(want.Callers))}
	old := n.now.Load()
	for _, who := range want.Callers {
		if c.limits[who.PortID] != nil {
			continue
		}
		if old != nil && old.limits[who.PortID] != nil {
			c.limits[who.PortID] = old.limits[who.PortID]
		} else {
			c.limits[who.PortID] = rate.NewLimiter(cfg.Rate, cfg.Burst)
		}
	}
	n.now.Store(c)
}

// Stop closes the listener of a namespace and its connections. One that is not there is no error.
func (l *Listeners) Stop(namespace string) {
	l.mu.Lock()
	n := l.open[namespace]
	delete(l.open, namespace)
	l.mu.Unlock()
	if n != nil {
		n.close()
	}
}

func (n *listener) close() {
	n.srv.Close()
	<-n.done
}

// Close closes all listeners, for good.
func (l *Listeners) Close() {
	l.mu.Lock()
	all := l.open
	l.open, l.closed = map[string]*listener{}, true
	l.mu.Unlock()
	for _, n := range all {
		n.close()
	}
	l.idle()
}

// identity tells network namespaces apart: one that was removed and made again has the name of the former.
func identity(in Space) (id string, err error) {
	err = in.Do(func() error {
		id, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	return id, err
}
