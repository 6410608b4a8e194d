package ofapps

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/test/ovs"
)

// wire is host1 with packets that go through its datapath and its connection tracker, and what has left by its ports.
type wire struct {
	*realHost
	t *testing.T
	// files are the captures by port, heard how many packets of each have been looked at.
	files map[string]string
	heard map[string]int
	// markers counts the packets that were sent only to know that all before them have gone through.
	markers int
}

// startWire starts host1 and listens at the ports.
func startWire(t *testing.T, s state.Snapshot, ports ...string) *wire {
	t.Helper()
	w := &wire{realHost: startHost(t, s), t: t, files: map[string]string{}, heard: map[string]int{}}
	w.Ofctl("set-frags", view.BrInt, "nx-match") // as whoever connects does
	for _, p := range ports {
		w.listen(p)
	}
	learn(s, w.realHost, "host1")
	return w
}

// listen begins to listen at a port.
func (w *wire) listen(port string) {
	w.t.Helper()
	w.files[port] = filepath.Join(w.t.TempDir(), port+".pcap")
	w.Vsctl("set", "interface", port, "options:tx_pcap="+w.files[port])
}

func (w *wire) send(port string, frames ...[]byte) {
	w.t.Helper()
	for _, f := range frames {
		w.Appctl("netdev-dummy/receive", port, hex.EncodeToString(f))
	}
}

// left are the packets that have left by a port since it was last asked. A marker from another port, for which the tables
// do the same work, is waited for: packets of one port stay in order, and the switch handles ports in turn.
func (w *wire) left(port string) [][]byte {
	w.t.Helper()
	w.markers++
	marker := []byte{0xde, 0xad, byte(w.markers >> 8), byte(w.markers)}
	by, from, ip := tap(10), hw(10), "10.1.0.10"
	if port == by {
		by, from, ip = tap(6), hw(6), "10.1.0.6"
	}
	question := bytesOf(w.t, arpLayer(layers.ARPRequest, from, ip, slices.Concat(net.HardwareAddr{0, 0}, marker), "10.1.0.99"))
	for range 2 {
		w.send(by, ethernet(from, layers.EthernetBroadcast, layers.EthernetTypeARP, question))
	}
	isMarker := func(b []byte) bool {
		return binary.BigEndian.Uint16(b[12:]) == 0x0806 && slices.Equal(b[34:38], marker)
	}
	var all [][]byte
	ovs.Await(w.t, "the marker at "+port, func() bool {
		all = captured(w.t, w.files[port])
		n := 0
		for _, b := range all {
			if isMarker(b) {
				n++
			}
		}
		return n == 2
	})
	fresh := slices.DeleteFunc(slices.Clone(all[w.heard[port]:]), func(b []byte) bool { return binary.BigEndian.Uint16(b[12:]) == 0x0806 })
	w.heard[port] = len(all)
	return fresh
}

func ethernet(src, dst net.HardwareAddr, typ layers.EthernetType, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(slices.Concat(dst, src), uint16(typ)), payload...)
}

// datagram is a whole UDP datagram over IPv4 or IPv6: the transport header and the data, with checksum.
func datagram(t *testing.T, src, dst string, from, to uint16, size int) []byte {
	t.Helper()
	u := &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)}
	var network gopacket.NetworkLayer = &layers.IPv4{SrcIP: net.ParseIP(src).To4(), DstIP: net.ParseIP(dst).To4(), Protocol: layers.IPProtocolUDP}
	if net.ParseIP(src).To4() == nil {
		network = &layers.IPv6{SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst), NextHeader: layers.IPProtocolUDP}
	}
	if err := u.SetNetworkLayerForChecksum(network); err != nil {
		t.Fatal(err)
	}
	return bytesOf(t, u, gopacket.Payload(make([]byte, size)))
}

// echo is an ICMP echo request with so much data.
func echo(t *testing.T, size int) []byte {
	return bytesOf(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1, Seq: 1}, gopacket.Payload(make([]byte, size)))
}

// fragments4 cuts what an IPv4 packet carries into fragments of at most size bytes, a multiple of 8.
func fragments4(t *testing.T, src, dst net.HardwareAddr, from, to string, proto uint8, payload []byte, id uint16, size int) [][]byte {
	t.Helper()
	var out [][]byte
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Id: id, Protocol: layers.IPProtocol(proto), SrcIP: net.ParseIP(from).To4(), DstIP: net.ParseIP(to).To4(),
			FragOffset: uint16(at / 8)}
		if end < len(payload) {
			ip.Flags = layers.IPv4MoreFragments
		}
		out = append(out, ethernet(src, dst, layers.EthernetTypeIPv4, bytesOf(t, ip, gopacket.Payload(payload[at:end]))))
	}
	return out
}

// fragments6 does the same for IPv6, in which what is cut may begin with more extension headers: next is the first of them.
func fragments6(src, dst net.HardwareAddr, from, to string, next uint8, payload []byte, id uint32, size int) [][]byte {
	var out [][]byte
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		offset := uint16(at)
		if end < len(payload) {
			offset |= 1
		}
		h := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{next, 0}, offset), id)
		out = append(out, ethernet(src, dst, layers.EthernetTypeIPv6, packet6(from, to, 44, append(h, payload[at:end]...))))
	}
	return out
}

// packet6 is an IPv6 packet.
func packet6(from, to string, next uint8, payload []byte) []byte {
	h := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 64}
	return slices.Concat(h, net.ParseIP(from).To16(), net.ParseIP(to).To16(), payload)
}

// options6 is an extension header of so many bytes (a multiple of 8) with nothing in it but padding (RFC 8200, 4.2).
func options6(next uint8, size int) []byte {
	h := make([]byte, size)
	h[0], h[1] = next, byte(size/8-1)
	for at := 2; at < size; {
		n := min(size-at-2, 255)
		if size-at == 1 {
			break // Pad1
		}
		h[at], h[at+1] = 1, byte(n)
		at += 2 + n
	}
	return h
}

func gopacketPayload(b []byte) gopacket.SerializableLayer { return gopacket.Payload(b) }

func ip4Layer(from, to string, proto uint8) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocol(proto), SrcIP: net.ParseIP(from).To4(), DstIP: net.ParseIP(to).To4()}
}
