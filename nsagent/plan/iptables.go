package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ParseSave reads what iptables-save printed. Chains of others are lines; so are rules in builtin chains that lead to none
// of ours.
func ParseSave(text string) (set Ruleset, foreign []string) {
	set = Ruleset{}
	table, known := "", false
	for line := range strings.Lines(text) {
		line = canonical(strings.TrimRight(line, "\n "))
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '*':
			table = line[1:]
			known = slices.Contains(tableOrder, table)
		case line[0] == ':':
			if name, _, _ := strings.Cut(line[1:], " "); known && strings.HasPrefix(name, ourChains) {
				set.table(table).Chains[name] = Chain{}
			}
		case strings.HasPrefix(line, "-A "):
			name, rule, _ := strings.Cut(line[len("-A "):], " ")
			switch {
			case known && strings.HasPrefix(name, ourChains):
				c := set.table(table).Chains[name]
				c.Rules = append(c.Rules, rule)
				set.table(table).Chains[name] = c
			case known && strings.HasPrefix(rule, "-j "+ourChains) && slices.Contains(builtins, name):
				t := set.table(table)
				t.Builtin[name] = append(t.Builtin[name], rule)
			default:
				foreign = append(foreign, "-t "+table+" "+line)
			}
		}
	}
	return set, foreign
}

var (
	macPattern      = regexp.MustCompile(`--mac-source [0-9A-Fa-f:]+`)
	protocolPattern = regexp.MustCompile(`-p ([a-z][a-z0-9.-]*)`)
)

// canonical is a line with protocols and MACs as rules of ours have them, whatever this host's iptables calls them.
func canonical(line string) string {
	if !strings.HasPrefix(line, "-A "+fw) {
		return line
	}
	line = macPattern.ReplaceAllStringFunc(line, strings.ToLower)
	if m := protocolPattern.FindStringSubmatchIndex(line); m != nil {
		if n, known := protocols[line[m[2]:m[3]]]; known {
			line = line[:m[2]] + protocolName(n) + line[m[3]:]
		}
	}
	return line
}

// rewrites says whether a chain is better written anew than rid of some of its rules: each deletion is a search.
func rewrites(deletions, rules int) bool { return deletions >= 8 && deletions*4 >= rules }

// restore is the input of "iptables-restore --noflush" that makes what is what must be, or "" when it is so already. It
// holds only what differs. removed are the rules of nat that go.
func (s Ruleset) restore(have Ruleset) (text string, removed []string) {
	return s.restoreAs(have, "- [0:0]")
}

// restoreAs is restore with what stands behind a chain's name where it is declared.
func (s Ruleset) restoreAs(have Ruleset, declared string) (text string, removed []string) {
	var out strings.Builder
	for _, name := range tableOrder {
		want, is := s[name], have[name]
		head, adds, jumps, deletes := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
		for _, c := range slices.Sorted(maps.Keys(want.Chains)) {
			was, exists := is.Chains[c]
			gone := restoreChain(c, declared, want.Chains[c], was, exists, head, adds)
			if name == "nat" {
				removed = append(removed, gone...)
			}
		}
		for _, c := range builtins {
			// The last is inserted first, so that all come in their order, before what others have there.
			if !slices.Equal(want.Builtin[c], is.Builtin[c]) {
				for _, r := range is.Builtin[c] {
					fmt.Fprintf(jumps, "-D %s %s\n", c, r)
				}
				for _, r := range slices.Backward(want.Builtin[c]) {
					fmt.Fprintf(jumps, "-I %s 1 %s\n", c, r)
				}
			}
		}
		unwanted := slices.DeleteFunc(slices.Sorted(maps.Keys(is.Chains)), func(c string) bool { _, ok := want.Chains[c]; return ok })
		for _, c := range unwanted {
			fmt.Fprintf(head, ":%s %s\n", c, declared) // empties it, so that nothing leads from one to another
			if name == "nat" {
				removed = append(removed, is.Chains[c].Rules...)
			}
		}
		for _, c := range unwanted {
			fmt.Fprintf(deletes, "-X %s\n", c)
		}
		if body := head.String() + adds.String() + jumps.String() + deletes.String(); body != "" {
			out.WriteString("*" + name + "\n" + body + "COMMIT\n")
		}
	}
	return out.String(), removed
}

// restoreChain writes the difference of one chain. A chain that is new, or declared anew, is empty at first.
func restoreChain(name, declared string, want, is Chain, exists bool, head, adds *strings.Builder) (gone []string) {
	missing, extra := difference(want.Rules, is.Rules)
	same := len(missing) == 0 && len(extra) == 0
	if exists && same && (!want.Ordered || slices.Equal(want.Rules, is.Rules)) {
		return nil
	}
	if !exists || want.Ordered || rewrites(len(extra), len(is.Rules)) {
		fmt.Fprintf(head, ":%s %s\n", name, declared)
		for _, r := range want.Rules {
			fmt.Fprintf(adds, "-A %s %s\n", name, r)
		}
		return extra
	}
	for _, r := range missing {
		fmt.Fprintf(adds, "-A %s %s\n", name, r)
	}
	for _, r := range extra {
		fmt.Fprintf(adds, "-D %s %s\n", name, r)
	}
	return extra
}

// difference says what of want is not in is, and what of is is too much; each as often as it is so.
func difference[T comparable](want, is []T) (missing, extra []T) {
	count := make(map[T]int, len(is))
	for _, x := range is {
		count[x]++
	}
	for _, x := range want {
		if count[x] > 0 {
			count[x]--
		} else {
			missing = append(missing, x)
		}
	}
	for _, x := range slices.Backward(is) {
		if count[x] > 0 {
			count[x]--
			extra = append(extra, x)
		}
	}
	slices.Reverse(extra)
	return missing, extra
}
