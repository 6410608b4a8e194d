package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// gate keeps the switches that connect while this controller stands by, and gives them to the fleet when it leads: nobody need wait
// until switches have connected then. Until that time they have no orders from here; whoever leads is their master.
type gate struct {
	// known says whether a datapath id is that of a host's bridge.
	known func(datapathID uint64) bool
	// fleet is nil until this controller leads; mu guards that it becomes something else, and those that wait until then.
	fleet   atomic.Pointer[hostsync.Fleet]
	mu      sync.Mutex
	waiting map[*channel.Conn]bool
}

func newGate(known func(datapathID uint64) bool) *gate {
	return &gate{known: known, waiting: map[*channel.Conn]bool{}}
}

// open gives the fleet the switches that wait, and those that come later. A switch that it does not know is cut off.
func (g *gate) open(fleet *hostsync.Fleet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fleet.Store(fleet)
	for conn := range g.waiting {
		if fleet.Admit(conn.DatapathID(), conn.RemoteAddr()) != nil {
			conn.Close()
			continue
		}
		delete(g.waiting, conn)
		fleet.Connected(conn)
	}
}

// Admit implements ofconn.Handler.
func (g *gate) Admit(datapathID uint64, remote net.Addr) error {
	if fleet := g.fleet.Load(); fleet != nil {
		return fleet.Admit(datapathID, remote)
	}
	if !g.known(datapathID) {
		return fmt.Errorf("datapath id %016x belongs to no host", datapathID)
	}
	return nil
}

// Connected implements ofconn.Handler.
func (g *gate) Connected(conn *channel.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if fleet := g.fleet.Load(); fleet != nil {
		fleet.Connected(conn)
		return
	}
	g.waiting[conn] = true
}

// Disconnected implements ofconn.Handler.
func (g *gate) Disconnected(conn *channel.Conn, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[conn] {
		delete(g.waiting, conn)
		return
	}
	g.fleet.Load().Disconnected(conn, err)
}

// Message implements channel.Events.
func (g *gate) Message(conn *channel.Conn, h openflow.Header, m openflow.Message) {
	if fleet := g.fleet.Load(); fleet != nil {
		fleet.Message(conn, h, m)
	}
}

// FlowUpdates implements channel.Events.
func (g *gate) FlowUpdates(conn *channel.Conn, body []byte) {
	if fleet := g.fleet.Load(); fleet != nil {
		fleet.FlowUpdates(conn, body)
	}
}
