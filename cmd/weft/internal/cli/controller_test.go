package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/controller/api"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// nobody is a fleet without hosts, and a journal without events.
type nobody struct{}

func (nobody) WaitApplied(context.Context, int64) []report.Lag { return nil }
func (nobody) Host(name string) report.Host                    { return report.Host{Name: name} }
func (nobody) Flows(_ context.Context, host, bridge string) ([]report.Row, error) {
	return nil, fmt.Errorf("host %s: %s: OpenFlow not connected", host, bridge)
}
func (nobody) Drift(_ context.Context, host string) ([]report.Drift, error) {
	return nil, fmt.Errorf("host %s: br-int: OpenFlow not connected", host)
}
func (nobody) Namespace(_ context.Context, host, _ string) (report.Namespace, error) {
	return report.Namespace{}, fmt.Errorf("host %s: its agent is not connected", host)
}
func (nobody) Firewall(_ context.Context, host, _ string) (report.Firewall, error) {
	return report.Firewall{}, fmt.Errorf("host %s: its agent is not connected", host)
}
func (nobody) Trace(_ context.Context, host string, _ report.TraceQuestion) (report.TraceAnswer, error) {
	return report.TraceAnswer{}, fmt.Errorf("host %s: its agent is not connected", host)
}
func (nobody) Route(_ context.Context, host string, _ report.RouteQuestion) (report.RouteAnswer, error) {
	return report.RouteAnswer{}, fmt.Errorf("host %s: its agent is not connected", host)
}
func (nobody) UnknownSwitches() []string                     { return nil }
func (nobody) Events(func(report.Event) bool) []report.Event { return nil }
func (nobody) After(uint64) ([]report.Event, uint64, <-chan struct{}) {
	return nil, 0, nil
}
func table0(string) []*flow.Table {
	return []*flow.Table{{Name: "Classify", About: "where a packet comes from"}}
}

// newController is a world with the controller's own API on a store of its own, and no hosts.
func newController(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, vars: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	st, err := store.Open(ctx, store.Config{DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := api.New(api.Config{Store: st, Fleet: nobody{}, Journal: nobody{}, Tables: table0, Version: "0.1.0", StoreKind: "embedded",
		BookmarkInterval: 20 * time.Millisecond, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	dir, err := os.MkdirTemp("", "weft")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "api.sock"))
	if err != nil {
		t.Fatal(err)
	}
	w.addr = "unix:" + l.Addr().String()
	w.vars["WEFT_SERVER"] = w.addr
	g := s.NewGRPC()
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	running.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() {
		cancel()
		g.Stop()
		running.Wait()
		st.Close()
		os.RemoveAll(dir)
	})
	return w
}

// clock finds the times that a controller gives its objects.
var clock = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)

// TestControllerTranscripts replays testdata/controller/*.txt against the controller's own API. Times are not compared.
func TestControllerTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/controller/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := clock.ReplaceAllString(newController(t).replay(string(b)), "TIME")
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

// What one controller exports makes another one the same.
func TestExportMovesACloudToAnotherController(t *testing.T) {
	w := newController(t)
	must := func(args ...string) string {
		t.Helper()
		code, out, stderr := w.run(args...)
		if code != exit.Done {
			t.Fatalf("%v: exit %d: %s", args, code, stderr)
		}
		return out
	}
	must("create", "host", "compute1", "--bridge-mapping", "physnet1=br-ex", "--role", "network")
	must("apply", "-f", "testdata/files/net.yaml")
	must("create", "network", "grey", "--provider-network-type", "vlan", "--provider-physical-network", "physnet1", "--provider-segmentation-id", "200",
		"--admin-state-up=false", "--mtu", "1400", "--label", "a=b", "--project", "web", "--description", "two\nlines")
	must("create", "subnet", "grey-v6", "--network", "grey", "--cidr", "fd00::/64", "--gateway-ip", "none")
	must("create", "port", "--network", "grey", "--mac-address", "52:54:00:12:34:56")
	must("create", "port", "g2", "--network", "grey", "--device-id", "10")
	must("apply", "-f", "testdata/files/layer3.yaml")
	must("create", "port", "g3", "--network", "grey", "--user-data", "testdata/files/cloud-config")
	exported := must("export")
	w.stdin = exported
	if out := must("diff", "-f", "-"); out != "" {
		t.Errorf("diff with the own export:\n%s", out)
	}
	w2 := newController(t)
	w2.stdin = exported
	w = w2
	must("apply", "-f", "-")
	if d := cmp.Diff(exported, must("export")); d != "" {
		t.Errorf("export of one, and of the other controller (-first +second):\n%s", d)
	}
}

// Every kind's objects go through the controller as get prints them.
func TestWhatGetPrintsCanBeAppliedToAController(t *testing.T) {
	w := newController(t)
	if code, _, stderr := w.run("apply", "-f", "testdata/files/net.yaml"); code != exit.Done {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := w.run("apply", "-f", "testdata/files/layer3.yaml"); code != exit.Done {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, what := range []string{"networks", "subnets", "ports", "hosts", "routers", "floatingips", "portforwardings"} {
		_, w.stdin, _ = w.run("get", what, "-o", "yaml")
		if code, out, stderr := w.run("diff", "-f", "-"); code != exit.Done || out != "" {
			t.Errorf("get %s -o yaml | diff -f -: exit %d\n%s%s\n%s", what, code, out, stderr, w.stdin)
		}
	}
}

func TestWatchOnAController(t *testing.T) {
	w := newController(t)
	r := w.watch("get", "networks", "-w", "-o", "name")
	id := "b10e0000-1111-4222-8333-444455556666"
	if code, _, stderr := w.run("create", "network", "blue", "--id", id); code != exit.Done {
		t.Fatal(stderr)
	}
	r.shows("ADDED network/" + id + "\n")
	for _, args := range [][]string{{"set", "network", "blue", "--mtu", "1400"}, {"delete", "network", "blue"}} {
		if code, _, stderr := w.run(args...); code != exit.Done {
			t.Fatal(stderr)
		}
	}
	r.shows("ADDED network/" + id + "\nMODIFIED network/" + id + "\nDELETED network/" + id + "\n")
}
