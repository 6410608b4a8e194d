package api

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/brint"
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
			text, _ := strings.CutPrefix(f.Line()[strings.Index(f.Line(), "table="):], "table=")
			text = strings.Replace(text, ", priority=", " ", 1)
			mine := len(e.Owners) == 1 && strings.HasPrefix(e.Owners[0].Kind, "securitygroup") || strings.Contains(text, "conj")
			if about := f.Table == brint.RulesIngress.ID || f.Table == brint.RepliesEgress.ID; about && mine {
				got[text] = strings.Join(names, ", ")
			}
		}
	}
	office, db := "1", "4"
	diff(t, "rules behind the rows that judge what comes in, and answers to it", map[string]string{
		"82 70,tcp,reg7=0x1,tp_dst=22 actions=goto_table:84":                                                                                 "ssh, ssh too",
		"82 70,tcp,reg7=0x1,tp_dst=0x52/0xfffe actions=goto_table:84":                                                                        "long, short",
		"82 70,tcp,reg7=0x1,tp_dst=84 actions=goto_table:84":                                                                                 "long",
		"82 60,tcp,reg7=0x1,tp_dst=90 actions=conjunction(" + office + ",2/2),conjunction(" + db + ",2/2)":                                   "friends, office",
		"82 60,conj_id=" + db + " actions=goto_table:84":                                                                                     "friends",
		"82 60,conj_id=" + office + " actions=goto_table:84":                                                                                 "office",
		"82 60,ip,nw_src=10.0.0.7 actions=conjunction(" + office + ",1/2),conjunction(" + db + ",1/2)":                                       "friends, office",
		"73 70,ct_state=+rpl+trk,ct_nw_proto=6,ct_tp_dst=22,ip,reg7=0x1 actions=goto_table:74":                                               "ssh, ssh too",
		"73 70,ct_state=+rpl+trk,ct_nw_proto=6,ct_tp_dst=0x52/0xfffe,ip,reg7=0x1 actions=goto_table:74":                                      "long, short",
		"73 70,ct_state=+rpl+trk,ct_nw_proto=6,ct_tp_dst=84,ip,reg7=0x1 actions=goto_table:74":                                               "long",
		"73 60,ct_state=+rpl+trk,ct_nw_proto=6,ct_tp_dst=90,ip,reg7=0x1 actions=conjunction(" + office + ",2/2),conjunction(" + db + ",2/2)": "friends, office",
		"73 60,conj_id=" + db + " actions=goto_table:74":                                                                                     "friends",
		"73 60,conj_id=" + office + " actions=goto_table:74":                                                                                 "office",
		"73 60,ip,nw_dst=10.0.0.7 actions=conjunction(" + office + ",1/2),conjunction(" + db + ",1/2)":                                       "friends, office",
	}, got)
}
