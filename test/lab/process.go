package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Ports of the controller, in its own box.
const (
	grpcPort = "9443"
	httpPort = "8080"
	ofPort   = "6653"
	nodePort = "9444"
)

// Names of the processes in the boxes.
const (
	ControllerProcess = "weft-controller"
	AgentProcess      = "weft-nsagent"
)

// Controller is one of the weft-controllers. All of them are on one machine, each with an address of its own.
type Controller struct {
	// Name is what it is called by the others, Process the name of its process in the box.
	Name, Process string
	// IP is what hosts reach it by.
	IP netip.Addr
	// APISocket is a unix socket that leads to its gRPC door.
	APISocket string

	// local is where its doors for people are.
	local string
}

// Controllers lists all.
func (l *Lab) Controllers() []Controller {
	all := []Controller{{Name: "c1", Process: ControllerProcess, IP: ControllerIP, APISocket: l.APISocket(), local: "127.0.0.1"}}
	for n := 2; n <= l.record.Controllers; n++ {
		ip := all[n-2].IP.Next()
		all = append(all, Controller{Name: fmt.Sprintf("c%d", n), Process: fmt.Sprintf("%s-%d", ControllerProcess, n), IP: ip,
			APISocket: filepath.Join(l.Dir, fmt.Sprintf("api%d.sock", n)), local: ip.String()})
	}
	return all
}

// REST is the URL of its HTTP door, in the controllers' box.
func (c Controller) REST() string { return "http://" + c.local + ":" + httpPort }

func (c Controller) api() string { return c.local + ":" + grpcPort }

// Shared says whether several controllers share an etcd.
func (l *Lab) Shared() bool { return l.record.Controllers > 1 }

// etcdURL is where a shared etcd listens, in the controllers' box.
const (
	etcdURL     = "http://127.0.0.1:2379"
	etcdProcess = "etcd"
)

// APISocket is a unix socket that leads to the first controller's gRPC door.
func (l *Lab) APISocket() string { return filepath.Join(l.Dir, "api.sock") }

// HTTPSocket is a unix socket that leads to the controller's REST door.
func (l *Lab) HTTPSocket() string { return filepath.Join(l.Dir, "http.sock") }

// Metrics is what the controller that leads tells Prometheus.
func (l *Lab) Metrics(ctx context.Context) (string, error) {
	var errs []error
	for _, c := range l.Controllers() {
		text, err := l.Controller.Exec(ctx, "curl", "-sS", "-f", "-m", "10", c.REST()+"/metrics")
		if strings.Contains(text, "\nweft_leader 1\n") {
			return text, err
		}
		errs = append(errs, err)
	}
	return "", errors.Join(append(errs, errors.New("no controller leads"))...)
}

// StartController starts all controllers that do not run; extra goes to the end of their command lines. When one dies it is started
// again, as by systemd. It does not wait until one answers.
func (l *Lab) StartController(ctx context.Context, extra ...string) error {
	if l.Shared() {
		if runs, err := Runs(ctx, l.Controller, etcdProcess); err != nil {
			return err
		} else if !runs {
			if err := l.StartEtcd(ctx); err != nil {
				return err
			}
		}
	}
	for _, c := range l.Controllers() {
		if runs, err := Runs(ctx, l.Controller, c.Process); err != nil {
			return err
		} else if runs {
			continue
		}
		if err := l.StartOne(ctx, c, extra...); err != nil {
			return err
		}
	}
	return nil
}

// StartEtcd starts the etcd that several controllers share. It does not wait until it answers.
func (l *Lab) StartEtcd(ctx context.Context) error {
	argv := []string{filepath.Join(l.Bin, "weft-controller"), "etcd", "--data-dir", filepath.Join(l.Dir, "etcd"), "--listen", etcdURL}
	_, err := l.Controller.Start(ctx, nsbox.Command{Name: etcdProcess, Argv: argv, Log: l.log("etcd")})
	return err
}

// KillEtcd ends it by SIGKILL.
func (l *Lab) KillEtcd(ctx context.Context) error {
	return l.Controller.Stop(ctx, etcdProcess, syscall.SIGKILL, 20*time.Second)
}

// StartOne starts one of the controllers.
func (l *Lab) StartOne(ctx context.Context, c Controller, extra ...string) error {
	argv := []string{
		filepath.Join(l.Bin, "weft-controller"),
		"--listen-grpc", c.api(), "--listen-http", c.local + ":" + httpPort,
		// All of it is one machine, and nobody else can reach the lab's networks.
		"--insecure",
	}
	var targets []string
	for _, all := range l.Controllers() {
		targets = append(targets, "tcp:"+all.IP.String()+":"+ofPort)
	}
	at := "0.0.0.0"
	if l.Shared() {
		at = c.IP.String()
		argv = append(argv, "--store", "external", "--etcd-endpoints", etcdURL, "--name", c.Name)
	} else {
		argv = append(argv, "--data-dir", filepath.Join(l.Dir, "controller"))
	}
	argv = append(argv, "--listen-openflow", at+":"+ofPort, "--listen-node", at+":"+nodePort, "--openflow-advertise", strings.Join(targets, ","))
	argv = append(append(argv, l.record.ControllerArgs...), extra...)
	_, err := l.Controller.Start(ctx, nsbox.Command{Name: c.Process, Argv: argv, Log: l.log(c.Process), Restart: restartDelay})
	return err
}

// KillController ends all controllers by SIGKILL; they stay down until StartController. A shared etcd stays.
func (l *Lab) KillController(ctx context.Context) error {
	for _, c := range l.Controllers() {
		if err := l.StopOne(ctx, c, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}

// StopOne ends one of the controllers by a signal; it stays down until StartOne.
func (l *Lab) StopOne(ctx context.Context, c Controller, signal syscall.Signal) error {
	return l.Controller.Stop(ctx, c.Process, signal, 20*time.Second)
}

// StartAgent starts the host's node agent; extra goes to the end of its command line. When it dies it is started again, as
// by systemd. It does not wait until the host is ready.
func (h *Host) StartAgent(ctx context.Context, extra ...string) error {
	return h.StartAgentBy(ctx, nil, extra...)
}

// StartAgentBy is StartAgent by a command that starts another one: env, setpriv.
func (h *Host) StartAgentBy(ctx context.Context, by []string, extra ...string) error {
	roles := h.Roles
	if roles == "" {
		roles = "compute"
		if IsNetworkHost(h.Name) {
			roles = "compute,network"
		}
	}
	argv := append(slices.Clone(by),
		filepath.Join(h.lab.Bin, "weft-nsagent"),
		"--controller", strings.Join(h.lab.nodeDoors(), ","), "--insecure",
		"--host", h.Name, "--tunnel-ip", h.TunnelIP.String(),
		"--roles", roles, "--state-dir", h.disk("state"), "--datapath-type", "netdev",
	)
	if !h.NoMapping {
		argv = append(argv, "--bridge-mappings", physnet+":br-ex")
	}
	argv = append(append(argv, h.lab.record.AgentArgs...), extra...)
	_, err := h.Start(ctx, nsbox.Command{
		Name: AgentProcess, Argv: argv, Log: h.lab.log(h.Name + "-weft-nsagent"), Restart: restartDelay,
	})
	return err
}

// nodeDoors are what agents dial.
func (l *Lab) nodeDoors() (all []string) {
	for _, c := range l.Controllers() {
		all = append(all, c.IP.String()+":"+nodePort)
	}
	return all
}

// KillAgent ends the host's node agent by SIGKILL; it stays down until StartAgent.
func (h *Host) KillAgent(ctx context.Context) error {
	return h.Stop(ctx, AgentProcess, syscall.SIGKILL, 20*time.Second)
}

// Runs says whether a box keeps a process of this name.
func Runs(ctx context.Context, box *nsbox.Box, name string) (bool, error) {
	list, err := box.List(ctx)
	return slices.ContainsFunc(list, func(p nsbox.Process) bool { return p.Name == name }), err
}

// Memory is the resident set size in bytes of a process that a box keeps.
func Memory(ctx context.Context, box *nsbox.Box, name string) (int64, error) {
	list, err := box.List(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range list {
		if p.Name != name {
			continue
		}
		text, err := box.Exec(ctx, "cat", fmt.Sprintf("/proc/%d/statm", p.PID))
		if err != nil {
			return 0, err
		}
		var size, resident int64
		if _, err := fmt.Sscan(text, &size, &resident); err != nil {
			return 0, fmt.Errorf("%s: memory of %s: %w", box.Name, name, err)
		}
		return resident * 4096, nil
	}
	return 0, fmt.Errorf("%s: %s does not run", box.Name, name)
}
