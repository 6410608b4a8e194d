package kernel

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/nsagent/tracker"
	"github.com/weft-sdn/weft/test/ovs"
)

// lessons are connections of every kind, as a firewall bridge may have tracked them.
func lessons() []plan.Connection {
	var out []plan.Connection
	for _, ip := range [][2]string{{"10.0.1.5", "10.0.1.9"}, {"fd00:1::5", "fd00:1::9"}} {
		a, b := netip.MustParseAddr(ip[0]), netip.MustParseAddr(ip[1])
		add := func(protocol uint8, orig, reply plan.Tuple, state string) {
			orig.Src, orig.Dst, reply.Src, reply.Dst = a, b, b, a
			out = append(out, plan.Connection{Protocol: protocol, Orig: orig, Reply: reply, State: state, Mark: 5})
		}
		add(unix.IPPROTO_TCP, plan.Tuple{SrcPort: 40000, DstPort: 80}, plan.Tuple{SrcPort: 80, DstPort: 40000}, "ESTABLISHED")
		add(unix.IPPROTO_UDP, plan.Tuple{SrcPort: 40000, DstPort: 53}, plan.Tuple{SrcPort: 53, DstPort: 40000}, "")
		if a.Is4() {
			add(unix.IPPROTO_ICMP, plan.Tuple{ID: 77, Type: 8}, plan.Tuple{ID: 77}, "")
		} else {
			add(unix.IPPROTO_ICMPV6, plan.Tuple{ID: 77, Type: 128}, plan.Tuple{ID: 77, Type: 129}, "")
		}
		add(unix.IPPROTO_GRE, plan.Tuple{}, plan.Tuple{}, "")
		add(253, plan.Tuple{}, plan.Tuple{}, "")
		add(unix.IPPROTO_SCTP, plan.Tuple{SrcPort: 40000, DstPort: 38412}, plan.Tuple{SrcPort: 38412, DstPort: 40000}, "ESTABLISHED")
		out[len(out)-1].Tags = plan.Tags{Orig: 0x12345678, Reply: 0x9abcdef0}
	}
	return out
}

// TestSwitchLearns: a real tracker takes made-up packets for the connections that they are about, begun by the right side, answered,
// and marked; also where it had seen the other side first.
func TestSwitchLearns(t *testing.T) {
	s := ovs.Start(t)
	s.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "protocols=OpenFlow13,OpenFlow14")
	s.Await("br-int", func() bool { return s.Answers("br-int") })
	brInt := tracker.Tracker{RunDir: s.Dir, Bridge: "br-int", DatapathType: "netdev"}
	ctx := context.Background()
	senders := []plan.Sender{{MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("10.0.1.5/32")}, {MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("fd00:1::5/128")}}
	show := func(zone uint16, forget []plan.Connection, answersFirst bool) {
		var packets []plan.Packet
		for _, c := range lessons() {
			frames, err := exchange(c, numbers{opener: 1_000_000, answerer: 4_000_000_000})
			if err != nil {
				t.Fatal(err)
			}
			if answersFirst {
				frames = frames[1:2]
			}
			for _, f := range frames {
				packets = append(packets, plan.Packet{Frame: f, Mark: c.BrIntMark()})
			}
		}
		if err := brInt.Correct(ctx, zone, forget, packets); err != nil {
			t.Fatal(err)
		}
	}
	for _, answersFirst := range []bool{false, true} {
		zone := uint16(3)
		if answersFirst {
			zone = 4
			show(zone, nil, true)
		}
		known, err := brInt.Connections(ctx, zone)
		if err != nil {
			t.Fatal(err)
		}
		missing, wrong := plan.Unlearned(lessons(), known, senders)
		if len(missing) != len(lessons()) || answersFirst && len(wrong) != len(lessons())-2 { // an answer begins nothing with ICMP
			t.Fatalf("zone %d: missing %v, wrong %v", zone, missing, wrong)
		}
		show(zone, wrong, false)
		if known, err = brInt.Connections(ctx, zone); err != nil {
			t.Fatal(err)
		}
		if missing, wrong := plan.Unlearned(lessons(), known, senders); len(missing)+len(wrong) > 0 || len(known) != len(lessons()) {
			t.Errorf("zone %d: missing %v, wrong %v; known %v", zone, missing, wrong, known)
		}
		for _, c := range known {
			if c.Mark != 1 || c.Protocol == unix.IPPROTO_TCP && c.State != "ESTABLISHED" {
				t.Errorf("zone %d: %+v", zone, c)
			}
		}
	}
	if text := s.Appctl("dpctl/dump-conntrack"); strings.Contains(text, "zone=5") || strings.Count(text, "zone=3") != len(lessons()) {
		t.Error(text)
	}
	gone := tracker.Tracker{RunDir: s.Dir, Bridge: "br-gone", DatapathType: "netdev"}
	if err := gone.Correct(ctx, 3, nil, []plan.Packet{{}}); err == nil {
		t.Error("a bridge that is not there has seen a packet")
	}
}

// TestProbe: what a machine is asked by cannot be taken for a new connection of the other side, and comes from it.
func TestProbe(t *testing.T) {
	for _, c := range lessons() {
		if !c.Asks() {
			continue
		}
		for _, begun := range []bool{false, true} {
			frame, err := probe(net.HardwareAddr{0xfa, 0x16, 0x3e, 0, 0, 1}, c, begun, 7)
			if err != nil {
				t.Fatal(err)
			}
			p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			tcp := p.TransportLayer().(*layers.TCP)
			from, to := c.Orig.Src, c.Orig.Dst
			if begun {
				from, to = to, from
			}
			src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
			if !tcp.SYN || tcp.ACK != begun || src.String() != from.String() || dst.String() != to.String() || p.LinkLayer().LinkFlow().Dst().String() != "fa:16:3e:00:00:01" {
				t.Errorf("begun by the machine %v: %v", begun, p)
			}
		}
	}
}

// TestReadSegment: the next number of a machine is after what it sends.
func TestReadSegment(t *testing.T) {
	for _, c := range lessons() {
		if !c.Asks() {
			continue
		}
		for _, data := range []int{0, 1000} {
			body := []gopacket.SerializableLayer{segment(c.Reply, layers.TCP{ACK: true, Seq: 1<<32 - 500, Ack: 9}), gopacket.Payload(make([]byte, data))}
			frame, err := packet(somebody, c.Protocol, c.Reply, body)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := readSegment(frame[:min(len(frame), headers)])
			want := heard{from: c.Reply, next: 1<<32 - 500, ack: 9}
			if want.next += uint32(data); !ok || got != want {
				t.Errorf("%+v %v, want %+v", got, ok, want)
			}
		}
		for _, flags := range []layers.TCP{{SYN: true}, {SYN: true, ACK: true}, {RST: true, ACK: true}, {FIN: true, ACK: true}, {}} {
			frame, err := packet(somebody, c.Protocol, c.Reply, []gopacket.SerializableLayer{segment(c.Reply, flags)})
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := readSegment(frame); ok {
				t.Errorf("%+v is taken for %+v", flags, got)
			}
		}
	}
}

// FuzzReadSegment: machines send what they like.
func FuzzReadSegment(f *testing.F) {
	for _, c := range lessons() {
		frames, err := exchange(c, numbers{1, 2})
		if err != nil {
			f.Fatal(err)
		}
		for _, frame := range frames {
			f.Add(frame)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, ok := readSegment(slices.Clone(frame))
		if ok && (!h.from.Src.IsValid() || !h.from.Dst.IsValid() || h.from.Src.Is4() != h.from.Dst.Is4()) {
			t.Errorf("%x: %+v", frame, h)
		}
	})
}

// TestSilentMachine: one that says nothing is not waited for long, and nothing is made up about it. Other protocols need nobody's word.
func TestSilentMachine(t *testing.T) {
	h := open(t)
	brInt := &deaf{}
	h.Tracker = brInt
	left := map[string]int{}
	h.Unlearned = func(port string, _ bool, n int) { left[port] = n }
	n, err := h.Home()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	plug(t, "tapsilent", "silent")
	defer runs(t, "ip", "link", "del", "tapsilent")
	defer runs(t, "conntrack", "-D", "-w", "4200")
	runs(t, "conntrack", "-I", "-w", "4200", "-p", "tcp", "-s", "10.0.1.5", "-d", "10.0.1.9", "--sport", "40000", "--dport", "80", "-t", "100", "--state", "ESTABLISHED", "-u", "SEEN_REPLY")
	runs(t, "conntrack", "-I", "-w", "4200", "-p", "udp", "-s", "10.0.1.9", "-d", "10.0.1.5", "--sport", "40000", "--dport", "53", "-t", "100", "-u", "SEEN_REPLY")
	b := plan.Bridge{Name: "qbrsilent", PortID: guestID, Zone: 4200, VLAN: 3, Taps: []string{"tapsilent"},
		Senders: []plan.Sender{{MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("10.0.1.5/32")}}}
	if err := n.teach(context.Background(), []plan.Bridge{b}); err != nil {
		t.Fatal(err)
	}
	for _, p := range brInt.packets {
		if _, segment := readSegment(p.Frame); segment {
			t.Errorf("made up: %x", p.Frame)
		}
	}
	if len(brInt.packets) != 2*teachRounds || left[guestID] != 2 { // it learns nothing, whatever it is shown
		t.Errorf("%d packets; %v left", len(brInt.packets), left)
	}
}

// deaf is a tracker that learns nothing.
type deaf struct{ packets []plan.Packet }

func (*deaf) Connections(context.Context, uint16) ([]plan.Connection, error) { return nil, nil }

func (d *deaf) Correct(_ context.Context, _ uint16, _ []plan.Connection, packets []plan.Packet) error {
	d.packets = append(d.packets, packets...)
	return nil
}
