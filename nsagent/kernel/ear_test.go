package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// association is a packet of SCTP with a chunk, of the first direction of a lesson or the other.
func association(t testing.TB, c plan.Connection, answer bool, chunk layers.SCTPChunkType) []byte {
	t.Helper()
	ends, tag := c.Orig, c.Tags.Orig
	if answer {
		ends, tag = c.Reply, c.Tags.Reply
	}
	if chunk == layers.SCTPChunkTypeInit {
		tag = 0
	}
	frame, err := packet(somebody, c.Protocol, ends, []gopacket.SerializableLayer{
		&layers.SCTP{SrcPort: layers.SCTPPort(ends.SrcPort), DstPort: layers.SCTPPort(ends.DstPort), VerificationTag: tag}, gopacket.Payload{byte(chunk), 0, 0, 4}})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func associations() []plan.Connection {
	return slices.DeleteFunc(lessons(), func(c plan.Connection) bool { return c.Protocol != unix.IPPROTO_SCTP })
}

// TestReadTag: what a packet says of an association, and what it does not.
func TestReadTag(t *testing.T) {
	for _, c := range associations() {
		for _, answer := range []bool{false, true} {
			want, tag := c.Orig, c.Tags.Orig
			if answer {
				want, tag = c.Reply, c.Tags.Reply
			}
			for _, chunk := range []layers.SCTPChunkType{layers.SCTPChunkTypeData, layers.SCTPChunkTypeSack, layers.SCTPChunkTypeHeartbeat, layers.SCTPChunkTypeInitAck} {
				if ends, got, ok := readTag(association(t, c, answer, chunk)); !ok || ends != want || got != tag {
					t.Errorf("%v: %v %x %v, want %v %x", chunk, ends, got, ok, want, tag)
				}
			}
			for _, chunk := range []layers.SCTPChunkType{layers.SCTPChunkTypeInit, layers.SCTPChunkTypeAbort, layers.SCTPChunkTypeShutdownComplete} {
				if ends, got, ok := readTag(association(t, c, answer, chunk)); ok {
					t.Errorf("%v is taken for one with the tag %x of %v", chunk, got, ends)
				}
			}
		}
	}
}

// FuzzReadTag: machines send what they like.
func FuzzReadTag(f *testing.F) {
	for _, c := range associations() {
		f.Add(association(f, c, false, layers.SCTPChunkTypeData))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		ends, tag, ok := readTag(slices.Clone(frame))
		if ok && (!ends.Src.IsValid() || ends.Src.Is4() != ends.Dst.Is4() || tag == 0 || ends.SrcPort == 0) {
			t.Errorf("%x: %v %x", frame, ends, tag)
		}
	})
}

// TestMachineIsHeard: a machine with associations of SCTP stays with br-int until both sides have said something. Then the kernel knows
// which they are. One that says nothing is waited for until its time is over.
func TestMachineIsHeard(t *testing.T) {
	h := open(t)
	all := associations()
	var text strings.Builder
	for _, c := range all {
		fmt.Fprintf(&text, "sctp,orig=(src=%v,dst=%v,sport=0,dport=0),reply=(src=%v,dst=%v,sport=0,dport=0),zone=3,mark=2\n", c.Orig.Src, c.Orig.Dst, c.Orig.Dst, c.Orig.Src)
	}
	h.Tracker = &knows{text: text.String()}
	left := 0
	h.Unlearned = func(_ string, bridge bool, n int) {
		if bridge {
			left = n
		}
	}
	n, err := h.Home()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	plug(t, "tapheard", "heard")
	defer runs(t, "ip", "link", "del", "tapheard")
	b := plan.Bridge{Name: "qbrheard", PortID: guestID, Zone: 4202, VLAN: 3, Taps: []string{"tapheard"}, Senders: []plan.Sender{
		{MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("10.0.1.5/32")}, {MAC: "fa:16:3e:00:00:01", Prefix: netip.MustParsePrefix("fd00:1::5/128")}}}
	ctx, news := context.Background(), make(chan struct{}, 100)
	hold := func() error { return n.Hold(ctx, []plan.Bridge{b}, func() { news <- struct{}{} })[b.Name] }
	if err := hold(); !errors.Is(err, ErrWaiting) || !strings.Contains(err.Error(), "(2 connections in all)") {
		t.Fatalf("held because: %v", err)
	}
	say := func(dev string, frame []byte) {
		link, err := n.handle.LinkByName(dev)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := n.listenTo(link, unix.IPPROTO_SCTP)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range all {
		say("heard", association(t, c, false, layers.SCTPChunkTypeInit)) // says nothing
		say("heard", association(t, c, false, layers.SCTPChunkTypeData))
		<-news
		if err := hold(); err == nil {
			t.Fatalf("association %d: one side is enough", i)
		}
		say("tapheard", association(t, c, true, layers.SCTPChunkTypeSack)) // as br-int passes it on
		<-news
	}
	if err := hold(); err != nil {
		t.Fatalf("still held: %v", err)
	}
	for _, f := range n.Apply(ctx, []plan.Step{plan.CopyConnections{Bridge: b}}, nil) {
		t.Error(f)
	}
	defer runs(t, "conntrack", "-D", "-w", "4202")
	for _, family := range []string{"ipv4", "ipv6"} {
		out, err := exec.Command("conntrack", "-L", "-w", "4202", "-f", family, "-p", "sctp").Output()
		if s := string(out); err != nil || strings.Count(s, "ESTABLISHED") != 1 || !strings.Contains(s, "sport=40000 dport=38412") || !strings.Contains(s, "mark=2") {
			t.Errorf("%s: %v %s", family, err, s)
		}
	}
	l := &lesson{n: n, bridges: []plan.Bridge{b}, at: map[string]map[plan.Connection]numbers{}}
	if err := l.look(ctx); err != nil || len(l.missing[b.Name]) != 0 {
		t.Errorf("the kernel's are not br-int's: %v %+v", err, l.missing)
	}
	kernel, err := n.connections()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	flows, err := kernel.Dump(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		if c := connection(f); f.Zone == 4202 && c.Tags != all[0].Tags {
			t.Errorf("tags %+v", c)
		}
	}
	if len(n.ears) != 0 || left != 0 {
		t.Errorf("%d machines are still listened to; %d connections left", len(n.ears), left)
	}

	// Nobody says anything any more.
	if err := hold(); err == nil {
		t.Fatal("not held")
	}
	n.ears["tapheard"].since = time.Now().Add(-maxHearing)
	if err := hold(); err != nil {
		t.Errorf("held for ever: %v", err)
	}
	for _, f := range n.Apply(ctx, []plan.Step{plan.CopyConnections{Bridge: b}}, nil) {
		t.Error(f)
	}
	if left != 2 {
		t.Errorf("%d are told to be unknown, want 2", left)
	}
	// A machine that is not to come any more is not listened to.
	if err := hold(); err == nil {
		t.Fatal("not held")
	}
	if n.Hold(ctx, nil, nil); len(n.ears) != 0 {
		t.Error("still listened to")
	}
}
