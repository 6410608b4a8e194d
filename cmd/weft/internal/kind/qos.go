package kind

import (
	"fmt"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// QosPolicy is what ports may send and hear at most, and how what they send is marked.
var QosPolicy = &Kind{
	Name: "qospolicy", Plural: "qospolicies", Short: []string{"qos", "qos-policy", "qos-policies"},
	About:   "limits for what ports send and hear, and marks for what they send",
	message: (*weftv1.QosPolicy)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "rules", FlagName: "rule", Main: "type",
			Help: "limit or mark, at most one of each type and direction: type=bandwidth_limit,direction=egress,max_kbps=10000"},
	},
	Filters: []Filter{projectFilter, nameFilter},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "PORTS", Right: true, Text: func(m Message, _ Names) string {
			return fmt.Sprint(m.(*weftv1.QosPolicy).GetStatus().GetPorts())
		}},
		{Head: "NETWORKS", Right: true, Text: func(m Message, _ Names) string {
			return fmt.Sprint(m.(*weftv1.QosPolicy).GetStatus().GetNetworks())
		}},
		{Head: "RULES", Room: 24, Wrap: true, Text: func(m Message, _ Names) string { return qosRules(m.(*weftv1.QosPolicy)) }},
	},
}

// qosRules spells a policy's rules for people: egress 10000 kbit/s, egress DSCP 46.
func qosRules(p *weftv1.QosPolicy) string {
	var out []string
	for _, r := range p.GetRules() {
		what := r.GetType()
		switch {
		case r.DscpMark != nil:
			what = fmt.Sprintf("DSCP %d", r.GetDscpMark())
		case r.GetMaxKbps() != 0:
			what = fmt.Sprintf("%d kbit/s", r.GetMaxKbps())
		case r.GetMaxKpps() != 0:
			what = fmt.Sprintf("%d kpkt/s", r.GetMaxKpps())
		}
		out = append(out, r.GetDirection()+" "+what)
	}
	return strings.Join(out, ", ")
}
