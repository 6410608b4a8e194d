package flow

import "testing"

func TestCookiesLeadBack(t *testing.T) {
	for _, c := range []struct {
		kind   CookieKind
		id     string
		cookie uint64
		prefix string
	}{
		{NetworkCookie, "1f0c1a2b-3c4d-4e5f-8899-aabbccddeeff", 0x57011f0c1a2b3c4d, "1f0c1a2b-3c4d"},
		{PortCookie, "00000000-0001-4000-8000-000000000000", 0x5703000000000001, "00000000-0001"},
		{LearnedCookie, "ffffffff-ffff-4fff-8fff-ffffffffffff", 0x571fffffffffffff, "ffffffff-ffff"},
		// FNV-1a-64 of "compute1" is 0x0af1ae6b2e4a0271.
		{HostCookie, "compute1", 0x5704ae6b2e4a0271, "ae6b2e4a-0271"},
	} {
		got := Cookie(c.kind, c.id)
		if got != c.cookie {
			t.Errorf("cookie of %v %s: %#x, want %#x", c.kind, c.id, got, c.cookie)
		}
		kind, prefix, ok := ParseCookie(got)
		if kind != c.kind || prefix != c.prefix || !ok {
			t.Errorf("%#x leads to %v %q %v, want %v %q", got, kind, prefix, ok, c.kind, c.prefix)
		}
	}
	for _, foreign := range []uint64{0, 0x1234, 0x5601000000000000, 0xffffffffffffffff} {
		if kind, prefix, ok := ParseCookie(foreign); ok {
			t.Errorf("%#x is not ours, but leads to %v %s", foreign, kind, prefix)
		}
	}
}
