package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Attributes and values of linux/netfilter/nfnetlink_conntrack.h and nf_conntrack_tcp.h, as far as the library has none.
const (
	ctaIP, ctaProto                                 = 1, 2
	ctaIPv4Src, ctaIPv4Dst                          = 1, 2
	ctaIPv6Src, ctaIPv6Dst                          = 3, 4
	ctaNum, ctaSrcPort, ctaDstPort                  = 1, 2, 3
	ctaICMPID, ctaICMPType, ctaICMPCode             = 4, 5, 6
	ctaICMPv6ID, ctaICMPv6Type, ctaICMPv6Code       = 7, 8, 9
	seenReply, assured, confirmed                   = 1 << 1, 1 << 2, 1 << 3
	tcpSynSent, tcpSynRecv, tcpEstablished    uint8 = 1, 2, 3
	beLiberal                                       = 0x08
)

// Timeouts of entries until their next packet, in seconds: the kernel's own for TCP and for others.
const (
	tcpTimeout   = 432000
	otherTimeout = 120
)

// copyConnections makes entries of a bridge's zone out of those that br-int has tracked. One that is there already stays; one
// that the kernel does not take has to begin anew, and keeps no other from moving.
func (a *application) copyConnections(b plan.Bridge) error {
	if a.n.host.Connections == nil {
		return nil
	}
	tracked, asked := a.tracked[b.VLAN]
	if !asked {
		text, err := a.n.host.Connections(a.ctx, b.VLAN)
		if err != nil {
			return fmt.Errorf("connections of port %s in br-int: %w", b.PortID, err)
		}
		tracked = plan.ParseConnections(text)
		a.tracked[b.VLAN] = tracked
	}
	for _, c := range tracked {
		if !c.Of(b.Senders) || c.Over() {
			continue
		}
		_ = a.n.track(b.Zone, c)
	}
	return nil
}

// track makes an entry. Nobody knows its sequence numbers, so that the kernel must not judge by them.
func (n *Namespace) track(zone uint16, c plan.Connection) error {
	family := uint8(unix.AF_INET)
	if c.Orig.Src.Is6() {
		family = unix.AF_INET6
	}
	req := nl.NewNetlinkRequest(int(netlink.ConntrackTable)<<8|nl.IPCTNL_MSG_CT_NEW, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	req.AddData(tuple(nl.CTA_TUPLE_ORIG, c.Protocol, c.Orig))
	req.AddData(tuple(nl.CTA_TUPLE_REPLY, c.Protocol, c.Reply))
	status, timeout := uint32(confirmed), uint32(otherTimeout)
	if c.Replied() {
		status |= seenReply | assured
	}
	if c.Protocol == unix.IPPROTO_TCP {
		timeout = tcpTimeout
		req.AddData(tcpInfo(c.State))
	}
	req.AddData(nl.NewRtAttr(nl.CTA_STATUS, be32(status)))
	req.AddData(nl.NewRtAttr(nl.CTA_TIMEOUT, be32(timeout)))
	req.AddData(nl.NewRtAttr(nl.CTA_MARK, be32(c.Mark)))
	req.AddData(nl.NewRtAttr(nl.CTA_ZONE, be16(zone)))
	return n.Do(func() error {
		_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
		return err
	})
}

func tuple(kind int, protocol uint8, t plan.Tuple) *nl.RtAttr {
	out := nl.NewRtAttr(unix.NLA_F_NESTED|kind, nil)
	ip := nl.NewRtAttr(unix.NLA_F_NESTED|ctaIP, nil)
	src, dst := ctaIPv4Src, ctaIPv4Dst
	if t.Src.Is6() {
		src, dst = ctaIPv6Src, ctaIPv6Dst
	}
	ip.AddRtAttr(src, t.Src.AsSlice())
	ip.AddRtAttr(dst, t.Dst.AsSlice())
	out.AddChild(ip)
	proto := nl.NewRtAttr(unix.NLA_F_NESTED|ctaProto, nil)
	proto.AddRtAttr(ctaNum, []byte{protocol})
	switch protocol {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP:
		proto.AddRtAttr(ctaSrcPort, be16(t.SrcPort))
		proto.AddRtAttr(ctaDstPort, be16(t.DstPort))
	case unix.IPPROTO_ICMP:
		proto.AddRtAttr(ctaICMPID, be16(t.ID))
		proto.AddRtAttr(ctaICMPType, []byte{t.Type})
		proto.AddRtAttr(ctaICMPCode, []byte{t.Code})
	case unix.IPPROTO_ICMPV6:
		proto.AddRtAttr(ctaICMPv6ID, be16(t.ID))
		proto.AddRtAttr(ctaICMPv6Type, []byte{t.Type})
		proto.AddRtAttr(ctaICMPv6Code, []byte{t.Code})
	}
	out.AddChild(proto)
	return out
}

func tcpInfo(state string) *nl.RtAttr {
	s := tcpEstablished
	switch state {
	case "SYN_SENT":
		s = tcpSynSent
	case "SYN_RECV":
		s = tcpSynRecv
	}
	info := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_PROTOINFO, nil)
	tcp := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_PROTOINFO_TCP, nil)
	tcp.AddRtAttr(nl.CTA_PROTOINFO_TCP_STATE, []byte{s})
	tcp.AddRtAttr(nl.CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, []byte{beLiberal, beLiberal})
	tcp.AddRtAttr(nl.CTA_PROTOINFO_TCP_FLAGS_REPLY, []byte{beLiberal, beLiberal})
	info.AddChild(tcp)
	return info
}

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

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
