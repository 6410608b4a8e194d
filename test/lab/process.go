package lab

import (
	"context"
	"fmt"
	"path/filepath"
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
	controllerProcess = "weft-controller"
	agentProcess      = "weft-nsagent"
)

// APISocket is a unix socket that leads to the controller's gRPC door.
func (l *Lab) APISocket() string { return filepath.Join(l.Dir, "api.sock") }

// HTTPSocket is a unix socket that leads to the controller's REST door.
func (l *Lab) HTTPSocket() string { return filepath.Join(l.Dir, "http.sock") }

// StartController starts the controller; extra goes to the end of its command line. With restart it is started again a
// moment after it dies. It does not wait until the controller answers.
func (l *Lab) StartController(ctx context.Context, restart bool, extra ...string) error {
	argv := append([]string{
		filepath.Join(l.Bin, "weft-controller"),
		"--data-dir", filepath.Join(l.Dir, "controller"),
		"--listen-grpc", "127.0.0.1:" + grpcPort, "--listen-http", "127.0.0.1:" + httpPort,
		"--listen-openflow", "0.0.0.0:" + ofPort, "--listen-node", "0.0.0.0:" + nodePort,
		"--openflow-advertise", "tcp:" + controllerIP + ":" + ofPort,
		// All of it is one machine, and nobody else can reach the lab's networks.
		"--insecure",
	}, extra...)
	_, err := l.Controller.Start(ctx, nsbox.Command{
		Name: controllerProcess, Argv: argv, Log: l.log("weft-controller"), Restart: delay(restart),
	})
	return err
}

// KillController ends the controller by SIGKILL; it stays down.
func (l *Lab) KillController(ctx context.Context) error {
	return l.Controller.Stop(ctx, controllerProcess, syscall.SIGKILL, 20*time.Second)
}

// StartAgent starts the host's node agent; extra goes to the end of its command line. With restart it is started again
// a moment after it dies. It does not wait until the host is ready.
func (h *Host) StartAgent(ctx context.Context, restart bool, extra ...string) error {
	argv := append([]string{
		filepath.Join(h.lab.Bin, "weft-nsagent"),
		"--controller", controllerIP + ":" + nodePort, "--insecure",
		"--host", h.Name, "--tunnel-ip", h.TunnelIP.String(), "--bridge-mappings", physnet + ":br-ex",
		"--roles", "compute", "--state-dir", h.disk("state"), "--datapath-type", "netdev",
	}, extra...)
	_, err := h.Start(ctx, nsbox.Command{
		Name: agentProcess, Argv: argv, Log: h.lab.log(h.Name + "-weft-nsagent"), Restart: delay(restart),
	})
	return err
}

// KillAgent ends the host's node agent by SIGKILL; it stays down.
func (h *Host) KillAgent(ctx context.Context) error {
	return h.Stop(ctx, agentProcess, syscall.SIGKILL, 20*time.Second)
}

func delay(restart bool) time.Duration {
	if !restart {
		return 0
	}
	return restartDelay
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
