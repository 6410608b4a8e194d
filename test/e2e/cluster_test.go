package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// cluster is a lab with several controllers.
type cluster struct {
	*cloud.Cloud
	t *testing.T
}

// newCluster builds a lab of two hosts and three controllers that share an etcd.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir, bin, err := workshop(t.Context())
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Up(t.Context(), lab.Config{Dir: filepath.Join(dir, "lab"), Hosts: []string{"compute1", "network1"}, Bin: bin,
		ControllerArgs: checks.ControllerArgs(), AgentArgs: checks.AgentArgs(), Controllers: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.Logs())
		}
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := cloud.Dial(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := errors.Join(c.StartController(t.Context()), c.StartAgents(t.Context())); err != nil {
		t.Fatal(err)
	}
	return &cluster{c, t}
}

// members tells who leads, and who else is there.
func (c *cluster) members() (leader lab.Controller, others []lab.Controller) {
	c.t.Helper()
	err := lab.Poll(c.t.Context(), 20*time.Second, func() error {
		st, err := c.Diagnostics.GetStatus(c.t.Context(), &weftv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		leader, others = lab.Controller{}, nil
		for _, m := range st.GetControllers() {
			i := slices.IndexFunc(c.Lab.Controllers(), func(l lab.Controller) bool { return l.Name == m.GetName() })
			if i < 0 {
				return fmt.Errorf("unknown controller %v", m)
			}
			if m.GetLeader() {
				leader = c.Lab.Controllers()[i]
			} else {
				others = append(others, c.Lab.Controllers()[i])
			}
		}
		if leader.Name == "" || len(others) != 2 {
			return fmt.Errorf("controllers: %v", st.GetControllers())
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return leader, others
}

// refuses fails unless a controller says that it stands by, and who leads.
func (c *cluster) refuses(who, leader lab.Controller) {
	c.t.Helper()
	conn, err := grpc.NewClient("unix:"+who.APISocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	want := fmt.Sprintf("controller %s stands by: %s leads, whose API is at ", who.Name, leader.Name)
	if err := lab.Poll(c.t.Context(), 5*time.Second, func() error {
		_, err := weftv1.NewNetworkServiceClient(conn).ListNetworks(c.t.Context(), &weftv1.ListNetworksRequest{})
		if status.Code(err) != codes.Unavailable || !strings.Contains(status.Convert(err).Message(), want) {
			return fmt.Errorf("%s answers %w, want %q", who.Name, err, want)
		}
		for path, want := range map[string]string{"/v1/networks": want, "/healthz": want, "/metrics": "\nweft_leader 0\n"} {
			text, err := c.Lab.Controller.Exec(c.t.Context(), "curl", "-sS", "-m", "5", "-w", "%{http_code}", who.REST()+path)
			if err != nil || !strings.Contains(text, want) || strings.HasSuffix(text, "503") != (path != "/metrics") {
				return fmt.Errorf("%s answers for %s: %w\n%s", who.Name, path, err, text)
			}
		}
		return nil
	}); err != nil {
		c.t.Error(err)
	}
}

// Whatever happens to the controller that leads, another does its work a moment later, and no packet is lost.
func TestAnotherControllerLeads(t *testing.T) {
	c := newCluster(t)
	ctx := t.Context()
	s := c.Scope("")
	n, err := s.Network(ctx, "blue", &weftv1.Network{}, "10.0.1.0/24")
	if err != nil {
		t.Fatal(err)
	}
	vms, err := s.VMs(ctx, []cloud.Wanted{{Network: n, Name: "vm1", Host: "compute1", Port: &weftv1.Port{}}, {Network: n, Name: "vm2", Host: "network1", Port: &weftv1.Port{}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	pulse, err := c.Lab.StartPulse(ctx, vms[0].Box, address4(vms[1]))
	if err != nil {
		t.Fatal(err)
	}

	leader, others := c.members()
	for _, other := range others {
		c.refuses(other, leader)
	}
	for i, end := range []struct {
		what string
		do   func(lab.Controller) error
		// after puts it back.
		after func(lab.Controller) error
	}{
		{"killed", func(l lab.Controller) error { return c.Lab.StopOne(ctx, l, syscall.SIGKILL) }, func(l lab.Controller) error { return c.Lab.StartOne(ctx, l) }},
		{"told to end", func(l lab.Controller) error { return c.Lab.StopOne(ctx, l, syscall.SIGTERM) }, func(l lab.Controller) error { return c.Lab.StartOne(ctx, l) }},
		{"stopped for a while", func(l lab.Controller) error { return c.signal(l, "STOP") }, func(l lab.Controller) error { return c.signal(l, "CONT") }},
	} {
		before, _ := c.members()
		began := time.Now()
		if err := end.do(before); err != nil {
			t.Fatal(err)
		}
		after := c.awaitAnother(before)
		led := time.Since(began)
		vm := c.plug(s, n, fmt.Sprintf("vm%d", i+3))
		if err := lab.WaitPing(ctx, vm.Box, address4(vms[1]), 10*time.Second); err != nil {
			t.Fatalf("the leader is %s: %v", end.what, err)
		}
		t.Logf("%s leads, and is %s: %s leads after %v, and has plugged a VM in after %v", before.Name, end.what, after.Name, led.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if err := end.after(before); err != nil {
			t.Fatal(err)
		}
		c.refuses(before, after)
		if now, _ := c.members(); now != after {
			t.Errorf("%s leads, then %s", after.Name, now.Name)
		}
		if err := c.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		events, err := c.Diagnostics.ListEvents(ctx, &weftv1.ListEventsRequest{})
		if err != nil || !slices.ContainsFunc(events.GetEvents(), func(e *weftv1.Event) bool {
			return e.GetReason() == "ControllerLeads" && strings.Contains(e.GetMessage(), after.Name)
		}) {
			t.Errorf("no event tells that %s leads: %v, %v", after.Name, events, err)
		}
		if n := c.drift(); n != 0 {
			t.Errorf("%s has found %d rows wrong", after.Name, n)
		}
	}
	c.withoutEtcd()
	vm := c.plug(s, n, "vm9")
	if err := lab.WaitPing(ctx, vm.Box, address4(vms[1]), 10*time.Second); err != nil {
		t.Fatalf("etcd was gone: %v", err)
	}
	r, err := pulse.Stop(ctx)
	if err != nil || r.Gap > maxPause {
		t.Errorf("the longest pause of traffic was %v, want at most %v: %v", r.Gap, maxPause, err)
	}
	t.Logf("%d of %d packets were answered, the longest pause was %v", r.Received, r.Sent, r.Gap.Round(time.Millisecond))
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// withoutEtcd kills etcd until nobody leads, and starts it again: one leads then.
func (c *cluster) withoutEtcd() {
	c.t.Helper()
	ctx := c.t.Context()
	if err := c.Lab.KillEtcd(ctx); err != nil {
		c.t.Fatal(err)
	}
	for _, l := range c.Lab.Controllers() {
		if err := lab.Poll(ctx, 20*time.Second, func() error {
			text, err := c.Lab.Controller.Exec(ctx, "curl", "-sS", "-m", "5", l.REST()+"/v1/networks")
			if err == nil && !strings.Contains(text, "stands by") {
				return fmt.Errorf("%s answers %s", l.Name, text)
			}
			return nil
		}); err != nil {
			c.t.Fatalf("without etcd: %v", err)
		}
	}
	began := time.Now()
	if err := c.Lab.StartEtcd(ctx); err != nil {
		c.t.Fatal(err)
	}
	c.members()
	if err := errors.Join(c.WaitReady(ctx), c.Settle(ctx)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("etcd is back, and all is well after %v", time.Since(began).Round(time.Millisecond))
	if n := c.drift(); n != 0 {
		c.t.Errorf("%d rows were found wrong", n)
	}
}

// awaitAnother waits until another controller leads. It asks anew each time: a connection to a process that stands still stays.
func (c *cluster) awaitAnother(than lab.Controller) (leader lab.Controller) {
	c.t.Helper()
	if err := lab.Poll(c.t.Context(), 20*time.Second, func() error {
		fresh, err := cloud.Dial(c.Lab)
		if err != nil {
			return err
		}
		defer fresh.Close()
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		st, err := fresh.Diagnostics.GetStatus(ctx, &weftv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(st.GetControllers(), (*weftv1.Controller).GetLeader)
		if i < 0 || st.GetControllers()[i].GetName() == than.Name {
			return fmt.Errorf("controllers: %v", st.GetControllers())
		}
		j := slices.IndexFunc(c.Lab.Controllers(), func(l lab.Controller) bool { return l.Name == st.GetControllers()[i].GetName() })
		leader = c.Lab.Controllers()[j]
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	return leader
}

// plug starts a machine on the first host.
func (c *cluster) plug(s *cloud.Scope, n *cloud.Network, name string) (vm *lab.VM) {
	c.t.Helper()
	if err := lab.Poll(c.t.Context(), 30*time.Second, func() error {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		var err error
		vm, err = s.VM(ctx, n, name, c.Lab.Hosts[0].Name)
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
	return vm
}

// maxPause is how long two answers of a pulse may be apart on a busy machine. To wait for another leader takes more than two seconds.
const maxPause = time.Second

// drift counts the rows that the present leader has found wrong.
func (c *cluster) drift() int64 {
	c.t.Helper()
	st, err := c.Diagnostics.GetStatus(c.t.Context(), &weftv1.GetStatusRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	return st.GetDriftRepaired()
}

// signal sends a controller's process a signal that it cannot refuse.
func (c *cluster) signal(l lab.Controller, signal string) error {
	list, err := c.Lab.Controller.List(c.t.Context())
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Name == l.Process {
			_, err := c.Lab.Controller.Exec(c.t.Context(), "kill", "-"+signal, fmt.Sprint(p.PID))
			return err
		}
	}
	return fmt.Errorf("%s does not run", l.Process)
}

func address4(vm *lab.VM) netip.Addr {
	i := slices.IndexFunc(vm.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() })
	return vm.Addresses[i].Addr()
}
