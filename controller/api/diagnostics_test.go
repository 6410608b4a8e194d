package api

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func TestListFlows(t *testing.T) {
	d := openDoor(t, nil)
	const idle = "1d1e0000-0000-4000-8000-000000000040"
	d.apply(append(inside("blue", blueID, blueSubID, "10.0.0.0/24"), withID(port("web", "blue"), portID), port("unbound", "blue"),
		withID(router("edge", func(r *weftv1.Router) { r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}} }), edgeID), withID(router("idle"), idle))...)
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID})
	d.fleet.set(report.Host{Name: "compute1", Bridges: []report.Bridge{{Name: "br-int"}, {Name: "br-tun"}, {Name: "br-ex"}}})
	ofPort, ofNetwork, base, peer, stranger := flow.Cookie(flow.PortCookie, portID), flow.Cookie(flow.NetworkCookie, blueID),
		flow.Cookie(flow.PipelineCookie, "br-tun"), flow.Cookie(flow.HostCookie, "compute1"), uint64(0xbeef)
	snap, _ := d.store.Snapshot()
	gateway := snap.Router(edgeID).Interfaces[0].PortID
	ofRouter, ofGateway, learned := flow.Cookie(flow.RouterCookie, edgeID), flow.Cookie(flow.PortCookie, gateway), flow.Cookie(flow.LearnedCookie, blueID)
	d.fleet.rows["compute1/br-int"] = []report.Row{{Text: "int port", Table: 0, Cookie: ofPort, Packets: 5, Bytes: 500, Duration: time.Minute},
		{Text: "int foreign", Table: 99, Cookie: stranger}}
	d.fleet.rows["compute1/br-tun"] = []report.Row{{Text: "tun base", Table: 0, Cookie: base}, {Text: "tun net", Table: 20, Cookie: ofNetwork}, {Text: "tun port", Table: 20, Cookie: ofPort},
		{Text: "tun router", Table: 1, Cookie: ofRouter}, {Text: "tun gateway", Table: 1, Cookie: ofGateway}, {Text: "tun learned", Table: 20, Cookie: learned}}
	d.fleet.rows["compute1/br-ex"] = []report.Row{{Text: "ex peer", Table: 0, Cookie: peer}}

	intPort := &weftv1.Flow{Bridge: "br-int", Text: "int port", Table: 0, TableName: "LocalSwitching", Cookie: ofPort, Packets: 5, Bytes: 500,
		Owner: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "web"}, Age: durationpb.New(time.Minute)}
	foreign := &weftv1.Flow{Bridge: "br-int", Text: "int foreign", Table: 99, Cookie: stranger, Age: durationpb.New(0)}
	tunBase := &weftv1.Flow{Bridge: "br-tun", Text: "tun base", TableName: "Classify", Cookie: base, Owner: &weftv1.ObjectRef{Kind: "pipeline", Id: "br-tun"}, Age: durationpb.New(0)}
	tunNet := &weftv1.Flow{Bridge: "br-tun", Text: "tun net", Table: 20, TableName: "UcastToTun", Cookie: ofNetwork,
		Owner: &weftv1.ObjectRef{Kind: "network", Id: blueID, Name: "blue"}, Age: durationpb.New(0)}
	tunPort := &weftv1.Flow{Bridge: "br-tun", Text: "tun port", Table: 20, TableName: "UcastToTun", Cookie: ofPort,
		Owner: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "web"}, Age: durationpb.New(0)}
	tunRouter := &weftv1.Flow{Bridge: "br-tun", Text: "tun router", Table: 1, Cookie: ofRouter,
		Owner: &weftv1.ObjectRef{Kind: "router", Id: edgeID, Name: "edge"}, Age: durationpb.New(0)}
	tunGateway := &weftv1.Flow{Bridge: "br-tun", Text: "tun gateway", Table: 1, Cookie: ofGateway, Owner: &weftv1.ObjectRef{Kind: "port", Id: gateway}, Age: durationpb.New(0)}
	tunLearned := &weftv1.Flow{Bridge: "br-tun", Text: "tun learned", Table: 20, TableName: "UcastToTun", Cookie: learned, Owner: tunNet.Owner, Age: durationpb.New(0)}
	exPeer := &weftv1.Flow{Bridge: "br-ex", Text: "ex peer", TableName: "Classify", Cookie: peer, Owner: &weftv1.ObjectRef{Kind: "host", Id: "compute1"}, Age: durationpb.New(0)}
	for _, tc := range []struct {
		name string
		req  *weftv1.ListFlowsRequest
		want []*weftv1.Flow
	}{
		{"a bridge", &weftv1.ListFlowsRequest{Host: "compute1", Bridge: "br-int"}, []*weftv1.Flow{intPort, foreign}},
		{"every bridge", &weftv1.ListFlowsRequest{Host: "compute1"}, []*weftv1.Flow{intPort, foreign, tunBase, tunNet, tunPort, tunRouter, tunGateway, tunLearned, exPeer}},
		{"a port, wherever it is", &weftv1.ListFlowsRequest{Port: "web"}, []*weftv1.Flow{intPort, tunPort}},
		{"a router, where it is", &weftv1.ListFlowsRequest{Router: "edge"}, []*weftv1.Flow{tunRouter, tunGateway}},
		{"a network with all that is in it", &weftv1.ListFlowsRequest{Network: "blue", Host: "compute1", Bridge: "br-tun"}, []*weftv1.Flow{tunNet, tunPort, tunGateway, tunLearned}},
		{"a table by number", &weftv1.ListFlowsRequest{Host: "compute1", Bridge: "br-tun", Table: "20"}, []*weftv1.Flow{tunNet, tunPort, tunLearned}},
		{"a table by name", &weftv1.ListFlowsRequest{Host: "comp", Table: "classify"}, []*weftv1.Flow{tunBase, exPeer}},
		{"a table that nobody declared", &weftv1.ListFlowsRequest{Host: "compute1", Table: "99"}, []*weftv1.Flow{foreign}},
	} {
		res := must[*weftv1.ListFlowsResponse](t)(d.ListFlows(d.ctx, tc.req))
		diff(t, tc.name, tc.want, res.Flows)
	}
	d.report(func(tx *store.Tx) error { _, err := tx.EnsureHost("compute2"); return err })
	d.fleet.set(report.Host{Name: "network1", Bridges: []report.Bridge{{Name: "br-int"}}})
	d.report(func(tx *store.Tx) error { _, err := tx.EnsureHost("network1"); return err })
	for _, tc := range []struct {
		req  *weftv1.ListFlowsRequest
		code codes.Code
		want string
	}{
		{&weftv1.ListFlowsRequest{}, codes.InvalidArgument, "host: is missing; give a host, or a port, router or network that is on one"},
		{&weftv1.ListFlowsRequest{Host: "compute1", Port: "web", Network: "blue"}, codes.InvalidArgument, "network: is given beside port; give one of them"},
		{&weftv1.ListFlowsRequest{Router: "idle"}, codes.InvalidArgument, "host: is missing, and router \"idle\" (" + idle + ") is on no host"},
		{&weftv1.ListFlowsRequest{Network: "nosuch"}, codes.NotFound, `network "nosuch" does not exist`},
		{&weftv1.ListFlowsRequest{Host: "compute3"}, codes.NotFound, `host "compute3" does not exist; did you mean "compute1" or "compute2"?`},
		{&weftv1.ListFlowsRequest{Host: "compute1", Bridge: "br-in"}, codes.InvalidArgument, `bridge: compute1 has no bridge "br-in" of ours; did you mean "br-int"?; it has br-int, br-tun, br-ex`},
		{&weftv1.ListFlowsRequest{Host: "compute1", Bridge: "br-tun", Table: "UcastTun"}, codes.InvalidArgument,
			`table: "UcastTun" is no table of br-tun; did you mean "UcastToTun"?; there are Classify, UcastToTun`},
		{&weftv1.ListFlowsRequest{Host: "compute1", Table: "256"}, codes.InvalidArgument, "table: 256 is not in 0..255"},
		{&weftv1.ListFlowsRequest{Host: "compute2"}, codes.Unavailable, "host compute2: no bridge is known: its agent has not connected since this controller started"},
		{&weftv1.ListFlowsRequest{Host: "network1"}, codes.Unavailable, "host network1: br-int: OpenFlow not connected"},
	} {
		_, err := d.ListFlows(d.ctx, tc.req)
		if st := status.Convert(err); st.Code() != tc.code || st.Message() != tc.want {
			t.Errorf("%v:\n got %v %s\nwant %v %s", tc.req, st.Code(), st.Message(), tc.code, tc.want)
		}
	}
	if _, err := d.ListFlows(d.ctx, &weftv1.ListFlowsRequest{Port: "unbound"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a port that is nowhere: %v", err)
	}
}

func TestExplain(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(port("web", "blue"), portID), host("compute1"), withID(router("edge"), edgeID))
	cookie := func(k flow.CookieKind, id string) string { return fmt.Sprintf("%#x", flow.Cookie(k, id)) }
	web, blue := &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "web"}, &weftv1.ObjectRef{Kind: "network", Id: blueID, Name: "blue"}
	ofWeb := `port "web" (` + portID + ") wanted the row"
	for _, tc := range []struct {
		name string
		req  *weftv1.ExplainRequest
		want *weftv1.ExplainResponse
	}{
		{"a cookie", &weftv1.ExplainRequest{Cookie: cookie(flow.PortCookie, portID)}, &weftv1.ExplainResponse{Owners: []*weftv1.ObjectRef{web}, Text: ofWeb}},
		{"a router's", &weftv1.ExplainRequest{Cookie: cookie(flow.RouterCookie, edgeID)}, &weftv1.ExplainResponse{
			Owners: []*weftv1.ObjectRef{{Kind: "router", Id: edgeID, Name: "edge"}}, Text: `router "edge" (` + edgeID + ") wanted the row"}},
		{"a line of dump-flows, of a bridge", &weftv1.ExplainRequest{Bridge: "br-tun",
			Flow: " cookie=" + cookie(flow.PortCookie, portID) + ", duration=3.2s, table=20, n_packets=0, n_bytes=0, priority=2,dl_vlan=1 actions=drop"},
			&weftv1.ExplainResponse{Owners: []*weftv1.ObjectRef{web}, Text: ofWeb, TableName: "br-tun/UcastToTun", TableAbout: "A known MAC leaves by one tunnel"}},
		{"a line with names", &weftv1.ExplainRequest{Flow: "cookie=" + cookie(flow.PortCookie, portID) + `, table="UcastToTun", priority=2 actions=drop`},
			&weftv1.ExplainResponse{Owners: []*weftv1.ObjectRef{web}, Text: ofWeb, TableName: "br-tun/UcastToTun", TableAbout: "A known MAC leaves by one tunnel"}},
		{"a line of table 0, of which bridge nobody knows", &weftv1.ExplainRequest{Flow: "cookie=" + cookie(flow.PortCookie, portID) + ", priority=2 actions=drop"},
			&weftv1.ExplainResponse{Owners: []*weftv1.ObjectRef{web}, Text: ofWeb, TableName: "br-int/LocalSwitching, br-tun/Classify, physical/Classify",
				TableAbout: "Where a packet comes from\nFrom which tunnel\nFrom br-int or from outside"}},
		{"a row of an agent's", &weftv1.ExplainRequest{Cookie: fmt.Sprintf("%#x", flow.PlainSwitch)}, &weftv1.ExplainResponse{
			Owners: []*weftv1.ObjectRef{{Kind: "pipeline", Id: "plain switch"}}, Text: "the row is part of the plain switch that an agent makes of a bridge until a controller comes"}},
		{"a row of the pipeline, which tells the bridge", &weftv1.ExplainRequest{Flow: "cookie=" + cookie(flow.PipelineCookie, "br-tun") + ", priority=0 actions=drop"},
			&weftv1.ExplainResponse{Owners: []*weftv1.ObjectRef{{Kind: "pipeline", Id: "br-tun"}}, Text: "the row is part of the pipeline of br-tun bridges",
				TableName: "br-tun/Classify", TableAbout: "From which tunnel"}},
		{"a row that the switch learned", &weftv1.ExplainRequest{Cookie: cookie(flow.LearnedCookie, blueID)}, &weftv1.ExplainResponse{
			Owners: []*weftv1.ObjectRef{blue}, Text: `the switch learned the row itself, on network "blue" (` + blueID + ")"}},
		{"a host", &weftv1.ExplainRequest{Cookie: cookie(flow.HostCookie, "compute1")}, &weftv1.ExplainResponse{
			Owners: []*weftv1.ObjectRef{{Kind: "host", Id: "compute1"}}, Text: "host compute1 wanted the row"}},
		{"a port that is gone", &weftv1.ExplainRequest{Cookie: cookie(flow.PortCookie, port2ID)}, &weftv1.ExplainResponse{
			Text: "cookie 0x5703904711110000 is ours, of a port whose id begins with 90471111-0000 and that does not exist any more; weft drift tells whether the row should still be there"}},
		{"a host that is gone", &weftv1.ExplainRequest{Cookie: cookie(flow.HostCookie, "compute9")}, &weftv1.ExplainResponse{
			Text: "cookie " + cookie(flow.HostCookie, "compute9") + " is ours, of a host that does not exist any more; weft drift tells whether the row should still be there"}},
		{"not ours", &weftv1.ExplainRequest{Cookie: "0xbeef"}, &weftv1.ExplainResponse{Text: "cookie 0x000000000000beef is not one of ours: something else made the row"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			diff(t, "answer", tc.want, must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, tc.req)))
		})
	}
	for name, req := range map[string]*weftv1.ExplainRequest{"nothing": {}, "both": {Cookie: "1", Flow: "cookie=1"}, "no cookie": {Cookie: "0xzz"},
		"too long": {Cookie: "0x15703904711110000"}, "a line without": {Flow: "priority=0 actions=drop"}} {
		if _, err := d.Explain(d.ctx, req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListDrift(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(host("compute1"), host("compute2"), withID(network("blue"), blueID))
	d.fleet.drifts["compute1"] = []report.Drift{{Host: "compute1", Bridge: "br-tun", Kind: report.Missing, Text: "row", Cookie: flow.Cookie(flow.NetworkCookie, blueID), Action: "being repaired"}}
	res := must[*weftv1.ListDriftResponse](t)(d.ListDrift(d.ctx, &weftv1.ListDriftRequest{}))
	diff(t, "all hosts", &weftv1.ListDriftResponse{
		Drifts: []*weftv1.Drift{{Host: "compute1", Bridge: "br-tun", Kind: "missing", Flow: "row", Action: "being repaired",
			Owner: &weftv1.ObjectRef{Kind: "network", Id: blueID, Name: "blue"}}},
		Errors: map[string]string{"compute2": "host compute2: br-int: OpenFlow not connected"}}, res)
	if res := must[*weftv1.ListDriftResponse](t)(d.ListDrift(d.ctx, &weftv1.ListDriftRequest{Host: "compute1"})); len(res.Errors) != 0 || len(res.Drifts) != 1 {
		t.Errorf("one host: %v", res)
	}
	if _, err := d.ListDrift(d.ctx, &weftv1.ListDriftRequest{Host: "nowhere"}); status.Code(err) != codes.NotFound {
		t.Errorf("no such host: %v", err)
	}
}

func TestListInterfacesSaysWhatWouldBindThem(t *testing.T) {
	d := openDoor(t, nil)
	const gone, mac, twinMAC = "90473333-0000-4000-8000-000000000009", "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
	d.apply(withID(network("blue"), blueID), network("red"), withID(port("web", "blue", func(p *weftv1.Port) { p.MacAddress = mac }), portID),
		withID(port("twin", "blue", func(p *weftv1.Port) { p.MacAddress = twinMAC }), port2ID), port("twin", "red", func(p *weftv1.Port) { p.MacAddress = twinMAC }),
		host("compute2"))
	d.plug("compute1", model.Interface{Name: "a-bound", OFPort: 1, IfaceID: portID}, model.Interface{Name: "b-gone", OFPort: 2, IfaceID: gone, AttachedMAC: "fa:16:3e:77:77:77"},
		model.Interface{Name: "c-text", OFPort: 3, IfaceID: "vm-7"}, model.Interface{Name: "d-mac", OFPort: 4, AttachedMAC: mac},
		model.Interface{Name: "e-twin", OFPort: 5, AttachedMAC: twinMAC}, model.Interface{Name: "f-failed", IfaceID: port2ID}, model.Interface{Name: "g-odd", OFPort: 9, AttachedMAC: "vm"})
	res := must[*weftv1.ListInterfacesResponse](t)(d.ListInterfaces(d.ctx, &weftv1.ListInterfacesRequest{}))
	got := map[string]string{}
	for _, i := range res.Interfaces {
		got[i.Name] = i.PortId + i.Message
	}
	set := func(name string) string {
		return ": create such a port, or ovs-vsctl set Interface " + name + " external_ids:iface-id=PORT_ID"
	}
	diff(t, "interfaces", map[string]string{
		"a-bound":  portID,
		"b-gone":   "no port has the id " + gone + ", and no port has the MAC fa:16:3e:77:77:77" + set("b-gone"),
		"c-text":   `its iface-id "vm-7" is not the id of a port` + set("c-text"),
		"d-mac":    `port "web" (` + portID + ") is bound to a-bound of compute1, an interface that has its id as iface-id: unplug one of the two",
		"e-twin":   "interface e-twin of compute1 has attached-mac fa:16:3e:00:00:02, but so have 2 ports: set its external_ids:iface-id to the id of the port that is meant",
		"f-failed": "interface f-failed of compute1 has no OpenFlow port: Open vSwitch could not add it; see ovs-vsctl get Interface f-failed error",
		"g-odd":    `it has no iface-id, and its attached-mac "vm" is not a MAC` + set("g-odd"),
	}, got)
	if n := len(must[*weftv1.ListInterfacesResponse](t)(d.ListInterfaces(d.ctx, &weftv1.ListInterfacesRequest{Host: "compute1", Unbound: true})).Interfaces); n != 6 {
		t.Errorf("%d unbound ones", n)
	}
	if n := len(must[*weftv1.ListInterfacesResponse](t)(d.ListInterfaces(d.ctx, &weftv1.ListInterfacesRequest{Host: "compute2"})).Interfaces); n != 0 {
		t.Errorf("%d on a host that has none", n)
	}
	h := must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "compute1"}))
	if h.Status.UnboundInterfaces != 6 {
		t.Errorf("the host counts %d unbound ones", h.Status.UnboundInterfaces)
	}
	// The newer of two wins, and the other says so.
	d.plug("compute1", model.Interface{Name: "z-later", OFPort: 8, IfaceID: portID})
	for _, i := range must[*weftv1.ListInterfacesResponse](t)(d.ListInterfaces(d.ctx, &weftv1.ListInterfacesRequest{})).Interfaces {
		if i.Name == "a-bound" {
			diff(t, "the older one", `port "web" (`+portID+") is bound to z-later of compute1, an interface that appeared later: unplug one of the two", i.Message)
		}
	}
}

func TestListEvents(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(port("web", "blue"), portID))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d.events.all = []report.Event{
		{Time: at, Host: "compute1", Reason: "AgentConnected", Message: "a"},
		{Time: at.Add(time.Minute), Host: "compute2", Reason: "ResourceFailed", Message: "b", Kind: "port", ID: portID},
		{Time: at.Add(2 * time.Minute), Host: "compute1", Reason: "ResourceFailed", Message: "c", Kind: "tunnel", ID: "vxlan-0a000001"},
		{Time: at.Add(3 * time.Minute), Host: "compute1", Reason: "PortBound", Message: "d", Kind: "port", ID: port2ID},
	}
	for _, tc := range []struct {
		req  *weftv1.ListEventsRequest
		want string
	}{
		{&weftv1.ListEventsRequest{}, "abcd"},
		{&weftv1.ListEventsRequest{Host: "compute1"}, "acd"},
		{&weftv1.ListEventsRequest{Since: timestamppb.New(at.Add(time.Minute))}, "bcd"},
		{&weftv1.ListEventsRequest{Object: portID}, "b"},
		{&weftv1.ListEventsRequest{Object: "web"}, "b"},
		{&weftv1.ListEventsRequest{Object: "9047"}, "bd"},
		{&weftv1.ListEventsRequest{Object: port2ID}, "d"},
		{&weftv1.ListEventsRequest{Object: "vxlan-0a000001"}, "c"},
		{&weftv1.ListEventsRequest{Object: "nothing"}, ""},
	} {
		got := ""
		for _, e := range must[*weftv1.ListEventsResponse](t)(d.ListEvents(d.ctx, tc.req)).Events {
			got += e.Message
		}
		if got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.req, got, tc.want)
		}
	}
	e := must[*weftv1.ListEventsResponse](t)(d.ListEvents(d.ctx, &weftv1.ListEventsRequest{Object: "web"})).Events[0]
	diff(t, "an event", &weftv1.Event{Time: timestamppb.New(at.Add(time.Minute)), Host: "compute2", Reason: "ResourceFailed", Message: "b",
		Object: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "web"}}, e)
	for name, req := range map[string]*weftv1.ListEventsRequest{"a short name of nothing": {Object: "abc"}, "no time": {Since: &timestamppb.Timestamp{Nanos: -1}}} {
		if _, err := d.ListEvents(d.ctx, req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWatchEvents(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(port("web", "blue"), portID))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := func(minutes int, host, message string) report.Event {
		return report.Event{Time: at.Add(time.Duration(minutes) * time.Minute), Host: host, Reason: "PortBound", Message: message, Kind: "port", ID: portID}
	}
	d.events.all = []report.Event{event(0, "compute1", "a"), event(1, "compute2", "b"), event(2, "compute1", "c")}
	watch := func(req *weftv1.WatchEventsRequest) func() (*weftv1.Event, error) {
		t.Helper()
		stream := must[grpc.ServerStreamingClient[weftv1.WatchEventsResponse]](t)(d.WatchEvents(d.ctx, req))
		return func() (*weftv1.Event, error) {
			res, err := stream.Recv()
			return res.GetEvent(), err
		}
	}
	read := func(next func() (*weftv1.Event, error), n int) (got string) {
		t.Helper()
		for range n {
			got += must[*weftv1.Event](t)(next()).Message
		}
		return got
	}
	all, some := watch(&weftv1.WatchEventsRequest{}), watch(&weftv1.WatchEventsRequest{Host: "compute1", Object: "web", Since: timestamppb.New(at.Add(time.Minute))})
	diff(t, "what was", "abc c", read(all, 3)+" "+read(some, 1))
	d.events.record(0, event(3, "compute2", "d"), report.Event{Time: at.Add(time.Hour), Host: "compute1", Message: "e"})
	d.events.record(0, event(4, "compute1", "f"))
	diff(t, "what comes", "de", read(all, 2))
	for _, next := range []func() (*weftv1.Event, error){all, some} {
		diff(t, "an event", &weftv1.Event{Time: timestamppb.New(at.Add(4 * time.Minute)), Host: "compute1", Reason: "PortBound", Message: "f",
			Object: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "web"}}, must[*weftv1.Event](t)(next()))
	}
	// 7 events were gone before anybody could read them.
	d.events.record(7, event(5, "compute1", "g"))
	_, err := all()
	if st := status.Convert(err); st.Code() != codes.OutOfRange || st.Message() != "7 events were dropped before they were read; watch again, and read faster" {
		t.Errorf("a reader that is too slow: %v", err)
	}
	diff(t, "watched again", "g", read(watch(&weftv1.WatchEventsRequest{}), 1))
	for name, req := range map[string]*weftv1.WatchEventsRequest{"a short name of nothing": {Object: "abc"}, "no time": {Since: &timestamppb.Timestamp{Nanos: -1}}} {
		if _, err := watch(req)(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	last := watch(&weftv1.WatchEventsRequest{})
	read(last, 1)
	d.server.close()
	if _, err := last(); status.Code(err) != codes.Unavailable {
		t.Errorf("a controller that ends: %v", err)
	}
}

func TestGetStatus(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), subnet("s", "blue", "10.0.0.0/24"), withID(port("web", "blue"), portID), port("db", "blue"))
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID})
	d.report(func(tx *store.Tx) error {
		return tx.SetPortState(&model.PortState{PortID: portID, Host: "compute1", Status: model.PortActive})
	})
	d.fleet.set(report.Host{Name: "compute1", Bridges: []report.Bridge{{Name: "br-int", DriftRepaired: 2}, {Name: "br-tun", DriftRepaired: 3}}})
	d.fleet.unknown = []string{"000000000000dead from 192.0.2.9:4711", "0000000000000001 from 192.0.2.8:4711"}
	res := must[*weftv1.GetStatusResponse](t)(d.GetStatus(d.ctx, &weftv1.GetStatusRequest{}))
	if len(res.Hosts) != 1 || res.Hosts[0].Metadata.Id != "compute1" || res.StartTime.AsTime().After(time.Now()) || res.Revision == 0 {
		t.Errorf("status: %v", res)
	}
	res.Hosts, res.StartTime, res.Revision = nil, nil, 0
	diff(t, "status", &weftv1.GetStatusResponse{Version: "v0-test", Store: "embedded", PortsActive: 1, DriftRepaired: 5,
		Objects: map[string]int64{"host": 1, "network": 1, "subnet": 1, "port": 2, "router": 0, "floatingip": 0, "portforwarding": 0, "qospolicy": 0,
			"securitygroup": 1, "securitygrouprule": 4, "addressgroup": 0},
		UnknownSwitches: []string{"0000000000000001 from 192.0.2.8:4711", "000000000000dead from 192.0.2.9:4711"}}, res)
}
