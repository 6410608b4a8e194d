package ofapps

import (
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/test/ovs"
)

// The answers that the tables give must be what the station would have answered, to the last byte: a wrong checksum or
// flag is not seen in any trace, and the asker drops it without a word.
func TestAnswersAreWhatTheStationWouldAnswer(t *testing.T) {
	m1, m2 := hw(1), hw(2)
	multicast := net.HardwareAddr{0x33, 0x33, 0xff, 0, 0, 2}
	for _, c := range []struct {
		name          string
		asked, answer []byte
	}{
		{
			name: "ARP",
			asked: bytesOf(t,
				&layers.Ethernet{SrcMAC: m1, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
				arpLayer(layers.ARPRequest, m1, "10.1.0.1", net.HardwareAddr{0, 0, 0, 0, 0, 0}, "10.1.0.2")),
			answer: bytesOf(t,
				&layers.Ethernet{SrcMAC: m2, DstMAC: m1, EthernetType: layers.EthernetTypeARP},
				arpLayer(layers.ARPReply, m2, "10.1.0.2", m1, "10.1.0.1")),
		},
		{
			name: "neighbour discovery",
			asked: nd(t, m1, multicast, "fd00::1", "ff02::1:ff00:2", layers.ICMPv6TypeNeighborSolicitation,
				&layers.ICMPv6NeighborSolicitation{
					TargetAddress: net.ParseIP("fd00::2"),
					Options:       layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: m1}},
				}),
			answer: nd(t, m2, m1, "fd00::2", "fd00::1", layers.ICMPv6TypeNeighborAdvertisement,
				&layers.ICMPv6NeighborAdvertisement{
					Flags:         0x60, // solicited, override
					TargetAddress: net.ParseIP("fd00::2"),
					Options:       layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: m2}},
				}),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := startHost(t, tenants(t).Snapshot())
			file := filepath.Join(t.TempDir(), "tx.pcap")
			h.Vsctl("set", "interface", tap(1), "options:tx_pcap="+file)
			h.Appctl("netdev-dummy/receive", tap(1), hex.EncodeToString(c.asked))
			var sent [][]byte
			ovs.Await(t, "an answer", func() bool {
				sent = captured(t, file)
				return len(sent) > 0
			})
			if d := cmp.Diff([]string{hex.Dump(c.answer)}, []string{hex.Dump(sent[0])}); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

func hw(last byte) net.HardwareAddr {
	m := viewtest.MAC(last)
	return m[:]
}

func bytesOf(t *testing.T, packet ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, packet...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arpLayer(op uint16, sha net.HardwareAddr, spa string, tha net.HardwareAddr, tpa string) *layers.ARP {
	return &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
		SourceHwAddress: sha, SourceProtAddress: net.ParseIP(spa).To4(), DstHwAddress: tha, DstProtAddress: net.ParseIP(tpa).To4(),
	}
}

func nd(t *testing.T, src, dst net.HardwareAddr, from, to string, typ uint8, message gopacket.SerializableLayer) []byte {
	t.Helper()
	ip6 := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 255, SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to)}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip6); err != nil {
		t.Fatal(err)
	}
	return bytesOf(t, &layers.Ethernet{SrcMAC: src, DstMAC: dst, EthernetType: layers.EthernetTypeIPv6}, ip6, icmp, message)
}

// captured reads the packets of a capture that is still being written; none while its header is not whole.
func captured(t *testing.T, file string) [][]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		return nil
	}
	var packets [][]byte
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			return packets
		}
		packets = append(packets, data)
	}
}
