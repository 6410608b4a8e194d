package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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

// APISocket is a unix socket that leads to the controller's gRPC door.
func (l *Lab) APISocket() string { return filepath.Join(l.Dir, "api.sock") }

// HTTPSocket is a unix socket that leads to the controller's REST door.
func (l *Lab) HTTPSocket() string { return filepath.Join(l.Dir, "http.sock") }

// Metrics is what the controller tells Prometheus.
func (l *Lab) Metrics(ctx context.Context) (string, error) {
	return l.Controller.Exec(ctx, "curl", "-sS", "-f", "-m", "10", "http://127.0.0.1:"+httpPort+"/metrics")
}

// StartController starts the controller; extra goes to the end of its command line. When it dies it is started again, as
// by systemd. It does not wait until the controller answers.
func (l *Lab) StartController(ctx context.Context, extra ...string) error {
	argv := append([]string{
		filepath.Join(l.Bin, "weft-controller"),
		"--data-dir", filepath.Join(l.Dir, "controller"),
		"--listen-grpc", "127.0.0.1:" + grpcPort, "--listen-http", "127.0.0.1:" + httpPort,
		"--listen-openflow", "0.0.0.0:" + ofPort, "--listen-node", "0.0.0.0:" + nodePort,
		"--openflow-advertise", "tcp:" + controllerIP + ":" + ofPort,
		// All of it is one machine, and nobody else can reach the lab's networks.
		"--insecure",
	}, append(slices.Clone(l.record.ControllerArgs), extra...)...)
	_, err := l.Controller.Start(ctx, nsbox.Command{
		Name: ControllerProcess, Argv: argv, Log: l.log("weft-controller"), Restart: restartDelay,
	})
	return err
}

// KillController ends the controller by SIGKILL; it stays down until StartController.
func (l *Lab) KillController(ctx context.Context) error {
	return l.Controller.Stop(ctx, ControllerProcess, syscall.SIGKILL, 20*time.Second)
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
		"--controller", controllerIP+":"+nodePort, "--insecure",
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
