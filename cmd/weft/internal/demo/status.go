package demo

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

func (d *demo) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what runs on the demo's machines, and its VMs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := d.open()
			if err != nil {
				return err
			}
			return d.status(cmd.Context(), l)
		},
	}
}

func (d *demo) status(ctx context.Context, l *lab.Lab) error {
	d.out.Printf("%-12s  %-16s  %8s  %10s\n", "MACHINE", "PROCESS", "PID", "MEMORY")
	if err := d.processes(ctx, "controller", l.Controller); err != nil {
		return err
	}
	for _, h := range l.Hosts {
		if h.Box == nil {
			d.out.Printf("%-12s  is off\n", h.Name)
			continue
		}
		if err := d.processes(ctx, h.Name, h.Box); err != nil {
			return err
		}
	}
	d.out.Printf("\n")
	if err := d.listVMs(l); err != nil {
		return err
	}
	d.out.Printf("\nlogs: %s/log   API: unix:%s   REST: curl --unix-socket %s http://localhost/v1/networks\n", l.Dir, l.APISocket(), l.HTTPSocket())
	return nil
}

// processes lists what a machine keeps running, but for the VMs.
func (d *demo) processes(ctx context.Context, name string, box *nsbox.Box) error {
	list, err := box.List(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Box {
			continue
		}
		memory, err := lab.Memory(ctx, box, p.Name)
		if err != nil {
			return err
		}
		d.out.Printf("%-12s  %-16s  %8d  %6.1f MiB\n", name, p.Name, p.PID, float64(memory)/(1<<20))
	}
	if len(list) == 0 {
		d.out.Printf("%-12s  nothing runs\n", name)
	}
	return nil
}
