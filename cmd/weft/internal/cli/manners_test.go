package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// tables are command lines that print tables, or screens for people.
var tables = [][]string{{"get", "networks"}, {"get", "subnets"}, {"get", "ports"}, {"get", "hosts"}, {"describe", "network", "blue"},
	{"describe", "port", "vm1"}, {"describe", "port", "vm2"}, {"describe", "host", "compute1"}, {"describe", "host", "compute2"},
	{"describe", "subnet", "blue-v4"}, {"status"}, {"events"}, {"interfaces"}}

func TestTablesAreAtMost100Columns(t *testing.T) {
	for name, setup := range map[string]func(*world){"small": func(*world) {}, "many": many, "hostile": hostile} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			setup(w)
			for _, args := range tables {
				_, out, _ := w.run(args...)
				for line := range strings.Lines(out) {
					if n := table.Width(strings.TrimSuffix(line, "\n")); n > table.MaxWidth {
						t.Errorf("%v: %d columns: %s", args, n, line)
					}
				}
			}
		})
	}
}

var routedTables = [][]string{{"get", "routers"}, {"get", "fips"}, {"get", "pfs"}, {"describe", "router", "edge"}, {"describe", "fip", "shop"},
	{"describe", "pf", "ssh"}, {"where", "edge"}, {"where", "network/blue"}, {"ns", "compute1", "qrouter-edge"}, {"describe", "host", "network1"}, {"rules", "vm1"}, {"trace", "vm1", "vm2"}, {"trace", "vm1", "db"}}

// What routers have to say keeps to the same manners, also when a server says it badly.
func TestTablesOfRoutersAreTables(t *testing.T) {
	const bad = "\x1b]0;owned\a\x1b[2Jx\r\u202ey\nz"
	for name, setup := range map[string]func(*world){"small": func(w *world) { routed(w); traced(w) }, "hostile": func(w *world) {
		hostile(w)
		routed(w)
		ref := &weftv1.ObjectRef{Kind: bad, Name: strings.Repeat(bad, 9)}
		w.api.Traces = map[string]*weftv1.TraceResponse{"vm1 vm2": {Source: ref, Destination: ref, Packet: bad, Verdict: bad, Text: strings.Repeat(bad+" ", 20), Next: bad,
			Legs:  []*weftv1.TraceLeg{{Host: strings.Repeat(bad, 9), Place: strings.Repeat(bad, 9), Text: strings.Repeat(bad, 30), Notes: []string{strings.Repeat(bad, 30)}}},
			Hosts: []*weftv1.TraceHost{{Host: strings.Repeat(bad, 20)}}}}
		w.api.Traces["vm1 db"] = w.api.Traces["vm1 vm2"]
		w.api.Places["router/edge"] = []*weftv1.Place{{Host: bad, What: bad, Why: strings.Repeat(bad, 9), State: bad, Message: bad}}
		w.api.Rules = map[string]*weftv1.GetPortRulesResponse{"vm1": {Secured: true, Counted: true, Host: bad, Message: strings.Repeat(bad, 9), PortsSharing: 9,
			Rules: []*weftv1.PortRule{{SecurityGroup: &weftv1.ObjectRef{Name: strings.Repeat(bad, 9)}, Text: strings.Repeat(bad, 9), CountedBy: bad, Packets: 1 << 63, Bytes: 1 << 63}}}}
		w.api.Namespaces["compute1 qrouter-edge"] = []*weftv1.NamespaceLine{{Section: bad, Text: bad, State: bad}}
		w.api.Put(&weftv1.Router{Metadata: meta("12340000-1111-4222-8333-444455556666", bad), Status: &weftv1.RouterStatus{Status: "DOWN", GatewayHost: strings.Repeat(bad, 9)}},
			&weftv1.FloatingIP{Metadata: meta("12350000-1111-4222-8333-444455556666", ""), FloatingIpAddress: bad})
	}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			setup(w)
			for _, args := range routedTables {
				_, out, stderr := w.run(args...)
				for line := range strings.Lines(out) {
					if n := table.Width(strings.TrimSuffix(line, "\n")); n > table.MaxWidth {
						t.Errorf("%v: %d columns: %s", args, n, line)
					}
				}
				for _, r := range out + stderr {
					if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
						t.Errorf("%v: prints %U: %q", args, r, out+stderr)
						break
					}
				}
				var v any
				switch args[0] {
				case "describe", "ns":
					continue
				}
				_, out, _ = w.run(append(args, "-o", "json")...)
				if err := json.Unmarshal([]byte(out), &v); err != nil {
					t.Errorf("%v -o json: %v:\n%s", args, err, out)
				}
			}
		})
	}
}

var sequence = regexp.MustCompile("\x1b\\[[0-9]*m")

func TestColourOnTerminalsOnlyAndNeverTheOnlySignal(t *testing.T) {
	commands := append(slices.Clone(tables), []string{"drift"}, []string{"flows", "compute1"}, []string{"diff", "-f", "testdata/files/net.yaml"}, []string{"get", "port", "nosuch"})
	w := newWorld(t)
	coloured := 0
	for _, args := range commands {
		w.terminal, w.vars["NO_COLOR"] = false, ""
		_, plain, plainErr := w.run(args...)
		if strings.Contains(plain+plainErr, "\x1b") {
			t.Errorf("%v: colour without a terminal: %q", args, plain)
		}
		w.terminal = true
		_, out, stderr := w.run(args...)
		if strings.Contains(out+stderr, "\x1b") {
			coloured++
		}
		if d := cmp.Diff(plain+plainErr, sequence.ReplaceAllString(out+stderr, "")); d != "" {
			t.Errorf("%v: colour is not the only difference (-plain +coloured):\n%s", args, d)
		}
		w.vars["NO_COLOR"] = "1"
		_, out, stderr = w.run(args...)
		if strings.Contains(out+stderr, "\x1b") {
			t.Errorf("%v: colour in spite of NO_COLOR", args)
		}
	}
	if coloured != len(commands) {
		t.Errorf("%d of %d commands use colour on a terminal", coloured, len(commands))
	}
}

func TestNothingThatAServerSaysMovesTheCursor(t *testing.T) {
	w := newWorld(t)
	hostile(w)
	for _, args := range append(slices.Clone(tables), []string{"flows", "compute1"}, []string{"flows", "compute1", "--stats"}, []string{"drift"},
		[]string{"explain", "1"}, []string{"wait"}, []string{"export"}, []string{"get", "ports", "-o", "wide"}, []string{"get", "ports", "-o", "json"},
		[]string{"get", "ports", "-o", "yaml"}, []string{"get", "ports", "-o", "name"}, []string{"describe", "port", "6666"}, []string{"drift", "-o", "json"},
		[]string{"events", "-o", "yaml"}, []string{"interfaces", "-o", "wide"}, []string{"__complete", "get", "port", ""}, []string{"get", "port", "\x1b[2J"}) {
		_, out, stderr := w.run(args...)
		for _, r := range out + stderr {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
				t.Errorf("%v: prints %U: %q", args, r, out+stderr)
				break
			}
		}
	}
}

func TestJSONIsJSON(t *testing.T) {
	w := newWorld(t)
	hostile(w)
	richer(w.api)
	for _, args := range [][]string{{"get", "ports"}, {"get", "port", "vm1"}, {"get", "networks"}, {"get", "hosts"}, {"status"}, {"flows", "compute1"},
		{"drift"}, {"events"}, {"interfaces"}, {"explain", "1"}, {"create", "network", "x"}, {"set", "network", "x", "--mtu", "1400"}} {
		_, out, _ := w.run(append(args, "-o", "json")...)
		var v any
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Errorf("%v: %v:\n%s", args, err, out)
		}
	}
}

func TestExportIsWhatApplyTakes(t *testing.T) {
	w := newWorld(t)
	richer(w.api)
	code, exported, stderr := w.run("export")
	if code != exit.Done {
		t.Fatalf("export: exit %d: %s", code, stderr)
	}
	// Nothing is different from what is there.
	w.stdin = exported
	if code, out, stderr := w.run("diff", "-f", "-"); code != exit.Done || out != "" {
		t.Errorf("diff with the own export: exit %d\n%s%s", code, out, stderr)
	}
	// An empty controller becomes the same.
	w.api = fakeapi.New()
	w.listen()
	if code, _, stderr := w.run("apply", "-f", "-"); code != exit.Done {
		t.Fatalf("apply of the export: exit %d: %s", code, stderr)
	}
	_, again, _ := w.run("export")
	if d := cmp.Diff(exported, again); d != "" {
		t.Errorf("export, apply, export (-first +second):\n%s", d)
	}
}

func TestWhatGetPrintsCanBeApplied(t *testing.T) {
	w := newWorld(t)
	for _, format := range []string{"yaml", "json"} {
		for _, what := range []string{"networks", "subnets", "ports", "hosts"} {
			_, out, _ := w.run("get", what, "-o", format)
			w.stdin = out
			if code, out, stderr := w.run("diff", "-f", "-"); code != exit.Done {
				t.Errorf("get %s -o %s | diff -f -: exit %d\n%s%s", what, format, code, out, stderr)
			}
		}
	}
}

func TestGroupsRefuseWhatTheyDoNotKnow(t *testing.T) {
	for args, want := range map[string]struct {
		code   int
		stderr string
	}{
		"group":     {exit.Done, ""},
		"group a":   {exit.Unknown, "error: a was run\n"},
		"group b":   {exit.Usage, "error: unknown command \"b\" for \"weft group\"\ntry: weft group --help\n"},
		"group a b": {exit.Usage, "error: unknown command \"b\" for \"weft group a\"\nusage: weft group a [flags]\ntry: weft group a --help\n"},
		"help b":    {exit.Usage, "error: no help for \"b\"\ntry: weft help\n"},
	} {
		e, _, stderr := newWorld(t).env()
		r := root(e)
		group := &cobra.Command{Use: "group", Short: "a group"}
		group.AddCommand(&cobra.Command{Use: "a", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return errors.New("a was run") }})
		r.AddCommand(group)
		if code := Main(context.Background(), r, e, strings.Fields(args)); code != want.code || stderr.String() != want.stderr {
			t.Errorf("weft %s: exit %d, stderr %q; want %d, %q", args, code, stderr, want.code, want.stderr)
		}
	}
}

// neverEnding is a terminal at which nobody types.
type neverEnding struct{ released chan struct{} }

func (n neverEnding) Read([]byte) (int, error) {
	<-n.released
	return 0, io.EOF
}

func TestInterruptEndsReadingFromTheTerminal(t *testing.T) {
	w := newWorld(t)
	e, _, stderr := w.env()
	in := neverEnding{make(chan struct{})}
	defer close(in.released)
	e.In = in
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if code := Main(ctx, root(e), e, []string{"apply", "-f", "-"}); code != exit.Unknown || stderr.String() != "error: interrupted\n" {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
}

// commands lists all commands of a command line.
func commands(t *testing.T) []*cobra.Command {
	e, _, _ := (&world{t: t}).env()
	var all []*cobra.Command
	each(root(e), func(c *cobra.Command) { all = append(all, c) })
	return all
}

func TestEveryExampleIsUnderstood(t *testing.T) {
	examples := 0
	for _, c := range commands(t) {
		if c.Runnable() && !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if i := strings.Index(line, "weft "); i < 0 {
				t.Errorf("%s: no weft in example %q", c.CommandPath(), line)
			}
			for part := range strings.SplitSeq(line, " | ") {
				part = strings.TrimSuffix(strings.TrimPrefix(part, "virsh attach-device vm1 <("), ") --live --config")
				part, _, _ = strings.Cut(part, " > ")
				part, _, _ = strings.Cut(part, " < ")
				words, err := split(part)
				if err != nil || words[0] != "weft" {
					t.Errorf("%s: example %q: %v", c.CommandPath(), part, err)
					continue
				}
				examples++
				// A command line by itself: flags keep what they were set to.
				e, _, _ := (&world{t: t}).env()
				cmd, rest, err := root(e).Find(words[1:])
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil {
					err = cmd.ValidateRequiredFlags()
				}
				if err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
				if err != nil || !cmd.Runnable() || cmd.HasSubCommands() {
					t.Errorf("%s: example %q leads to %q: %v", c.CommandPath(), part, cmd.CommandPath(), err)
				}
			}
		}
	}
	if examples < 40 {
		t.Errorf("only %d examples found", examples)
	}
}

func TestCompletion(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "port", ""}, "vm1\nvm2\n:4\n"},
		{[]string{"describe", "port", "vm1", ""}, ":4\n"},
		{[]string{"delete", "net", ""}, "blue\n:4\n"},
		{[]string{"get", "ports", "--host", ""}, "compute1\ncompute2\n:4\n"},
		{[]string{"create", "subnet", "x", "--network", ""}, "blue\n:4\n"},
		{[]string{"create", "network", "x", "--provider-network-type", ""}, "vxlan\ngre\ngeneve\nvlan\nflat\n:4\n"},
		{[]string{"flows", "compute1", ""}, "br-int\nbr-tun\nbr-ex\n:4\n"},
		{[]string{"get", "ports", "-o", ""}, "table\nwide\njson\nyaml\nname\n:4\n"},
		{[]string{"completion", ""}, "bash\nzsh\nfish\n:4\n"},
		{[]string{"port", "xml", ""}, "vm1\nvm2\n:4\n"},
	} {
		_, out, stderr := w.run(append([]string{"__completeNoDesc"}, c.args...)...)
		if out != c.want {
			t.Errorf("%v completes to %q, want %q; stderr: %s", c.args, out, c.want, stderr)
		}
	}
	// Names that several have are completed by id; names that would break the shell's list too.
	routedCompletion(t)
	twins(w)
	hostile(w)
	_, out, _ := w.run("__completeNoDesc", "get", "network", "")
	if want := "20220000-1111-4222-8333-444455556666\n21220000-1111-4222-8333-444455556666\nblue\n:4\n"; out != want {
		t.Errorf("networks: %q, want %q", out, want)
	}
	_, out, _ = w.run("__completeNoDesc", "get", "port", "")
	if want := "vm1\nvm2\n66660000-1111-4222-8333-444455556666\n:4\n"; out != want {
		t.Errorf("ports: %q, want %q", out, want)
	}
	// Without a controller, nothing is completed and nothing hangs.
	w.vars["WEFT_SERVER"] = "unix:" + filepath.Join(t.TempDir(), "none")
	if _, out, _ := w.run("__completeNoDesc", "get", "port", ""); !strings.HasSuffix(out, ":1\n") {
		t.Errorf("without a controller: %q", out)
	}
}

// routedCompletion is completion where there are routers.
func routedCompletion(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	routed(w)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "router", ""}, "edge\n:4\n"},
		{[]string{"get", "fip", ""}, "203.0.113.7\nshop\n:4\n"},
		{[]string{"get", "pf", ""}, "ssh\nbf110000-1111-4222-8333-444455556666\n:4\n"},
		{[]string{"router", "add-subnet", ""}, "edge\n:4\n"},
		{[]string{"router", "add-subnet", "edge", ""}, "blue-v4\npublic-v4\n:4\n"},
		{[]string{"router", "add-subnet", "edge", "blue-v4", ""}, ":4\n"},
		{[]string{"router", "set-gateway", "edge", ""}, "blue\npublic\n:4\n"},
		{[]string{"fip", "attach", "shop", ""}, "vm1\n1f000000-1111-4222-8333-444455556666\nvm2\n:4\n"},
		{[]string{"where", ""}, "router\nnetwork\nfloatingip\nport\n:4\n"},
		{[]string{"where", "router", ""}, "edge\n:4\n"},
		{[]string{"ns", ""}, "compute1\ncompute2\nnetwork1\n:4\n"},
		{[]string{"ns", "compute1", ""}, "qrouter-" + edgeID + "\n:4\n"},
		{[]string{"ns", "network1", ""}, "qrouter-" + edgeID + "\nsnat-" + edgeID + "\n:4\n"},
		{[]string{"ns", "network1", "x", ""}, ":4\n"},
		{[]string{"create", "pf", "--protocol", ""}, "tcp\nudp\n:4\n"},
		{[]string{"create", "port", "--user-data", ""}, ":0\n"},
	} {
		_, out, stderr := w.run(append([]string{"__completeNoDesc"}, c.args...)...)
		if out != c.want {
			t.Errorf("%v completes to %q, want %q; stderr: %s", c.args, out, c.want, stderr)
		}
	}
}

func TestCompletionScriptsAreScripts(t *testing.T) {
	w := newWorld(t)
	code, script, _ := w.run("completion", "bash")
	if code != exit.Done {
		t.Fatalf("exit %d", code)
	}
	bash := exec.Command("bash", "-n")
	bash.Stdin = strings.NewReader(script)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("bash: %v: %s", err, out)
	}
	for _, shell := range []string{"zsh", "fish"} {
		if code, out, _ := w.run("completion", shell); code != exit.Done || !strings.Contains(out, "weft") {
			t.Errorf("%s: exit %d, %d bytes", shell, code, len(out))
		}
	}
	if code, _, _ := w.run("completion", "powershell"); code != exit.Usage {
		t.Errorf("powershell: exit %d, want %d", code, exit.Usage)
	}
}

func TestFlowsAreAFileThatOvsOfctlReads(t *testing.T) {
	w := newWorld(t)
	_, out, _ := w.run("flows", "compute1", "br-tun", "--stats")
	file := filepath.Join(t.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command("ovs-ofctl", "-O", "OpenFlow13", "parse-flows", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, b, out)
	}
	if got, want := strings.Count(string(b), "OFPT_FLOW_MOD"), 2; got != want {
		t.Errorf("%d flow-mods, want %d:\n%s", got, want, b)
	}
}
