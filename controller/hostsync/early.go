package hostsync

import "github.com/weft-sdn/weft/openflow"

// earlyBytes is how much of a switch's answer is kept while there is nothing to compare it with. A switch whose answer is
// longer has to wait.
const (
	earlyBytes = 16 << 20
	rowBytes   = 128 // of a row beside its match and instructions
	blockRows  = 512
)

// early are rows of a dump that came before the wanted ones were rendered: the switch need not wait for us meanwhile.
type early struct {
	// blocks are the rows, in order; the last block has room.
	blocks [][]openflow.FlowStats
	// free is memory for the rows' bytes, and kept is how much all of it is.
	free []byte
	kept int
}

// keep takes a copy of a row; false: there is no room.
func (e *early) keep(s *openflow.FlowStats) bool {
	n := len(s.Match) + len(s.Instructions)
	if e.kept += rowBytes + n; e.kept > earlyBytes {
		return false
	}
	if n > len(e.free) {
		e.free = make([]byte, max(n, 1<<18))
	}
	row := *s
	row.Match, row.Instructions = e.copy(s.Match), e.copy(s.Instructions)
	last := len(e.blocks) - 1
	if last < 0 || len(e.blocks[last]) == cap(e.blocks[last]) {
		e.blocks = append(e.blocks, make([]openflow.FlowStats, 0, blockRows))
		last++
	}
	e.blocks[last] = append(e.blocks[last], row)
	return true
}

func (e *early) copy(b []byte) []byte {
	c := e.free[:len(b):len(b)]
	e.free = e.free[len(b):]
	copy(c, b)
	return c
}

// release gives away what was kept, in order.
func (e *early) release(to func(*openflow.FlowStats) error) error {
	blocks := e.blocks
	*e = early{}
	for _, rows := range blocks {
		for i := range rows {
			if err := to(&rows[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
