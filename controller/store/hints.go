package store

import "net/netip"

// hints remember what was given out last, so that the search for something free begins behind it. They only say where
// to look first: what is free, the state says. They are lost with the process.
type hints struct {
	segments  map[string]uint32
	addresses map[string]netip.Addr
	// rules are by router where the search for a free priority of a rule begins, counted from the least.
	rules map[string]uint32
	// under is what a fork falls back on.
	under *hints
}

func newHints() *hints {
	return &hints{}
}

// fork makes hints that can be thrown away.
func (h *hints) fork() *hints { return &hints{under: h} }

// join puts what a fork remembers into what it was forked from.
func (h *hints) join() {
	for k, v := range h.segments {
		h.under.setSegment(k, v)
	}
	for k, v := range h.addresses {
		h.under.setAddress(k, v)
	}
	for k, v := range h.rules {
		h.under.setRule(k, v)
	}
}

// segment is the id last given out in those ranges, or 0.
func (h *hints) segment(ranges string) uint32 {
	for ; h != nil; h = h.under {
		if id, ok := h.segments[ranges]; ok {
			return id
		}
	}
	return 0
}

// address is the address last given out in that subnet, or the zero Addr.
func (h *hints) address(subnet string) netip.Addr {
	for ; h != nil; h = h.under {
		if a, ok := h.addresses[subnet]; ok {
			return a
		}
	}
	return netip.Addr{}
}

// rule is where to look for the priority of a router's rule first.
func (h *hints) rule(router string) uint32 {
	for ; h != nil; h = h.under {
		if r, ok := h.rules[router]; ok {
			return r
		}
	}
	return 0
}

// setRule with 0 forgets a router that is gone.
func (h *hints) setRule(router string, r uint32) {
	if h.under == nil && r == 0 {
		delete(h.rules, router)
		return
	}
	if h.rules == nil {
		h.rules = map[string]uint32{}
	}
	h.rules[router] = r
}

func (h *hints) setSegment(ranges string, id uint32) {
	if h.segments == nil {
		h.segments = map[string]uint32{}
	}
	h.segments[ranges] = id
}

// setAddress with the zero Addr forgets a subnet that is gone.
func (h *hints) setAddress(subnet string, a netip.Addr) {
	if h.under == nil && !a.IsValid() {
		delete(h.addresses, subnet)
		return
	}
	if h.addresses == nil {
		h.addresses = map[string]netip.Addr{}
	}
	h.addresses[subnet] = a
}
