package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

func (d *demo) upCommand() *cobra.Command {
	var hosts []string
	var empty bool
	var check string
	var controllers int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the demo; it stays up until \"weft demo down\"",
		Args:  cobra.NoArgs,
		Example: `  weft demo up
  weft demo up --hosts compute1,compute2 --empty
  weft demo up --controllers 3`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.up(cmd.Context(), hosts, controllers, empty, check)
		},
	}
	cmd.Flags().StringSliceVar(&hosts, "hosts", []string{"compute1", "compute2", "network1"}, "names of the hosts; those that begin with network serve DHCP and the way out")
	cmd.Flags().IntVar(&controllers, "controllers", 1, "how many controllers; several share an etcd, and one of them leads")
	cmd.Flags().BoolVar(&empty, "empty", false, "no networks and no VMs")
	cmd.Flags().StringVar(&check, "check", "", "check it when it is up: brief (a minute or two), or all, as \"weft demo check\" does (some nine minutes)")
	cmd.Flags().Lookup("check").NoOptDefVal = briefly
	return cmd
}

// What "up --check" may be told.
const (
	briefly = "brief"
	wholly  = "all"
)

// up starts everything. Until the end the demo is tied to this process: interrupted or killed, it leaves nothing.
func (d *demo) up(ctx context.Context, hosts []string, controllers int, empty bool, check string) (err error) {
	if !slices.Contains([]string{"", briefly, wholly}, check) {
		return exit.New(exit.Usage, fmt.Sprintf("--check: %q is neither %s nor %s", check, briefly, wholly))
	}
	if controllers < 1 {
		return exit.New(exit.Usage, fmt.Sprintf("--controllers: %d is less than 1", controllers))
	}
	if len(hosts) == 0 {
		return exit.New(exit.Usage, "--hosts: name at least one host, e.g. compute1")
	}
	if !empty && !slices.ContainsFunc(hosts, lab.IsNetworkHost) {
		return exit.New(exit.Usage, "--hosts: no network host, which DHCP and the way out need: name one that begins with network, or give --empty")
	}
	bin, err := programs()
	if err != nil {
		return err
	}
	var l *lab.Lab
	if err := d.step("hosts", func() (string, error) {
		l, err = lab.Up(ctx, lab.Config{Dir: d.dir, Hosts: hosts, Bin: bin, ControllerArgs: checks.ControllerArgs(), AgentArgs: checks.AgentArgs(), Controllers: controllers})
		return strings.Join(hosts, " ") + " (own Open vSwitch each, userspace datapath)", err
	}); err != nil {
		return refused(err)
	}
	free := false
	// Also when this program has a mistake, and panics.
	defer func() {
		if !free {
			if left := l.Down(context.WithoutCancel(ctx)); left != nil {
				err = exit.Join([]error{err, left})
			}
		}
	}()
	failed, err := d.fill(ctx, l, empty, check)
	if err != nil {
		if ctx.Err() == nil {
			err = withNotes(err, l.Logs())
		}
		return err
	}
	if err := l.Free(); err != nil {
		return err
	}
	free = true
	if failed {
		return exit.Answer()
	}
	return nil
}

// withNotes adds what logs say, a line each.
func withNotes(err error, logs string) error {
	e := *exit.From(err)
	e.Notes = slices.Concat(e.Notes, strings.Split(strings.TrimSpace(logs), "\n"))
	return &e
}

// refused gives an error of lab.Up its exit code.
func refused(err error) error {
	switch {
	case errors.Is(err, lab.ErrRunning):
		return exit.New(exit.Refused, "a demo is up already").WithTry("weft demo status, weft demo check or weft demo down")
	case errors.Is(err, lab.ErrConfig):
		return exit.New(exit.Usage, err.Error())
	}
	return err
}

// fill starts what runs on the hosts, and answers whether a check failed.
func (d *demo) fill(ctx context.Context, l *lab.Lab, empty bool, check string) (failed bool, err error) {
	c, err := cloud.Dial(l)
	if err != nil {
		return false, err
	}
	defer c.Close()
	leader := "" // of several
	if err := d.step("controller", func() (string, error) {
		if err := c.StartController(ctx); err != nil || !l.Shared() {
			return "etcd embedded, API at unix:" + l.APISocket(), err
		}
		st, err := c.Diagnostics.GetStatus(ctx, &weftv1.GetStatusRequest{})
		var told string
		told, leader = leads(st.GetControllers())
		return told, err
	}); err != nil {
		return false, err
	}
	if err := d.step("agents", func() (string, error) {
		return "br-int, br-tun and br-ex of every host are connected", c.StartAgents(ctx)
	}); err != nil {
		return false, err
	}
	if !empty {
		if err := d.tour(ctx, c); err != nil {
			return false, err
		}
	}
	d.lookAround(l, empty, leader)
	switch d.out.Printf("\n"); check {
	case briefly:
		if failed, err = d.checks(ctx, c, checks.Brief()); err == nil {
			d.out.Printf("  All %d checks:  %s demo check\n", len(checks.All()), os.Args[0])
		}
	case wholly:
		failed, err = d.checks(ctx, c, checks.All())
	}
	return failed, err
}

// leads tells which of several controllers does.
func leads(all []*weftv1.Controller) (told, leader string) {
	var names []string
	for _, c := range all {
		name := c.GetName()
		if c.GetLeader() {
			leader = name
			name += " (leads)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ") + ", with an etcd that they share", leader
}

// step does one part and prints a line about it: what, how it looks, how long it took.
func (d *demo) step(what string, do func() (string, error)) error {
	start := time.Now()
	told, err := do()
	if err != nil {
		return err
	}
	d.out.Printf("  %-11s %s ", what, told)
	d.out.Paint(screen.Faint, strings.Repeat(".", max(3, 78-len(told))))
	d.out.Printf(" %.1f s\n", time.Since(start).Seconds())
	return nil
}

// lookAround says what to type next.
func (d *demo) lookAround(l *lab.Lab, empty bool, leader string) {
	weft, host := os.Args[0], l.Hosts[0].Name
	d.out.Printf("\n  Look around:  %s status;  %s get networks;  %s flows %s br-tun\n", weft, weft, weft, host)
	d.out.Printf("                %s demo exec %s -- ovs-ofctl dump-flows br-tun\n", weft, host)
	if empty {
		d.out.Printf("  Make a VM:    %s create network blue;  %s create subnet blue-v4 --network blue --cidr 10.0.1.0/24\n", weft, weft)
		d.out.Printf("                %s create port web --network blue;  %s demo vm create web --host %s --port web\n", weft, weft, host)
	} else {
		if vm, err := l.VM(farVM); err == nil {
			d.out.Printf("                %s demo vm exec vma -- ping -c 3 %s\n", weft, vm.Addresses[0].Addr())
		}
		d.out.Printf("                %s demo vm exec vma -- curl %s\n", weft, lab.Far)
		d.out.Printf("                %s describe securitygroup web;  %s describe port vma\n", weft, weft)
		d.out.Printf("                %s where edge;  %s demo exec %s -- ip netns\n", weft, weft, host)
		d.out.Printf("                %s trace vmb vma --tcp 22;  %s trace vmb %s;  %s why vma\n", weft, weft, lab.Far, weft)
	}
	if leader != "" {
		d.out.Printf("  Who leads:    %s status;  end it: %s demo exec controller -- pkill -9 -f -- '--name %s '\n", weft, weft, leader)
	}
	d.out.Printf("  Logs:         %s\n  Stop:         %s demo down\n", filepath.Join(l.Dir, "log"), weft)
}
