package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Flow chooses entries of conntrack: all that it says must be so. Zero values say nothing.
type Flow struct {
	// OrigSrc and OrigDst are of the first packet as it came; ReplyDst is where answers come to.
	OrigSrc, OrigDst, ReplyDst netip.Addr
	// Protocol is tcp or udp, with the ports that the first packet came to.
	Protocol string
	Ports    PortRange
	// Plain: no address of it is translated.
	Plain bool
	// Led says whether the address that it came to was translated.
	Led Ternary
}

// Ternary is yes, no, or, as its zero value, either.
type Ternary int

// Values of Ternary.
const (
	Either Ternary = iota
	Yes
	No
)

func (f Flow) String() string {
	var s []string
	for _, a := range []struct {
		name string
		ip   netip.Addr
	}{{"--orig-src", f.OrigSrc}, {"--orig-dst", f.OrigDst}, {"--reply-dst", f.ReplyDst}} {
		if a.ip.IsValid() {
			s = append(s, a.name+" "+a.ip.String())
		}
	}
	if f.Protocol != "" {
		s = append(s, fmt.Sprintf("-p %s --dport %d:%d", f.Protocol, f.Ports.First, f.Ports.Last))
	}
	if f.Plain {
		s = append(s, "(not translated)")
	}
	switch f.Led {
	case Yes:
		s = append(s, "(destination translated)")
	case No:
		s = append(s, "(destination not translated)")
	}
	return strings.Join(s, " ")
}

// natFlow is the flows that a rule of nat translated: by a DNAT rule those to the address that it matches, by an SNAT
// rule those whose answers come to the address that it gives.
func natFlow(rule string) (Flow, bool) {
	words := strings.Fields(rule)
	var f Flow
	for i := 0; i+1 < len(words); i++ {
		if i > 0 && words[i-1] == "!" {
			continue
		}
		value := words[i+1]
		switch words[i] {
		case "-d":
			f.OrigDst = hostOf(value)
		case "-s":
			f.OrigSrc = hostOf(value)
		case "-p":
			f.Protocol = value
		case "--dport":
			f.Ports = portsOf(value)
		case "--to-source":
			f.ReplyDst, _ = netip.ParseAddr(value)
		case "--ctstate":
			if value == "DNAT" {
				f.Led = Yes
			}
		}
	}
	if f.Ports.First == 0 {
		f.Protocol = ""
	}
	switch does, _, _ := strings.Cut(target(rule), " "); does {
	case "DNAT":
		return f, f.OrigDst.IsValid()
	case "SNAT":
		return f, f.ReplyDst.IsValid()
	}
	return f, false
}

func hostOf(s string) netip.Addr {
	if p, err := netip.ParsePrefix(s); err == nil && p.IsSingleIP() {
		return p.Addr()
	}
	a, _ := netip.ParseAddr(s)
	return a
}

func portsOf(s string) PortRange {
	first, last, ranged := strings.Cut(s, ":")
	if !ranged {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil {
		return PortRange{}
	}
	return PortRange{uint16(a), uint16(b)}
}

// forgotten are the flows that must end because the rules that translated them go. What another rule that stays
// translates in the same way goes on.
func forgotten(removed []string, want Ruleset) []Flow {
	if len(removed) == 0 {
		return nil
	}
	type deed struct { // what a rule does, and not where it stands
		Flow
		target string
	}
	stays := map[deed]bool{}
	for _, c := range want["nat"].Chains {
		for _, r := range c.Rules {
			if f, ok := natFlow(r); ok {
				stays[deed{f, target(r)}] = true
			}
		}
	}
	var out []Flow
	for _, r := range removed {
		f, ok := natFlow(r)
		if !ok || stays[deed{f, target(r)}] {
			continue
		}
		// Without SNAT, what comes back from a floating IP of the router's own still gets the router's address.
		led := f
		if led.Led = Yes; f.Led == Either && stays[deed{led, target(r)}] {
			f.Led = No
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func target(rule string) string {
	_, t, _ := strings.Cut(rule, " -j ")
	return t
}
