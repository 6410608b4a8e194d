package channel

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

var versions = []openflow.Version{openflow.V13, openflow.V14, openflow.V15}

func eachVersion(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, v := range versions {
		t.Run("OpenFlow "+v.String(), func(t *testing.T) { f(t, Config{Versions: []openflow.Version{v}}) })
	}
}

func TestBundle(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
		c := connect(t, sw, cfg)
		if err := c.Bundle(limited(t), mods(5000)); err != nil {
			t.Fatal(err)
		}
		if n := sw.Len(); n != 5000 {
			t.Errorf("%d rows, want 5000", n)
		}
		if d := cmp.Diff(fakeswitch.Counts{FlowMods: 5000, Commits: 1, Connections: 1}, sw.Counts()); d != "" {
			t.Errorf("what the switch was told (-want +got):\n%s", d)
		}
		s := c.Stats()
		if s.FlowMods != 5000 || s.Errors != 0 || s.BytesSent < 5000*80 || s.BytesReceived == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Open vSwitch commits the rest of a bundle when it refused some of it. We must not let it.
func TestBundleWithRefusedRowsChangesNothing(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Refuse: refuseTable(99)})
		c := connect(t, sw, cfg)
		if err := c.Bundle(limited(t), mods(10)); err != nil {
			t.Fatal(err)
		}
		before := sw.Flows()
		bad := mods(3000)
		for i := range bad {
			bad[i].Priority = 9
		}
		for _, i := range []int{0, 1500, 2999} {
			bad[i].Table = 99
		}
		err := c.Bundle(limited(t), bad)
		if d := cmp.Diff([]int{0, 1500, 2999}, blamed(t, err)); d != "" {
			t.Errorf("blamed (-want +got):\n%s", d)
		}
		if want := "the switch refuses 3 messages, first number 0: OFPBIC_BAD_TABLE_ID"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if err := c.Barrier(limited(t)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, sw.Flows()); d != "" {
			t.Errorf("rows (-before +after):\n%s", d)
		}
		if n := sw.Counts(); n.Discards != 1 || n.Commits != 1 {
			t.Errorf("told %+v, want one commit and one discard", n)
		}
	})
}

// What a switch finds out only when it commits is blamed on the flow-mod just the same.
func TestBundleThatFailsInTheCommit(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, MaxFlows: 7})
		c := connect(t, sw, cfg)
		err := c.Bundle(limited(t), mods(10))
		if d := cmp.Diff([]int{7}, blamed(t, err)); d != "" {
			t.Errorf("blamed (-want +got):\n%s", d)
		}
		if want := "the switch refuses message 7: OFPFMFC_TABLE_FULL"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if n := sw.Len(); n != 0 {
			t.Errorf("%d rows", n)
		}
		if err := c.Bundle(limited(t), mods(7)); err != nil {
			t.Errorf("a bundle that fits: %v", err)
		}
	})
}

// A slave is told so for every row; the bundle is not committed.
func TestBundleOfASlave(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	if err := c.SetRole(limited(t), openflow.RoleSlave, 1); err != nil {
		t.Fatal(err)
	}
	err := c.Bundle(limited(t), mods(2))
	var refused *openflow.Error
	if d := cmp.Diff([]int{0, 1}, blamed(t, err)); d != "" || !errors.As(err, &refused) || refused.Name() != "OFPBRC_IS_SECONDARY" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// A context that ends before the commit leaves the switch as it was, and the channel usable.
func TestBundleCancelled(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	sw.SetDelay(time.Millisecond)
	ctx, cancel := context.WithCancel(limited(t))
	done := make(chan error, 1)
	go func() { done <- c.Bundle(ctx, mods(300)) }()
	await(t, "the switch has some of it", func() bool { return sw.Counts().FlowMods > 5 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("bundle: %v", err)
	}
	sw.SetDelay(0)
	if err := c.Barrier(limited(t)); err != nil {
		t.Fatal(err)
	}
	if n := sw.Counts(); sw.Len() != 0 || n.Discards != 1 || n.Commits != 0 {
		t.Errorf("%d rows, told %+v", sw.Len(), n)
	}
}

// A context that ends while there is no room for more of the bundle.
func TestBundleCancelledWhileTheSwitchDoesNotRead(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{MaxQueue: 1 << 10})
	sw.SetDeaf(true)
	ctx, cancel := context.WithCancel(limited(t))
	done := make(chan error, 1)
	go func() { done <- c.Bundle(ctx, mods(300_000)) }()
	await(t, "the queue is full", func() bool { return c.queue.waiting() > 1<<10 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("bundle: %v", err)
	}
	sw.SetDeaf(false)
	if err := c.Barrier(limited(t)); err != nil {
		t.Fatal(err)
	}
	if n := sw.Counts(); sw.Len() != 0 || n.Discards != 1 || n.Commits != 0 {
		t.Errorf("%d rows, told %+v", sw.Len(), n)
	}
}

// When the answer to a commit does not come in time, nobody may go on as if it were known.
func TestBundleCancelledAfterTheCommit(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Intercept: func(_ openflow.Header, m openflow.Message) ([]byte, bool) {
		b, ok := m.(*openflow.BundleControl)
		return nil, ok && b.Type == openflow.BundleCommitRequest // it never comes back
	}})
	c := connect(t, sw, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := c.Bundle(ctx, mods(3))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("bundle: %v", err)
	}
	if want := "no answer to the commit of a bundle: context deadline exceeded"; ended(t, c).Error() != want {
		t.Errorf("the channel ended with %v, want %s", c.Err(), want)
	}
}

// A flow-mod that no message can hold is refused before it can break the stream.
func TestBundleWithAFlowModThatIsTooLong(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	long := mods(2)
	for range 5000 {
		long[1].Actions = append(long[1].Actions, openflow.Output{Port: 1})
	}
	err := c.Bundle(limited(t), long)
	if want := "flow-mod 1: a message of 80104 bytes; at most 65535 can be sent"; err == nil || err.Error() != want {
		t.Errorf("bundle: %v, want %s", err, want)
	}
	if err := c.Bundle(limited(t), mods(2)); err != nil || sw.Len() != 2 {
		t.Errorf("the next bundle: %v, %d rows", err, sw.Len())
	}
}

func TestSendAppliesWhatIsNotRefused(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Refuse: refuseTable(99)})
	c := connect(t, sw, Config{})
	m := mods(5)
	m[3].Table = 99
	if d := cmp.Diff([]int{3}, blamed(t, c.Send(limited(t), m))); d != "" {
		t.Errorf("blamed (-want +got):\n%s", d)
	}
	if sw.Len() != 4 {
		t.Errorf("%d rows, want 4", sw.Len())
	}
}

func TestTellCollectsRefusals(t *testing.T) {
	c := connect(t, fakeswitch.New(fakeswitch.Config{DatapathID: 1}), Config{})
	ctx := limited(t)
	if err := c.Tell(ctx, &openflow.SetConfig{}, &openflow.SetAsync{}); err != nil {
		t.Error(err)
	}
	// The switch in memory has no groups.
	if d := cmp.Diff([]int{1}, blamed(t, c.Tell(ctx, &openflow.SetConfig{}, &openflow.GroupMod{}))); d != "" {
		t.Errorf("blamed (-want +got):\n%s", d)
	}
}

// Bundles of several callers on one channel are each whole.
func TestBundlesAtTheSameTime(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1, Refuse: refuseTable(99)})
	c := connect(t, sw, Config{MaxQueue: 8 << 10})
	errs := make(chan error, 8)
	for i := range 8 {
		go func() {
			m := mods(400)
			for k := range m {
				m[k].Table = uint8(i)
			}
			if i%2 == 1 {
				m[100].Table = 99
			}
			err := c.Bundle(limited(t), m)
			if be := (*BundleError)(nil); i%2 == 1 && errors.As(err, &be) && len(be.Errors) == 1 && be.Errors[0].Index == 100 {
				err = nil
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	perTable := map[string]int{}
	for _, f := range sw.Flows() {
		perTable[fmt.Sprint(f.Table)]++
	}
	want := map[string]int{"0": 400, "2": 400, "4": 400, "6": 400}
	if d := cmp.Diff(want, perTable, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("rows per table (-want +got):\n%s", d)
	}
}

// xids of four billion messages later begin anew, and never with 0.
func TestXIDsBeginAnew(t *testing.T) {
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 1})
	c := connect(t, sw, Config{})
	c.ops.xid = 1<<32 - 5
	for range 3 {
		if err := c.Bundle(limited(t), mods(10)); err != nil {
			t.Fatal(err)
		}
		if err := c.Barrier(limited(t)); err != nil {
			t.Fatal(err)
		}
	}
	if sw.Len() != 10 {
		t.Errorf("%d rows", sw.Len())
	}
}
