package fakeswitch

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/ovs"
)

// told keeps what a flow monitor tells.
type told struct{ updates chan string }

func (told) Message(*channel.Conn, openflow.Header, openflow.Message) {}

func (o told) FlowUpdates(c *channel.Conn, body []byte) {
	err := openflow.EachFlowUpdate(body, c.Version(), func(u *openflow.FlowUpdate) error {
		if u.Event == openflow.UpdateAbbrev {
			o.updates <- "abbreviated"
			return nil
		}
		m, _, err := openflow.ParseMatch(u.Match)
		o.updates <- fmt.Sprintf("%v table %d priority %d cookie %#x %v reason %d", u.Event, u.Table, u.Priority, u.Cookie, m, u.Reason)
		return err
	})
	if err != nil {
		o.updates <- err.Error()
	}
}

func (o told) drain() []string {
	var out []string
	for {
		select {
		case s := <-o.updates:
			out = append(out, s)
		default:
			slices.Sort(out) // rows that one message removes come in any order
			return out
		}
	}
}

// side is one of the two switches that are compared: our channel to it, and another controller that watches.
type side struct {
	conn, watcher *channel.Conn
	own, foreign  told
}

func newSide(t *testing.T, dial func() net.Conn) *side {
	t.Helper()
	s := &side{own: told{make(chan string, 10000)}, foreign: told{make(chan string, 10000)}}
	for _, e := range []struct {
		to    **channel.Conn
		heard told
	}{{&s.conn, s.own}, {&s.watcher, s.foreign}} {
		c, err := channel.Config{Events: e.heard}.Handshake(t.Context(), dial())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Monitor(t.Context()); err != nil {
			t.Fatal(err)
		}
		*e.to = c
	}
	return s
}

// result is what one step did, in words that both switches must agree on.
type result struct {
	Err          string
	Rows         []string
	Own, Foreign []string
}

func (s *side) step(t *testing.T, bundle bool, mods []openflow.FlowMod) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var r result
	apply := s.conn.Send
	if bundle {
		apply = s.conn.Bundle
	}
	if err := apply(ctx, mods); err != nil {
		r.Err = err.Error()
	}
	err := s.conn.DumpFlows(ctx, openflow.AllFlows(), func(f *openflow.FlowStats) error {
		m, _, err := openflow.ParseMatch(f.Match)
		if err != nil {
			return err
		}
		a, err := openflow.ParseInstructions(f.Instructions, s.conn.Version())
		r.Rows = append(r.Rows, fmt.Sprintf("table %d priority %d cookie %#x idle %d hard %d flags %d importance %d %v actions %v",
			f.Table, f.Priority, f.Cookie, f.IdleTimeout, f.HardTimeout, f.Flags, f.Importance, m, a))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The updates of a change are on their way before the answer to a barrier.
	if err := s.watcher.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	slices.Sort(r.Rows)
	r.Own, r.Foreign = s.own.drain(), s.foreign.drain()
	return r
}

// randomMod is a flow-mod that often meets rows of others: few tables, priorities, addresses and cookies.
func randomMod(r *rand.Rand) openflow.FlowMod {
	m := openflow.FlowMod{Command: openflow.FlowCommand(r.IntN(5)), Table: uint8(r.IntN(3)), Priority: uint16(r.IntN(3)), Cookie: uint64(r.IntN(4)),
		BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny, Importance: uint16(r.IntN(2))}
	if r.IntN(2) == 0 {
		m.Match = append(m.Match, openflow.MACField(openflow.EthDst, [6]byte{2, 0, 0, 0, 0, byte(r.IntN(3))}))
	}
	if r.IntN(2) == 0 {
		m.Match = append(m.Match, openflow.U16(openflow.VlanVID, 0x1000|uint16(r.IntN(2))))
	}
	if r.IntN(4) == 0 {
		m.Match = append(m.Match, openflow.U32Masked(openflow.Reg(0), uint32(r.IntN(4)), uint32(1+r.IntN(3))))
	}
	m.Match = openflow.Canonical(m.Match)
	m.Actions = []openflow.Action{openflow.Output{Port: uint32(1 + r.IntN(2))}}
	switch deletes := m.Command >= openflow.FlowDelete; {
	case m.Command == openflow.FlowAdd:
		m.IdleTimeout, m.HardTimeout = uint16(r.IntN(2)*1000), uint16(r.IntN(2)*2000)
		m.Flags = []uint16{0, openflow.FlagSendFlowRem, openflow.FlagNoByteCounts, openflow.FlagResetCounts}[r.IntN(4)]
	case deletes && r.IntN(3) == 0:
		m.OutPort = uint32(1 + r.IntN(2))
	}
	if r.IntN(10) == 0 {
		m.Table = openflow.AllTables
	}
	if m.Command != openflow.FlowAdd && r.IntN(2) == 0 {
		m.CookieMask = uint64(1 + r.IntN(3))
		m.Cookie &= m.CookieMask
	}
	if m.Command == openflow.FlowAdd && r.IntN(40) == 0 {
		m.Table = 254 // the switch's own
	}
	return m
}

// loose is 1 for the flow-mods that mean every row which their match covers.
func loose(m openflow.FlowMod) int {
	if m.Command == openflow.FlowModify || m.Command == openflow.FlowDelete {
		return 1
	}
	return 0
}

// sides are Open vSwitch and the switch in memory.
func sides(t *testing.T) (genuine, fake *side) {
	t.Helper()
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure", "protocols=OpenFlow13,OpenFlow14")
	genuine = newSide(t, func() net.Conn {
		nc, err := net.Dial("unix", filepath.Join(sw.Dir, "br0.mgmt"))
		if err != nil {
			t.Fatal(err)
		}
		return nc
	})
	fakeSwitch := New(Config{DatapathID: 1})
	fake = newSide(t, func() net.Conn {
		ours, theirs := net.Pipe()
		go fakeSwitch.Serve(t.Context(), theirs)
		return ours
	})
	return genuine, fake
}

// The switch in memory is of use as far as it does what Open vSwitch does.
func TestDoesWhatOpenVSwitchDoes(t *testing.T) {
	genuine, fake := sides(t)
	const seed = 20
	r := rand.New(rand.NewPCG(seed, seed))
	for step := range 1500 {
		mods := make([]openflow.FlowMod, 1+r.IntN(6))
		for i := range mods {
			mods[i] = randomMod(r)
		}
		bundle := r.IntN(2) == 0
		if bundle {
			// Within a bundle, Open vSwitch's classifier may hide rows of a new mask from flow-mods that are not strict.
			slices.SortStableFunc(mods, func(a, b openflow.FlowMod) int { return cmp.Compare(loose(b), loose(a)) })
		}
		want, got := genuine.step(t, bundle, mods), fake.step(t, bundle, mods)
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("step %d (bundle: %v), %+v (-Open vSwitch +fake):\n%s", step, bundle, mods, d)
		}
	}
}

// A row that names a meter needs it, and goes with it: whoever watches is told.
func TestMetersAreAsInOpenVSwitch(t *testing.T) {
	genuine, fake := sides(t)
	limited := func(meter uint32) []openflow.FlowMod {
		return []openflow.FlowMod{{Command: openflow.FlowAdd, Priority: uint16(meter), Cookie: uint64(meter), Match: openflow.Match{openflow.U32(openflow.InPort, 1)},
			BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
			Actions: []openflow.Action{openflow.Meter{ID: meter}, openflow.Output{Port: 2}}}}
	}
	meter := func(command openflow.MeterCommand, id uint32) func(*side) error {
		return func(s *side) error {
			m := &openflow.MeterMod{Command: command, MeterID: id, Flags: openflow.MeterKbps | openflow.MeterBurst}
			if command != openflow.MeterDelete {
				m.Bands = []openflow.MeterBand{{Type: openflow.BandDrop, Rate: 100, Burst: 80}}
			}
			return s.conn.Tell(t.Context(), m)
		}
	}
	for _, step := range []struct {
		what   string
		do     func(*side) error
		bundle bool
		mods   []openflow.FlowMod
	}{
		{"a row without its meter", nil, false, limited(1)},
		{"the same in a bundle", nil, true, limited(1)},
		{"with its meter", meter(openflow.MeterAdd, 1), false, limited(1)},
		{"another one in a bundle", meter(openflow.MeterAdd, 2), true, limited(2)},
		{"a meter that is there", meter(openflow.MeterAdd, 2), true, limited(2)},
		{"a meter that is not there", meter(openflow.MeterModify, 3), true, limited(2)},
		{"a meter changes", meter(openflow.MeterModify, 1), true, limited(2)},
		{"a meter goes", meter(openflow.MeterDelete, 1), true, limited(2)},
		{"it is gone", meter(openflow.MeterDelete, 1), true, limited(1)},
	} {
		var want, got result
		for s, r := range map[*side]*result{genuine: &want, fake: &got} {
			var err error
			if step.do != nil {
				err = step.do(s)
			}
			*r = s.step(t, step.bundle, step.mods)
			r.Err = fmt.Sprint(err, "; ", r.Err)
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("%s (-Open vSwitch +fake):\n%s", step.what, d)
		}
	}
}
