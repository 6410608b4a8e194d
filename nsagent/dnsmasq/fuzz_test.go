package dnsmasq

import "testing"

// FuzzLeases: whatever is in a lease file, what is read out of it is written as lines that are read as the same.
func FuzzLeases(f *testing.F) {
	f.Add("1790000000 fa:16:3e:00:00:01 10.0.0.5 vm1 ff:01\n1790000000 FA:16:3e:00:00:02 fd00::5 * *\nduid 00:01\n1790000000 T7 fd00::6 vm2 00:01:ff\n\n")
	f.Add("duid 00:03:00:01:fa\n1790000000 4294967295 fd00::5 vm1 00:02:ab\n0 -1 fd00::6 * *\n0 1 fe80::1%eth0 * *\n0 1 ::ffff:10.0.0.1 * *\n")
	f.Add("0 x 10.0.0.5 \x00 \xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range leases(text) {
			again := leases(duidWord + " " + l.server + "\n" + l.String() + "\n")
			if len(again) != 1 || again[0] != l {
				t.Errorf("%q became %q", l, again)
			}
			if l.ip.Is6() {
				if m, err := releaseMessage(l, 1); err == nil && len(m) < 34+4+4+20 {
					t.Errorf("%q is released by %x", l, m)
				}
			}
		}
		if d := serverDUID(text); d != "" && serverDUID(duidWord+" "+d+"\n") != d {
			t.Errorf("DUID %q", d)
		}
	})
}
