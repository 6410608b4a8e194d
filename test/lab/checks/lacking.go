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

// tells waits until a router is in a state and says of a host what could not be made there, and why.
func tells(ctx context.Context, s *cloud.Scope, router *weftv1.Router, state, host, reason, word string) error {
	return lab.Poll(ctx, 30*time.Second, func() error {
		r, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
		if err != nil {
			return err
		}
		for _, c := range r.GetStatus().GetConditions() {
			if r.GetStatus().GetStatus() == state && c.GetType() == "Programmed" && c.GetStatus() == "False" && c.GetHost() == host && c.GetReason() == reason && strings.Contains(c.GetMessage(), word) {
				return nil
			}
		}
		return fmt.Errorf("the router is not %s and does not say Programmed=False %s of %s: %s", state, reason, host, r.GetStatus())
	})
}

// isTrue waits until a router says that it is on all its hosts, and that nothing failed.
func isTrue(ctx context.Context, s *cloud.Scope, router *weftv1.Router) error {
	return lab.Poll(ctx, 40*time.Second, func() error {
		r, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
		if err != nil {
			return err
		}
		for _, c := range r.GetStatus().GetConditions() {
			if r.GetStatus().GetStatus() == "ACTIVE" && c.GetType() == "Programmed" && c.GetStatus() == "True" {
				return nil
			}
		}
		return fmt.Errorf("the router is not ACTIVE with Programmed=True: %s", r.GetStatus())
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
			if err := tells(ctx, s, r, "ERROR", h.Name, lack.reason, lack.word); err != nil {
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

// lacksDnsmasq kills a network's dnsmasq where the program has gone. The network says so, and so does its router, which forwards
// all the same, and one that is made meanwhile; another says nothing. When the program is back all heal.
func lacksDnsmasq(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	if before[t.network.Name] == 0 {
		return "", fmt.Errorf("no dnsmasq on %s: %v", t.network.Name, before)
	}
	quiet, err := s.Network(ctx, "quiet", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.4.3.0/24")
	if err != nil {
		return "", err
	}
	still, err := s.VM(ctx, quiet, "still", s.Lab.Hosts[0].Name)
	if err != nil {
		return "", err
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
	if err := tellsDHCP(ctx, s, t.private[0], "False", "dnsmasq is missing"); err != nil {
		return "", err
	}
	// One with a network whose server never was there, one without DHCP.
	late, err := s.NetworkWith(ctx, "late", &weftv1.Network{ProviderNetworkType: "vxlan"}, &weftv1.Subnet{Cidr: "10.4.4.0/24"})
	if err != nil {
		return "", err
	}
	fresh, err := s.Router(ctx, "fresh", cloud.RouterOf(true, nil, quiet, late))
	if err != nil {
		return "", err
	}
	other, err := s.Network(ctx, "other", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.4.5.0/24")
	if err != nil {
		return "", err
	}
	well, err := s.Router(ctx, "well", cloud.RouterOf(false, t.ext, other))
	if err != nil {
		return "", err
	}
	vm, err := s.VM(ctx, late, "late", s.Lab.Hosts[1].Name)
	if err != nil {
		return "", err
	}
	for n, r := range map[*cloud.Network]*weftv1.Router{t.private[0]: t.router, late: fresh} {
		if err := tells(ctx, s, r, "ACTIVE", t.network.Name, "DHCPFailed", n.ID()+") nobody tells"); err != nil {
			return "", err
		}
		if err := tells(ctx, s, r, "ACTIVE", t.network.Name, "DHCPFailed", "dnsmasq is missing"); err != nil {
			return "", err
		}
	}
	if err := isTrue(ctx, s, well); err != nil {
		return "", err
	}
	// They forward, and what is in the same namespaces, and on the host, works on.
	if err := lab.WaitPing(ctx, still.Box, addr(vm), 20*time.Second); err != nil {
		return "", err
	}
	if _, err := fetch(ctx, t.vm["plain"], "/latest/meta-data/instance-id"); err != nil {
		return "", err
	}
	if err := mustAsk(ctx, t.vm["plain"].Box, at(lab.Far), "outside", t.gateway); err != nil {
		return "", err
	}
	if err := add("dnsmasq"); err != nil {
		return "", err
	}
	for n, r := range map[*cloud.Network]*weftv1.Router{t.private[0]: t.router, late: fresh, other: well} {
		if err := isTrue(ctx, s, r); err != nil {
			return "", fmt.Errorf("dnsmasq again: %w", err)
		}
		if n == other {
			continue
		}
		if err := tellsDHCP(ctx, s, n, "True", ""); err != nil {
			return "", err
		}
	}
	for _, vm := range []*lab.VM{t.vm["plain"], vm} {
		if _, err := vm.Lease(ctx, "udhcpc"); err != nil {
			return "", err
		}
	}
	return t.network.Name + " says that dnsmasq is missing, two routers name it and forward; healed", nil
}

// tellsDHCP waits until a network says whether its ports are served.
func tellsDHCP(ctx context.Context, s *cloud.Scope, network *cloud.Network, status, word string) error {
	return lab.Poll(ctx, 40*time.Second, func() error {
		n, err := s.Networks.GetNetwork(ctx, &weftv1.GetNetworkRequest{Id: network.ID()})
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
