package plan

import (
	"reflect"
	"testing"
)

// TestCounters: what iptables-save printed on a host with two ports, of which one is asked about.
func TestCounters(t *testing.T) {
	const text = `*filter
:weft-fw-gi101 - [0:0]
[3:180] -A weft-fw-gi101 -s 10.0.1.0/24 -p tcp -m tcp --dport 22 -m comment --comment "rule 4e1e0001-0000-4000-8000-000000000000" -j weft-fw-accept
[0:0] -A weft-fw-go101 -m comment --comment "rule 4e1e0002-0000-4000-8000-000000000000" -j weft-fw-accept
[9:900] -A weft-fw-gi102 -p tcp -m comment --comment "rule 4e1e0001-0000-4000-8000-000000000000" -j weft-fw-accept
[7:70] -A weft-fw-ibc39a196-0 -j weft-fw-heard
[4:400] -A weft-fw-ibc39a196-0 -m comment --comment "Send unmatched traffic to the fallback chain." -j weft-fw-sg-fallback
[2:200] -A weft-fw-obc39a196-0 -m comment --comment "Send unmatched traffic to the fallback chain." -j weft-fw-sg-fallback
[1:50] -A weft-fw-sbc39a196-0 -m comment --comment "Drop traffic without an IP/MAC allow rule." -j DROP
[8:80] -A weft-fw-sbc39a196-0 -s 10.0.1.158/32 -j RETURN
[99:9900] -A weft-fw-iother00000 -j weft-fw-sg-fallback
COMMIT
*filter
[2:120] -A weft-fw-gi101 -p tcp -m comment --comment "rule 4e1e0003-0000-4000-8000-000000000000" -j weft-fw-accept
[x:y] -A weft-fw-gi101 -m comment --comment "rule 4e1e0003-0000-4000-8000-000000000000" -j weft-fw-accept
[99999999999999999999:1] -A weft-fw-gi101 -m comment --comment "rule 4e1e0003-0000-4000-8000-000000000000" -j weft-fw-accept
[1:100] -A weft-fw-ibc39a196-0 -j weft-fw-sg-fallback
COMMIT
`
	f := &PortFirewall{PortID: judgedPort, GroupSet: 101}
	want := Counters{RefusedIngress: Counter{5, 500}, RefusedEgress: Counter{3, 250}, Rules: map[string]Counter{
		"4e1e0001-0000-4000-8000-000000000000": {3, 180}, "4e1e0002-0000-4000-8000-000000000000": {}, "4e1e0003-0000-4000-8000-000000000000": {2, 120}}}
	if got := f.Counters(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	f.GroupSet = 0
	if got := f.Counters(text); len(got.Rules) > 0 || got.RefusedIngress != want.RefusedIngress {
		t.Errorf("without groups: %+v", got)
	}
}
