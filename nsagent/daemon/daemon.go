package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// Space is a namespace to run in. It is an alias, so that other packages may declare the same.
type Space = interface {
	// Name is the namespace's.
	Name() string
	// Do runs a function inside, on a thread of its own; processes that it starts belong there.
	Do(func() error) error
}

// Config is what the daemons of one program have in common.
type Config struct {
	// Program is its name, and Package Debian's package that holds it.
	Program, Package string
	// Root is where the daemons' directories are; that of the namespace <Prefix><id> is <Root>/<id>. The directory above is the agent's.
	Root string
	// Prefix of the namespaces' names.
	Prefix string
	// Mark is the argument of a command line that says which directory a process serves.
	Mark func(dir string) string
	// Ends are the signals that end it; the next one is sent when it has not ended 2 s after the one before.
	Ends []syscall.Signal
	// Subsystem is that of the metrics, and Plural what the daemons are called in their help texts: "DHCP servers".
	Subsystem, Plural string
	Metrics           prometheus.Registerer
}

// An id is the name of a directory.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Daemons are the daemons of one program on a host. Those of different namespaces may be dealt with at the same time.
type Daemons struct {
	cfg             Config
	starts, reloads prometheus.Counter
	deaths          chan string

	mu sync.Mutex
	// watched are the process ids whose end is waited for, by namespace.
	watched map[string]int
}

// New makes Daemons. Those that run already are taken up when Ensure is asked for them.
func New(cfg Config) *Daemons {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weft", Subsystem: cfg.Subsystem, Name: name, Help: cfg.Plural + " that were " + help})
	}
	d := &Daemons{cfg: cfg, deaths: make(chan string, 64), watched: map[string]int{},
		starts: counter("starts_total", "started."), reloads: counter("reloads_total", "made to read their files again.")}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(d.starts, d.reloads)
	}
	return d
}

// Wanted is what the daemon of a namespace must be.
type Wanted struct {
	// Args are its command line, without the program.
	Args []string
	// Files are what it reads, when it starts and on SIGHUP.
	Files Files
	// Prepare, if set, is called before it is started, while none runs.
	Prepare func() error
}

// Dir is the directory of an id.
func (d *Daemons) Dir(id string) string { return filepath.Join(d.cfg.Root, id) }

// Ensure makes the daemon of an id run in a namespace with that command line, and makes it read files that have changed. changed
// says that something had to be done.
func (d *Daemons) Ensure(ctx context.Context, in Space, id string, w Wanted) (changed bool, err error) {
	if !idPattern.MatchString(id) {
		return false, fmt.Errorf("%q is no id: 1 to 64 letters, digits, \"_\", \"-\" are", id)
	}
	program, err := Find(d.cfg.Program, d.cfg.Package)
	if err != nil {
		return false, err
	}
	dir := d.Dir(id)
	if err := d.makeDir(dir); err != nil {
		return false, err
	}
	written, err := w.Files.Write(dir)
	if err != nil {
		return false, err
	}
	if written {
		// Whatever happens next, what it has read is not what the files hold now.
		if _, err := Write(dir, loadedFile, ""); err != nil {
			return false, err
		}
	}
	return d.run(ctx, in, id, append([]string{program}, w.Args...), w)
}

// run makes the process run with that command line and content.
func (d *Daemons) run(ctx context.Context, in Space, id string, argv []string, w Wanted) (changed bool, err error) {
	dir := d.Dir(id)
	p := d.running(dir)
	defer p.close()
	home, err := identity(in)
	if err != nil {
		return false, err
	}
	if p != nil && p.is(argv, home) {
		d.watch(d.cfg.Prefix+id, p.pid)
		stamp := w.Files.stamp(p.pid)
		if Read(dir, loadedFile) == stamp {
			return false, nil
		}
		if err := p.hangUp(ctx); err != nil {
			return false, err
		}
		d.reloads.Inc()
		_, err := Write(dir, loadedFile, stamp)
		return true, err
	}
	if err := d.end(ctx, dir); err != nil {
		return false, err
	}
	if w.Prepare != nil {
		if err := w.Prepare(); err != nil {
			return false, err
		}
	}
	return d.start(ctx, in, id, argv, w.Files)
}

// start starts the process, and waits until it works.
func (d *Daemons) start(ctx context.Context, in Space, id string, argv []string, files Files) (started bool, err error) {
	dir := d.Dir(id)
	// radvd writes its number over an older one without emptying the file.
	if err := os.Remove(filepath.Join(dir, pidFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := Run(ctx, in, argv); err != nil {
		return false, err
	}
	d.starts.Inc()
	p := d.running(dir)
	defer p.close()
	if p == nil {
		return true, errEnded
	}
	if err := p.awaitHandler(ctx); err != nil {
		return true, err
	}
	d.watch(d.cfg.Prefix+id, p.pid)
	_, err = Write(dir, loadedFile, files.stamp(p.pid))
	return true, err
}

// id is that of a namespace.
func (d *Daemons) id(namespace string) (string, bool) {
	id, ok := strings.CutPrefix(namespace, d.cfg.Prefix)
	return id, ok && idPattern.MatchString(id)
}

// Stop ends the daemon of a namespace and removes its files. One that is not there is no error.
func (d *Daemons) Stop(ctx context.Context, namespace string) error {
	id, ok := d.id(namespace)
	if !ok {
		return nil
	}
	dir := d.Dir(id)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := d.end(ctx, dir); err != nil {
		return fmt.Errorf("%s of %s: %w", d.cfg.Program, namespace, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("%s of %s: %w", d.cfg.Program, namespace, err)
	}
	return nil
}

// Alive says whether the daemon of a namespace runs.
func (d *Daemons) Alive(namespace string) bool {
	id, ok := d.id(namespace)
	if !ok {
		return false
	}
	return d.PID(id) != 0
}

// PID is the process of an id; 0 when none runs.
func (d *Daemons) PID(id string) int {
	p := d.running(d.Dir(id))
	if p == nil {
		return 0
	}
	defer p.close()
	return p.pid
}

// Running are the namespaces whose daemon runs, or ran and left its files.
func (d *Daemons) Running() ([]string, error) {
	entries, err := os.ReadDir(d.cfg.Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("files of %s: %w", d.cfg.Plural, err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && idPattern.MatchString(e.Name()) {
			out = append(out, d.cfg.Prefix+e.Name())
		}
	}
	return out, nil
}
