package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Observe looks at the namespace. Of sysctls it looks at those that must be something; of what is wanted it takes which
// devices are pairs to other namespaces.
func (n *Namespace) Observe(ctx context.Context, want plan.Namespace) (plan.Namespace, error) {
	if n.name == plan.Home {
		return n.observeHome(ctx, want)
	}
	o := n.observation(want)
	err := o.netlink()
	if err == nil {
		err = n.Do(o.inside)
	}
	if err == nil {
		err = o.iptables(ctx)
	}
	if err != nil {
		return o.have, fmt.Errorf("observe %s: %w", n.name, err)
	}
	return o.have, nil
}

// Links are the devices of ours that are there, and lo.
func (n *Namespace) Links() ([]plan.Link, error) {
	o := n.observation(plan.Namespace{})
	err := o.links()
	return o.have.Links, err
}

type observation struct {
	n    *Namespace
	want plan.Namespace
	have plan.Namespace
	// names are the devices by index, and "" for those that are not ours.
	names map[int]string
	// up are the devices that are up; local the addresses that the kernel takes in what comes for.
	up    map[string]bool
	local map[netip.Addr]bool
	// foreignRoutes are routes that are not ours.
	foreignRoutes []string
	// generation counts the changes of rules in the namespace; 0 when that is not known.
	generation uint32
}

func (n *Namespace) observation(want plan.Namespace) *observation {
	return &observation{n: n, want: want, have: plan.Namespace{Name: n.name, Sysctls: map[string]string{}}, names: map[int]string{}, up: map[string]bool{}, local: map[netip.Addr]bool{}}
}

func (o *observation) foreign(section, text string) {
	o.have.Foreign = append(o.have.Foreign, plan.Line{Section: section, Text: text, State: plan.Foreign})
}

// netlink looks at all that netlink tells. A list that changed while it was read is read again.
func (o *observation) netlink() error {
	for _, look := range []struct {
		what string
		f    func() error
	}{{"links", o.links}, {"addresses", o.addresses}, {"routes", o.routes}, {"rules", o.rules}, {"neighbours", o.neighbours}} {
		if err := look.f(); err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
	}
	return nil
}

// list reads a list until it did not change meanwhile.
func list[T any](read func() ([]T, error)) ([]T, error) {
	for i := 0; ; i++ {
		out, err := read()
		if !errors.Is(err, netlink.ErrDumpInterrupted) || i == 5 {
			return out, err
		}
	}
}

// inside looks at what only threads inside see.
func (o *observation) inside() error {
	if _, err := os.Stat("/proc/sys/net/ipv6"); errors.Is(err, os.ErrNotExist) {
		o.have.NoIPv6 = true
	}
	for key := range o.want.Sysctls {
		if v, ok := readSysctl(key); ok {
			o.have.Sysctls[key] = v
		}
	}
	if o.n.host.countsRules() {
		o.generation, _ = ruleGeneration() // unknown, they are looked at
	}
	for i, l := range o.have.Links {
		if l.Tap.Name == "" {
			o.have.Links[i].Offload = true // nobody asks
			continue
		}
		on, err := offload(l.Name)
		if err != nil {
			return fmt.Errorf("offload of %s: %w", l.Name, err)
		}
		o.have.Links[i].Offload = on
	}
	return nil
}
