package e2e

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// running starts 200 packets a second each way between two VMs on different hosts.
func (c *cloud) running() (a, b *vm, p *lab.Probe) {
	c.Helper()
	nw := c.network(&weftv1.Network{}, "10.7.0.0/24")
	a = c.vm(nw, "a", "compute1", "")
	b = c.vm(nw, "b", "compute2", "")
	c.applied()
	c.reaches(a, b)
	c.reaches(b, a)
	p, err := theLab.StartProbe(c.ctx, a.Box, b.Box, a.ip, b.ip, 200)
	c.must(err)
	c.must(p.Await(c.ctx, 100, patience))
	return a, b, p
}

// lostNothing stops the traffic and counts.
func (c *cloud) lostNothing(p *lab.Probe) {
	c.Helper()
	// What happened must have had time to show.
	c.must(p.Await(c.ctx, 200, patience))
	r, err := p.Stop(c.ctx)
	c.must(err)
	c.Logf("sent %d+%d, lost %d, longest gap %v / %v", r.AToB.Sent, r.BToA.Sent, r.Lost(), r.AToB.LongestGap, r.BToA.LongestGap)
	if r.Lost() > 0 || r.AToB.Sent < 200 {
		c.Errorf("lost %d packets of %d", r.Lost(), r.AToB.Sent+r.BToA.Sent)
	}
}

// flowMods counts what was sent to all bridges since their connections came up.
func (c *cloud) flowMods() (n int64) {
	c.Helper()
	st, err := c.diag.GetStatus(c.ctx, &weftv1.GetStatusRequest{})
	c.must(err)
	for _, h := range st.Hosts {
		for _, b := range h.Status.Bridges {
			n += b.FlowMods
		}
	}
	return n
}

func TestControllerKilled(t *testing.T) {
	c := scenario(t)
	_, _, p := c.running()
	c.must(theLab.Controller.Signal(c.ctx, lab.ControllerProcess, syscall.SIGKILL))
	c.must(p.Await(c.ctx, 100, patience))
	c.must(c.ready(c.ctx))
	if n := c.flowMods(); n != 0 {
		t.Errorf("%d flow-mods after the restart, with nothing changed", n)
	}
	c.lostNothing(p)
}

func TestAgentKilled(t *testing.T) {
	c := scenario(t)
	_, _, p := c.running()
	c.must(c.host("compute1").Signal(c.ctx, lab.AgentProcess, syscall.SIGKILL))
	c.must(p.Await(c.ctx, 100, patience))
	c.must(c.ready(c.ctx))
	c.lostNothing(p)
}

func TestControllerAndAgentKilled(t *testing.T) {
	c := scenario(t)
	_, _, p := c.running()
	c.must(theLab.Controller.Signal(c.ctx, lab.ControllerProcess, syscall.SIGKILL))
	for _, h := range theLab.Hosts {
		c.must(h.Signal(c.ctx, lab.AgentProcess, syscall.SIGKILL))
	}
	c.must(p.Await(c.ctx, 100, patience))
	c.must(c.ready(c.ctx))
	c.lostNothing(p)
}

// A switch that dies comes back empty, and is made whole by the controller.
func TestSwitchKilled(t *testing.T) {
	c := scenario(t)
	a, b, p := c.running()
	before := c.flows("compute1", "br-tun")
	c.must(c.host("compute1").Signal(c.ctx, "ovs-vswitchd", syscall.SIGKILL))
	c.whole("compute1", before)
	c.reaches(a, b)
	r, err := p.Stop(c.ctx)
	c.must(err)
	t.Logf("longest gap %v / %v", r.AToB.LongestGap, r.BToA.LongestGap)
	c.must(c.ready(c.ctx))
}

// A switch that dies while no controller speaks is made whole by the agent, from disk.
func TestSwitchKilledWithoutController(t *testing.T) {
	c := scenario(t)
	a, b, p := c.running()
	before := c.flows("compute1", "br-tun")
	for _, bridge := range []string{"br-int", "br-tun", "br-ex"} {
		c.saved("compute1", bridge)
	}
	c.must(theLab.KillController(c.ctx))
	back := sync.OnceValue(func() error { return theLab.StartController(c.ctx) })
	defer func() { c.must(back()) }()
	c.must(c.host("compute1").Signal(c.ctx, "ovs-vswitchd", syscall.SIGKILL))
	c.whole("compute1", before)
	c.reaches(a, b)
	c.reaches(b, a)
	r, err := p.Stop(c.ctx)
	c.must(err)
	t.Logf("longest gap %v / %v", r.AToB.LongestGap, r.BToA.LongestGap)
	c.must(back())
	c.must(c.ready(c.ctx))
	if n := c.flowMods(); n != 0 {
		t.Errorf("%d flow-mods when the controller came back: what the agent replayed was not right", n)
	}
}

// saved waits until the agent's file of a bridge's rows holds what the bridge has, learned rows aside: as many, and each
// cookie of them, in its wire form.
func (c *cloud) saved(host, bridge string) {
	c.Helper()
	rows := 0
	cookies := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(c.flows(host, bridge)), "\n") {
		cookie, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cookie=0x"), ",")
		b, err := hex.DecodeString(cookie)
		c.must(err)
		if b[1] != 0x1f {
			rows++
			cookies[string(b)] = true
		}
	}
	c.await("the agent of "+host+" has saved the rows of "+bridge, func() (bool, any) {
		file, err := os.ReadFile(filepath.Join(theLab.Dir, host, "state", "flows-"+bridge))
		if err != nil {
			return false, err
		}
		for cookie := range cookies {
			if !strings.Contains(string(file), cookie) {
				return false, fmt.Sprintf("cookie %x is not in the file", cookie)
			}
		}
		_, trailer, _ := strings.Cut(string(file), `"format":`)
		return strings.Contains(trailer, fmt.Sprintf(`"flows":%d,`, rows)), fmt.Sprintf("%d rows in the bridge, in the file: %s", rows, trailer)
	})
}

// whole waits until a host's br-tun is as it was, and its ports too.
func (c *cloud) whole(host, before string) {
	c.Helper()
	begin := time.Now()
	c.await("br-tun of "+host+" is whole again", func() (bool, any) {
		// ovs-ofctl fails while the switch is down.
		now, err := c.host(host).Flows(c.ctx, "br-tun")
		return err == nil && now == before, cmp.Diff(strings.Split(before, "\n"), strings.Split(now, "\n"))
	})
	c.Logf("br-tun of %s whole after %v", host, time.Since(begin).Round(time.Millisecond))
}

// What somebody removes or adds behind our back is put right at once, and told.
func TestDriftIsRepaired(t *testing.T) {
	c := scenario(t)
	_, _, p := c.running()
	before := c.flows("compute1", "br-tun")
	begin := time.Now()
	_, err := c.host("compute1").Exec(c.ctx, "ovs-ofctl", "-O", "OpenFlow13", "del-flows", "br-tun", "table=22")
	c.must(err)
	_, err = c.host("compute1").Exec(c.ctx, "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-tun", "table=20,priority=77,dl_dst=02:00:00:00:00:01 actions=drop")
	c.must(err)
	c.whole("compute1", before)
	t.Logf("repaired within %v of the first command", time.Since(begin).Round(time.Millisecond))
	c.await("it is told", func() (bool, any) {
		res, err := c.diag.ListEvents(c.ctx, &weftv1.ListEventsRequest{Host: "compute1"})
		c.must(err)
		var missing, foreign bool
		for _, e := range res.Events {
			missing = missing || e.Reason == "DriftRepaired" && strings.Contains(e.Message, "table=22")
			foreign = foreign || e.Reason == "DriftRepaired" && strings.Contains(e.Message, "priority=77")
		}
		return missing && foreign, res.Events
	})
	c.lostNothing(p)
}
