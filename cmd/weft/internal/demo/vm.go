package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

func (d *demo) vmCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "vm", Short: "VMs of the demo"}
	cmd.AddCommand(d.vmCreateCommand(), d.vmListCommand(), d.vmExecCommand(), d.vmDeleteCommand())
	return cmd
}

func (d *demo) vmCreateCommand() *cobra.Command {
	var host, port string
	cmd := &cobra.Command{
		Use:     "create NAME --host HOST --port PORT",
		Short:   "Start a VM on a host and give it a port",
		Example: "  weft demo vm create web --host compute1 --port web",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.createVM(cmd.Context(), args[0], host, port)
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "host to run it on")
	cmd.Flags().StringVar(&port, "port", "", "port: name, id or unique id prefix")
	// Both exist: they were defined above.
	_ = cmd.MarkFlagRequired("host")
	_ = cmd.MarkFlagRequired("port")
	return cmd
}

func (d *demo) createVM(ctx context.Context, name, host, portName string) error {
	c, err := d.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Lab.Host(host); err != nil {
		return exit.New(exit.NotFound, err.Error())
	}
	port, err := c.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: portName})
	if err != nil {
		return exit.FromRPC(err, exit.At(fmt.Sprintf("port %q", portName)))
	}
	cfg, err := c.VMConfig(ctx, port, name, host)
	if err != nil {
		return err
	}
	vm, err := c.Lab.AddVM(ctx, cfg)
	if err != nil {
		return exit.New(exit.Refused, err.Error())
	}
	if port.AdminStateUp != nil && !port.GetAdminStateUp() {
		d.out.Printf("VM %s: %s on %s; its port is dead (admin_state_up=false)\n", vm.Name, addresses(vm), vm.Host)
		return nil
	}
	if err := c.WaitStatus(ctx, cfg.PortID, "ACTIVE"); err != nil {
		return fmt.Errorf("VM %s is up, but its port does not work: %w", name, err)
	}
	d.out.Printf("VM %s: %s on %s, port ACTIVE\n", vm.Name, addresses(vm), vm.Host)
	return nil
}

// addresses lists a VM's addresses for people.
func addresses(vm *lab.VM) string {
	var all []string
	for _, a := range vm.Addresses {
		all = append(all, a.String())
	}
	if len(all) == 0 {
		return "no address"
	}
	return strings.Join(all, " ")
}

func (d *demo) vmListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the VMs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := d.open()
			if err != nil {
				return err
			}
			return d.listVMs(l)
		},
	}
}

func (d *demo) listVMs(l *lab.Lab) error {
	vms, err := l.VMs()
	if err != nil {
		return err
	}
	d.out.Printf("%-12s  %-12s  %-18s  %-36s  %s\n", "VM", "HOST", "MAC", "PORT", "ADDRESSES")
	for _, vm := range vms {
		d.out.Printf("%-12s  %-12s  %-18s  %-36s  %s\n", vm.Name, vm.Host, vm.MAC, vm.PortID, addresses(vm))
	}
	return nil
}

func (d *demo) vmExecCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "exec NAME -- COMMAND...",
		Short:   "Run a command in a VM; its exit code is the command's",
		Example: "  weft demo vm exec vma -- ping -c 3 10.0.1.3",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := d.open()
			if err != nil {
				return err
			}
			vm, err := l.VM(args[0])
			if err != nil {
				return noVM(err)
			}
			return attach(vm.Box, args[1:])
		},
	}
}

func (d *demo) vmDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "End a VM; its port stays",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := d.open()
			if err != nil {
				return err
			}
			if err := l.DelVM(cmd.Context(), args[0]); err != nil {
				return noVM(err)
			}
			d.out.Printf("VM %s deleted\n", args[0])
			return nil
		},
	}
}

// noVM gives an error about a VM that does not exist its exit code.
func noVM(err error) error {
	if errors.Is(err, lab.ErrNoVM) {
		return exit.New(exit.NotFound, err.Error()).WithTry("weft demo vm list")
	}
	return err
}
