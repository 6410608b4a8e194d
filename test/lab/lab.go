package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Main must be called first thing in main, and in TestMain of tests: the lab's processes are this program again.
func Main() {
	nsbox.Main(map[string]func([]string) int{
		"probe":    applet(probeMain),
		"sniff":    applet(sniffMain),
		"pour":     applet(pourMain),
		"drink":    applet(drinkMain),
		"address":  applet(addressMain),
		"serve":    applet(serveMain),
		"volley":   applet(volleyMain),
		"ask":      applet(askMain),
		"talk":     applet(talkMain),
		"tell":     applet(tellMain),
		"listen":   applet(listenMain),
		"knock":    applet(knockMain),
		"announce": applet(announceMain),
		"capture":  applet(captureMain),
		"inject":   applet(injectMain),
		"nova":     applet(novaMain),
		"sink":     applet(sinkMain),
		"blast":    applet(blastMain),
	})
}

// applet turns an error into an exit status and a line on standard error.
func applet(run func(args []string) error) func([]string) int {
	return func(args []string) int {
		if err := run(args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
}

// Config says what a lab is to be.
type Config struct {
	// Dir is the run directory; it must not exist, or be empty. The sockets in it leave it at most 60 bytes.
	Dir string
	// Hosts are the names of the hosts; at most 200.
	Hosts []string
	// Bin is the directory with weft-controller and weft-nsagent, when they are to be started.
	Bin string
	// ControllerArgs go to the end of weft-controller's command line, AgentArgs to that of each weft-nsagent.
	ControllerArgs, AgentArgs []string
	// Controllers is how many weft-controllers there are, at most 9; 0 means one. Several share an etcd.
	Controllers int
}

// Lab is a running lab. Methods may be called from many goroutines.
type Lab struct {
	// Dir is the run directory.
	Dir string
	// Bin is the directory with weft-controller and weft-nsagent.
	Bin string
	// Fabric holds the three bridges and all other boxes.
	Fabric *nsbox.Box
	// Controller is where weft-controller runs.
	Controller *nsbox.Box
	// Outside is a machine on the physical network: what provider networks lead to.
	Outside *nsbox.Box
	// Hosts in the order of their numbers.
	Hosts []*Host

	leash  *nsbox.Leash
	record record
}

// record is what lab.json holds.
type record struct {
	Hosts          []HostConfig `json:"hosts"`
	Bin            string       `json:"bin,omitempty"`
	ControllerArgs []string     `json:"controller_args,omitempty"`
	AgentArgs      []string     `json:"agent_args,omitempty"`
	Controllers    int          `json:"controllers,omitempty"`
	// NextHost is the number of the next host: none is used twice, and so no address between hosts.
	NextHost int `json:"next_host"`
}

// write keeps the record for those who Open the lab.
func (l *Lab) write() error {
	l.record.Hosts = nil
	for _, h := range l.Hosts {
		l.record.Hosts = append(l.record.Hosts, h.HostConfig)
	}
	text, err := json.Marshal(l.record)
	if err != nil {
		return fmt.Errorf("lab.json: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(l.Dir, "lab.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write what the lab is: %w", err)
	}
	return nil
}

// hostName is what a hostname may be: it becomes a file name and a part of OVSDB columns.
var hostName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// reserved names are boxes of the lab itself.
var reserved = []string{"fabric", "controller", "outside"}

// ErrConfig says that a Config is wrong.
var ErrConfig = errors.New("wrong configuration")

// ErrRunning says that a lab is up in the run directory already.
var ErrRunning = errors.New("a lab is up already")

// Up builds a lab. It ends with this process, unless Free is called. When ctx ends or anything fails, nothing remains.
func Up(ctx context.Context, cfg Config) (*Lab, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := Prerequisites(); err != nil {
		return nil, err
	}
	if fabric, err := nsbox.Connect("fabric", socket(cfg.Dir, "fabric")); err == nil {
		return nil, fmt.Errorf("%s: %w", cfg.Dir, errors.Join(ErrRunning, fabric.Close()))
	}
	if err := clear(cfg.Dir); err != nil {
		return nil, err
	}
	l := &Lab{Dir: cfg.Dir, Bin: cfg.Bin}
	if err := l.build(ctx, cfg); err != nil {
		return nil, errors.Join(err, l.Down(context.WithoutCancel(ctx)))
	}
	return l, nil
}

func (cfg Config) check() error {
	if !filepath.IsAbs(cfg.Dir) || len(cfg.Dir) > 60 {
		return fmt.Errorf("run directory %q: need an absolute path of at most 60 bytes", cfg.Dir)
	}
	if cfg.Controllers < 0 || cfg.Controllers > 9 {
		return fmt.Errorf("%d controllers: 1 to 9", cfg.Controllers)
	}
	if len(cfg.Hosts) > 200 {
		return fmt.Errorf("%d hosts: at most 200", len(cfg.Hosts))
	}
	for i, name := range cfg.Hosts {
		if err := checkHostName(name, cfg.Hosts[:i]); err != nil {
			return err
		}
	}
	return nil
}

// checkHostName says why a host cannot be called so, beside the others.
func checkHostName(name string, others []string) error {
	switch {
	case !hostName.MatchString(name):
		return fmt.Errorf("host name %q: need 1 to 31 of a-z, 0-9 and -, starting with a letter", name)
	case slices.Contains(reserved, name):
		return fmt.Errorf("host name %q: taken by the lab itself", name)
	case slices.Contains(others, name):
		return fmt.Errorf("host name %q: given twice", name)
	}
	return nil
}

// clear makes an empty run directory. What a lab left that died with its machine is removed; a directory that holds
// anything else is refused.
func clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run directory: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, "lab.json")); err != nil {
			return fmt.Errorf("run directory %s: not empty, and not a lab's", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("run directory: %w", err)
		}
	}
	for _, d := range []string{dir, filepath.Join(dir, "log"), filepath.Join(dir, "vm")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("run directory: %w", err)
		}
		// DHCP servers, who give up root, go through it to their files.
		if err := os.Chmod(d, 0o711); err != nil {
			return fmt.Errorf("run directory: %w", err)
		}
	}
	return nil
}

func (l *Lab) build(ctx context.Context, cfg Config) error {
	l.record = record{Bin: cfg.Bin, ControllerArgs: cfg.ControllerArgs, AgentArgs: cfg.AgentArgs, Controllers: max(cfg.Controllers, 1), NextHost: firstNumber}
	for _, name := range cfg.Hosts {
		l.Hosts = append(l.Hosts, newHost(l, HostConfig{Name: name}))
	}
	if err := l.write(); err != nil {
		return err
	}
	var err error
	if l.Fabric, l.leash, err = nsbox.Open(ctx, l.spec("fabric"), l.log("fabric")); err != nil {
		return err
	}
	if err := l.buildFabric(ctx); err != nil {
		return err
	}
	g, booting := errgroup.WithContext(ctx)
	g.Go(func() (err error) { l.Controller, err = l.openController(booting); return err })
	g.Go(func() (err error) { l.Outside, err = l.openOutside(booting); return err })
	for _, h := range l.Hosts {
		g.Go(func() error { return h.Boot(booting) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return l.WarmTunnels(ctx)
}

// read finds what was written of a lab.
func read(dir string) (*Lab, error) {
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return nil, fmt.Errorf("no lab: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s/lab.json: %w", dir, err)
	}
	return &Lab{Dir: dir, Bin: r.Bin, record: r}, nil
}

// APISockets are the paths of the unix sockets that lead to the controllers of the lab in a run directory; none when there is no lab.
func APISockets(dir string) (paths []string) {
	l, err := read(dir)
	if err != nil {
		return nil
	}
	for _, c := range l.Controllers() {
		paths = append(paths, c.APISocket)
	}
	return paths
}

// Open finds the lab that is up in a run directory. The error wraps fs.ErrNotExist when there is none.
func Open(dir string) (*Lab, error) {
	l, err := read(dir)
	if err != nil {
		return nil, err
	}
	if l.Fabric, err = nsbox.Connect("fabric", socket(dir, "fabric")); dead(err) {
		// What a lab left that was killed, or died with its machine.
		return nil, fmt.Errorf("no lab: %w: %w", err, fs.ErrNotExist)
	} else if err != nil {
		return nil, err
	}
	for name, box := range map[string]**nsbox.Box{"controller": &l.Controller, "outside": &l.Outside} {
		if *box, err = nsbox.Connect(name, socket(dir, name)); err != nil {
			return nil, fmt.Errorf("the lab is broken, end it: %w", err)
		}
	}
	for _, cfg := range l.record.Hosts {
		h := newHost(l, cfg)
		if h.Box, err = nsbox.Connect(cfg.Name, socket(dir, cfg.Name)); err != nil && !dead(err) {
			return nil, err
		}
		l.Hosts = append(l.Hosts, h)
	}
	return l, nil
}

// dead says that nobody listens at a socket any more.
func dead(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// Remove ends the lab in a run directory, whatever state it is in, and removes the directory. It answers whether there
// was anything to remove.
func Remove(ctx context.Context, dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, "lab.json")); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l := &Lab{Dir: dir}
	var err error
	if l.Fabric, err = nsbox.Connect("fabric", socket(dir, "fabric")); err != nil && !dead(err) {
		return false, err
	}
	return true, l.Down(ctx)
}

// Free lets the lab live on when this process ends.
func (l *Lab) Free() error { return l.leash.Free() }

// Down ends the lab and removes its run directory. Nothing of it remains.
func (l *Lab) Down(ctx context.Context) error {
	if l.Fabric != nil {
		if err := l.Fabric.Kill(ctx); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return fmt.Errorf("remove run directory: %w", err)
	}
	return nil
}

// Logs is what the lab's processes said, for a test that failed: the last lines of each.
func (l *Lab) Logs() string {
	var all strings.Builder
	files, err := filepath.Glob(filepath.Join(l.Dir, "log", "*.log"))
	if err != nil {
		return err.Error()
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			text = []byte(err.Error())
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if lines[0] != "" {
			fmt.Fprintf(&all, "== %s\n%s\n", filepath.Base(file), strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	}
	return all.String()
}

// Host finds a host by name.
func (l *Lab) Host(name string) (*Host, error) {
	var names []string
	for _, h := range l.Hosts {
		if h.Name == name {
			return h, nil
		}
		names = append(names, h.Name)
	}
	return nil, fmt.Errorf("no host %q in the lab: it has %v", name, names)
}

// socket is the path of a box's control socket.
func socket(dir, box string) string { return filepath.Join(dir, box+".sock") }

// log is the path of a log by name.
func (l *Lab) log(name string) string { return filepath.Join(l.Dir, "log", name+".log") }

func (l *Lab) spec(name string) nsbox.Spec {
	return nsbox.Spec{Name: name, Shared: l.Dir, Socket: socket(l.Dir, name)}
}
