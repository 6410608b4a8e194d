package namespaces

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// restores puts programs before iptables-restore and ip6tables-restore that note how they are called, and in which namespace,
// and change their input by the sed script of spoil, if there is one.
type restores struct {
	t   *testing.T
	dir string
}

func noteRestores(t *testing.T) restores {
	t.Helper()
	r := restores{t, t.TempDir()}
	for _, tool := range []string{"iptables-restore", "ip6tables-restore"} {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf(`#!/bin/sh
echo "$(ip netns identify $$) %s $*" >> %[2]s/calls
if [ -e %[2]s/spoil ]; then sed -f %[2]s/spoil | %[3]s "$@"; else exec %[3]s "$@"; fi
`, tool, r.dir, real)
		if err := os.WriteFile(r.dir+"/"+tool, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", r.dir+":"+os.Getenv("PATH"))
	return r
}

// calls are those since the last time.
func (r restores) calls() []string {
	r.t.Helper()
	text, err := os.ReadFile(r.dir + "/calls")
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.dir+"/calls", nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return slices.Sorted(slices.Values(strings.Split(strings.TrimSpace(string(text)), "\n")))
}

// spoil changes what is restored from now on by a sed script; nothing when it is empty.
func (r restores) spoil(script string) {
	r.t.Helper()
	err := os.Remove(r.dir + "/spoil")
	if script != "" {
		err = os.WriteFile(r.dir+"/spoil", []byte(script), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// natRules are the rules of nat in chains of ours, in an order of their own: floating IPs have none.
func natRules(set plan.Ruleset) string {
	var out []string
	for name, c := range set["nat"].Chains {
		for _, r := range c.Rules {
			out = append(out, "-A "+name+" "+r)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// natSaved are the rules of one moment: iptables-save reads one chain after the other, and a transaction may come in between.
func natSaved(x *kept, namespace string) string {
	x.t.Helper()
	for {
		before := generation(x, namespace)
		set, _ := plan.ParseSave(in(x.t, namespace, "iptables-save", "-t", "nat"))
		if generation(x, namespace) == before {
			return natRules(set)
		}
	}
}

// generation is the number that nf_tables gives to a namespace's rules with each transaction (NFT_MSG_GETGEN).
func generation(x *kept, namespace string) uint32 {
	x.t.Helper()
	ns, err := x.host.Open(namespace)
	if err != nil {
		x.t.Fatal(err)
	}
	defer ns.Close()
	answer := make([]byte, 4096)
	if err := ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		ask := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+4)
		ask = binary.NativeEndian.AppendUint16(ask, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
		ask = binary.NativeEndian.AppendUint16(ask, unix.NLM_F_REQUEST)
		if err := unix.Sendto(fd, append(ask, make([]byte, 12)...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		n, _, err := unix.Recvfrom(fd, answer, 0)
		answer = answer[:n]
		return err
	}); err != nil {
		x.t.Fatal(err)
	}
	const at = unix.NLMSG_HDRLEN + 4 // behind the family's header comes the first attribute: length, type, value
	if len(answer) < at+8 || binary.NativeEndian.Uint16(answer[at+2:]) != unix.NFTA_GEN_ID {
		x.t.Fatalf("nf_tables answers %x", answer)
	}
	return binary.BigEndian.Uint32(answer[at+4:])
}

func natWanted(r map[string]plan.Resource, namespace string) string {
	all, _ := plan.Build(r)
	return natRules(all[namespace].IPv4)
}

// turned are floating IPs each of which stands for the machine of the n-th next one: all their rules are others.
func turned(r map[string]plan.Resource, n int) map[string]plan.Resource {
	var fips []*plan.FloatingIP
	for _, k := range slices.Sorted(maps.Keys(r)) {
		if f, ok := r[k].(*plan.FloatingIP); ok {
			fips = append(fips, f)
		}
	}
	out := maps.Clone(r)
	for i, f := range fips {
		to := *f
		to.Fixed = fips[(i+n)%len(fips)].Fixed
		out[f.Resource()] = &to
	}
	return out
}

// TestThousandsOfRulesChangeAtOnce: the rules of 1,000 floating IPs come, change and go by one iptables-restore each time, which
// flushes nothing. Who reads meanwhile sees all as they were or all as they become.
func TestThousandsOfRulesChangeAtOnce(t *testing.T) {
	tools := noteRestores(t)
	x := keep(t)
	name := plan.QRouter + id('a', 1)
	const call = " iptables-restore --noflush -w 5"
	none, first := many(0), many(1000)
	second := turned(first, 1)
	x.want(none)
	tools.calls()
	before := natWanted(none, name)
	for _, step := range []struct {
		what string
		want map[string]plan.Resource
	}{{"come", first}, {"change", second}, {"go", none}} {
		after := natWanted(step.want, name)
		if got := natSaved(x, name); got != before {
			t.Fatalf("%s: the rules before are not as desired:\n%s", step.what, got)
		}
		was := generation(x, name)
		x.Set(step.want, true)
		looks, old := 0, 0
		x.until("all rules are as desired", func() bool {
			got := natSaved(x, name)
			looks++
			switch got {
			case before:
				old++
			case after:
			default:
				t.Fatalf("%s: %d rules are there, neither the %d from before nor the %d that are desired", step.what, lines(got), lines(before), lines(after))
			}
			return got == after
		})
		if p := x.settled().Problems; len(p) > 0 {
			t.Fatalf("%s: problems %+v", step.what, p)
		}
		if now := generation(x, name); now != was+1 {
			t.Errorf("%s: generation %d, and %d before: it was not one transaction", step.what, now, was)
		}
		if got, want := tools.calls(), []string{name + call}; !slices.Equal(got, want) {
			t.Errorf("%s: ran %q, want %q", step.what, got, want)
		}
		t.Logf("%s: %d rules, then %d; %d looks, %d of them at the old ones", step.what, lines(before), lines(after), looks, old)
		before = after
	}
	x.nothing()
}

func lines(text string) int { return strings.Count(text, "\n") + 1 }

// TestOneBadRuleOfThousands: a rule in the midst that iptables-restore does not understand, or that the kernel refuses, changes
// nothing, and is named to everybody who waits for it. It heals.
func TestOneBadRuleOfThousands(t *testing.T) {
	for _, bad := range []struct{ name, script string }{
		{"syntax", "s/--to-destination %s$/--to-nowhere/"},
		{"kernel", "s/-j DNAT --to-destination %s$/-j MASQUERADE/"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			tools := noteRestores(t)
			x := keep(t)
			name := plan.QRouter + id('a', 1)
			first := many(1000)
			second := turned(first, 1)
			x.want(first)
			before, after := natWanted(first, name), natWanted(second, name)
			fault := second["floatingip/"+id('f', 500)].(*plan.FloatingIP)
			tools.spoil("/^-A weft-l3-PREROUTING /" + fmt.Sprintf(bad.script, strings.ReplaceAll(fault.Fixed.String(), ".", `\.`)))
			tools.calls()
			x.Set(second, true)
			x.until("it is refused", func() bool { return len(x.Report().Problems) > 0 })
			rule := fmt.Sprintf("(-A weft-l3-PREROUTING -d %v/32 -j DNAT --to-destination %v)", fault.Floating, fault.Fixed)
			problems := x.Report().Problems
			for r := range second {
				if p := problems[r]; p.Reason != StepFailed || !strings.Contains(p.Message, rule) {
					t.Fatalf("%s: problem %+v, and nothing of %s", r, p, rule)
				}
			}
			t.Log(problems[fault.Resource()].Message)
			if got := natSaved(x, name); got != before {
				t.Errorf("something changed: %d rules are there, %d were", lines(got), lines(before))
			}
			tools.spoil("")
			x.until("it heals", func() bool { return len(x.Report().Problems) == 0 })
			if got := natSaved(x, name); got != after {
				t.Errorf("it did not heal: %d rules are there, %d are desired", lines(got), lines(after))
			}
			x.nothing()
		})
	}
}
