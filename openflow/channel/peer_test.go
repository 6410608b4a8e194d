package channel

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

// A peer that misbehaves is cut off with an error that says what and where, and the switch next door goes on.
func TestBadPeersAreCut(t *testing.T) {
	good := connect(t, fakeswitch.New(fakeswitch.Config{DatapathID: 1}), Config{})
	mod := row(1, openflow.Output{Port: 1})
	flowMod := mod.Append(nil, openflow.V14, 9)
	removed := (&openflow.FlowRemoved{Match: openflow.RawMatch{0, 1, 0, 9, 0x80, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0}}).Append(nil, openflow.V14, 0)
	for _, tc := range []struct {
		name string
		says []byte
		end  bool // closes the connection afterwards
		want string
	}{
		{"random bytes", []byte("this is not OpenFlow"), false, "after 0 bytes from the peer: message of type 104 of version 0x74 after 1.4 was agreed on"},
		{"a length below the header's", []byte{5, 2, 0, 7, 0, 0, 0, 0}, false,
			"after 0 bytes from the peer: header: echo request says that it is 7 bytes long; no message is shorter than 8"},
		{"half a message and silence", flowMod[:20], false, "after 0 bytes from the peer: flow-mod of 88 bytes, of which 20 came: the rest is overdue"},
		{"half a message and the end", flowMod[:20], true, "after 0 bytes from the peer: flow-mod of 88 bytes, of which 20 came: unexpected EOF"},
		{"a length that swallows what follows", append([]byte{5, 10, 0xff, 0xff, 0, 0, 0, 0}, flowMod...), false,
			"after 0 bytes from the peer: packet-in of 65535 bytes, of which 96 came: the rest is overdue"},
		{"a message that does not decode", append((&openflow.EchoReply{}).Append(nil, openflow.V14, 0), removed...), false,
			"after 8 bytes from the peer: flow-removed: match at byte 48: "},
		{"the end", nil, true, "the peer closed the connection: EOF"},
		{"silence", nil, false, "after 0 bytes from the peer: silent for 150ms, and no answer to an echo request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, peer := script(t, quick)
			peer.Write(tc.says)
			if tc.end {
				peer.Close()
			}
			got := ended(t, c).Error()
			if !strings.HasPrefix(got, tc.want) || (!strings.HasSuffix(tc.want, ": ") && got != tc.want) {
				t.Errorf("error (-want +got):\n%s", cmp.Diff(tc.want, got))
			}
			if err := good.Barrier(limited(t)); err != nil {
				t.Errorf("another channel: %v", err)
			}
		})
	}
}

// A switch that takes everything and answers nothing is found out by the echo request, in the middle of an operation.
func TestMuteSwitchIsCut(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, quick)
	sw.SetMute(true)
	err := c.Bundle(limited(t), mods(10))
	if want := "after 0 bytes from the peer: silent for 150ms, and no answer to an echo request"; err == nil || err.Error() != want {
		t.Errorf("bundle: %v, want %s", err, want)
	}
	if got := ended(t, c); !errors.Is(err, got) {
		t.Errorf("the channel ended with %v", got)
	}
}

// A switch that is only quiet answers the echo request and stays.
func TestQuietSwitchStays(t *testing.T) {
	c := connect(t, fakeswitch.New(fakeswitch.Config{DatapathID: 1}), quick)
	before := c.Stats()
	await(t, "three echo requests", func() bool { return c.Stats().BytesSent >= before.BytesSent+3*openflow.HeaderLen })
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// A switch that does not read is cut when a write has taken too long, and keeps no other switch waiting.
func TestDeafSwitchIsCut(t *testing.T) {
	deaf, other := fakeswitch.New(fakeswitch.Config{DatapathID: 1}), fakeswitch.New(fakeswitch.Config{DatapathID: 2})
	cfg := quick
	cfg.EchoInterval = time.Minute // it is the write that must end it
	c, good := connect(t, deaf, cfg), connect(t, other, cfg)
	deaf.SetDeaf(true)
	failed := make(chan error, 1)
	go func() { failed <- c.Bundle(limited(t), mods(200_000)) }()
	if err := good.Bundle(limited(t), mods(1000)); err != nil {
		t.Errorf("another switch: %v", err)
	}
	select {
	case err := <-failed:
		if err == nil || !strings.HasPrefix(err.Error(), "the peer does not read: of ") {
			t.Errorf("bundle: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the bundle still waits")
	}
	if n := c.queue.waiting(); n > c.cfg.MaxQueue+chunkRoom {
		t.Errorf("%d bytes waited for a switch that does not read", n)
	}
}

// A slow switch is not a dead one.
func TestSlowSwitchIsWaitedFor(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	cfg := quick
	cfg.EchoTimeout = patience
	c := connect(t, sw, cfg)
	sw.SetDelay(2 * time.Millisecond)
	if err := c.Bundle(limited(t), mods(100)); err != nil {
		t.Fatal(err)
	}
	if sw.Len() != 100 {
		t.Errorf("%d rows", sw.Len())
	}
}

// A peer that floods us with echo requests and does not read the answers cannot make us keep them all.
func TestFloodOfEchoRequestsIsCut(t *testing.T) {
	cfg := quick
	cfg.MaxQueue, cfg.WriteTimeout = 64<<10, time.Minute
	c, peer := script(t, cfg)
	echo := (&openflow.EchoRequest{Data: make([]byte, 60_000)}).Append(nil, openflow.V14, 5)
	for range 10_000 {
		if _, err := peer.Write(echo); err != nil {
			break
		}
	}
	if err := ended(t, c); !strings.Contains(err.Error(), "the peer asks and does not read: ") {
		t.Errorf("ended with %v", err)
	}
}

// The xids of a switch's own requests are its own. Open vSwitch counts them up from 1, so that sooner or later one is
// equal to one of ours; it must get its answer, and we must not take it for ours.
func TestEchoRequestWithAnXIDOfOurs(t *testing.T) {
	c, peer := script(t, Config{})
	done := make(chan error, 1)
	go func() { done <- c.Barrier(limited(t)) }()
	r := reader{nc: peer}
	any := func(openflow.Header) error { return nil }
	next := func() (openflow.Header, openflow.Message) {
		b, err := r.next(any)
		if err != nil {
			t.Fatal(err)
		}
		h, m, err := openflow.Parse(bytes.Clone(b))
		if err != nil {
			t.Fatal(err)
		}
		return h, m
	}
	h, _ := next()
	if h.Type != openflow.TypeBarrierRequest {
		t.Fatalf("a %v", h.Type)
	}
	peer.Write((&openflow.EchoRequest{Data: []byte("alive?")}).Append(nil, openflow.V14, h.XID))
	eh, m := next()
	if d := cmp.Diff(openflow.Message(&openflow.EchoReply{Data: []byte("alive?")}), m); d != "" || eh.XID != h.XID {
		t.Errorf("answer to the echo request, xid %d, want %d (-want +got):\n%s", eh.XID, h.XID, d)
	}
	peer.Write((&openflow.BarrierReply{}).Append(nil, openflow.V14, h.XID))
	if err := <-done; err != nil {
		t.Errorf("barrier: %v", err)
	}
}

// After the end, every method says why it ended. (A dump once told of an empty table.)
func TestMethodsAfterTheEnd(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	sw.Disconnect()
	want := ended(t, c)
	if !errors.Is(want, io.EOF) && !strings.Contains(want.Error(), "connection reset") {
		t.Errorf("ended with %v", want)
	}
	ctx := limited(t)
	_, portErr := c.PortDescs(ctx)
	_, reqErr := c.Request(ctx, &openflow.GetConfigRequest{})
	for name, err := range map[string]error{
		"bundle":  c.Bundle(ctx, mods(1)),
		"send":    c.Send(ctx, mods(1)),
		"tell":    c.Tell(ctx, &openflow.GroupMod{}),
		"barrier": c.Barrier(ctx),
		"dump":    c.DumpFlows(ctx, openflow.AllFlows(), func(*openflow.FlowStats) error { return nil }),
		"ports":   portErr,
		"request": reqErr,
		"role":    c.SetRole(ctx, openflow.RoleMaster, 1),
		"monitor": c.Monitor(ctx),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
