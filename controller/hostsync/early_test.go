package hostsync

import (
	"fmt"
	"testing"

	"github.com/weft-sdn/weft/openflow"
)

// Rows that came early are given back as they were and in order, also when the buffer that they came in is used again; and
// there is an end to how many are kept.
func TestRowsThatCameEarly(t *testing.T) {
	var e early
	buf := make([]byte, 64)
	kept := 0
	for ; ; kept++ {
		if kept > earlyBytes/rowBytes {
			t.Fatal("rows are kept without an end")
		}
		text := fmt.Appendf(buf[:0], "match%dinstructions%d", kept, kept)
		cut := len(fmt.Sprint("match", kept))
		if !e.keep(&openflow.FlowStats{Cookie: uint64(kept), Match: text[:cut], Instructions: text[cut:]}) {
			break
		}
	}
	n := 0
	if err := e.release(func(s *openflow.FlowStats) error {
		if want := fmt.Sprint("match", n, "instructions", n); s.Cookie != uint64(n) || string(s.Match)+string(s.Instructions) != want {
			return fmt.Errorf("row %d is %d %q, want %q", n, s.Cookie, string(s.Match)+string(s.Instructions), want)
		}
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != kept || n < 50_000 {
		t.Errorf("%d rows kept, %d given back", kept, n)
	}
	if err := e.release(func(*openflow.FlowStats) error { return fmt.Errorf("a row comes twice") }); err != nil {
		t.Error(err)
	}
}
