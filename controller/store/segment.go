package store

import (
	"fmt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// ranges are what segment ids of a type come from, and the name of the configuration that says so.
func (t *Tx) ranges(networkType, physnet string) ([]Range, string) {
	switch networkType {
	case model.VXLAN:
		return t.cfg.Ranges.VXLAN, "vxlan ranges"
	case model.GRE:
		return t.cfg.Ranges.GRE, "gre ranges"
	case model.Geneve:
		return t.cfg.Ranges.Geneve, "geneve ranges"
	case model.VLAN:
		return t.cfg.Ranges.VLAN[physnet], fmt.Sprintf("vlan ranges of physical network %q", physnet)
	}
	return nil, ""
}

// checkSegment refuses a segment that another network has, or that cannot be chosen for want of a range.
func (t *Tx) checkSegment(c *checks, n *model.Network) {
	if n.Type == model.Flat {
		if by := t.NetworkBySegment(model.Flat, n.PhysicalNetwork, 0); by != nil {
			c.take("provider_physical_network", n.PhysicalNetwork, state.Networks, by)
		}
		return
	}
	if n.SegmentID != 0 {
		if by := t.NetworkBySegment(n.Type, n.PhysicalNetwork, n.SegmentID); by != nil {
			c.take("provider_segmentation_id", fmt.Sprint(n.SegmentID), state.Networks, by)
		}
		return
	}
	if rs, what := t.ranges(n.Type, n.PhysicalNetwork); len(rs) == 0 && what != "" && (n.Type != model.VLAN || n.PhysicalNetwork != "") {
		c.add("provider_segmentation_id", "is missing, and the controller has no %s to choose one from", what)
	}
}

// freeSegment takes the next free id after the one that was given out last, so that an id is not used again at once:
// packets of the former network may still be under way.
func (t *Tx) freeSegment(networkType, physnet string) (uint32, error) {
	rs, what := t.ranges(networkType, physnet)
	hint := networkType + "/" + physnet
	free := func(id uint32) bool { return t.NetworkBySegment(networkType, physnet, id) == nil }
	last := t.hints.segment(hint)
	// Twice around: from the hint to the end, then from the beginning to the hint.
	for _, wrapped := range []bool{false, true} {
		for _, r := range rs {
			lo, hi := r.Min, r.Max
			if wrapped {
				hi = min(hi, last)
			} else if last >= lo {
				lo = last + 1
			}
			// id is wider than the range, whose end may be the largest number.
			for id := uint64(lo); id <= uint64(hi) && lo != 0; id++ {
				if free(uint32(id)) {
					t.hints.setSegment(hint, uint32(id))
					return uint32(id), nil
				}
			}
		}
	}
	return 0, &ErrExhausted{"provider_segmentation_id", fmt.Sprintf("no segment id is left in the controller's %s: delete networks or configure more", what)}
}
