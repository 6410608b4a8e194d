package demo

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

func (d *demo) execCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "exec HOST -- COMMAND...",
		Short: "Run a command on a host, as on a real node; its exit code is the command's",
		Long: `Runs a command on a host of the demo, as on a real node: plain ovs-ofctl, ovs-vsctl and "ip netns" work. Besides the
hosts there are "controller", where weft-controller runs, and "outside", a machine on the physical network.`,
		Example: `  weft demo exec compute1 -- ovs-ofctl dump-flows br-tun
  weft demo exec compute1 -- bash`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := d.open()
			if err != nil {
				return err
			}
			box, err := machine(l, args[0])
			if err != nil {
				return err
			}
			return attach(box, args[1:])
		},
	}
}

// machine finds a host, the controller's machine or the one outside.
func machine(l *lab.Lab, name string) (*nsbox.Box, error) {
	switch name {
	case "controller":
		return l.Controller, nil
	case "outside":
		return l.Outside, nil
	}
	h, err := l.Host(name)
	if err != nil {
		return nil, exit.New(exit.NotFound, err.Error())
	}
	if h.Box == nil {
		return nil, exit.New(exit.Unknown, fmt.Sprintf("host %s is off", name))
	}
	return h.Box, nil
}

// attach becomes the command, with this process's terminal. It returns only when that is not possible.
func attach(box *nsbox.Box, argv []string) error {
	argv = box.Attach(argv)
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("find %s: %w", argv[0], err)
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, argv, os.Environ()))
}
