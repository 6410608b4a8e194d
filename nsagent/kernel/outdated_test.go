package kernel

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// TestOutdated: a connection that br-int had tracked before there was a bridge was dead when the bridge went, if it had got further
// than a window meanwhile: br-int took its packets for strange ones. It is shown where the connection is now, and forgets before what
// it knew. It keeps what it knows of a connection of which the machine says nothing, and of one that has begun behind the bridge.
func TestOutdated(t *testing.T) {
	h := open(t)
	n, err := h.Home()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	plug(t, "tapold", "old")
	defer runs(t, "ip", "link", "del", "tapold")
	defer runs(t, "conntrack", "-D", "-w", "4201")
	var all []plan.Connection // the machine tells of the first only
	for _, port := range []uint16{40000, 40001, 40002} {
		a, b := netip.MustParseAddr("10.0.1.9"), netip.MustParseAddr("10.0.1.5")
		all = append(all, plan.Connection{Protocol: unix.IPPROTO_TCP, Mark: 2, State: "ESTABLISHED", Orig: plan.Tuple{Src: a, Dst: b, SrcPort: port, DstPort: 80},
			Reply: plan.Tuple{Src: b, Dst: a, SrcPort: 80, DstPort: port}})
	}
	ct, err := n.connections()
	if err != nil {
		t.Fatal(err)
	}
	defer ct.Close()
	for _, c := range all[:2] {
		if err := ct.Create(newEntry(4201, c)); err != nil {
			t.Fatal(err)
		}
	}
	runs(t, "conntrack", "-I", "-w", "4201", "-p", "tcp", "-s", "10.0.1.9", "-d", "10.0.1.5", "--sport", "40002", "--dport", "80", "-t", "100", "--state", "ESTABLISHED", "-u", "SEEN_REPLY")
	now := numbers{opener: 3_000_000_000, answerer: 7}
	stop := machine(t, n, "old", all[0], now)
	defer stop()

	// br-int also knows one that has ended behind the bridge, one that is just beginning, and another machine's.
	ended, begins, others := all[0], all[0], all[0]
	ended.Orig.SrcPort, ended.Reply.DstPort = 40003, 40003
	begins.Orig.SrcPort, begins.Reply.DstPort, begins.State = 40004, 40004, "SYN_SENT"
	others.Orig.Dst = netip.MustParseAddr("10.0.1.6")
	others.Reply.Src = others.Orig.Dst
	brInt := &knowing{known: append(slices.Clone(all), ended, begins, others)}
	h.Tracker = brInt
	h.Unlearned = func(port string, _ bool, n int) { t.Errorf("%d connections of %s are not known", n, port) }
	b := plan.Bridge{Name: "qbrold", PortID: guestID, Zone: 4201, VLAN: 3, Taps: []string{"tapold"},
		Senders: []plan.Sender{{MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("10.0.1.5/32")}}}
	if err := n.teach(context.Background(), []plan.Bridge{b}); err != nil {
		t.Fatal(err)
	}
	want, err := exchange(all[0], now)
	if err != nil {
		t.Fatal(err)
	}
	var shown [][]byte
	for _, p := range brInt.shown {
		shown = append(shown, p.Frame)
	}
	if d := cmp.Diff(want, shown); d != "" {
		t.Errorf("shown (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]plan.Connection{ended, all[0]}, brInt.forgot, cmpopts.IgnoreFields(plan.Connection{}, "Joined"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("forgotten (-want +got):\n%s", d)
	}
}

// machine answers questions for a connection that somebody else has begun: by where it is.
func machine(t *testing.T, n *Namespace, device string, c plan.Connection, at numbers) (stop func()) {
	t.Helper()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := n.listenTo(link, unix.IPPROTO_TCP)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := packet(somebody, c.Protocol, c.Reply, []gopacket.SerializableLayer{segment(c.Reply, layers.TCP{ACK: true, Seq: at.answerer, Ack: at.opener})})
	if err != nil {
		t.Fatal(err)
	}
	quit, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for frame := make([]byte, headers); ; {
			select {
			case <-quit:
				return
			default:
			}
			size, _, err := unix.Recvfrom(fd, frame, 0)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			tcp, is := gopacket.NewPacket(frame[:size], layers.LayerTypeEthernet, gopacket.Default).TransportLayer().(*layers.TCP)
			if is && tcp.SYN && uint16(tcp.SrcPort) == c.Orig.SrcPort {
				if err := unix.Sendto(fd, answer, 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	return func() { close(quit); <-done; unix.Close(fd) }
}

// knowing is a tracker that knows connections, and remembers what it is corrected in.
type knowing struct {
	known, forgot []plan.Connection
	shown         []plan.Packet
}

func (k *knowing) Connections(context.Context, uint16) ([]plan.Connection, error) {
	return slices.Clone(k.known), nil
}

func (k *knowing) Correct(_ context.Context, _ uint16, forget []plan.Connection, packets []plan.Packet) error {
	k.forgot, k.shown = append(k.forgot, forget...), append(k.shown, packets...)
	return nil
}
