package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// agentBy starts the agent of a host again by another command, and as ever when the scope ends.
func agentBy(ctx context.Context, s *cloud.Scope, h *lab.Host, by ...string) error {
	if err := h.KillAgent(ctx); err != nil {
		return err
	}
	s.Defer(func(ctx context.Context) error { return againAsEver(ctx, s, h) })
	return h.StartAgentBy(ctx, by)
}

func againAsEver(ctx context.Context, s *cloud.Scope, h *lab.Host) error {
	if err := errors.Join(h.KillAgent(ctx), h.StartAgent(ctx)); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// tells waits until a router says of a host that it cannot have it there, and why.
func tells(ctx context.Context, s *cloud.Scope, router *weftv1.Router, host, reason, word string) error {
	return lab.Poll(ctx, 30*time.Second, func() error {
		r, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
		if err != nil {
			return err
		}
		for _, c := range r.GetStatus().GetConditions() {
			if c.GetType() == "Programmed" && c.GetStatus() == "False" && c.GetHost() == host && c.GetReason() == reason && strings.Contains(c.GetMessage(), word) {
				return nil
			}
		}
		return fmt.Errorf("the router does not say Programmed=False %s of %s: %s", reason, host, r.GetStatus())
	})
}

// isTrue waits until a router says that it is on all its hosts.
func isTrue(ctx context.Context, s *cloud.Scope, router *weftv1.Router) error {
	return lab.Poll(ctx, 40*time.Second, func() error {
		r, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
		if err == nil && r.GetStatus().GetStatus() != "ACTIVE" {
			err = fmt.Errorf("the router does not heal: %s", r.GetStatus())
		}
		return err
	})
}

// commands makes a directory with some of the machine's commands, or none.
func commands(s *cloud.Scope, names ...string) (dir string, add func(names ...string) error, err error) {
	if dir, err = os.MkdirTemp(s.Lab.Dir, "commands-"); err != nil {
		return "", nil, err
	}
	s.Defer(func(context.Context) error { return os.RemoveAll(dir) })
	add = func(names ...string) error {
		for _, n := range names {
			if err := os.Symlink("/usr/sbin/"+n, filepath.Join(dir, n)); err != nil {
				return err
			}
		}
		return nil
	}
	return dir, add, add(names...)
}

var iptables = []string{"iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"}

// lacksSomething has an agent without iptables, and one that may not enter namespaces. A router that is there already says so,
// and where, and works on; a new one says so and works elsewhere. When the cause is gone both heal.
func lacksSomething(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	h := s.Lab.Hosts[1]
	dir, add, err := commands(s)
	if err != nil {
		return "", err
	}
	var nets []*cloud.Network
	var vms [][]*lab.VM
	for i := range 2 {
		n, err := s.Network(ctx, fmt.Sprintf("lack%d", i+1), &weftv1.Network{ProviderNetworkType: "vxlan"}, fmt.Sprintf("10.4.%d.0/24", i+1))
		if err != nil {
			return "", err
		}
		made, err := pair(ctx, s, n, fmt.Sprintf("lack%d-", i+1), 0, 1)
		if err != nil {
			return "", err
		}
		nets, vms = append(nets, n), append(vms, made)
	}
	for _, lack := range []struct {
		what, reason, word string
		by                 []string
		mend               func() error
	}{
		{"iptables", "ProgramMissing", "iptables", []string{"env", "PATH=" + dir}, func() error { return add(iptables...) }},
		{"permission", "NotPermitted", "not permitted", []string{"setpriv", "--bounding-set", "-sys_admin"}, func() error { return againAsEver(ctx, s, h) }},
	} {
		if err := agentBy(ctx, s, h, lack.by...); err != nil {
			return "", err
		}
		fresh, err := s.Router(ctx, "lack", cloud.RouterOf(true, nil, nets...))
		if err != nil {
			return "", err
		}
		for _, r := range []*weftv1.Router{t.router, fresh} {
			if err := tells(ctx, s, r, h.Name, lack.reason, lack.word); err != nil {
				return "", fmt.Errorf("no %s: %w", lack.what, err)
			}
		}
		if err := t.works(ctx, s); err != nil {
			return "", fmt.Errorf("no %s: %w", lack.what, err)
		}
		if err := lab.WaitPing(ctx, vms[0][0].Box, addr(vms[1][0]), 20*time.Second); err != nil {
			return "", fmt.Errorf("no %s, on another host: %w", lack.what, err)
		}
		if err := mustNotPing(ctx, vms[0][1].Box, addr(vms[1][1])); err != nil {
			return "", fmt.Errorf("no %s: nothing was measured: %w", lack.what, err)
		}
		if err := lack.mend(); err != nil {
			return "", err
		}
		for _, r := range []*weftv1.Router{t.router, fresh} {
			if err := isTrue(ctx, s, r); err != nil {
				return "", fmt.Errorf("%s again: %w", lack.what, err)
			}
		}
		if err := lab.WaitPing(ctx, vms[0][1].Box, addr(vms[1][1]), 20*time.Second); err != nil {
			return "", fmt.Errorf("%s again: %w", lack.what, err)
		}
		if err := errors.Join(s.DeleteRouter(ctx, fresh.GetMetadata().GetId()), s.Settle(ctx)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("no iptables, no permission: %s says so, the rest works, healed", h.Name), nil
}

// lacksDnsmasq kills a network's dnsmasq where the program has gone. The network says so, and it comes back with it.
func lacksDnsmasq(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	if before[t.network.Name] == 0 {
		return "", fmt.Errorf("no dnsmasq on %s: %v", t.network.Name, before)
	}
	dir, add, err := commands(s, iptables...)
	if err != nil {
		return "", err
	}
	if err := agentBy(ctx, s, t.network, "env", "PATH="+dir); err != nil {
		return "", err
	}
	if _, err := t.network.Exec(ctx, "kill", "-9", fmt.Sprint(before[t.network.Name])); err != nil {
		return "", err
	}
	dhcp := func(status, word string) error {
		return lab.Poll(ctx, 40*time.Second, func() error {
			n, err := s.Networks.GetNetwork(ctx, &weftv1.GetNetworkRequest{Id: t.private[0].ID()})
			if err != nil {
				return err
			}
			for _, c := range n.GetStatus().GetConditions() {
				if c.GetType() == "DHCP" && c.GetStatus() == status && strings.Contains(c.GetMessage(), word) {
					return nil
				}
			}
			return fmt.Errorf("the network does not say DHCP=%s: %s", status, n.GetStatus())
		})
	}
	if err := dhcp("False", "dnsmasq is missing"); err != nil {
		return "", err
	}
	// What is in the same namespaces, and on the host, works on.
	if _, err := fetch(ctx, t.vm["plain"], "/latest/meta-data/instance-id"); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, t.vm["plain"].Box, at(lab.Far), "outside", t.gateway); err != nil {
		return "", err
	}
	if err := add("dnsmasq"); err != nil {
		return "", err
	}
	if err := dhcp("True", ""); err != nil {
		return "", err
	}
	_, err = t.vm["plain"].Lease(ctx, "udhcpc")
	return t.network.Name + " says that dnsmasq is missing; healed", err
}

// servedAfterCrash kills ovs-vswitchd of the host that serves, and of one with a client.
func servedAfterCrash(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	for _, h := range []*lab.Host{t.network, s.Lab.Hosts[1]} {
		if err := h.RestartVswitchd(ctx); err != nil {
			return "", err
		}
		if err := lab.WaitPing(ctx, t.vm["plain"].Box, lab.Far, time.Minute); err != nil {
			return "", fmt.Errorf("ovs-vswitchd of %s: %w", h.Name, err)
		}
		if _, err := t.vm["plain"].Lease(ctx, "udhcpc"); err != nil {
			return "", fmt.Errorf("ovs-vswitchd of %s: %w", h.Name, err)
		}
		for _, vm := range []string{"plain", "alone"} {
			if _, err := fetch(ctx, t.vm[vm], "/latest/meta-data/instance-id"); err != nil {
				return "", fmt.Errorf("ovs-vswitchd of %s: %s: %w", h.Name, vm, err)
			}
		}
	}
	after, err := servers(ctx, s, t.private[0])
	if err == nil && fmt.Sprint(after) != fmt.Sprint(before) {
		err = fmt.Errorf("dnsmasq was started again: %v, before %v", after, before)
	}
	return "leases and metadata after each crash, by the same processes", err
}
