package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// watching is a command that runs until it is stopped.
type watching struct {
	t        *testing.T
	out, err *buffer
	cancel   context.CancelFunc
	done     chan int
	code     int
}

func (w *world) watch(args ...string) *watching {
	w.t.Helper()
	e, out, err := w.env()
	ctx, cancel := context.WithCancel(context.Background())
	r := &watching{t: w.t, out: out, err: err, cancel: cancel, done: make(chan int, 1)}
	go func() { r.done <- Main(ctx, root(e), e, args) }()
	w.t.Cleanup(func() { r.stop() })
	return r
}

// stop interrupts the command and returns its exit code.
func (r *watching) stop() int {
	r.cancel()
	if r.done != nil {
		r.code = <-r.done
		r.done = nil
	}
	return r.code
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// shows waits until exactly this was printed to stdout.
func (r *watching) shows(want string) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for r.out.String() != want {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("stdout (-want +got):\n%s\nstderr: %s", cmp.Diff(want, r.out.String()), r.err)
		}
	}
}

func port(s *fakeapi.Server, id string) *weftv1.Port {
	var p *weftv1.Port
	s.Change(func() { p = proto.CloneOf(s.Object(kind.Port, id).(*weftv1.Port)) })
	return p
}

func TestWatchPrintsChangesAsRows(t *testing.T) {
	w := newWorld(t)
	r := w.watch("get", "ports", "--network", "blue", "--host", "compute2", "-w")
	want := `EVENT     ID        NAME        NETWORK      MAC                FIXED IPS        HOST         STATUS
ADDED     22220000  vm2         blue         fa:16:3e:00:00:02  10.0.1.6 +1      compute2     DOWN
`
	r.shows(want)
	// The port is wired.
	p := port(w.api, vm2ID)
	p.Status = &weftv1.PortStatus{Status: "ACTIVE", Host: "compute2"}
	w.api.Put(p)
	want += "MODIFIED  22220000  vm2         blue         fa:16:3e:00:00:02  10.0.1.6 +1      compute2     ACTIVE\n"
	r.shows(want)
	// A change that no column shows, and one of a port that the filter does not let through.
	p = proto.CloneOf(p)
	p.DeviceOwner = "x"
	q := port(w.api, vm1ID)
	q.Metadata.Name = "not shown"
	w.api.Put(p, q)
	// Another port moves here, and away again.
	q = proto.CloneOf(q)
	q.Metadata.Name, q.Status.Host = "vm1", "compute2"
	w.api.Put(q)
	want += "ADDED     11110000  vm1         blue         fa:16:3e:00:00:01  10.0.1.5         compute2     ACTIVE\n"
	r.shows(want)
	q = proto.CloneOf(q)
	q.Status.Host = "compute1"
	w.api.Put(q)
	want += "LEFT      11110000  vm1         blue         fa:16:3e:00:00:01  10.0.1.5         compute1     ACTIVE\n"
	r.shows(want)
	w.api.Remove(kind.Port, vm2ID)
	want += "DELETED   22220000  vm2         blue         fa:16:3e:00:00:02  10.0.1.6 +1      compute2     ACTIVE\n"
	r.shows(want)
	if code := r.stop(); code != exit.Done {
		t.Errorf("interrupted: exit %d, want %d; stderr: %s", code, exit.Done, r.err)
	}
}

func TestWatchThatBeginsWithNothingLinesUp(t *testing.T) {
	w := newWorld(t)
	r := w.watch("get", "networks", "--project", "p", "-w")
	want := "EVENT     ID        NAME          TYPE     SEGMENT  PHYSICAL       MTU  HOSTS  STATUS\n"
	r.shows(want)
	n := &weftv1.Network{Metadata: meta("6e000000-1111-4222-8333-444455556666", "grey"), ProviderNetworkType: "vxlan", ProviderSegmentationId: 4711,
		Mtu: 1450, Status: &weftv1.NetworkStatus{Status: "ACTIVE"}}
	n.Metadata.ProjectId = "p"
	w.api.Put(n)
	want += "ADDED     6e000000  grey          vxlan       4711                1450      0  ACTIVE\n"
	r.shows(want)
}

func TestWatchNamedObjects(t *testing.T) {
	w := newWorld(t)
	r := w.watch("get", "port", "vm2", "-w", "-o", "name")
	r.shows("ADDED port/" + vm2ID + "\n")
	w.api.Remove(kind.Port, vm1ID)
	w.api.Remove(kind.Port, vm2ID)
	r.shows("ADDED port/" + vm2ID + "\nDELETED port/" + vm2ID + "\n")

	if code, out, _ := w.run("get", "port", "nosuch", "-w"); code != exit.NotFound || out != "" {
		t.Errorf("watch of what is not there: exit %d, stdout %q", code, out)
	}
}

func TestWatchAsJSONIsOneObjectPerLine(t *testing.T) {
	w := newWorld(t)
	w.api.Put(&weftv1.Network{Metadata: &weftv1.Metadata{Id: "n1", Name: "red"}})
	r := w.watch("get", "networks", "--name", "red", "-w", "-o", "json")
	want := `{"event":"ADDED","object":{"kind":"network","id":"n1","name":"red","etag":"3","revision":3}}` + "\n"
	r.shows(want)
	w.api.Put(&weftv1.Network{Metadata: &weftv1.Metadata{Id: "n1", Name: "red"}, Mtu: 1500})
	want += `{"event":"MODIFIED","object":{"kind":"network","id":"n1","name":"red","mtu":1500,"etag":"4","revision":4}}` + "\n"
	r.shows(want)
}

func TestWatchGoesOnAfterARestartOfTheController(t *testing.T) {
	w := &world{t: t, api: fakeapi.New(), vars: map[string]string{}}
	cloud(w.api)
	socket := t.TempDir() + "/s"
	w.vars["WEFT_SERVER"] = "unix:" + socket
	stop := serve(t, w.api, "unix", socket)
	r := w.watch("get", "ports", "-w", "-o", "name")
	want := "ADDED port/" + vm1ID + "\nADDED port/" + vm2ID + "\n"
	r.shows(want)
	stop()
	until(t, "the message", func() bool {
		return r.err.String() == "the controller went away; the watch goes on when it is back\n"
	})
	// What happens meanwhile is not missed, and nothing is told twice.
	w.api.Remove(kind.Port, vm1ID)
	serve(t, w.api, "unix", socket)
	want += "DELETED port/" + vm1ID + "\n"
	r.shows(want)
	w.api.Remove(kind.Port, vm2ID)
	want += "DELETED port/" + vm2ID + "\n"
	r.shows(want)
}

func TestWatchEndsWhenTheHistoryIsGone(t *testing.T) {
	w := newWorld(t)
	w.api.Change(func() { w.api.Compacted = 1000 })
	code, out, stderr := w.run("get", "ports", "-w", "-o", "name")
	if code != exit.Unknown {
		t.Errorf("exit %d, want %d", code, exit.Unknown)
	}
	if want := "ADDED port/" + vm1ID + "\nADDED port/" + vm2ID + "\n"; out != want {
		t.Errorf("stdout %q, want %q", out, want)
	}
	if want := "error: watch: revision 2 is older than the history kept: list again [OUT_OF_RANGE]\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
}

func TestWatchFlows(t *testing.T) {
	w := newWorld(t)
	r := w.watch("flows", "compute1", "br-tun", "--stats", "-w", "--interval", "5ms")
	want := `# br-tun table 20 UcastToTun
cookie=0x570000000002, table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:02 actions=pop_vlan,set_field:0x64->tun_id,output:2  # port/vm2, 1204 packets, 98000 bytes, 1m05s
cookie=0x0, table=20, priority=9,in_port=3 actions=drop  # not ours, 0 packets, 0 bytes, 4s
`
	r.shows(want)
	w.api.Change(func() {
		counted := proto.CloneOf(w.api.Flows[1])
		counted.Packets += 10
		w.api.Flows = []*weftv1.Flow{counted, {Bridge: "br-tun", Text: "table=22, priority=0 actions=drop", Table: 22, TableName: "FloodToTun", Age: durationpb.New(0)}}
	})
	want += `* br-tun  cookie=0x570000000002, table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:02 actions=pop_vlan,set_field:0x64->tun_id,output:2  # port/vm2, 1214 packets, 98000 bytes, 1m05s (+10)
+ br-tun  table=22, priority=0 actions=drop  # not ours, 0 packets, 0 bytes, 0s
- br-tun  cookie=0x0, table=20, priority=9,in_port=3 actions=drop  # not ours, 0 packets, 0 bytes, 4s
`
	r.shows(want)
	if code := r.stop(); code != exit.Done {
		t.Errorf("exit %d, want %d", code, exit.Done)
	}
}

func TestWatchEvents(t *testing.T) {
	w := newWorld(t)
	event := func(minutes int, text string) *weftv1.Event {
		return &weftv1.Event{Time: at(minutes), Host: "compute1", Reason: "R", Message: text}
	}
	w.api.Change(func() { w.api.Events = []*weftv1.Event{event(1, "a"), event(2, "b"), event(2, "b")} })
	r := w.watch("events", "--host", "compute1", "-w", "-o", "json")
	line := func(time, text string) string {
		return `{"time":"2026-03-04T` + time + `Z","host":"compute1","reason":"R","message":"` + text + `"}` + "\n"
	}
	want := line("12:01:00", "a") + line("12:02:00", "b") + line("12:02:00", "b")
	r.shows(want)
	// One of the same time as the last, a third one just like it, and a later one.
	w.api.Happen(event(2, "c"), event(2, "b"), event(3, "d"))
	want += line("12:02:00", "c") + line("12:02:00", "b") + line("12:03:00", "d")
	r.shows(want)
	r.stop()

	if code, _, stderr := w.run("events", "-w", "--object", "port/nosuch"); code != exit.NotFound || !strings.Contains(stderr, "nosuch") {
		t.Errorf("events of what is not there: exit %d, %s", code, stderr)
	}
	r = w.watch("events", "-w", "--since", "58m")
	until(t, "the table", func() bool { return strings.Count(r.out.String(), "\n") == 6 })
	if got := strings.SplitN(r.out.String(), "\n", 2)[0]; strings.Join(strings.Fields(got), " ") != "TIME HOST REASON OBJECT MESSAGE" {
		t.Errorf("head: %q", got)
	}
	if code := r.stop(); code != exit.Done {
		t.Errorf("exit %d, want %d", code, exit.Done)
	}
}

func TestWatchEventsGoesOnAfterARestartOfTheController(t *testing.T) {
	w := &world{t: t, api: fakeapi.New(), vars: map[string]string{}}
	event := func(minutes int, text string) *weftv1.Event {
		return &weftv1.Event{Time: at(minutes), Reason: "R", Message: text}
	}
	w.api.Events = []*weftv1.Event{event(1, "a"), event(2, "b"), event(2, "b")}
	socket := t.TempDir() + "/s"
	w.vars["WEFT_SERVER"] = "unix:" + socket
	stop := serve(t, w.api, "unix", socket)
	r := w.watch("events", "-w", "-o", "json")
	line := func(time, text string) string {
		return `{"time":"2026-03-04T` + time + `Z","host":"","reason":"R","message":"` + text + `"}` + "\n"
	}
	want := line("12:01:00", "a") + line("12:02:00", "b") + line("12:02:00", "b")
	r.shows(want)
	stop()
	until(t, "the message", func() bool {
		return r.err.String() == "the controller went away; the watch goes on when it is back\n"
	})
	// What happens meanwhile is not missed, and nothing is told twice.
	w.api.Happen(event(2, "c"), event(2, "b"), event(3, "d"))
	serve(t, w.api, "unix", socket)
	want += line("12:02:00", "c") + line("12:02:00", "b") + line("12:03:00", "d")
	r.shows(want)
	w.api.Happen(event(4, "e"))
	want += line("12:04:00", "e")
	r.shows(want)
}
