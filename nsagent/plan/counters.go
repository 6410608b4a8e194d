package plan

import (
	"fmt"
	"regexp"
	"strings"
)

// Counter counts packets, and their bytes from the header of IP on.
type Counter struct{ Packets, Bytes uint64 }

// Counters are what the rules that judge a port on its firewall bridge have counted.
type Counters struct {
	// Rules are by the id of the security group's rule. All ports with the same groups share them.
	Rules map[string]Counter
	// RefusedIngress is what the port was to hear, RefusedEgress what it has sent.
	RefusedIngress, RefusedEgress Counter
}

var (
	countedPattern = regexp.MustCompile(`^\[(\d+):(\d+)\] -A (\S+) (.*)$`)
	rulePattern    = regexp.MustCompile(`--comment "rule ([0-9a-f-]{36})"`)
)

// Counters finds what concerns the port in what "iptables-save -c" and "ip6tables-save -c" printed.
func (f *PortFirewall) Counters(text string) Counters {
	port, set := f.PortID[:routerPart], number10(f.GroupSet)
	c := Counters{Rules: map[string]Counter{}}
	for line := range strings.Lines(text) {
		m := countedPattern.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		var n Counter
		if _, err := fmt.Sscan(m[1], &n.Packets); err != nil {
			continue
		}
		if _, err := fmt.Sscan(m[2], &n.Bytes); err != nil {
			continue
		}
		drops := strings.HasSuffix(m[4], "-j DROP") || strings.HasSuffix(m[4], "-j "+fwFallback)
		switch m[3] {
		case fw + "gi" + set, fw + "go" + set:
			if id := rulePattern.FindStringSubmatch(m[4]); id != nil && f.GroupSet != 0 {
				c.Rules[id[1]] = c.Rules[id[1]].plus(n)
			}
		case fw + "i" + port:
			if drops {
				c.RefusedIngress = c.RefusedIngress.plus(n)
			}
		case fw + "o" + port, fw + "s" + port:
			if drops {
				c.RefusedEgress = c.RefusedEgress.plus(n)
			}
		}
	}
	return c
}

func (c Counter) plus(d Counter) Counter { return Counter{c.Packets + d.Packets, c.Bytes + d.Bytes} }
