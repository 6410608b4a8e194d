package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// numbers are TCP's: the next that the side which has begun sends, and the next that the other one does.
type numbers struct{ opener, answerer uint32 }

// Made-up packets come from nobody: locally administered addresses.
var (
	nobody   = net.HardwareAddr{0x02, 0, 0, 0, 0, 1}
	somebody = net.HardwareAddr{0x02, 0, 0, 0, 0, 2}
)

// widest is the largest window. Nobody knows the real one, nor its scale.
const widest = 65535

// exchange are packets by which a connection tracker learns of a connection, from its first direction to what has been answered.
func exchange(c plan.Connection, at numbers) ([][]byte, error) {
	bodies := [][]gopacket.SerializableLayer{body(c, c.Orig, at.opener, at.answerer)}
	ways := []plan.Tuple{c.Orig}
	if c.Replied() {
		bodies, ways = append(bodies, body(c, c.Reply, at.answerer, at.opener)), append(ways, c.Reply)
	}
	if c.Asks() { // both sides have heard of each other
		bodies, ways = append(bodies, bodies[0]), append(ways, c.Orig)
	}
	var out [][]byte
	for i, b := range bodies {
		frame, err := packet(somebody, c.Protocol, ways[i], b)
		if err != nil {
			return nil, err
		}
		out = append(out, frame)
	}
	return out, nil
}

// body is what follows the header of IP.
func body(c plan.Connection, t plan.Tuple, seq, ack uint32) []gopacket.SerializableLayer {
	switch c.Protocol {
	case unix.IPPROTO_TCP:
		return []gopacket.SerializableLayer{segment(t, layers.TCP{ACK: true, Seq: seq, Ack: ack})}
	case unix.IPPROTO_UDP:
		return []gopacket.SerializableLayer{&layers.UDP{SrcPort: layers.UDPPort(t.SrcPort), DstPort: layers.UDPPort(t.DstPort)}}
	case unix.IPPROTO_ICMP:
		return []gopacket.SerializableLayer{&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(t.Type, t.Code), Id: t.ID}}
	case unix.IPPROTO_ICMPV6:
		return []gopacket.SerializableLayer{&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(t.Type, t.Code)},
			gopacket.Payload(binary.BigEndian.AppendUint32(nil, uint32(t.ID)<<16))}
	case unix.IPPROTO_SCTP:
		tag := c.Tags.Reply
		if t == c.Orig {
			tag = c.Tags.Orig
		}
		// By a heartbeat the kernel's tracker, too, learns of an association that it has not seen begin.
		return []gopacket.SerializableLayer{&layers.SCTP{SrcPort: layers.SCTPPort(t.SrcPort), DstPort: layers.SCTPPort(t.DstPort), VerificationTag: tag},
			&layers.SCTPHeartbeat{SCTPChunk: layers.SCTPChunk{Type: layers.SCTPChunkTypeHeartbeat}, Parameters: []layers.SCTPHeartbeatParameter{{Type: 1, Value: make([]byte, 4)}}}}
	}
	return []gopacket.SerializableLayer{gopacket.Payload(make([]byte, 8))}
}

func segment(t plan.Tuple, tcp layers.TCP) *layers.TCP {
	tcp.SrcPort, tcp.DstPort, tcp.Window = layers.TCPPort(t.SrcPort), layers.TCPPort(t.DstPort), widest
	return &tcp
}

// packet is a frame with a packet of IP.
func packet(to net.HardwareAddr, protocol uint8, t plan.Tuple, body []gopacket.SerializableLayer) ([]byte, error) {
	eth := &layers.Ethernet{SrcMAC: nobody, DstMAC: to, EthernetType: layers.EthernetTypeIPv4}
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	} = &layers.IPv4{Version: 4, TTL: 64, Flags: layers.IPv4DontFragment, Protocol: layers.IPProtocol(protocol), SrcIP: slice(t.Src), DstIP: slice(t.Dst)}
	if t.Src.Is6() {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocol(protocol), SrcIP: slice(t.Src), DstIP: slice(t.Dst)}
	}
	for _, l := range body {
		if l, sums := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); sums {
			if err := l.SetNetworkLayerForChecksum(ip); err != nil {
				return nil, err
			}
		}
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append([]gopacket.SerializableLayer{eth, ip}, body...)...)
	return buf.Bytes(), err
}

// probe asks a machine for the numbers of a connection: a SYN of the other side, or the answer to one, which no connection can do
// anything with that is established. To that every TCP answers with where it is, and changes nothing (RFC 5961, section 4.2;
// RFC 9293, 3.10.7.4). Firewalls of the machine that track connections let it through, because they may be the ones who are wrong.
func probe(to net.HardwareAddr, c plan.Connection, begun bool, seq uint32) ([]byte, error) {
	t, tcp := c.Orig, layers.TCP{SYN: true, Seq: seq}
	if begun {
		t, tcp = c.Reply, layers.TCP{SYN: true, ACK: true, Seq: seq}
	}
	return packet(to, c.Protocol, t, []gopacket.SerializableLayer{segment(t, tcp)})
}

// heard is a segment that a machine has sent.
type heard struct {
	from plan.Tuple
	// next is the number after it, ack the one that it expects.
	next, ack uint32
}

// readSegment reads a frame with a segment that says where both sides are.
func readSegment(frame []byte) (heard, bool) {
	p, h, length := readPacket(frame)
	if p == nil {
		return heard{}, false
	}
	tcp, is := p.TransportLayer().(*layers.TCP)
	if !is || !tcp.ACK || tcp.SYN || tcp.FIN || tcp.RST {
		return heard{}, false
	}
	h.SrcPort, h.DstPort = uint16(tcp.SrcPort), uint16(tcp.DstPort)
	return heard{from: h, next: tcp.Seq + uint32(max(length-int(tcp.DataOffset)*4, 0)), ack: tcp.Ack}, true
}

// readPacket reads a frame with a packet of IP: its addresses, and how long that is which follows IP's header. The packet is nil when it
// is none.
func readPacket(frame []byte) (p gopacket.Packet, ends plan.Tuple, length int) {
	p = gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		ends.Src, _ = netip.AddrFromSlice(ip.SrcIP)
		ends.Dst, _ = netip.AddrFromSlice(ip.DstIP)
		return p, ends, int(ip.Length) - int(ip.IHL)*4
	case *layers.IPv6:
		ends.Src, _ = netip.AddrFromSlice(ip.SrcIP)
		ends.Dst, _ = netip.AddrFromSlice(ip.DstIP)
		return p, ends, int(ip.Length)
	}
	return nil, ends, 0
}

// readTag reads a frame of SCTP: between which ends, and the verification tag by which its receiver knows it. Those that carry none, or
// may carry the sender's own, do not count (RFC 9260, section 8.5.1).
func readTag(frame []byte) (ends plan.Tuple, tag uint32, ok bool) {
	p, ends, _ := readPacket(frame)
	if p == nil {
		return ends, 0, false
	}
	sctp, is := p.TransportLayer().(*layers.SCTP)
	if !is || len(sctp.Payload) == 0 || sctp.VerificationTag == 0 || sctp.SrcPort == 0 || sctp.DstPort == 0 {
		return ends, 0, false
	}
	switch layers.SCTPChunkType(sctp.Payload[0]) {
	case layers.SCTPChunkTypeInit, layers.SCTPChunkTypeAbort, layers.SCTPChunkTypeShutdownComplete:
		return ends, 0, false
	}
	ends.SrcPort, ends.DstPort = uint16(sctp.SrcPort), uint16(sctp.DstPort)
	return ends, sctp.VerificationTag, true
}
