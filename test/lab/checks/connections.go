package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab/cloud"
)

// connectionsLive changes and kills what is around connections that are allowed. None breaks, and of all rows only those of
// the firewall change; where it is on bridges, none. While the rules change, there is no moment in which all is open, or shut.
func connectionsLive(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	g, err := guard(ctx, s, driver)
	if err != nil {
		return "", err
	}
	others, firewall, err := g.rows(ctx)
	if err != nil {
		return "", err
	}
	mods, err := g.foreignMods(ctx)
	if err != nil {
		return "", err
	}
	start := time.Now()
	knocked, err := g.whileKnocking(ctx, g.churn)
	if err != nil {
		return "", fmt.Errorf("%d unrelated changes: %w", unrelated, err)
	}
	took := time.Since(start)
	changed, err := g.live(ctx)
	if err != nil {
		return "", fmt.Errorf("%d unrelated changes: %w", unrelated, err)
	}
	if err := g.onlyFirewall(ctx, others, firewall, mods); err != nil {
		return "", err
	}
	if err := restarted(false, true)(ctx, s, nil); err != nil {
		return "", err
	}
	if _, err = g.live(ctx); err != nil {
		return "", fmt.Errorf("agents are killed: %w", err)
	}
	if err := restarted(true, false)(ctx, s, nil); err != nil {
		return "", err
	}
	restart, err := g.live(ctx)
	if err != nil {
		return "", fmt.Errorf("the controller is killed: %w", err)
	}
	measured := fmt.Sprintf("%d connections, %d changes in %s: longest gap %s, no other row touched; %s; agents and controller killed: %s",
		len(g.open), unrelated*g.churned, ms(took), ms(changed), knocked, ms(restart))
	if restart > shortGap {
		return measured, fmt.Errorf("silent for more than %v", shortGap)
	}
	picked, err := g.withoutMemory(ctx)
	return fmt.Sprintf("%s; ovs-vswitchd killed: picked up after %s, strangers stay out", measured, ms(picked)), err
}

// onlyFirewall fails unless rows of the firewall have changed and no others.
func (g *guarded) onlyFirewall(ctx context.Context, others, firewall string, mods int64) error {
	othersNow, firewallNow, err := g.rows(ctx)
	if err != nil {
		return err
	}
	modsNow, err := g.foreignMods(ctx)
	if err != nil {
		return err
	}
	switch {
	case g.driver == inSwitch && firewallNow == firewall:
		return errors.New("no row of the firewall has changed: nothing was measured")
	case g.driver == onBridge && firewallNow != firewall:
		return fmt.Errorf("rows of br-int's firewall have changed: %s", difference(firewall, firewallNow))
	case othersNow != others:
		return fmt.Errorf("rows that are not the firewall's have changed: %s", difference(others, othersNow))
	case modsNow != mods:
		return fmt.Errorf("%d flow-mods went to br-tun and br-ex for changes of the firewall", modsNow-mods)
	}
	return nil
}

// withoutMemory kills the switch of the server's host, which forgets all connections, unless bridges know them. Open vSwitch's tracker takes any TCP
// packet but SYN+ACK for the first of a connection, so that each is taken up in the middle, by the rules of whichever end
// sends first; nobody is let in whom the rules refuse.
func (g *guarded) withoutMemory(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if err := g.scope.Lab.Hosts[0].RestartVswitchd(ctx); err != nil {
		return 0, err
	}
	if _, err := g.live(ctx); err != nil {
		return 0, fmt.Errorf("ovs-vswitchd is killed: %w", err)
	}
	took := time.Since(start)
	if err := g.scope.Settle(ctx); err != nil {
		return took, err
	}
	server, near := g.vm["server"], g.vm["near"]
	return took, errors.Join(
		mustNotAsk(ctx, g.vm["bystander"].Box, at(addr(server))),
		mustAsk(ctx, near.Box, at(addr(server)), server.Name, addr(near)),
	)
}

// connectionsCut forbids one connection after the other, each in another way. It is cut within a second, and no other is.
func connectionsCut(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	g, err := guard(ctx, s, driver)
	if err != nil {
		return "", err
	}
	var told []string
	for _, forbid := range []struct {
		what, cuts string
		do         func() error
	}{
		{"rule removed", byFloatingIP, func() error { return g.deleteRule(ctx, g.fromWorld) }},
		{"member left", byTunnel, func() error { return g.regroup(ctx, "far", "others") }},
		{"address group shrunk", byAddressGroup, func() error { return g.list(ctx) }},
		{"group of the port replaced", bySecondGroup, func() error { return g.regroup(ctx, "second", "others") }},
	} {
		if _, err := g.live(ctx); err != nil {
			return "", fmt.Errorf("before %s: %w", forbid.what, err)
		}
		start := time.Now()
		if err := forbid.do(); err != nil {
			return "", fmt.Errorf("%s: %w", forbid.what, err)
		}
		took, err := g.cut(ctx, forbid.cuts, start)
		if err != nil {
			return "", fmt.Errorf("%s: %w", forbid.what, err)
		}
		told = append(told, fmt.Sprintf("%s %s", forbid.what, ms(took)))
	}
	longest, err := g.live(ctx)
	if err != nil {
		return "", err
	}
	measured := fmt.Sprintf("%s; %d others live, longest gap %s", strings.Join(told, ", "), len(g.open), ms(longest))
	if longest > shortGap {
		return measured, fmt.Errorf("a connection that nothing forbids was silent for more than %v", shortGap)
	}
	return measured, nil
}

// cut waits until a connection is cut, and takes it off those that are open.
func (g *guarded) cut(ctx context.Context, what string, start time.Time) (time.Duration, error) {
	for i, one := range g.open {
		if one.what != what {
			continue
		}
		took, err := stalled(ctx, one.Received, start)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", what, err)
		}
		g.open = append(g.open[:i:i], g.open[i+1:]...)
		return took, nil
	}
	return 0, fmt.Errorf("there is no connection %q", what)
}
