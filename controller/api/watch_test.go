package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// watching is a stream that a test reads.
type watching struct {
	t      *testing.T
	stream grpc.ServerStreamingClient[weftv1.WatchResponse]
	cancel context.CancelFunc
	last   int64
}

func (d *door) watch(from int64, kinds ...string) *watching {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.ctx)
	d.t.Cleanup(cancel)
	stream, err := d.Watch(ctx, &weftv1.WatchRequest{FromRevision: from, Kinds: kinds})
	if err != nil {
		d.t.Fatal(err)
	}
	return &watching{t: d.t, stream: stream, cancel: cancel, last: from}
}

// until reads up to the bookmark of a revision, and tells the events before it: "ADDED network blue ACTIVE".
func (w *watching) until(revision int64) (events []string) {
	w.t.Helper()
	for {
		e, err := w.stream.Recv()
		if err != nil {
			w.t.Fatalf("after %v: %v", events, err)
		}
		if e.Revision < w.last {
			w.t.Fatalf("revision %d after %d", e.Revision, w.last)
		}
		w.last = e.Revision
		if e.Type != "BOOKMARK" {
			events = append(events, eventText(e))
		} else if e.Revision >= revision {
			return events
		}
	}
}

func eventText(e *weftv1.WatchResponse) string {
	k, obj := unwrap(e.Object)
	s := fmt.Sprintf("%s %s %s", e.Type, store.Singular(k), cmp.Or(obj.GetMetadata().GetName(), obj.GetMetadata().GetId()))
	switch o := obj.(type) {
	case *weftv1.Network:
		s += " " + o.Status.GetStatus()
		for _, v := range o.Status.GetLocalVlans() {
			s += fmt.Sprintf(" %s:%d", v.Host, v.Vlan)
		}
	case *weftv1.Port:
		s += strings.TrimRight(fmt.Sprintf(" %s %s", o.Status.GetStatus(), o.Status.GetHost()), " ")
	case *weftv1.Router:
		s += " " + o.Status.GetStatus()
	case *weftv1.FloatingIP:
		s = fmt.Sprintf("%s %s %s %s", e.Type, store.Singular(k), o.FloatingIpAddress, o.Status.GetStatus())
	case *weftv1.PortForwarding:
		s += " " + o.Status.GetStatus()
	case *weftv1.Host:
		s += fmt.Sprintf(" %s unbound:%d", o.Status.GetStatus(), o.Status.GetUnboundInterfaces())
	}
	return strings.TrimRight(s, " ")
}

func TestWatchBeginsWithEverythingAndGoesOn(t *testing.T) {
	d := openDoor(t, nil)
	rev := d.apply(withID(network("blue", unsecured), blueID), subnet("s", "blue", "10.0.0.0/24"), withID(port("p", "blue"), portID)).Revision
	w := d.watch(0)
	diff(t, "at first", []string{"ADDED network blue ACTIVE", "ADDED subnet s", "ADDED port p DOWN"}, w.until(rev))

	steps := []struct {
		name string
		do   func() int64
		want []string
	}{
		{"a new object", func() int64 { return d.apply(withID(network("red", unsecured), redID)).Revision }, []string{"ADDED network red ACTIVE"}},
		{"a change", func() int64 {
			return d.apply(network("red", func(n *weftv1.Network) { n.Mtu = 1300 })).Revision
		}, []string{"MODIFIED network red ACTIVE"}},
		{"a host that its agent registers", func() int64 {
			return d.report(func(tx *store.Tx) error {
				_, err := tx.EnsureHost("compute1")
				return errors.Join(err, tx.ReportHost(&model.HostFacts{Host: "compute1"}))
			})
		}, []string{"ADDED host compute1 NotReady unbound:0", "MODIFIED network blue ACTIVE"}}, // why nobody serves it by DHCP
		{"an interface that binds a port", func() int64 {
			return d.report(func(tx *store.Tx) error {
				return tx.ReportInterfaces("compute1", false, []model.Interface{{Name: "tap0", OFPort: 3, IfaceID: portID}}, nil)
			})
		}, []string{"MODIFIED network blue ACTIVE compute1:1", "MODIFIED port p BUILD compute1"}},
		{"an interface of nobody", func() int64 {
			return d.report(func(tx *store.Tx) error {
				return tx.ReportInterfaces("compute1", false, []model.Interface{{Name: "tap1", OFPort: 4, AttachedMAC: "fa:16:3e:99:99:99"}}, nil)
			})
		}, []string{"MODIFIED host compute1 NotReady unbound:1"}},
		{"a port that is wired", func() int64 {
			return d.report(func(tx *store.Tx) error {
				return tx.SetPortState(&model.PortState{PortID: portID, Host: "compute1", Status: model.PortActive, Revision: rev})
			})
		}, []string{"MODIFIED port p ACTIVE compute1"}},
		{"facts that no status shows", func() int64 {
			return d.report(func(tx *store.Tx) error {
				return tx.ReportHost(&model.HostFacts{Host: "compute1", Ports: map[string]uint32{"patch-tun": 1}})
			})
		}, nil},
		{"a network that goes down, with its ports", func() int64 {
			return d.apply(network("blue", func(n *weftv1.Network) { n.AdminStateUp = proto.Bool(false) })).Revision
		}, []string{"MODIFIED network blue DOWN compute1:1", "MODIFIED port p DOWN compute1"}},
		{"several at once: what goes, then what comes", func() int64 {
			return must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{
				Objects: []*weftv1.Object{port("q", "red"), withID(network("green"), "6ee00000-0000-4000-8000-000000000001")},
				Deletes: []*weftv1.ObjectRef{{Kind: "subnet", Name: "s"}, {Kind: "port", Name: "p"}}})).Revision
		}, []string{"DELETED port p", "DELETED subnet s", "MODIFIED host compute1 NotReady unbound:2", "ADDED network green ACTIVE",
			"MODIFIED network blue DOWN", "ADDED port q DOWN"}},
	}
	var all []string
	for _, s := range steps {
		diff(t, s.name, s.want, w.until(s.do()))
		all = append(all, s.want...)
	}
	diff(t, "the same, watched later from the first revision", all, d.watch(rev).until(w.last))
	diff(t, "only ports and subnets", []string{"MODIFIED port p BUILD compute1", "MODIFIED port p ACTIVE compute1", "MODIFIED port p DOWN compute1",
		"DELETED port p", "DELETED subnet s", "ADDED port q DOWN"}, d.watch(rev, "port", "subnet").until(w.last))
	diff(t, "everything as it is now", []string{"ADDED host compute1 NotReady unbound:2", "ADDED network red ACTIVE", "ADDED network green ACTIVE",
		"ADDED network blue DOWN", "ADDED port q DOWN"}, d.watch(0).until(w.last))
}

// A stream that breaks between any two messages is taken up again at the last bookmark: nothing is lost.
func TestWatchResumesAtTheLastBookmark(t *testing.T) {
	d := openDoor(t, nil)
	_, from := d.store.Snapshot()
	want := map[string]bool{}
	var last int64
	for i := range 5 {
		var objs []*weftv1.Object
		for j := range 3 {
			name := fmt.Sprintf("n%d-%d", i, j)
			objs = append(objs, network(name))
			want[name] = true
		}
		last = d.apply(objs...).Revision
	}
	bookmark, got := from, map[string]bool{}
	for breaks := 2; bookmark < last; breaks += 3 {
		w := d.watch(bookmark)
		for range breaks {
			e, err := w.stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == "BOOKMARK" {
				bookmark = e.Revision
				continue
			}
			got[e.Object.GetNetwork().Metadata.Name] = true
		}
		w.cancel()
	}
	diff(t, "networks seen", want, got)
}

func TestWatchSaysWhenItCannotGoOn(t *testing.T) {
	d := openDoor(t, func(c *store.Config) { c.HistoryChanges, c.MaintenanceInterval = 5, 10*time.Millisecond })
	first := d.apply(network("blue")).Revision
	end := func(req *weftv1.WatchRequest) error {
		stream, err := d.Watch(d.ctx, req)
		if err != nil {
			return err
		}
		for {
			if _, err := stream.Recv(); err != nil {
				return err
			}
		}
	}
	// The history is kept for a while, and then forgotten.
	eventually(t, func() error {
		d.apply(network("blue", func(n *weftv1.Network) { n.Metadata.Description = fmt.Sprint(time.Now()) }))
		ctx, cancel := context.WithTimeout(d.ctx, 50*time.Millisecond)
		defer cancel()
		stream, err := d.Watch(ctx, &weftv1.WatchRequest{FromRevision: first})
		for err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.OutOfRange {
			return fmt.Errorf("watch from %d: %w", first, err)
		}
		return nil
	})
	err := end(&weftv1.WatchRequest{FromRevision: first})
	diff(t, "compacted", refusal{Code: codes.OutOfRange, Reason: "COMPACTED"}, refused(t, err))
	if m := status.Convert(err).Message(); !strings.Contains(m, "list again and watch from the list's revision") {
		t.Errorf("the message does not say what to do: %s", m)
	}
	_, now := d.store.Snapshot()
	diff(t, "a revision of another store", refusal{Code: codes.OutOfRange, Reason: "COMPACTED"}, refused(t, end(&weftv1.WatchRequest{FromRevision: now + 1000})))
	diff(t, "a kind that there is not", refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
		`kinds[1]: "vpn" is no kind of object; choose one of addressgroup, floatingip, host, network, port, portforwarding, qospolicy, router, securitygroup, securitygrouprule, subnet`}}, refused(t, end(&weftv1.WatchRequest{Kinds: []string{"port", "vpn"}})))
	diff(t, "a negative revision", refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
		`from_revision: -1 is negative; 0 begins with every object as it is now`}}, refused(t, end(&weftv1.WatchRequest{FromRevision: -1})))
}

func TestWatchTellsWhenAHostGoesAway(t *testing.T) {
	d := openDoor(t, nil)
	up := report.Host{Name: "compute1", AgentConnected: true, AgentSince: time.Now(), Applied: 1 << 40,
		Bridges: []report.Bridge{{Name: "br-int", Connected: true}}}
	d.fleet.set(up)
	rev := d.apply(host("compute1")).Revision
	w := d.watch(0)
	diff(t, "at first", []string{"ADDED host compute1 Ready unbound:0"}, w.until(rev))
	up.AgentConnected = false
	d.fleet.set(up)
	for {
		e, err := w.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != "BOOKMARK" {
			diff(t, "the agent went away", "MODIFIED host compute1 NotReady unbound:0", eventText(e))
			return
		}
	}
}

func TestStreamsEndWhenTheServerDoes(t *testing.T) {
	d := openDoor(t, nil)
	w := d.watch(0)
	w.until(0)
	d.server.close()
	for {
		if _, err := w.stream.Recv(); err != nil {
			if status.Code(err) != codes.Unavailable || errors.Is(err, io.EOF) {
				t.Errorf("ended with %v", err)
			}
			return
		}
	}
}
