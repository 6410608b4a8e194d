package channel

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/ovs"
)

type heard struct{ updates chan openflow.UpdateEvent }

func (h *heard) Message(*Conn, openflow.Header, openflow.Message) {}
func (h *heard) FlowUpdates(c *Conn, body []byte) {
	openflow.EachFlowUpdate(body, c.Version(), func(u *openflow.FlowUpdate) error {
		if u.Event != openflow.UpdateAbbrev {
			h.updates <- u.Event
		}
		return nil
	})
}

func row(i int, actions ...openflow.Action) openflow.FlowMod {
	return openflow.FlowMod{Command: openflow.FlowAdd, Table: 20, Priority: 2, Cookie: 7, BufferID: openflow.NoBuffer,
		OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
		Match:   openflow.Match{openflow.MACField(openflow.EthDst, [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)})},
		Actions: actions}
}

// A bundle with one bad row leaves a real switch's table as it was; a good one is there whole, and the dump is complete.
func TestBundleOnARealSwitch(t *testing.T) {
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", "fail_mode=secure")
	nc, err := net.Dial("unix", filepath.Join(sw.Dir, "br0.mgmt"))
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{make(chan openflow.UpdateEvent, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := Config{Events: h}.Handshake(ctx, nc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetRole(ctx, openflow.RoleMaster, 5); err != nil {
		t.Fatal(err)
	}
	if err := c.SetRole(ctx, openflow.RoleMaster, 4); !errors.Is(err, ErrStale) {
		t.Errorf("a stale role: %v", err)
	}
	if err := c.Monitor(ctx); err != nil {
		t.Fatal(err)
	}
	const n = 20000
	mods := make([]openflow.FlowMod, n)
	for i := range mods {
		mods[i] = row(i, openflow.Output{Port: 1})
	}
	mods[777].Actions = []openflow.Action{openflow.GotoTable{Table: 3}} // backwards
	err = c.Bundle(ctx, mods)
	var be *BundleError
	if !errors.As(err, &be) || len(be.Errors) != 1 || be.Errors[0].Index != 777 {
		t.Fatalf("bundle with a bad row: %v", err)
	}
	count := func() (rows int) {
		if err := c.DumpFlows(ctx, openflow.AllFlows(), func(*openflow.FlowStats) error { rows++; return nil }); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if got := count(); got != 0 {
		t.Errorf("%d rows after a refused bundle", got)
	}
	mods[777].Actions = nil
	if err := c.Bundle(ctx, mods); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	sw.Ofctl("-OOpenFlow13", "del-flows", "br0", "table=20,dl_dst=02:00:00:00:00:05")
	select {
	case e := <-h.updates:
		if e != openflow.UpdateRemoved {
			t.Errorf("told %v", e)
		}
	case <-ctx.Done():
		t.Error("the foreign removal was not told")
	}
}
