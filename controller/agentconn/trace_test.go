package agentconn

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func TestAgentIsAskedAboutAPacket(t *testing.T) {
	w, client := serve(t, 7)
	st := dial(t, client("127.0.0.1"), &nodev1.Hello{Host: "compute1"})
	w.await(t, "connected compute1 holding map[]")
	w.mu.Lock()
	sess := w.sessions["compute1"]
	w.mu.Unlock()
	addr := netip.MustParseAddr
	// answer has the agent answer the next question, and tells what it was.
	answer := func(a *nodev1.Answer) <-chan *nodev1.Ask {
		asked := make(chan *nodev1.Ask, 1)
		go func() {
			m, err := st.Recv()
			if err != nil {
				t.Error(err)
				return
			}
			a.Nonce = m.GetAsk().GetNonce()
			m.GetAsk().Nonce = ""
			asked <- m.GetAsk()
			if err := st.Send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Answer{Answer: a}}); err != nil {
				t.Error(err)
			}
		}()
		return asked
	}
	check := func(want, got *nodev1.Ask) {
		t.Helper()
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Errorf("asked (-want +got):\n%s", d)
		}
	}

	asked := answer(&nodev1.Answer{Trace: &nodev1.TraceAnswer{Text: "Flow: ip", Ports: "br-int:"}})
	got, err := sess.AskTrace(t.Context(), report.TraceQuestion{Bridge: "br-tun", InPort: "vxlan-1", EthSrc: "a", EthDst: "b", VLAN: 7, Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"),
		Protocol: 6, TTL: 63, SrcPort: 4, DstPort: 5, Tunnel: &report.Encapsulation{Key: 9, Src: addr("192.0.2.1"), Dst: addr("192.0.2.2")}})
	if err != nil || got != (report.TraceAnswer{Text: "Flow: ip", Ports: "br-int:"}) {
		t.Errorf("%+v %v", got, err)
	}
	check(&nodev1.Ask{Trace: &nodev1.TraceQuestion{Bridge: "br-tun", InPort: "vxlan-1", EthSrc: "a", EthDst: "b", Vlan: 7, IpSrc: "10.0.0.1", IpDst: "10.0.0.2",
		Protocol: 6, Ttl: 63, SrcPort: 4, DstPort: 5, Tunnel: &nodev1.Encapsulation{Key: 9, Src: "192.0.2.1", Dst: "192.0.2.2"}}}, <-asked)

	asked = answer(&nodev1.Answer{Trace: &nodev1.TraceAnswer{Ports: "br-ex:"}})
	if got, err := sess.AskTrace(t.Context(), report.TraceQuestion{Bridge: "br-ex"}); err != nil || got.Ports != "br-ex:" {
		t.Errorf("only the ports: %+v %v", got, err)
	}
	check(&nodev1.Ask{Trace: &nodev1.TraceQuestion{Bridge: "br-ex"}}, <-asked)

	q := report.RouteQuestion{Namespace: "qrouter-1", Device: "qr-1", Src: addr("fd00::1"), Dst: addr("fd00::2")}
	for _, c := range []struct {
		says *nodev1.RouteAnswer
		want report.RouteAnswer
	}{
		{&nodev1.RouteAnswer{Kind: "forward", Device: "qr-2", DeviceMac: "a", Via: "fd00::2", Neighbour: "b", NeighbourState: "STALE", Table: 254},
			report.RouteAnswer{Kind: report.RouteForward, Device: "qr-2", DeviceMAC: "a", Via: addr("fd00::2"), Neighbour: "b", NeighbourState: "STALE", Table: 254}},
		{&nodev1.RouteAnswer{Kind: "drop", Message: "no"}, report.RouteAnswer{Kind: report.RouteDrop, Message: "no"}},
	} {
		asked = answer(&nodev1.Answer{Route: c.says})
		got, err := sess.AskRoute(t.Context(), q)
		if err != nil || got != c.want {
			t.Errorf("%+v %v, want %+v", got, err, c.want)
		}
		check(&nodev1.Ask{Route: &nodev1.RouteQuestion{Namespace: "qrouter-1", Device: "qr-1", Src: "fd00::1", Dst: "fd00::2"}}, <-asked)
	}

	// An agent that does not know the question takes it for one about the namespace "".
	answer(&nodev1.Answer{})
	if _, err := sess.AskTrace(t.Context(), report.TraceQuestion{Bridge: "br-ex"}); err != errTooOld {
		t.Errorf("an older agent: %v", err)
	}
	answer(&nodev1.Answer{})
	if _, err := sess.AskRoute(t.Context(), q); err != errTooOld {
		t.Errorf("an older agent: %v", err)
	}
	answer(&nodev1.Answer{Route: &nodev1.RouteAnswer{Kind: "forward", Via: "nowhere"}})
	if a, err := sess.AskRoute(t.Context(), q); err == nil {
		t.Errorf("a next hop that is no address: %+v", a)
	}
}
