package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// state is all that a host has in the namespaces of a router, as text.
func state(ctx context.Context, h *lab.Host, router *weftv1.Router) (string, error) {
	all, err := namespaces(ctx, h, router)
	if err != nil {
		return "", err
	}
	return contents(ctx, h, all)
}

// contents is all that a host has in some namespaces, as text.
func contents(ctx context.Context, h *lab.Host, namespaces []string) (string, error) {
	const script = `ip -o addr show scope global | sed 's/^[0-9]*: //'; ip rule; ip -o route show table all type unicast | sort
sysctl net.ipv4.ip_forward net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce
ip neigh show nud permanent | sort; iptables-save | grep '^-A'`
	var text strings.Builder
	for _, ns := range namespaces {
		out, err := h.Netns(ctx, ns, "sh", "-c", script)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(out) {
			fmt.Fprintf(&text, "%.12s %s\n", ns, strings.TrimSpace(line))
		}
	}
	// In which order lines of a chain stand that do not overlap says nothing.
	lines := slices.Sorted(strings.Lines(text.String()))
	return strings.Join(lines, ""), nil
}

// namespaceDrift spoils a router by hand, in all its parts. Each comes back.
func namespaceDrift(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	id := t.router.GetMetadata().GetId()
	compute, qrouter, snat := s.Lab.Hosts[0], "qrouter-"+id, "snat-"+id
	fixed := addr(t.vm["p1c1"]).String()
	spoils := []struct {
		what  string
		host  *lab.Host
		shell string
	}{
		{"address", compute, fmt.Sprintf("ip netns exec %s sh -c 'ip addr del %s/24 dev $(ip -o addr show to %s | cut -d\" \" -f2)'", qrouter, t.private[0].Gateway(), t.private[0].Gateway())},
		{"rule", compute, fmt.Sprintf("ip netns exec %s ip rule del from %s", qrouter, fixed)},
		{"route", compute, fmt.Sprintf("ip netns exec %s ip route flush table 16", qrouter)},
		{"neighbour", compute, fmt.Sprintf("ip netns exec %s sh -c 'ip neigh del %s dev $(ip -o neigh show to %s | cut -d\" \" -f3)'", qrouter, addr(t.vm["p2c2"]), addr(t.vm["p2c2"]))},
		{"sysctl", compute, fmt.Sprintf("ip netns exec %s sysctl -qw net.ipv4.ip_forward=0", qrouter)},
		{"iptables line", compute, fmt.Sprintf("ip netns exec %s sh -c 'iptables -t nat $(iptables -t nat -S | grep %s | grep DNAT | head -n 1 | sed s/-A/-D/)'", qrouter, fixed)},
		{"SNAT", t.network, fmt.Sprintf("ip netns exec %s iptables -t nat -F", snat)},
	}
	before := map[*lab.Host]string{compute: "", t.network: ""}
	for h := range before {
		text, err := state(ctx, h, t.router)
		if err != nil {
			return "", err
		}
		before[h] = text
	}
	start := time.Now()
	for _, spoil := range spoils {
		if _, err := spoil.host.Exec(ctx, "sh", "-c", spoil.shell); err != nil {
			return "", fmt.Errorf("spoil %s: %w", spoil.what, err)
		}
	}
	for h, want := range before {
		if err := lab.Poll(ctx, 40*time.Second, func() error {
			after, err := state(ctx, h, t.router)
			if err == nil && after != want {
				err = fmt.Errorf("%s is not as it was: %s", h.Name, difference(want, after))
			}
			return err
		}); err != nil {
			return "", err
		}
	}
	took := time.Since(start)
	for h := range before {
		if err := toldDrift(ctx, s, h, t.router, start); err != nil {
			return "", err
		}
	}
	if err := t.works(ctx, s); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d kinds, all repaired within %s, and told", len(spoils), ms(took)), nil
}

// toldDrift waits until the controller tells that a router was repaired on a host.
func toldDrift(ctx context.Context, s *cloud.Scope, h *lab.Host, router *weftv1.Router, since time.Time) error {
	return lab.Poll(ctx, 20*time.Second, func() error {
		told, err := driftTold(ctx, s, h, router, since)
		if err == nil && told == "" {
			err = fmt.Errorf("nobody tells that the router was repaired on %s", h.Name)
		}
		return err
	})
}

// driftTold is what the controller tells of repairs of a router, on a host or, without one, on any; empty when there were none.
func driftTold(ctx context.Context, s *cloud.Scope, h *lab.Host, router *weftv1.Router, since time.Time) (string, error) {
	req := &weftv1.ListEventsRequest{Object: router.GetMetadata().GetId(), Since: timestamppb.New(since)}
	if h != nil {
		req.Host = h.Name
	}
	list, err := s.Diagnostics.ListEvents(ctx, req)
	for _, e := range list.GetEvents() {
		if e.GetReason() == "DriftRepaired" {
			return e.GetMessage(), nil
		}
	}
	return "", err
}

// rebuilt takes from two hosts what a reboot takes, while no controller runs: processes, namespaces and rows. The agents
// bring everything back from their disks.
func rebuilt(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	hosts := []*lab.Host{s.Lab.Hosts[0], t.network}
	before := map[string]string{}
	for _, h := range hosts {
		text, err := state(ctx, h, t.router)
		if err != nil {
			return "", err
		}
		before[h.Name] = text
	}
	if err := saved(ctx, s.Lab.Hosts[0], t.vm["p1c1"], t.vm["p1c2"]); err != nil {
		return "", err
	}
	s.Defer(s.EnsureUp)
	if err := s.Lab.KillController(ctx); err != nil {
		return "", err
	}
	for _, h := range hosts {
		if err := h.KillAgent(ctx); err != nil {
			return "", err
		}
		if _, err := h.Exec(ctx, "sh", "-c", "ip netns list | cut -d' ' -f1 | xargs -r -n1 ip netns del; pkill -9 dnsmasq; pkill -9 radvd; true"); err != nil {
			return "", err
		}
		if err := h.RestartVswitchd(ctx); err != nil {
			return "", err
		}
	}
	start := time.Now()
	for _, h := range hosts {
		if err := h.StartAgent(ctx); err != nil {
			return "", err
		}
	}
	for _, to := range []struct {
		from string
		to   *lab.VM
	}{{"p1c1", t.vm["p2c2"]}, {"p1c1", t.vm["p2c1"]}} {
		if err := lab.WaitPing(ctx, t.vm[to.from].Box, addr(to.to), time.Minute); err != nil {
			return "", err
		}
	}
	if err := lab.WaitPing(ctx, s.Lab.Outside, t.fip["p1c1"].Address, time.Minute); err != nil {
		return "", err
	}
	if err := lab.WaitPing(ctx, t.vm["p1c2"].Box, lab.Far, time.Minute); err != nil {
		return "", err
	}
	took := time.Since(start)
	for _, h := range hosts {
		if err := lab.Poll(ctx, 20*time.Second, func() error {
			after, err := state(ctx, h, t.router)
			if err == nil && after != before[h.Name] {
				err = fmt.Errorf("%s: not as it was: %s", h.Name, difference(before[h.Name], after))
			}
			return err
		}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("all traffic %s after the agents' start, same state", ms(took)), nil
}

// nameTaken has somebody else's device on a host where a device of a router is to be. The router says so and works
// elsewhere, and heals when the name is free.
func nameTaken(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	h, id := s.Lab.Hosts[0], uuid.NewString()
	foreign := "tap" + id[:11]
	var nets []*cloud.Network
	var vms []*lab.VM
	for i := range 2 {
		n, err := s.Network(ctx, fmt.Sprintf("taken%d", i+1), &weftv1.Network{ProviderNetworkType: "vxlan"}, fmt.Sprintf("10.3.%d.0/24", i+1))
		if err != nil {
			return "", err
		}
		made, err := pair(ctx, s, n, fmt.Sprintf("taken%d-", i+1), 0, 1)
		if err != nil {
			return "", err
		}
		nets, vms = append(nets, n), append(vms, made...)
	}
	if _, err := s.Ports.CreatePort(ctx, &weftv1.CreatePortRequest{Port: &weftv1.Port{
		Metadata: &weftv1.Metadata{Id: id}, NetworkId: nets[0].ID(), FixedIps: []*weftv1.FixedIP{{IpAddress: nets[0].Gateway().String()}},
	}}); err != nil {
		return "", err
	}
	if _, err := h.Exec(ctx, "ip", "link", "add", foreign, "type", "bridge"); err != nil {
		return "", err
	}
	want := cloud.RouterOf(true, nil, nets[1])
	want.Interfaces = append(want.Interfaces, &weftv1.RouterInterface{PortId: id})
	router, err := s.Router(ctx, "taken", want)
	if err != nil {
		return "", err
	}
	var told string
	if err := lab.Poll(ctx, 30*time.Second, func() error {
		r, err := s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router.GetMetadata().GetId()})
		if err != nil {
			return err
		}
		for _, c := range r.GetStatus().GetConditions() {
			if c.GetType() == "Programmed" && c.GetStatus() == "False" && c.GetHost() == h.Name && r.GetStatus().GetStatus() == "ERROR" {
				told = c.GetReason()
				return nil
			}
		}
		return fmt.Errorf("the router does not say what is wrong: %s", r.GetStatus())
	}); err != nil {
		return "", err
	}
	// On the other host it works, and others work on this one.
	if err := lab.WaitPing(ctx, vms[1].Box, addr(vms[3]), 20*time.Second); err != nil {
		return "", err
	}
	if _, err := mustPing(ctx, t.vm["p1c1"].Box, addr(t.vm["p2c1"]), lab.Pings{}); err != nil {
		return "", err
	}
	if _, err := h.Exec(ctx, "ip", "link", "del", "dev", foreign); err != nil {
		return "", err
	}
	start := time.Now()
	if err := lab.WaitPing(ctx, vms[0].Box, addr(vms[2]), time.Minute); err != nil {
		return "", fmt.Errorf("the name is free: %w", err)
	}
	return fmt.Sprintf("%s on %s, works elsewhere, healed after %s", told, h.Name, ms(time.Since(start))), s.Settle(ctx)
}
