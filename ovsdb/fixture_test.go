package ovsdb

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/test/ovs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a switch with a session to its database.
type host struct {
	*ovs.Switch
	t testing.TB
	s *Session
}

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{Switch: ovs.Start(t), t: t}
	h.dial()
	return h
}

func (h *host) dial() {
	h.t.Helper()
	s, err := Dial(h.t.Context(), h.Endpoint())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	h.s = s
}

func (h *host) apply(d Desired) Outcome {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
	defer cancel()
	out, err := h.s.Apply(ctx, d)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// settle applies until nothing is left to do and the switch has followed.
func (h *host) settle(d Desired) Outcome {
	h.t.Helper()
	var out Outcome
	h.Await("the switch", func() bool {
		out = h.apply(d)
		pending := false
		for _, p := range out.Problems {
			pending = pending || p.Reason == NotApplied
		}
		return len(out.Changes) == 0 && !pending
	})
	return out
}

// seen waits until the session knows what others have written of an interface of br-int, which reaches it some time after it is in the
// database.
func (h *host) seen(name string, is func(Interface) bool) {
	h.t.Helper()
	h.Await(name, func() bool {
		st, err := h.s.State()
		return err == nil && is(st.Interfaces("br-int")[name])
	})
}

func (h *host) get(table, record, column string) string {
	h.t.Helper()
	return strings.ReplaceAll(h.Vsctl("--if-exists", "get", table, record, column), `"`, "")
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// threeBridges is a host with one tunnel and no VM.
func threeBridges() Desired {
	return Desired{DatapathType: "netdev",
		Bridges: []Bridge{
			{"br-ex", Physical, "7765667400010003", []string{"tcp:127.0.0.1:1"}},
			{"br-int", Integration, "7765667400010001", []string{"tcp:127.0.0.1:1"}},
			{"br-tun", Tunnel, "7765667400010002", []string{"tcp:127.0.0.1:1"}},
		},
		Tunnels: []TunnelPort{{"vxlan-0a5b0015", "vxlan", addr("10.91.0.20"), addr("10.91.0.21")}},
	}
}

func (h *host) plug(name, ifaceID string) {
	h.t.Helper()
	args := []string{"--no-wait", "add-port", "br-int", name, "--", "set", "interface", name, "type=internal", `external_ids:attached-mac="FA:16:3E:00:00:01"`}
	if ifaceID != "" {
		args = append(args, "external_ids:iface-id="+ifaceID)
	}
	h.Vsctl(args...)
}

func texts(cs []Change) []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Resource+": "+c.Text)
	}
	return out
}

func problems(m map[string]Problem) []string {
	var out []string
	for _, p := range byName(m) {
		out = append(out, strings.Join([]string{p.Resource, p.Field, p.Reason, p.Message}, "|"))
	}
	return out
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}
