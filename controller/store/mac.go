package store

import (
	"math/rand/v2"

	"github.com/weft-sdn/weft/controller/model"
)

// macAttempts is how often a random MAC is tried. With a million ports of 16 million possible MACs the odds that all
// attempts hit a taken one are 10^-78.
const macAttempts = 64

// freeMAC makes up a MAC that nobody has.
func freeMAC(prefix [3]byte, taken func(model.MAC) bool) (model.MAC, error) {
	for range macAttempts {
		r := rand.Uint32()
		m := model.MAC{prefix[0], prefix[1], prefix[2], byte(r >> 16), byte(r >> 8), byte(r)}
		if !taken(m) {
			return m, nil
		}
	}
	return model.MAC{}, &ErrExhausted{"mac_address", "no free MAC was found: give one, or delete ports"}
}

// freePortMAC is unique over all networks, not only in its own: an interface may be recognised by its attached-mac alone.
func (t *Tx) freePortMAC() (model.MAC, error) {
	return freeMAC(model.PortMACPrefix, func(m model.MAC) bool {
		for range t.PortsByAttachedMAC(m) {
			return true
		}
		return false
	})
}
