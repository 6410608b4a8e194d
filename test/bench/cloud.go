// Package bench measures Weft as a whole, against a reference in the same run. What it prints is kept in
// docs/benchmarks.md.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/api"
	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/controller/journal"
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/ofconn"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow/channel"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
	"github.com/weft-sdn/weft/test/fakeswitch"
	"github.com/weft-sdn/weft/test/ovs"
)

// portsPerNetwork is as in the measurements of peers.
const portsPerNetwork = 50

// cloud is a whole controller in this process, hosts whose switches are real ovs-vswitchd (their agents are simulated),
// and hosts that are simulated altogether.
type cloud struct {
	b        testing.TB
	ctx      context.Context
	store    *store.Store
	fleet    *hostsync.Fleet
	ports    weftv1.PortServiceClient
	weft     weftv1.WeftServiceClient
	openflow string
	agents   *grpc.ClientConn
	hosts    []*host
	networks []*model.Network
}

type host struct {
	name     string
	agent    *fakeagent.Agent
	ovs      *ovs.Switch // nil for a simulated host
	switches []*fakeswitch.Switch
}

// newCloud starts a controller and its hosts.
func newCloud(b testing.TB, realHosts, simulated int) *cloud {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	c := &cloud{b: b, ctx: ctx}
	var err error
	if c.store, err = store.Open(ctx, store.Config{DataDir: b.TempDir()}, log); err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	b.Cleanup(func() { cancel(); running.Wait(); c.store.Close() })
	reg := prometheus.NewRegistry()
	j := journal.New(log, reg)
	of := listen(b)
	c.openflow = of.Addr().String()
	c.fleet = hostsync.New(hostsync.Config{Store: c.store, Epoch: 1, Controllers: []string{"tcp:" + c.openflow}, Journal: j, Registry: reg, Log: log,
		AuditInterval: time.Hour})
	running.Go(func() { c.check(c.fleet.Run(ctx)) })
	<-c.fleet.Ready()
	running.Go(func() {
		c.check(ofconn.Config{Channel: channel.Config{Events: c.fleet}, Log: log}.Serve(ctx, of, c.fleet))
	})
	doors := api.New(api.Config{Store: c.store, Fleet: c.fleet, Journal: j, Tables: func(string) []*flow.Table { return nil }, Registry: reg, Log: log})
	c.agents = c.grpc(func(s *grpc.Server) { agentconn.New(hostsync.Facts{Store: c.store}, c.fleet, 1, log).Register(s) })
	client := c.grpc(func(s *grpc.Server) { doors.Register(s) })
	c.ports, c.weft = weftv1.NewPortServiceClient(client), weftv1.NewWeftServiceClient(client)
	for i := range realHosts {
		c.addHost(fmt.Sprintf("real%d", i+1), true)
	}
	for i := range simulated {
		c.addHost(fmt.Sprintf("sim%d", i+1), false)
	}
	return c
}

func (c *cloud) check(err error) {
	if err != nil {
		c.b.Error(err)
	}
}

func listen(b testing.TB) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return ln
}

// grpc serves on loopback and dials it.
func (c *cloud) grpc(register func(*grpc.Server)) *grpc.ClientConn {
	s := grpc.NewServer()
	register(s)
	ln := listen(c.b)
	go s.Serve(ln)
	c.b.Cleanup(s.Stop)
	cc, err := grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.b.Fatal(err)
	}
	c.b.Cleanup(func() { cc.Close() })
	return cc
}

// addHost adds a host and its two bridges.
func (c *cloud) addHost(name string, isReal bool) {
	n := len(c.hosts) + 1
	h := &host{name: name, agent: &fakeagent.Agent{Host: name, TunnelIP: fmt.Sprintf("10.91.%d.%d", n/250, n%250+1)}}
	c.hosts = append(c.hosts, h)
	if err := fakeagent.Dial(c.ctx, c.agents, h.agent, nil); err != nil {
		c.b.Fatal(err)
	}
	c.await("the host is registered", func() bool { s, _ := c.store.Snapshot(); return s.Host(name) != nil })
	s, _ := c.store.Snapshot()
	if isReal {
		h.ovs = ovs.Start(c.b)
	}
	for _, br := range view.PartResources(s, name, view.Part{Kind: view.HostPart}).Bridges {
		if isReal {
			h.ovs.Vsctl("add-br", br.Name, "--", "set", "bridge", br.Name, "datapath_type=dummy", "fail_mode=secure",
				"protocols=OpenFlow10,OpenFlow13,OpenFlow14", fmt.Sprintf("other_config:datapath-id=%016x", br.DatapathID),
				"--", "set-controller", br.Name, "tcp:"+c.openflow, "--", "set", "controller", br.Name, "max_backoff=1000", "connection_mode=out-of-band")
			continue
		}
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: br.DatapathID})
		h.switches = append(h.switches, sw)
		go sw.Dial(c.ctx, "tcp", c.openflow, 100*time.Millisecond)
	}
}

func (c *cloud) await(what string, holds func() bool) {
	c.b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.b.Fatalf("not so after two minutes: %s", what)
		}
	}
}

// grow makes networks and ports until there are n ports, spread over all hosts, so that every host carries every network
// that has as many ports as there are hosts.
func (c *cloud) grow(have, n int) {
	c.b.Helper()
	for have < n {
		count := min(portsPerNetwork, n-have)
		nw := c.network()
		ifaces := make([][]fakeagent.Interface, len(c.hosts))
		rev, err := c.store.Update(c.ctx, func(tx *store.Tx) error {
			clear(ifaces)
			for i := range count {
				p, err := tx.CreatePort(&model.Port{NetworkID: nw.ID, AdminStateUp: true})
				if err != nil {
					return err
				}
				at := i % len(c.hosts)
				ifaces[at] = append(ifaces[at], fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()})
			}
			return nil
		})
		if err != nil {
			c.b.Fatal(err)
		}
		for i, h := range c.hosts {
			if len(ifaces[i]) > 0 {
				if err := h.agent.Plug(ifaces[i]...); err != nil {
					c.b.Fatal(err)
				}
			}
		}
		have += count
		c.applied(rev)
	}
	c.await("all ports are ACTIVE", func() bool {
		s, _ := c.store.Snapshot()
		active := 0
		for p := range s.Ports() {
			if st := s.PortState(p.ID); st != nil && st.Status == model.PortActive {
				active++
			}
		}
		return active >= n
	})
	_, rev := c.store.Snapshot()
	c.applied(rev)
}

// network makes one network with a subnet.
func (c *cloud) network() *model.Network {
	c.b.Helper()
	var nw *model.Network
	_, err := c.store.Update(c.ctx, func(tx *store.Tx) (err error) {
		nw, err = tx.CreateNetwork(&model.Network{Type: model.VXLAN, AdminStateUp: true, L2Population: true})
		if err != nil {
			return err
		}
		cidr := netip.MustParsePrefix("10.0.0.0/14")
		_, err = tx.CreateSubnet(&model.Subnet{NetworkID: nw.ID, CIDR: cidr, GatewayIP: cidr.Addr().Next()})
		return err
	})
	if err != nil {
		c.b.Fatal(err)
	}
	c.networks = append(c.networks, nw)
	return nw
}

func (c *cloud) applied(rev int64) {
	c.b.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Minute)
	defer cancel()
	if lags := c.fleet.WaitApplied(ctx, rev); len(lags) > 0 {
		c.b.Fatalf("revision %d not applied: %+v", rev, lags)
	}
}

// addPort plugs an interface into a host, and then measures from the API call that makes its port until the last host
// has acknowledged all that follows.
func (c *cloud) addPort(nw *model.Network, h *host) (id string, took time.Duration) {
	c.b.Helper()
	id = uuid.NewString()
	if err := h.agent.Plug(fakeagent.Interface{Name: "tap" + id[:11], IfaceID: id}); err != nil {
		c.b.Fatal(err)
	}
	c.await("the interface is known", func() bool {
		s, _ := c.store.Snapshot()
		return s.Interface(h.name, "tap"+id[:11]) != nil
	})
	begin := time.Now()
	p, err := c.ports.CreatePort(c.ctx, &weftv1.CreatePortRequest{Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: id}, NetworkId: nw.ID}})
	if err != nil {
		c.b.Fatal(err)
	}
	res, err := c.weft.WaitApplied(c.ctx, &weftv1.WaitAppliedRequest{Revision: p.Metadata.Revision})
	took = time.Since(begin)
	if err != nil || !res.Applied {
		c.b.Fatalf("not applied: %v %v", res, err)
	}
	return id, took
}

// flowMods counts what all simulated switches were sent.
func (c *cloud) flowMods() (n int) {
	for _, h := range c.hosts {
		for _, sw := range h.switches {
			n += sw.Counts().FlowMods
		}
	}
	return n
}
