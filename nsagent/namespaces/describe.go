package namespaces

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Describe compares a namespace as it is with what is desired. There are no lines when there is none of that name, and none
// is desired.
func (k *Keeper) Describe(ctx context.Context, namespace string) ([]plan.Line, error) {
	k.mu.Lock()
	host := k.host
	var want plan.Namespace
	w := k.workers[namespace]
	desired := w != nil && w.sources != nil && w.want != nil
	if desired {
		want = *w.want
	}
	k.mu.Unlock()
	if host == nil {
		return nil, errors.New("the agent is only just starting; try again")
	}
	open := host.Open
	if namespace == plan.Home {
		open = func(string) (*kernel.Namespace, error) { return host.Home() }
	}
	ns, err := open(namespace)
	switch {
	case errors.Is(err, fs.ErrNotExist) && desired:
		return plan.Lines(want, plan.Namespace{}), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer ns.Close()
	have, err := ns.Observe(ctx, want)
	if err != nil {
		return nil, err
	}
	if k.cfg.DHCP.Alive(namespace) {
		have.Server = want.Server
	}
	if k.cfg.Advertisers.Alive(namespace) {
		have.Advertiser = want.Advertiser
	}
	if want.Listener != nil {
		on, err := ns.Listens(want.Listener.Addr)
		if err != nil {
			return nil, err
		}
		if on {
			have.Listener = want.Listener
		}
	}
	return plan.Lines(want, have), nil
}

// Counters tells what the rules that judge a port on its firewall bridge have counted.
func (k *Keeper) Counters(ctx context.Context, portID string) (plan.Counters, error) {
	var port *plan.PortFirewall
	k.mu.Lock()
	host := k.host
	if w := k.workers[plan.Home]; w != nil && w.sources != nil {
		for _, f := range w.sources.Firewalls {
			if f.PortID == portID {
				port = f
			}
		}
	}
	k.mu.Unlock()
	switch {
	case host == nil:
		return plan.Counters{}, errors.New("the agent is only just starting; try again")
	case port == nil:
		return plan.Counters{}, fmt.Errorf("port %s has no firewall bridge here", portID)
	}
	ns, err := host.Home()
	if err != nil {
		return plan.Counters{}, err
	}
	defer ns.Close()
	text, err := ns.Counters(ctx)
	if err != nil {
		return plan.Counters{}, err
	}
	return port.Counters(text), nil
}

// Route tells what the kernel does with a packet that comes into a namespace by a device. That there is no such namespace is an
// answer, too.
func (k *Keeper) Route(namespace, device string, src, dst netip.Addr) (kernel.Route, error) {
	k.mu.Lock()
	host := k.host
	k.mu.Unlock()
	if host == nil {
		return kernel.Route{}, errors.New("the agent is only just starting; try again")
	}
	ns, err := host.Open(namespace)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kernel.Route{Kind: kernel.RouteDrop, Message: "the host has no such namespace"}, nil
	case err != nil:
		return kernel.Route{}, err
	}
	defer ns.Close()
	return ns.Route(device, src, dst)
}
