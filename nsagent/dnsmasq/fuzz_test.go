package dnsmasq

import "testing"

// FuzzLeases: whatever is in a lease file, what is read out of it is written as lines that are read as the same.
func FuzzLeases(f *testing.F) {
	f.Add("1790000000 fa:16:3e:00:00:01 10.0.0.5 vm1 ff:01\n1790000000 FA:16:3e:00:00:02 fd00::5 * *\nduid 00:01\n\n")
	f.Add("0 x 10.0.0.5 \x00 \xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range leases(text) {
			again := leases(l.String() + "\n")
			if len(again) != 1 || again[0] != l {
				t.Errorf("%q became %q", l, again)
			}
		}
	})
}
