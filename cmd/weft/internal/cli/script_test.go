package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
)

var rewrite = flag.Bool("update", false, "write what is printed into the transcripts of testdata; read them before you commit")

// world is a server and what a command line sees around it.
type world struct {
	t    *testing.T
	api  *fakeapi.Server
	addr string
	vars map[string]string
	// terminal says whether stdout is one.
	terminal bool
	stdin    string
}

// newWorld starts a server with a small cloud in it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, api: fakeapi.New(), vars: map[string]string{}}
	cloud(w.api)
	w.listen()
	return w
}

// listen serves the API on a unix socket until the test ends.
func (w *world) listen() {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "weft") // t.TempDir() may be longer than a socket's path can be (108 bytes, unix(7))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	w.addr = "unix:" + dir + "/api.sock"
	w.vars["WEFT_SERVER"] = w.addr
	serve(w.t, w.api, "unix", dir+"/api.sock")
}

// serve answers on an address until the test ends, or stop is called.
func serve(t *testing.T, api *fakeapi.Server, network, address string) (stop func()) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { api.Serve(ctx, l) })
	stop = func() {
		cancel()
		done.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// now is the time in the tests: an hour after everything happened.
func now() time.Time { return fakeapi.Start.Add(time.Hour) }

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// env is what a command sees, and where it writes to.
func (w *world) env() (e Env, out, err *buffer) {
	out, err = &buffer{}, &buffer{}
	return Env{In: strings.NewReader(w.stdin), Out: out, Err: err, OutTerminal: w.terminal, ErrTerminal: w.terminal,
		Getenv: func(k string) string { return w.vars[k] },
		Lab:    func() (string, bool) { return "", false }, Now: now}, out, err
}

// root is a command line with our commands only.
func root(e Env) *cobra.Command {
	r := &cobra.Command{Use: "weft"}
	AddTo(r, e)
	return r
}

// run runs one command line.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	e, out, err := w.env()
	code = Main(context.Background(), root(e), e, args)
	return code, out.String(), err.String()
}

// setups prepare worlds for transcripts that need more than the small cloud.
var setups = map[string]func(*world){
	"status-ready":   ready,
	"status-several": several,
	"wait-lagging":   lagging,
	"drift-none":     noDrift,
	"drift-partly":   driftUnknown,
	"explain-no":     notExplained,
	"hostile":        hostile,
	"empty":          func(w *world) { w.api = fakeapi.New(); w.listen() },
	"many":           many,
	"export":         func(w *world) { richer(w.api) },
	"ambiguous":      twins,
	"server-errors":  serverErrors,

	"router":         routed,
	"router-dhcp":    withoutDHCP,
	"floatingip":     routed,
	"portforwarding": routed,
	"securitygroup":  judged,
	"qospolicy":      limited,
	"where":          routed,
	"ns":             routed,
	"trace":          traced,
	"why":            healthy,
	"why-not":        ill,
	"dhcp":           routed,
}

// TestTranscripts replays testdata/*.txt. A line "$ weft …" is a command; what follows is what it prints to stdout, what
// it prints to stderr (after "! "), and its exit code when that is not 0. A line "## …" is a comment.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if setup := setups[name]; setup != nil {
				setup(w)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := w.replay(string(b))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(b), got); d != "" {
				t.Errorf("%s (-want +got):\n%s", file, d)
			}
		})
	}
}

// replay runs the commands of a transcript and returns it with what they print now.
func (w *world) replay(transcript string) string {
	var out strings.Builder
	for line := range strings.Lines(transcript) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "## ") {
			fmt.Fprintln(&out, line)
		}
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		fmt.Fprintln(&out, line)
		words, err := split(command)
		if err != nil {
			w.t.Fatalf("%s: %v", command, err)
		}
		if n := len(words); n > 2 && words[n-2] == "<" {
			b, err := os.ReadFile(words[n-1])
			if err != nil {
				w.t.Fatal(err)
			}
			w.stdin, words = string(b), words[:n-2]
		}
		code, stdout, stderr := w.run(words[1:]...)
		out.WriteString(strings.ReplaceAll(stdout, w.addr, "unix:/SOCKET"))
		for l := range strings.Lines(strings.ReplaceAll(stderr, w.addr, "unix:/SOCKET")) {
			out.WriteString("! " + l)
		}
		if code != 0 {
			fmt.Fprintf(&out, "exit %d\n", code)
		}
	}
	return out.String()
}

// split breaks a command line into words as a shell does: spaces, '…', "…" and backslashes.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("open quote in %q", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
