package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	mdnetlink "github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// beLiberal is the flag of a direction of TCP that its sequence numbers are not judged (linux/netfilter/nf_conntrack_tcp.h). The
// kernel sets it, as we do, for a connection that it has not seen begin.
const beLiberal = 0x08

// tcpStates are TCP's states, as the kernel numbers and Open vSwitch spells them.
var tcpStates = [...]string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"}

const tcpSynSent, tcpSynRecv, tcpEstablished = 1, 2, 3

// sctpStates are SCTP's (linux/netfilter/nf_conntrack_sctp.h).
var sctpStates = [...]string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"}

const sctpEstablished = 4

// Timeouts of entries until their next packet, in seconds: the kernel's own for TCP, SCTP and others.
const (
	tcpTimeout   = 432000
	sctpTimeout  = 210
	otherTimeout = 120
)

// connections opens the kernel's tracker.
func (n *Namespace) connections() (*conntrack.Conn, error) {
	c, err := conntrack.Dial(&mdnetlink.Config{NetNS: int(n.ns)})
	if err != nil {
		return nil, fmt.Errorf("connections of %s: %w", n.name, err)
	}
	return c, nil
}

// copyConnections makes entries of a bridge's zone out of those that br-int has tracked of the machine in Taps. One that is there
// already stays; one that the kernel does not take has to begin anew, and keeps no other from moving.
func (a *application) copyConnections(b plan.Bridge) error {
	if a.n.host.Tracker == nil {
		return nil
	}
	known, err := a.tracked.by(a.ctx, b)
	if err != nil {
		return err
	}
	kernel, err := a.n.connections()
	if err != nil {
		return err
	}
	defer kernel.Close()
	heard := a.n.heard(b.Taps[0])
	a.n.deafen(b.Taps[0])
	unknown := 0
	for _, c := range known {
		switch {
		case !c.Of(b.Senders) || c.Over():
		case c.Protocol == unix.IPPROTO_SCTP:
			all := c.Associations(heard)
			for _, c := range all {
				_ = kernel.Create(newEntry(b.Zone, c))
			}
			if len(all) == 0 {
				unknown++
			}
		default:
			_ = kernel.Create(newEntry(b.Zone, c))
		}
	}
	if unknown > 0 && a.n.host.Unlearned != nil {
		a.n.host.Unlearned(b.PortID, true, unknown)
	}
	return nil
}

// tracked is what br-int tracks, by zone. It is asked once for all machines that are moved together: it walks through all of its
// connections to answer.
type tracked struct {
	n     *Namespace
	zones map[uint16][]plan.Connection
}

// by is what br-int tracks in the zone of a bridge's machine.
func (t *tracked) by(ctx context.Context, b plan.Bridge) ([]plan.Connection, error) {
	known, asked := t.zones[b.VLAN]
	if asked || t.n.host.Tracker == nil {
		return known, nil
	}
	known, err := t.n.host.Tracker.Connections(ctx, b.VLAN)
	if err != nil {
		return nil, fmt.Errorf("connections of port %s in br-int: %w", b.PortID, err)
	}
	if t.zones == nil {
		t.zones = map[uint16][]plan.Connection{}
	}
	t.zones[b.VLAN] = known
	return known, nil
}

// newEntry is what the kernel is to know of a connection. Nobody knows its sequence numbers, so that the kernel must not judge by them.
func newEntry(zone uint16, c plan.Connection) conntrack.Flow {
	f := conntrack.Flow{Zone: zone, Mark: c.Mark, Timeout: otherTimeout, Status: conntrack.StatusConfirmed,
		TupleOrig: tuple(c.Protocol, c.Orig), TupleReply: tuple(c.Protocol, c.Reply)}
	if c.Replied() {
		f.Status |= conntrack.StatusSeenReply | conntrack.StatusAssured
	}
	switch c.Protocol {
	case unix.IPPROTO_SCTP:
		f.Timeout = sctpTimeout
		f.ProtoInfo.SCTP = &conntrack.ProtoInfoSCTP{State: sctpEstablished, VTagOriginal: c.Tags.Orig, VTagReply: c.Tags.Reply}
	case unix.IPPROTO_TCP:
		state := tcpEstablished
		if i := slices.Index(tcpStates[:], c.State); i == tcpSynSent || i == tcpSynRecv {
			state = i
		}
		f.Timeout = tcpTimeout
		f.ProtoInfo.TCP = &conntrack.ProtoInfoTCP{State: uint8(state), OriginalFlags: beLiberal<<8 | beLiberal, ReplyFlags: beLiberal<<8 | beLiberal}
	}
	return f
}

func tuple(protocol uint8, t plan.Tuple) conntrack.Tuple {
	return conntrack.Tuple{IP: conntrack.IPTuple{SourceAddress: t.Src, DestinationAddress: t.Dst}, Proto: conntrack.ProtoTuple{Protocol: protocol,
		SourcePort: t.SrcPort, DestinationPort: t.DstPort, ICMPID: t.ID, ICMPType: t.Type, ICMPCode: t.Code}}
}

// connection is what the kernel knows of one.
func connection(f conntrack.Flow) plan.Connection {
	side := func(t conntrack.Tuple) plan.Tuple {
		return plan.Tuple{Src: t.IP.SourceAddress, Dst: t.IP.DestinationAddress, SrcPort: t.Proto.SourcePort, DstPort: t.Proto.DestinationPort,
			ID: t.Proto.ICMPID, Type: t.Proto.ICMPType, Code: t.Proto.ICMPCode}
	}
	c := plan.Connection{Protocol: f.TupleOrig.Proto.Protocol, Orig: side(f.TupleOrig), Reply: side(f.TupleReply), Mark: f.Mark, Unanswered: !f.Status.SeenReply()}
	if p := f.ProtoInfo.SCTP; p != nil {
		c.Tags = plan.Tags{Orig: p.VTagOriginal, Reply: p.VTagReply}
		if int(p.State) < len(sctpStates) {
			c.State = sctpStates[p.State]
		}
	}
	if f.ProtoInfo.TCP != nil && int(f.ProtoInfo.TCP.State) < len(tcpStates) {
		c.State = tcpStates[f.ProtoInfo.TCP.State]
		c.Joined = f.ProtoInfo.TCP.OriginalFlags>>8&beLiberal != 0
	}
	return c
}

// inZones chooses the entries of some zones.
type inZones []uint16

func (z inZones) MatchConntrackFlow(f *netlink.ConntrackFlow) bool { return slices.Contains(z, f.Zone) }

// forgetZones deletes all entries of some zones.
func (n *Namespace) forgetZones(zones []uint16) error {
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if _, err := n.handle.ConntrackDeleteFilters(netlink.ConntrackTable, family, inZones(zones)); err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return fmt.Errorf("conntrack: %w", err)
		}
	}
	return nil
}

// bridgeKind and the attributes of linux/if_link.h that say how a bridge forwards.
const (
	forwardDelay = 1 // IFLA_BR_FORWARD_DELAY
	ageingTime   = 4 // IFLA_BR_AGEING_TIME
	stpState     = 5 // IFLA_BR_STP_STATE
	snooping     = 23
)

// setBridge makes a bridge pass everything on at once, to all, as os-vif does: it has two ports.
func setBridge(index int, n *Namespace) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(forwardDelay, nl.Uint32Attr(0))
	data.AddRtAttr(ageingTime, nl.Uint32Attr(0))
	data.AddRtAttr(stpState, nl.Uint32Attr(0))
	data.AddRtAttr(snooping, nl.Uint8Attr(0))
	req.AddData(info)
	return n.Do(func() error {
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}
