package channel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

func dump(t testing.TB, c *Conn, req openflow.FlowStatsRequest) []string {
	t.Helper()
	var out []string
	err := c.DumpFlows(limited(t), req, func(s *openflow.FlowStats) error {
		out = append(out, fmt.Sprintf("table %d cookie %#x", s.Table, s.Cookie))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A dump is complete, however many messages it takes.
func TestDumpOfManyParts(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
		c := connect(t, sw, cfg)
		if err := c.Bundle(limited(t), mods(20_000)); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		err := c.DumpFlows(limited(t), openflow.AllFlows(), func(s *openflow.FlowStats) error {
			seen[string(s.Match)] = true
			return nil
		})
		if err != nil || len(seen) != 20_000 {
			t.Errorf("%d different rows, %v", len(seen), err)
		}
	})
}

func TestDumpChooses(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	m := mods(4)
	for i := range m {
		m[i].Cookie = uint64(i)
	}
	m[2].Table = 7
	if err := sw.Change(m...); err != nil {
		t.Fatal(err)
	}
	c := connect(t, sw, Config{})
	req := openflow.AllFlows()
	req.Table = 7
	if d := cmp.Diff([]string{"table 7 cookie 0x2"}, dump(t, c, req)); d != "" {
		t.Errorf("by table (-want +got):\n%s", d)
	}
	req = openflow.AllFlows()
	req.Cookie, req.CookieMask = 3, ^uint64(0)
	if d := cmp.Diff([]string{"table 20 cookie 0x3"}, dump(t, c, req)); d != "" {
		t.Errorf("by cookie (-want +got):\n%s", d)
	}
}

// The callback's error ends the dump and not the channel.
func TestDumpStopsAtTheCallersError(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	if err := c.Bundle(limited(t), mods(5000)); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	rows := 0
	err := c.DumpFlows(limited(t), openflow.AllFlows(), func(*openflow.FlowStats) error {
		if rows++; rows == 10 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || rows != 10 {
		t.Errorf("%v after %d rows", err, rows)
	}
	if n := len(dump(t, c, openflow.AllFlows())); n != 5000 {
		t.Errorf("the next dump has %d rows", n)
	}
}

func TestDumpCancelled(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	if err := c.Bundle(limited(t), mods(5000)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(limited(t))
	over := false
	err := c.DumpFlows(ctx, openflow.AllFlows(), func(*openflow.FlowStats) error {
		if over {
			t.Error("called after the dump returned")
		}
		cancel()
		return nil
	})
	over = true
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := len(dump(t, c, openflow.AllFlows())); n != 5000 {
		t.Errorf("the next dump has %d rows", n)
	}
}

// A switch that answers with something else is not to be trusted with anything.
func TestLyingSwitchIsCut(t *testing.T) {
	for _, tc := range []struct {
		name string
		lie  func(h openflow.Header) []byte
		want string
	}{
		{"another multipart type", func(h openflow.Header) []byte {
			return (&openflow.MultipartReply{Multipart: openflow.Multipart{Type: openflow.MultipartTable}}).Append(nil, h.Version, h.XID)
		}, "dump flows: a flow request is answered by table"},
		{"another message", func(h openflow.Header) []byte { return (&openflow.BarrierReply{}).Append(nil, h.Version, h.XID) },
			"dump flows: a flow request is answered by a barrier reply"},
		{"a row that says it is longer than the message", func(h openflow.Header) []byte {
			body := make([]byte, 56)
			body[1] = 200
			return (&openflow.MultipartReply{Multipart: openflow.Multipart{Type: openflow.MultipartFlow, Body: body}}).Append(nil, h.Version, h.XID)
		}, "dump flows: flow at byte 0 of the body: it says that it is 200 bytes long, of 56"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Intercept: func(h openflow.Header, m openflow.Message) ([]byte, bool) {
				if h.Type == openflow.TypeMultipartReq {
					return tc.lie(h), true
				}
				return nil, false
			}})
			c := connect(t, sw, Config{})
			err := c.DumpFlows(limited(t), openflow.AllFlows(), func(*openflow.FlowStats) error { return nil })
			if err == nil || err.Error() != tc.want {
				t.Errorf("dump: %v, want %s", err, tc.want)
			}
			ended(t, c)
		})
	}
}

func TestPortDescsAndTableStats(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		ports := []openflow.Port{
			{Number: 1, Name: "tap1", Ethernet: &openflow.PortEthernet{CurrentSpeed: 10}},
			{Number: openflow.PortLocal, Name: "br-int", Config: openflow.PortConfigDown, Ethernet: &openflow.PortEthernet{}},
		}
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Ports: ports})
		if err := sw.Change(mods(3)...); err != nil {
			t.Fatal(err)
		}
		c := connect(t, sw, cfg)
		got, err := c.PortDescs(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Properties = nil
		}
		if d := cmp.Diff(ports, got); d != "" {
			t.Errorf("ports (-want +got):\n%s", d)
		}
		tables, err := c.TableStats(limited(t))
		if err != nil || len(tables) != fakeswitch.Tables || tables[20] != (openflow.TableStats{Table: 20, Active: 3}) {
			t.Errorf("%d tables, 20: %+v, %v", len(tables), tables[20], err)
		}
	})
}

func TestRoles(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	a, b := connect(t, sw, Config{}), connect(t, sw, Config{})
	ctx := limited(t)
	if err := a.SetRole(ctx, openflow.RoleMaster, 5); err != nil {
		t.Fatal(err)
	}
	err := b.SetRole(ctx, openflow.RoleMaster, 4)
	if want := "generation 4: the switch has a newer master"; !errors.Is(err, ErrStale) || err.Error() != want {
		t.Errorf("a stale request: %v", err)
	}
	if err := b.SetRole(ctx, openflow.RoleMaster, 6); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0}, blamed(t, a.Bundle(ctx, mods(1)))); d != "" {
		t.Errorf("who is master no longer still writes (-want +got):\n%s", d)
	}
	if err := b.Bundle(ctx, mods(1)); err != nil {
		t.Errorf("the new master: %v", err)
	}
}

// Requests of many callers at once find their own answers.
func TestRequestsAtTheSameTime(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want := fmt.Sprint(i)
			m, err := c.Request(limited(t), &openflow.EchoRequest{Data: []byte(want)})
			if err != nil {
				t.Error(err)
			} else if r, ok := m.(*openflow.EchoReply); !ok || string(r.Data) != want {
				t.Errorf("asked %s, was answered %+v", want, m)
			}
		})
	}
	wg.Wait()
}

// What comes too late is for nobody.
func TestLateAnswersAreDropped(t *testing.T) {
	var heard events
	c, peer := script(t, Config{Events: &heard})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Barrier(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("barrier: %v", err)
	}
	late := (&openflow.BarrierReply{}).Append(nil, openflow.V14, firstXID)
	late = (&openflow.Error{Type: 1, Code: 1}).Append(late, openflow.V14, firstXID)
	late = (&openflow.PortStatus{}).Append(late, openflow.V14, 0)
	peer.Write(late)
	await(t, "the port-status", func() bool { m, _ := heard.told(); return len(m) > 0 })
	if m, _ := heard.told(); len(m) != 1 || m[0] != "port-status" {
		t.Errorf("told %q", m)
	}
}

func TestEvents(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		var heard events
		cfg.Events = &heard
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
		c := connect(t, sw, cfg)
		ctx := limited(t)
		if err := c.Monitor(ctx); err != nil {
			t.Fatal(err)
		}
		m := mods(3)
		m[0].Flags = openflow.FlagSendFlowRem
		if err := c.Bundle(ctx, m); err != nil {
			t.Fatal(err)
		}
		foreign := row(0)
		foreign.Command = openflow.FlowDeleteStrict
		other := row(9)
		if err := sw.Change(foreign, other); err != nil {
			t.Fatal(err)
		}
		sw.PortStatus(openflow.PortAdded, openflow.Port{Number: 3})
		sw.Send(&openflow.RoleStatus{Role: openflow.RoleSlave, GenerationID: 8})
		if err := c.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
		messages, updates := heard.told()
		if d := cmp.Diff([]string{"ABBREV", "DELETED table 20 cookie 0x7", "ADDED table 20 cookie 0x7"}, updates); d != "" {
			t.Errorf("updates (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"flow-removed", "port-status", "secondary, generation 8"}, messages); d != "" {
			t.Errorf("messages (-want +got):\n%s", d)
		}
	})
}

// A monitor that is there already is refused; the channel goes on.
func TestMonitorTwice(t *testing.T) {
	c := connect(t, fakeswitch.New(fakeswitch.Config{DatapathID: 1}), Config{})
	if err := c.Monitor(limited(t)); err != nil {
		t.Fatal(err)
	}
	err := c.Monitor(limited(t))
	if want := "flow monitor: OFPMOFC_MONITOR_EXISTS"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := c.Barrier(limited(t)); err != nil {
		t.Error(err)
	}
}
