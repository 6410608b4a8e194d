package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func conditionText(cs []*weftv1.Condition) (lines []string) {
	for _, c := range cs {
		lines = append(lines, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return lines
}

const noInterface = "Bound=False NoInterface: no interface of br-int has iface-id " + portID +
	"; on its host, plug it in: ovs-vsctl set Interface NAME external_ids:iface-id=" + portID

// A port on its way from nothing to a wired interface, and what can go wrong.
func TestPortStatus(t *testing.T) {
	d := openDoor(t, nil)
	const mac = "fa:16:3e:00:00:01"
	base := d.apply(withID(network("blue"), blueID), network("red"), host("compute1"), host("compute2"),
		withID(port("web", "blue", func(p *weftv1.Port) { p.MacAddress = mac }), portID)).Revision
	state := func(s model.PortState) func() {
		return func() {
			s.PortID = portID
			d.report(func(tx *store.Tx) error { return tx.SetPortState(&s) })
		}
	}
	set := func(change func(*weftv1.Port)) func() {
		return func() { d.apply(withID(port("", "", change), portID)) }
	}
	gone := func(host, name string) {
		d.report(func(tx *store.Tx) error { return tx.ReportInterfaces(host, false, nil, []string{name}) })
	}
	const notBound = "Programmed=False NotBound: nothing is programmed for a port that is not bound"
	for _, step := range []struct {
		name   string
		do     func()
		status string
		want   []string
	}{
		{"nothing is plugged in", func() {}, "DOWN    0 ", []string{noInterface, notBound}},
		{"the interface failed", func() { d.plug("compute1", model.Interface{Name: "tap0", IfaceID: portID}) }, "DOWN    0 ", []string{
			"Bound=False InterfaceFailed: interface tap0 of compute1 has no OpenFlow port: Open vSwitch could not add it; see ovs-vsctl get Interface tap0 error", notBound}},
		{"on a host whose agent never reported the host", func() {
			gone("compute1", "tap0")
			d.report(func(tx *store.Tx) error {
				return tx.ReportInterfaces("compute2", false, []model.Interface{{Name: "tap0", OFPort: 3, IfaceID: portID}}, nil)
			})
		}, "DOWN    0 ", []string{"Bound=False HostSilent: interface tap0 of compute2 is there, but the agent of compute2 has not reported its host; restart weft-nsagent there", notBound}},
		{"plugged in on another host than asked for", func() {
			d.plug("compute2")
			set(func(p *weftv1.Port) { p.BindingHostId = "compute1" })()
		}, "DOWN    0 ", []string{
			"Bound=False WrongHost: interface tap0 of compute2 is there, but binding_host_id asks for compute1: move the interface, or set binding_host_id to compute2", notBound}},
		{"bound", func() { d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID}) }, "BUILD compute1 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute1 has its id as iface-id",
			"Programmed=False Programming: compute1 has not acknowledged it yet; if that lasts, see weft describe host compute1"}},
		{"the flows were refused", state(model.PortState{Host: "compute1", Status: model.PortError, Reason: "FlowsRefused", Message: "br-int: bad action"}), "ERROR compute1 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute1 has its id as iface-id", "Programmed=False FlowsRefused: br-int: bad action"}},
		{"wired", state(model.PortState{Host: "compute1", Status: model.PortActive, Revision: base}), "ACTIVE compute1 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute1 has its id as iface-id",
			fmt.Sprintf("Programmed=True Acknowledged: the bridges and the agent of compute1 acknowledged it at revision %d", base)}},
		{"dead by its own wish", set(func(p *weftv1.Port) { p.AdminStateUp = proto.Bool(false) }), "DOWN compute1 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute1 has its id as iface-id",
			"Programmed=True Dead: it is programmed to pass nothing on compute1: admin_state_up of the port is false"}},
		{"dead by its network's", func() {
			set(func(p *weftv1.Port) { p.AdminStateUp = proto.Bool(true) })()
			d.apply(network("blue", func(n *weftv1.Network) { n.AdminStateUp = proto.Bool(false) }))
		}, "DOWN compute1 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute1 has its id as iface-id",
			"Programmed=True Dead: it is programmed to pass nothing on compute1: admin_state_up of its network blue is false"}},
		{"moved: what the old host acknowledged counts no more", func() {
			d.apply(network("blue", func(n *weftv1.Network) { n.AdminStateUp = proto.Bool(true) }))
			set(func(p *weftv1.Port) { p.BindingHostId = "compute2" })()
		}, "BUILD compute2 tap0 iface-id 3", []string{
			"Bound=True IfaceID: interface tap0 of compute2 has its id as iface-id",
			"Programmed=False Programming: compute2 has not acknowledged it yet; if that lasts, see weft describe host compute2"}},
		{"by MAC", func() {
			gone("compute1", "tap0")
			gone("compute2", "tap0")
			d.plug("compute2", model.Interface{Name: "vnet7", OFPort: 7, AttachedMAC: mac})
		}, "BUILD compute2 vnet7 attached-mac 7", []string{
			"Bound=True AttachedMAC: interface vnet7 of compute2 has its MAC as attached-mac",
			"Programmed=False Programming: compute2 has not acknowledged it yet; if that lasts, see weft describe host compute2"}},
		{"by a MAC that another port has too", func() {
			d.apply(port("twin", "red", func(p *weftv1.Port) { p.MacAddress = mac }))
		}, "DOWN    0 ", []string{
			"Bound=False AmbiguousMAC: interface vnet7 of compute2 has attached-mac fa:16:3e:00:00:01, but so have 2 ports: set its external_ids:iface-id to the id of the port that is meant", notBound}},
	} {
		step.do()
		p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: portID}))
		st := p.Status
		got := fmt.Sprintf("%s %s %s %s %d", st.Status, st.Host, st.InterfaceName, st.BoundBy, st.Ofport)
		if strings.TrimSpace(got) != strings.TrimSpace(step.status) {
			t.Errorf("%s: got %q, want %q", step.name, got, step.status)
		}
		diff(t, step.name, step.want, conditionText(st.Conditions))
	}
}

func TestHostStatus(t *testing.T) {
	d := openDoor(t, nil)
	now := time.Now()
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: "x"})
	rev := d.report(func(tx *store.Tx) error {
		return tx.ReportHost(&model.HostFacts{Host: "compute1", AgentVersion: "v1", OVSVersion: "3.1.0", Roles: []string{"network"},
			BridgeMappings: map[string]string{"physnet1": "br-ex"}})
	})
	bridges := func(intUp bool) []report.Bridge {
		return []report.Bridge{
			{Name: "br-int", DatapathID: 0x57, Connected: intUp, Since: now, Version: "1.4", Flows: 12, FlowMods: 3},
			{Name: "br-tun", DatapathID: 0x58, Connected: true, Since: now.Add(-time.Hour), Version: "1.4", DriftRepaired: 2}}
	}
	inForceNow := fmt.Sprintf("InSync=True Applied: everything up to revision %d is in force", rev)
	at := clock(now, now)
	for _, tc := range []struct {
		name   string
		live   report.Host
		status string
		want   []string
	}{
		{"never seen", report.Host{Name: "compute1"}, "NotReady", []string{
			"Agent=False NeverConnected: no agent has connected since this controller started: start weft-nsagent on compute1",
			"OpenFlow=False NoBridges: no bridge is known yet: its agent makes them when it connects",
			fmt.Sprintf("InSync=Unknown NotConnected: revision 0 was in force when it was last heard of; the newest is %d", rev)}},
		{"all well", report.Host{Name: "compute1", AgentConnected: true, AgentSince: now, Applied: rev, Bridges: bridges(true)}, "Ready", []string{
			"Agent=True Connected: its agent is connected", "OpenFlow=True Connected: br-int, br-tun connected", inForceNow}},
		{"busy", report.Host{Name: "compute1", AgentConnected: true, AgentSince: now, Applied: rev - 1, Bridges: bridges(true)}, "Ready", []string{
			"Agent=True Connected: its agent is connected", "OpenFlow=True Connected: br-int, br-tun connected",
			fmt.Sprintf("InSync=False Behind: revision %d of %d is in force", rev-1, rev)}},
		{"the agent is gone", report.Host{Name: "compute1", AgentSince: now, Applied: rev, Bridges: bridges(true)}, "NotReady", []string{
			"Agent=False NotConnected: agent not connected since " + at + "; what it made stays in force: see the log of weft-nsagent on compute1",
			"OpenFlow=True Connected: br-int, br-tun connected", inForceNow}},
		{"a bridge is gone", report.Host{Name: "compute1", AgentConnected: true, AgentSince: now, Applied: rev, Bridges: bridges(false)}, "NotReady", []string{
			"Agent=True Connected: its agent is connected",
			"OpenFlow=False NotConnected: br-int not connected since " + at + "; what is programmed goes on: see ovs-vsctl show on the host", inForceNow}},
		{"something failed", report.Host{Name: "compute1", AgentConnected: true, AgentSince: now, Applied: rev, Bridges: bridges(true),
			Failed: []report.Failure{{Object: "tunnel/vxlan-0a000001", Reason: "Exists", Message: "a port of that name is there"}}}, "NotReady", []string{
			"Agent=True Connected: its agent is connected", "OpenFlow=True Connected: br-int, br-tun connected",
			"InSync=False Failed: tunnel/vxlan-0a000001: a port of that name is there"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.fleet.set(tc.live)
			h := must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "compute1"}))
			if h.Status.Status != tc.status || h.Status.AppliedRevision != tc.live.Applied {
				t.Errorf("%s, applied %d", h.Status.Status, h.Status.AppliedRevision)
			}
			diff(t, "conditions", tc.want, conditionText(h.Status.Conditions))
		})
	}

	for _, tc := range []struct {
		version, datapath, driver string
		meters                    model.SwitchFacts
		want                      []string
	}{
		{"3.7.0", model.DatapathNetdev, "", model.SwitchFacts{MeterKbps: true, MeterPktps: true}, []string{"loses datagrams of more than 32 fragments"}},
		{"3.7.0", "system", "", model.SwitchFacts{MeterKbps: true, Reason: "it is old"}, []string{"cannot enforce packet_rate_limit of QoS policies: it is old"}},
		{"3.7.0", model.DatapathNetdev, model.FirewallHybrid, model.SwitchFacts{}, []string{"cannot enforce bandwidth_limit and packet_rate_limit"}},
		{"4.0.0", model.DatapathNetdev, model.FirewallOpenFlow, model.SwitchFacts{MeterKbps: true, MeterPktps: true}, nil},
		{"", model.DatapathNetdev, "", model.SwitchFacts{MeterKbps: true, MeterPktps: true}, nil},
	} {
		got := limits(&model.Host{FirewallDriver: tc.driver}, &model.HostFacts{OVSVersion: tc.version, DatapathType: tc.datapath}, &tc.meters)
		if len(got) != len(tc.want) || len(got) > 0 && !strings.Contains(got[0], tc.want[0]) {
			t.Errorf("limits of %+v: %q", tc, got)
		}
	}

	h := must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "compute1"}))
	diff(t, "what the agent reported is in force", "br-ex [network] v1 3.1.0 1 ",
		fmt.Sprint(h.Status.BridgeMappings["physnet1"], " ", h.Status.Roles, " ", h.Status.AgentVersion, " ", h.Status.OvsVersion, " ", h.Status.UnboundInterfaces, " ", h.Status.TunnelIp))
	diff(t, "bridges", []*weftv1.BridgeStatus{
		{Name: "br-int", DatapathId: "0000000000000057", Connected: true, OpenflowVersion: "1.4", Flows: 12, FlowMods: 3},
		{Name: "br-tun", DatapathId: "0000000000000058", Connected: true, OpenflowVersion: "1.4", DriftRepaired: 2}}, h.Status.Bridges)
	d.apply(host("compute1", func(h *weftv1.Host) {
		h.TunnelIp, h.Roles, h.BridgeMappings = "192.0.2.1", []string{"compute"}, map[string]string{"physnet2": "br-wan"}
	}))
	h = must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "compute1"}))
	diff(t, "what was set wins", "map[physnet2:br-wan] [compute] 192.0.2.1", fmt.Sprint(h.Status.BridgeMappings, " ", h.Status.Roles, " ", h.Status.TunnelIp))
}

func TestNetworkStatus(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), network("wire", func(n *weftv1.Network) { n.ProviderNetworkType, n.ProviderPhysicalNetwork = "flat", "physnet1" }),
		withID(port("p", "blue"), portID), withID(port("q", "wire"), port2ID))
	get := func(name string) *weftv1.NetworkStatus {
		return must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: name})).Status
	}
	diff(t, "nowhere", &weftv1.NetworkStatus{Status: "ACTIVE", Conditions: []*weftv1.Condition{{Type: "Underlay", Status: "Unknown", Reason: "NoHosts",
		Message: "no host carries it yet; that begins with its first bound port"}}}, get("blue"))
	// One after the other: the networks get their VLANs in this order.
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID})
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID}, model.Interface{Name: "tap1", OFPort: 4, IfaceID: port2ID})
	diff(t, "a host without a tunnel address", &weftv1.NetworkStatus{Status: "ACTIVE", LocalVlans: []*weftv1.LocalVlan{{Host: "compute1", Vlan: 1}},
		Conditions: []*weftv1.Condition{{Type: "Underlay", Status: "False", Reason: "NoTunnelIP",
			Message: "no tunnel address on compute1: set tunnel_ip on the host, or let its agent report one"}}}, get("blue"))
	diff(t, "a host without the bridge", []string{"Underlay=False NoBridgeMapping: no bridge leads to physnet1 on compute1: add it to the host's bridge_mappings"},
		conditionText(get("wire").Conditions))
	d.apply(host("compute1", func(h *weftv1.Host) {
		h.TunnelIp, h.BridgeMappings = "192.0.2.1", map[string]string{"physnet1": "br-ex"}
	}))
	for _, name := range []string{"blue", "wire"} {
		diff(t, name, []string{"Underlay=True Complete: every host that carries it can send it to the others"}, conditionText(get(name).Conditions))
	}
}
