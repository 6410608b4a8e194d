package api

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Every row that the pipelines render for rules and groups leads to the rules behind it, and to no others.
func TestExplainTellsTheRulesBehindARow(t *testing.T) {
	d := openDoor(t, nil)
	tcp := func(first, last uint32, more ...func(*weftv1.SecurityGroupRule)) func(*weftv1.SecurityGroupRule) {
		return func(r *weftv1.SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = "tcp", proto.Uint32(first), proto.Uint32(last)
			for _, m := range more {
				m(r)
			}
		}
	}
	called := func(name string) func(*weftv1.SecurityGroupRule) {
		return func(r *weftv1.SecurityGroupRule) { r.Metadata.Name = name }
	}
	fromOffice := func(r *weftv1.SecurityGroupRule) { r.RemoteAddressGroupId = "office" }
	fromDB := func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId = "db" }
	d.apply(network("blue"), subnet("blue-v4", "blue", "10.0.0.0/24"), withID(addressGroup("office", "10.0.0.7"), officeID), withID(securityGroup("web"), webID),
		withID(securityGroup("db"), "5ec60000-0000-4000-8000-000000000044"), securityGroup("unused"),
		rule("web", "ingress", tcp(22, 22, called("ssh"))), rule("db", "ingress", tcp(22, 22, called("ssh too"))), rule("unused", "ingress", tcp(22, 22, called("never"))),
		// 82:83 is one row, and 84 is only in the longer range.
		rule("web", "ingress", tcp(82, 83, called("short"))), rule("db", "ingress", tcp(82, 84, called("long"))),
		withID(rule("web", "ingress", tcp(90, 90, called("office"), fromOffice)), ruleID),
		withID(rule("db", "ingress", tcp(90, 90, called("friends"), fromDB)), "4e1e0001-0000-4000-8000-000000000046"),
		rule("db", "egress", tcp(91, 91, called("out"), fromDB)), rule("unused", "ingress", tcp(92, 92, called("unused"), fromDB)),
		withID(port("vm1", "blue", func(p *weftv1.Port) {
			p.SecurityGroups, p.FixedIps = []string{"web", "db"}, []*weftv1.FixedIP{{IpAddress: "10.0.0.7"}}
		}), portID))
	d.plug("compute1", model.Interface{Name: "tap1", OFPort: 3, IfaceID: portID})
	snap, _ := d.store.Snapshot()
	got := map[string]string{}
	for p := range view.Parts(snap, "compute1") {
		for _, f := range ofapps.Render(snap, "compute1", p)["br-int"] {
			e := must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, &weftv1.ExplainRequest{Flow: f.String(), Bridge: "br-int"}))
			var names []string
			for _, r := range e.Rules {
				names = append(names, r.Rule.Name)
			}
			slices.Sort(names)
			if _, text, ok := strings.Cut(f.Line(), "table=82, priority="); ok && len(e.Owners) == 1 && strings.HasPrefix(e.Owners[0].Kind, "securitygroup") || ok && strings.Contains(text, "conj") {
				got[text] = strings.Join(names, ", ")
			}
		}
	}
	office, db := "1", "4"
	diff(t, "rules behind the rows of RulesIngress", map[string]string{
		"70,tcp,reg7=0x1,tp_dst=22 actions=goto_table:83":                                               "ssh, ssh too",
		"70,tcp,reg7=0x1,tp_dst=0x52/0xfffe actions=goto_table:83":                                      "long, short",
		"70,tcp,reg7=0x1,tp_dst=84 actions=goto_table:83":                                               "long",
		"60,tcp,reg7=0x1,tp_dst=90 actions=conjunction(" + office + ",2/2),conjunction(" + db + ",2/2)": "friends, office",
		"60,conj_id=" + db + " actions=goto_table:83":                                                   "friends",
		"60,conj_id=" + office + " actions=goto_table:83":                                               "office",
		"60,ip,nw_src=10.0.0.7 actions=conjunction(" + office + ",1/2),conjunction(" + db + ",1/2)":     "friends, office",
	}, got)
}
