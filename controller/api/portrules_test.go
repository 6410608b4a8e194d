package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// What a port is judged by, with the counters of the rows that the pipelines render for it.
func TestPortRules(t *testing.T) {
	d := openDoor(t, nil)
	secured := func(groups ...string) func(*weftv1.Port) {
		return func(p *weftv1.Port) { p.PortSecurityEnabled, p.SecurityGroups = proto.Bool(true), groups }
	}
	ports := func(first, last uint32, more func(*weftv1.SecurityGroupRule)) func(*weftv1.SecurityGroupRule) {
		return func(r *weftv1.SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = "tcp", proto.Uint32(first), proto.Uint32(last)
			more(r)
		}
	}
	anybody := func(*weftv1.SecurityGroupRule) {}
	d.apply(network("blue"), addressGroup("office", "192.0.2.0/24"), securityGroup("web"), securityGroup("other"),
		withID(rule("web", "ingress", ports(80, 82, anybody)), "4e1e0001-0000-4000-8000-000000000000"),
		withID(rule("other", "ingress", ports(80, 82, anybody)), "4e1e0002-0000-4000-8000-000000000000"),
		withID(rule("web", "ingress", ports(22, 22, func(r *weftv1.SecurityGroupRule) { r.RemoteAddressGroupId = "office" })), "4e1e0003-0000-4000-8000-000000000000"),
		withID(rule("web", "ingress", ports(23, 23, func(r *weftv1.SecurityGroupRule) { r.RemoteAddressGroupId = "office" })), "4e1e0004-0000-4000-8000-000000000000"),
		withID(port("vm1", "blue", secured("web", "other")), portID), withID(port("vm2", "blue", secured("web", "other")), port2ID),
		port("open", "blue", func(p *weftv1.Port) { p.PortSecurityEnabled = proto.Bool(false) }), port("nowhere", "blue", secured("web")))
	list := func(name string) *weftv1.GetPortRulesResponse {
		return must[*weftv1.GetPortRulesResponse](t)(d.GetPortRules(d.ctx, &weftv1.GetPortRulesRequest{Port: name}))
	}
	for name, want := range map[string]string{"open": "port_security_enabled is false: everything passes", "nowhere": "not counted: the port is bound to no host"} {
		if got := list(name); got.Message != want || got.Counted {
			t.Errorf("%s: %v", name, got)
		}
	}
	d.plug("compute1", model.Interface{Name: "tap1", OFPort: 3, IfaceID: portID})
	d.plug("compute1", model.Interface{Name: "tap2", OFPort: 4, IfaceID: port2ID})
	if got := list("vm1"); got.Counted || got.Host != "compute1" || !strings.HasPrefix(got.Message, "not counted: host compute1: br-int: ") {
		t.Errorf("a switch that is away: %v", got)
	}
	d.fleet.set(report.Host{Name: "compute1", Bridges: []report.Bridge{{Name: "br-int"}}})
	snap, _ := d.store.Snapshot()
	for p := range view.Parts(snap, "compute1") {
		for _, f := range ofapps.Render(snap, "compute1", p)["br-int"] {
			row := report.Row{Text: f.String(), Table: f.Table, Cookie: f.Cookie, Packets: 1, Bytes: 100}
			switch {
			case strings.Contains(row.Text, "conj_id="):
				row.Packets, row.Bytes = 7, 700
			case strings.Contains(row.Text, "conjunction("):
				row.Packets, row.Bytes = 1000, 1000 // which no switch says
			case strings.Contains(row.Text, "table=93, priority=0"):
				row.Packets, row.Bytes = 11, 1100
			case strings.Contains(row.Text, "table=93, priority=1"):
				row.Packets, row.Bytes = 22, 2200
			}
			d.fleet.rows["compute1/br-int"] = append(d.fleet.rows["compute1/br-int"], row)
		}
	}
	res := list("vm1")
	var got []string
	for _, r := range res.Rules {
		if r.Rule.Direction == "egress" {
			continue
		}
		got = append(got, fmt.Sprintf("%s: %s: %d/%d by %s %s", r.SecurityGroup.Name, r.Text, r.Packets, r.Bytes, r.CountedBy, r.SameAs.GetId()))
	}
	diff(t, "rules", []string{
		"other: ingress IPv4 tcp 80:82 from anybody: 2/200 by same rule 4e1e0001-0000-4000-8000-000000000000",
		"web: ingress IPv4 tcp 80:82 from anybody: 2/200 by rule ",
		"web: ingress IPv4 tcp 22 from addressgroup office: 7/700 by remote group ",
		"web: ingress IPv4 tcp 23 from addressgroup office: 7/700 by remote group ",
	}, got)
	if !res.Secured || !res.Counted || res.Message != "" || res.PortsSharing != 2 || res.RefusedEgressPackets != 11 || res.RefusedEgressBytes != 1100 ||
		res.RefusedIngressPackets != 22 || res.RefusedIngressBytes != 2200 {
		t.Errorf("%v", res)
	}

	// Behind a firewall bridge the host's agent knows.
	d.report(func(tx *store.Tx) error {
		h := *tx.Host("compute1")
		h.FirewallDriver = model.FirewallHybrid
		_, err := tx.UpdateHost(&h, 0)
		return err
	})
	d.plug("compute1", model.Interface{Name: "tap1", OFPort: 3, IfaceID: portID, Firewalled: true})
	if got := list("vm1"); got.Counted || got.Message != "not counted: host compute1: agent not connected" {
		t.Errorf("an agent that is away: %v", got)
	}
	d.fleet.firewalls = map[string]report.Firewall{"compute1/" + portID: {RefusedIngress: report.Counter{Packets: 5, Bytes: 500}, RefusedEgress: report.Counter{Packets: 6, Bytes: 600},
		Rules: map[string]report.Counter{"4e1e0001-0000-4000-8000-000000000000": {Packets: 3, Bytes: 300}, "4e1e0003-0000-4000-8000-000000000000": {}}}}
	res, got = list("vm1"), nil
	for _, r := range res.Rules {
		if r.Rule.Direction != "egress" {
			got = append(got, fmt.Sprintf("%s: %d/%d by %s", r.Rule.Metadata.Id[:8], r.Packets, r.Bytes, r.CountedBy))
		}
	}
	diff(t, "rules", []string{"4e1e0002: 0/0 by none", "4e1e0001: 3/342 by rule", "4e1e0003: 0/0 by rule", "4e1e0004: 0/0 by none"}, got)
	if !res.Counted || !res.FirewallBridge || res.RefusedEgressPackets != 6 || res.RefusedEgressBytes != 684 || res.RefusedIngressPackets != 5 || res.RefusedIngressBytes != 570 {
		t.Errorf("%v", res)
	}
}
