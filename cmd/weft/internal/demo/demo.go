package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// defaultDir is the run directory of the demo. /run is empty after a reboot, and so is the demo.
const defaultDir = "/run/weft-demo"

// API finds the API of the demo that runs on this machine, if one does: of all its controllers, separated by commas.
func API() (addresses string, ok bool) {
	var all []string
	for _, socket := range lab.APISockets(defaultDir) {
		conn, err := net.Dial("unix", socket)
		if err != nil || conn.Close() != nil {
			return "", false
		}
		all = append(all, "unix:"+socket)
	}
	return strings.Join(all, ","), len(all) > 0
}

// demo is one run of the command.
type demo struct {
	out *screen.Writer
	dir string
}

// Command makes "weft demo". Answers go to out.
func Command(out *screen.Writer) *cobra.Command {
	d := &demo{out: out}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A small cloud on this machine: virtual hosts, VMs, and checks that they talk",
		Long: `A small cloud on this machine, in namespaces of its own: virtual hosts with their own Open vSwitch, a controller, an
agent on each host, and VMs. Nothing of it touches the machine's own network, and nothing remains after
"weft demo down". Needs root.`,
	}
	cmd.PersistentFlags().StringVar(&d.dir, "dir", defaultDir, "run directory")
	cmd.AddCommand(d.upCommand(), d.checkCommand(), d.statusCommand(), d.execCommand(), d.vmCommand(), d.downCommand())
	return cmd
}

// open finds the running demo.
func (d *demo) open() (*lab.Lab, error) {
	l, err := lab.Open(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.New(exit.NotFound, "no demo is up").WithTry("weft demo up")
	}
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return l, nil
}

// dial finds the running demo and its API.
func (d *demo) dial() (*cloud.Cloud, error) {
	l, err := d.open()
	if err != nil {
		return nil, err
	}
	return cloud.Dial(l)
}

// programs is the directory of this program, where the controller's and the agent's must be too.
func programs() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	dir := filepath.Dir(self)
	for _, name := range []string{lab.ControllerProcess, lab.AgentProcess} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", exit.New(exit.Unknown, fmt.Sprintf("no %s beside weft: %v", name, err)).WithTry("make build")
		}
	}
	return dir, nil
}

func (d *demo) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the demo; nothing remains",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Begun is done: half a demo helps nobody.
			found, err := lab.Remove(context.WithoutCancel(cmd.Context()), d.dir)
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			if !found {
				d.out.Printf("no demo is up\n")
				return nil
			}
			d.out.Printf("the demo is down\n")
			return nil
		},
	}
}
