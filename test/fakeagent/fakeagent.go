// Package fakeagent stands in for the node agents of hosts that are only simulated: it keeps to the node protocol, says
// that it made what it was told to make, and gives out port numbers as OVS would. Benchmarks use it to have hundreds of
// hosts on one machine.
package fakeagent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// Agent is one simulated host.
type Agent struct {
	Host           string
	TunnelIP       string
	BridgeMappings map[string]string
	Roles          []string
	// Describe answers questions about namespaces; nil: they are never answered.
	Describe func(namespace string) *nodev1.Answer
	// OnDelta is told of each Delta before it is taken in; it may be nil.
	OnDelta func(*nodev1.Delta)

	stream grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse]
	send   sync.Mutex
	done   chan struct{} // closed when nobody listens to the stream any more

	mu       sync.Mutex
	bridges  map[string]*nodev1.Bridge
	ports    map[string]*nodev1.PortBinding
	ofports  map[string]uint32
	last     uint32 // port number given out
	held     map[string]*nodev1.Resource
	seen     map[string]*nodev1.InterfaceFact // what was told in inventories
	refused  map[string]*nodev1.ResourceError
	answered *nodev1.Delta // the last one
	// deviceless: devices are not made.
	deviceless bool
	deltas     int
	complete   []string
	onBridge   func(*nodev1.Bridge)
}

// Dial connects a simulated host and serves it until the context ends. onBridge is called for every bridge that the
// host is told to have, with its datapath id and controllers; it may be nil. An agent that was dialled before comes back: it
// says what it holds, and sees the same interfaces.
func Dial(ctx context.Context, cc grpc.ClientConnInterface, a *Agent, onBridge func(*nodev1.Bridge)) error {
	st, err := nodev1.NewNodeServiceClient(cc).Sync(ctx)
	if err != nil {
		return fmt.Errorf("host %s: %w", a.Host, err)
	}
	if a.done != nil {
		<-a.done
	}
	a.send.Lock()
	a.stream, a.onBridge = st, onBridge
	a.send.Unlock()
	a.mu.Lock()
	if a.held == nil {
		a.bridges, a.ports, a.held = map[string]*nodev1.Bridge{}, map[string]*nodev1.PortBinding{}, map[string]*nodev1.Resource{}
		a.ofports = map[string]uint32{"patch-tun": 1, "patch-int": 1}
		a.seen = map[string]*nodev1.InterfaceFact{"patch-tun": {Name: "patch-tun", Bridge: "br-int", Type: "patch", Ofport: 1},
			"patch-int": {Name: "patch-int", Bridge: "br-tun", Type: "patch", Ofport: 1}}
	}
	versions := map[string]string{}
	for name, r := range a.held {
		versions[name] = r.Version
	}
	var inv []*nodev1.InterfaceFact
	for _, name := range slices.Sorted(maps.Keys(a.seen)) {
		inv = append(inv, a.seen[name])
	}
	a.mu.Unlock()
	for _, m := range []*nodev1.SyncRequest{
		{Message: &nodev1.SyncRequest_Hello{Hello: &nodev1.Hello{Host: a.Host, BootId: "fake", TunnelIp: a.TunnelIP, BridgeMappings: a.BridgeMappings, Roles: a.Roles, ResourceVersions: versions}}},
		{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{Full: true, Interfaces: inv}}},
	} {
		if err := a.say(m); err != nil {
			return fmt.Errorf("host %s: %w", a.Host, err)
		}
	}
	a.done = make(chan struct{})
	go a.serve(st)
	return nil
}

func (a *Agent) say(m *nodev1.SyncRequest) error {
	if inv := m.GetInventory(); inv != nil {
		a.mu.Lock()
		for _, f := range inv.Interfaces {
			a.seen[f.Name] = f
		}
		for _, name := range inv.RemovedInterfaces {
			delete(a.seen, name)
		}
		a.mu.Unlock()
	}
	a.send.Lock()
	defer a.send.Unlock()
	return a.stream.Send(m)
}

func (a *Agent) serve(stream grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse]) {
	defer close(a.done)
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		if q := m.GetAsk(); q != nil && a.Describe != nil {
			answer := a.Describe(q.Namespace)
			answer.Nonce = q.Nonce
			if a.say(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Answer{Answer: answer}}) != nil {
				return
			}
		}
		if c := m.GetCheckpoint(); c != nil {
			a.mu.Lock()
			a.complete = append(a.complete, c.Bridge)
			a.mu.Unlock()
		}
		d := m.GetDelta()
		if d == nil {
			continue
		}
		if a.OnDelta != nil {
			a.OnDelta(d)
		}
		if inv := a.take(d); inv != nil {
			if a.say(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: inv}}) != nil {
				return
			}
		}
		if a.say(a.answer(d)) != nil {
			return
		}
	}
}

// take makes a Delta true, and tells what is new to see.
func (a *Agent) take(d *nodev1.Delta) *nodev1.Inventory {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deltas++
	inv := &nodev1.Inventory{}
	for _, r := range d.Upserts {
		a.held[r.Name] = r
		switch s := r.Spec.(type) {
		case *nodev1.Resource_Bridge:
			a.bridges[s.Bridge.Name] = s.Bridge
			if a.onBridge != nil {
				a.onBridge(s.Bridge)
			}
		case *nodev1.Resource_Tunnel:
			if a.ofports[s.Tunnel.Name] == 0 {
				a.ofports[s.Tunnel.Name] = a.nextPort()
				inv.Interfaces = append(inv.Interfaces, &nodev1.InterfaceFact{Name: s.Tunnel.Name, Bridge: "br-tun",
					Type: s.Tunnel.Type, Ofport: a.ofports[s.Tunnel.Name]})
			}
		case *nodev1.Resource_Port:
			a.ports[s.Port.PortId] = s.Port
		}
	}
	if !a.deviceless {
		inv.Interfaces = append(inv.Interfaces, a.newDevices()...)
	}
	for _, name := range d.Removed {
		for _, dev := range devices(a.held[name]) {
			delete(a.ofports, tap(dev))
			inv.RemovedInterfaces = append(inv.RemovedInterfaces, tap(dev))
		}
		delete(a.held, name)
		if tunnel, ok := strings.CutPrefix(name, "tunnel/"); ok {
			delete(a.ofports, tunnel)
			inv.RemovedInterfaces = append(inv.RemovedInterfaces, tunnel)
		}
	}
	if len(inv.Interfaces) == 0 && len(inv.RemovedInterfaces) == 0 {
		return nil
	}
	return inv
}

// nextPort is a port number that nobody had. The caller holds a.mu.
func (a *Agent) nextPort() uint32 {
	a.last++
	return 100 + a.last
}

// Interface is one to plug in.
type Interface struct {
	Name, IfaceID, MAC string
	// Firewalled: a firewall bridge judges what comes by it.
	Firewalled bool
}

// Plug lets interfaces appear on br-int.
func (a *Agent) Plug(ifaces ...Interface) error {
	inv := &nodev1.Inventory{}
	a.mu.Lock()
	for _, i := range ifaces {
		if a.ofports[i.Name] == 0 {
			a.ofports[i.Name] = a.nextPort()
		}
		inv.Interfaces = append(inv.Interfaces, &nodev1.InterfaceFact{Name: i.Name, Bridge: "br-int", Ofport: a.ofports[i.Name],
			IfaceId: i.IfaceID, AttachedMac: i.MAC, Firewalled: i.Firewalled})
	}
	a.mu.Unlock()
	return a.say(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: inv}})
}

// Deltas counts the messages that the host was sent.
func (a *Agent) Deltas() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deltas
}

// Complete lists the bridges that the agent was told are complete, in the order and as often as it was told.
func (a *Agent) Complete() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.complete)
}
