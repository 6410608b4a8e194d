package hostsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/journal"
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/fakeagent"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

// cloud is a controller without doors, and simulated hosts.
type cloud struct {
	t        *testing.T
	ctx      context.Context
	store    *store.Store
	fleet    *Fleet
	journal  *journal.Journal
	openflow string
	agents   *grpc.ClientConn
	hosts    map[string]*simHost
	// noMeters makes switches without meters.
	noMeters bool
	// intercept, if set, is the Intercept of all switches.
	intercept func(openflow.Header, openflow.Message) ([]byte, bool)
	refuse    atomic.Pointer[func(*openflow.FlowMod) *openflow.Error]
	// later is a bridge whose switch the test connects.
	later string
}

type simHost struct {
	agent    *fakeagent.Agent
	switches map[string]*fakeswitch.Switch
	// die ends all of its connections.
	die context.CancelFunc
}

func start(t *testing.T, with ...func(*Config)) *cloud {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir()}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	ctx, cancel := context.WithCancel(t.Context())
	c := &cloud{t: t, ctx: ctx, store: st, hosts: map[string]*simHost{}}
	reg := prometheus.NewRegistry()
	c.journal = journal.New(log, reg)
	cfg := Config{Store: st, Epoch: 1, Journal: c.journal, Registry: reg, Log: log, AuditInterval: time.Hour}
	for _, f := range with {
		f(&cfg)
	}
	c.fleet = New(cfg)
	done := make(chan error, 1)
	go func() { done <- c.fleet.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("fleet: %v", err)
		}
	})
	<-c.fleet.Ready()
	c.listen()
	return c
}

func (c *cloud) listen() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { ln.Close() })
	c.openflow = ln.Addr().String()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				conn, err := channel.Config{Events: c.fleet, EchoInterval: AskInterval(c.fleet.cfg.HostTimeout)}.Handshake(c.ctx, nc)
				if err != nil {
					return
				}
				if c.fleet.Admit(conn.DatapathID(), nc.RemoteAddr()) != nil {
					conn.Close()
					return
				}
				c.fleet.Connected(conn)
				<-conn.Done()
				c.fleet.Disconnected(conn, conn.Err())
			}()
		}
	}()
	gl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	g := grpc.NewServer()
	agents := agentconn.New(Facts{c.store}, c.fleet, 1, slog.New(slog.DiscardHandler))
	agents.Register(g)
	go g.Serve(agents.Heard(gl))
	c.t.Cleanup(g.Stop)
	c.agents, err = grpc.NewClient(gl.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.agents.Close() })
}

// host adds a simulated host: an agent, and switches that connect as soon as the host has a number.
func (c *cloud) host(name, tunnelIP string) *simHost {
	c.t.Helper()
	return c.add(&fakeagent.Agent{Host: name, TunnelIP: tunnelIP})
}

func (c *cloud) add(agent *fakeagent.Agent) *simHost {
	c.t.Helper()
	name := agent.Host
	ctx, die := context.WithCancel(c.ctx)
	h := &simHost{agent: agent, switches: map[string]*fakeswitch.Switch{}, die: die}
	c.hosts[name] = h
	if err := fakeagent.Dial(ctx, c.agents, h.agent, nil); err != nil {
		c.t.Fatal(err)
	}
	c.await("host "+name+" is registered", func() bool { s, _ := c.store.Snapshot(); return s.Host(name) != nil && s.HostFacts(name) != nil })
	s, _ := c.store.Snapshot()
	for _, br := range view.PartResources(s, name, view.Part{Kind: view.HostPart}).Bridges {
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: br.DatapathID, NoMeters: c.noMeters, Intercept: c.intercept, Refuse: func(m *openflow.FlowMod) *openflow.Error {
			if f := c.refuse.Load(); f != nil {
				return (*f)(m)
			}
			return nil
		}})
		h.switches[br.Name] = sw
		if br.Name != c.later {
			go sw.Dial(ctx, "tcp", c.openflow, 20*time.Millisecond)
		}
	}
	return h
}

func (c *cloud) await(what string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not so after 20 s: %s", what)
		}
	}
}

// update changes the store and waits until all hosts have followed.
func (c *cloud) update(f func(*store.Tx) error) {
	c.t.Helper()
	rev, err := c.store.Update(c.ctx, f)
	if err != nil {
		c.t.Fatal(err)
	}
	c.applied(rev)
}

func (c *cloud) applied(rev int64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	if lags := c.fleet.WaitApplied(ctx, rev); len(lags) > 0 {
		c.t.Fatalf("revision %d not applied: %+v", rev, lags)
	}
}

// settle waits until the facts that changes bring about are in, and everything is applied.
func (c *cloud) settle() {
	c.t.Helper()
	c.await("all switches hold what is wanted", func() bool { return c.diff() == "" })
}

// diff compares all switches with a fresh rendering.
func (c *cloud) diff() string {
	s, _ := c.store.Snapshot()
	var out strings.Builder
	for name, h := range c.hosts {
		all := ofapps.RenderAll(s, name)
		for bridge, sw := range h.switches {
			var want, got []string
			for _, f := range all[bridge] {
				want = append(want, f.String())
			}
			for _, f := range sw.Flows() {
				got = append(got, rowText(f))
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				fmt.Fprintf(&out, "%s of %s (-want +got):\n%s", bridge, name, d)
			}
		}
	}
	return out.String()
}

func (c *cloud) flowMods() (n int) {
	for _, h := range c.hosts {
		for _, sw := range h.switches {
			n += sw.Counts().FlowMods
		}
	}
	return n
}

func (c *cloud) events(reason string) []report.Event {
	return c.journal.Events(func(e report.Event) bool { return e.Reason == reason })
}

func (c *cloud) status(port string) string {
	s, _ := c.store.Snapshot()
	if st := s.PortState(port); st != nil {
		return st.Status
	}
	return ""
}

// blue makes a network with one port on each of two hosts.
func blue(c *cloud) (net *model.Network, p1, p2 *model.Port) {
	c.t.Helper()
	c.host("compute1", "10.0.0.1")
	c.host("compute2", "10.0.0.2")
	c.update(func(tx *store.Tx) (err error) {
		if net, err = tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "blue"}, Type: model.VXLAN, AdminStateUp: true, L2Population: true}); err != nil {
			return err
		}
		cidr := netip.MustParsePrefix("10.0.1.0/24")
		if _, err = tx.CreateSubnet(&model.Subnet{NetworkID: net.ID, CIDR: cidr, GatewayIP: cidr.Addr().Next()}); err != nil {
			return err
		}
		if p1, err = tx.CreatePort(&model.Port{NetworkID: net.ID, AdminStateUp: true}); err != nil {
			return err
		}
		p2, err = tx.CreatePort(&model.Port{NetworkID: net.ID, AdminStateUp: true})
		return err
	})
	for host, p := range map[string]*model.Port{"compute1": p1, "compute2": p2} {
		if err := c.hosts[host].agent.Plug(fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()}); err != nil {
			c.t.Fatal(err)
		}
	}
	c.await("both ports are ACTIVE", func() bool { return c.status(p1.ID) == "ACTIVE" && c.status(p2.ID) == "ACTIVE" })
	c.await("compute1 knows the way to the port on compute2", func() bool {
		return slices.ContainsFunc(c.hosts["compute1"].switches["br-tun"].Flows(), func(f fakeswitch.Flow) bool {
			return strings.Contains(f.Match.String(), "dl_dst="+p2.MAC.String())
		})
	})
	c.settle()
	return net, p1, p2
}

func TestPortsReachTheSwitches(t *testing.T) {
	c := start(t)
	net, p1, p2 := blue(c)
	if d := c.diff(); d != "" {
		t.Error(d)
	}

	t.Run("a reconnect with nothing changed sends nothing", func(t *testing.T) {
		before := c.flowMods()
		for _, h := range c.hosts {
			for _, sw := range h.switches {
				n := sw.Counts().Dumps
				sw.Disconnect()
				c.await("it is connected and compared again", func() bool { return sw.Counts().Dumps > n })
			}
		}
		_, rev := c.store.Snapshot()
		c.applied(rev)
		if after := c.flowMods(); after != before {
			t.Errorf("%d flow-mods", after-before)
		}
	})

	t.Run("drift is repaired and told", func(t *testing.T) {
		sw := c.hosts["compute1"].switches["br-tun"]
		drop := openflow.FlowMod{Command: openflow.FlowDelete, Table: 20, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
		foreign := openflow.FlowMod{Command: openflow.FlowAdd, Table: 22, Priority: 99, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
		if err := sw.Change(drop, foreign); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.await("both repairs are told", func() bool { return len(c.events("DriftRepaired")) >= 2 })
	})

	// An agent that replays rows of an older day puts them over ours: with a cookie of ours, whose object is gone.
	t.Run("a row of a former object in the place of ours goes, and ours comes back", func(t *testing.T) {
		sw := c.hosts["compute1"].switches["br-tun"]
		i := slices.IndexFunc(sw.Flows(), func(f fakeswitch.Flow) bool { return f.Table == 22 && f.Priority == 1 })
		ours := sw.Flows()[i]
		old := openflow.FlowMod{Command: openflow.FlowAdd, Table: ours.Table, Priority: ours.Priority, Match: ours.Match,
			Cookie:   flow.Cookie(flow.NetworkCookie, "00000000-0000-4000-8000-000000000000"),
			BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
		if err := sw.Change(old); err != nil {
			t.Fatal(err)
		}
		c.settle()
	})

	t.Run("a refused port hinders no other", func(t *testing.T) {
		bad := model.MAC{0xfa, 0x16, 0x3e, 0xba, 0xdb, 0xad}
		full := func(m *openflow.FlowMod) *openflow.Error {
			if m.Command == openflow.FlowAdd && strings.Contains(m.Match.String(), bad.String()) {
				return &openflow.Error{Type: openflow.ErrorFlowModFailed, Code: 1}
			}
			return nil
		}
		c.refuse.Store(&full)
		var pb, pg *model.Port
		rev, err := c.store.Update(c.ctx, func(tx *store.Tx) (err error) {
			if pb, err = tx.CreatePort(&model.Port{NetworkID: net.ID, AdminStateUp: true, MAC: bad}); err != nil {
				return err
			}
			pg, err = tx.CreatePort(&model.Port{NetworkID: net.ID, AdminStateUp: true})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c.applied(rev)
		agent := c.hosts["compute2"].agent
		for _, p := range []*model.Port{pb, pg} {
			if err := agent.Plug(fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()}); err != nil {
				t.Fatal(err)
			}
		}
		c.await("the good port is ACTIVE", func() bool { return c.status(pg.ID) == "ACTIVE" })
		c.await("compute1 reports the refusal", func() bool {
			return slices.ContainsFunc(c.fleet.Host("compute1").Failed, func(f report.Failure) bool { return f.Object == "port/"+pb.ID })
		})
		c.refuse.Store(nil)
		c.settle()
		c.await("compute1 is in sync", func() bool { return len(c.fleet.Host("compute1").Failed) == 0 })
		c.update(func(tx *store.Tx) error {
			for _, p := range []*model.Port{pb, pg} {
				if err := tx.DeletePort(p.ID, 0); err != nil {
					return err
				}
			}
			return nil
		})
	})

	t.Run("what is deleted is gone everywhere", func(t *testing.T) {
		forgotten := map[string]int{}
		for name, h := range c.hosts {
			forgotten[name] = h.switches["br-int"].Counts().Forgotten
		}
		c.update(func(tx *store.Tx) error {
			for _, p := range []*model.Port{p1, p2} {
				if err := tx.DeletePort(p.ID, 0); err != nil {
					return err
				}
			}
			return nil
		})
		c.settle()
		for name, h := range c.hosts {
			for bridge, sw := range h.switches {
				for _, f := range sw.Flows() {
					if strings.Contains(rowText(f), "dl_vlan=1") {
						t.Errorf("%s of %s still has %s", bridge, name, rowText(f))
					}
				}
			}
			// The network has left the hosts, and its connections with it: all of one zone.
			if n := h.switches["br-int"].Counts().Forgotten - forgotten[name]; n != 1 {
				t.Errorf("br-int of %s forgot %d times, want 1", name, n)
			}
		}
	})
}

// A comparison of the whole bridge may come first, and does what the change would have done.
func TestComparisonForgetsNetworksThatLeave(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.AuditInterval = time.Nanosecond })
	_, p1, p2 := blue(c)
	sw := c.hosts["compute1"].switches["br-int"]
	before := sw.Counts().Forgotten
	c.update(func(tx *store.Tx) error { return errors.Join(tx.DeletePort(p1.ID, 0), tx.DeletePort(p2.ID, 0)) })
	c.settle()
	c.await("compute1 has forgotten the network's connections", func() bool { return sw.Counts().Forgotten > before })
}

func rowText(f fakeswitch.Flow) string {
	return flow.Flow{Table: f.Table, Priority: f.Priority, Match: openflow.Canonical(f.Match), Actions: f.Actions, Cookie: f.Cookie,
		IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags}.String()
}
