// Package tracker is the agent's hand on the connection tracker of br-int.
package tracker

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/nsagent/unixctl"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// Tracker is the connection tracker of a bridge.
type Tracker struct {
	// RunDir is where the sockets of ovs-vswitchd are.
	RunDir string
	// Bridge is the integration bridge, whose datapath is of the type system or netdev.
	Bridge, DatapathType string
}

// datapath is the datapath's name: a host may have one of each type.
func (t Tracker) datapath() string { return t.DatapathType + "@ovs-" + t.DatapathType }

// Connections is what is tracked in a zone.
func (t Tracker) Connections(ctx context.Context, zone uint16) ([]plan.Connection, error) {
	text, err := unixctl.Call(ctx, t.RunDir, "ovs-vswitchd", "dpctl/dump-conntrack", t.datapath(), fmt.Sprintf("zone=%d", zone))
	return plan.ParseConnections(text), err
}

// Correct makes it forget connections of a zone, and lets it see packets there, one after the other, which go nowhere. A connection
// that a packet begins, or belongs to, gets the mark that comes with it. When Correct returns all of it is done.
func (t Tracker) Correct(ctx context.Context, zone uint16, forget []plan.Connection, packets []plan.Packet) error {
	var orders []openflow.Message
	for _, c := range forget {
		orders = append(orders, &openflow.CTFlush{Zone: zone, Protocol: c.Protocol, Src: c.Orig.Src, Dst: c.Orig.Dst, SrcPort: c.Orig.SrcPort, DstPort: c.Orig.DstPort,
			ICMPID: c.Orig.ID, ICMPType: c.Orig.Type, ICMPCode: c.Orig.Code})
	}
	for _, p := range packets {
		orders = append(orders, &openflow.PacketOut{BufferID: openflow.NoBuffer, InPort: openflow.PortController, Data: p.Frame, Actions: []openflow.Action{
			openflow.CT{Commit: true, Zone: zone, Table: openflow.NoTable, Exec: []openflow.Action{flow.SetCTMark(p.Mark, ^uint32(0))}}}})
	}
	if len(orders) == 0 {
		return nil
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", filepath.Join(t.RunDir, t.Bridge+".mgmt"))
	if err != nil {
		return err
	}
	conn, err := channel.Config{}.Handshake(ctx, nc)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Tell(ctx, orders...); err != nil {
		return fmt.Errorf("%s: %w", t.Bridge, err)
	}
	return nil
}
