package ovsdb

import (
	"context"
	"fmt"
	"slices"
)

// nobody is a target at which nobody listens: tcpmux on this host.
const nobody = "tcp:127.0.0.1:1"

// Disconnect takes the controllers of bridges away, for the next Apply to put back: Open vSwitch then connects at once,
// and no longer waits as it does after attempts in vain. A stand-in keeps the bridges from being without a controller,
// at which Open vSwitch would remove their flows. It returns when the switch has followed.
func (s *Session) Disconnect(ctx context.Context, st *State, bridges []string) error {
	var o operations
	for _, name := range bridges {
		b := st.bridges[name]
		if b == nil || len(b.Controllers) == 0 {
			continue
		}
		for _, u := range b.Controllers {
			if c := st.controllers[u]; c != nil && owned(c.ExternalIDs) {
				o.mutate(tableBridge, b.UUID, dropRef("controller", u))
			}
		}
		o.mutate(tableBridge, b.UUID, addRef("controller", o.insert(tableController, newController(nobody))))
	}
	if len(o.ops) == 0 {
		return nil
	}
	cfg, err := s.commit(ctx, st, "weft-nsagent: connect "+fmt.Sprint(slices.Sorted(slices.Values(bridges)))+" anew", o.ops)
	if err != nil {
		return err
	}
	return s.await(ctx, func(st *State) bool { return st.Applied(cfg) })
}
