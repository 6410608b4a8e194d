package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const (
	webID    = "5ec60000-0000-4000-8000-000000000041"
	ruleID   = "4e1e0000-0000-4000-8000-000000000042"
	officeID = "add40000-0000-4000-8000-000000000043"
)

func securityGroup(name string, change ...func(*weftv1.SecurityGroup)) *weftv1.Object {
	g := &weftv1.SecurityGroup{Metadata: &weftv1.Metadata{Name: name}}
	for _, c := range change {
		c(g)
	}
	return wrap(g)
}

func addressGroup(name string, addresses ...string) *weftv1.Object {
	return wrap(&weftv1.AddressGroup{Metadata: &weftv1.Metadata{Name: name}, Addresses: addresses})
}

func rule(group, direction string, change ...func(*weftv1.SecurityGroupRule)) *weftv1.Object {
	r := &weftv1.SecurityGroupRule{Metadata: &weftv1.Metadata{}, SecurityGroupId: group, Direction: direction}
	for _, c := range change {
		c(r)
	}
	return wrap(r)
}

func ssh(r *weftv1.SecurityGroupRule) {
	r.Protocol, r.PortRangeMin, r.PortRangeMax, r.RemoteAddressGroupId = "TCP", proto.Uint32(22), proto.Uint32(22), "office"
}

// Port, group, rules and address group in one request, in any order; the same again changes nothing; all go together.
func TestApplySecurity(t *testing.T) {
	d := openDoor(t, nil)
	objs := []*weftv1.Object{
		withID(port("vm1", "blue", func(p *weftv1.Port) { p.PortSecurityEnabled, p.SecurityGroups = proto.Bool(true), []string{"web"} }), portID),
		withID(rule("web", "ingress", ssh), ruleID),
		rule("web", "ingress", func(r *weftv1.SecurityGroupRule) { r.Protocol, r.RemoteGroupId = "icmpv6", "default" }),
		rule("web", "egress"),
		withID(securityGroup("web"), webID),
		withID(addressGroup("office", "192.0.2.0/24", "2001:db8::1"), officeID),
		network("blue"),
	}
	d.apply(objs...)
	again := d.apply(objs...)
	for _, a := range actions(again) {
		if a[:9] != "unchanged" {
			t.Errorf("again: %s", a)
		}
	}
	g := must[*weftv1.SecurityGroup](t)(d.GetSecurityGroup(d.ctx, &weftv1.GetSecurityGroupRequest{Id: "web"}))
	if !*g.Stateful || g.Status.Ports != 1 || g.Status.Rules != 4 || g.Status.IsDefault {
		t.Errorf("%v", g)
	}
	rules := must[*weftv1.ListSecurityGroupRulesResponse](t)(d.ListSecurityGroupRules(d.ctx, &weftv1.ListSecurityGroupRulesRequest{SecurityGroupId: "web", Direction: "ingress"}))
	var got []string
	for _, r := range rules.Securitygrouprules {
		got = append(got, fmt.Sprintf("%s %s %s %d:%d", r.Direction, r.Ethertype, r.Protocol, r.GetPortRangeMin(), r.GetPortRangeMax()))
	}
	slices.Sort(got)
	diff(t, "ingress rules", []string{"ingress IPv4 tcp 22:22", "ingress IPv6 icmpv6 0:0"}, got)
	if l := must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, &weftv1.ListPortsRequest{SecurityGroupId: "web"})); len(l.Ports) != 1 {
		t.Errorf("ports with the group: %v", l.Ports)
	}
	e := must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, &weftv1.ExplainRequest{Cookie: fmt.Sprintf("0x%x", flow.Cookie(flow.SecurityGroupRuleCookie, ruleID))}))
	diff(t, "explained", `securitygrouprule `+ruleID+`, "ingress IPv4 tcp 22 from addressgroup office" of securitygroup "web" (`+webID+`), wanted the row`, e.Text)
	e = must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, &weftv1.ExplainRequest{Cookie: fmt.Sprintf("0x%x", flow.Cookie(flow.AddressGroupCookie, officeID))}))
	if want := `, the other side of rules of securitygroup "web" (` + webID + "), wanted the row"; !strings.HasSuffix(e.Text, want) {
		t.Errorf("explained: %s, want …%s", e.Text, want)
	}
	e = must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, &weftv1.ExplainRequest{Cookie: fmt.Sprintf("0x%x", flow.Cookie(flow.SecurityGroupCookie, webID))}))
	diff(t, "explained", `securitygroup "web" (`+webID+") wanted the row", e.Text)

	var deletes []*weftv1.ObjectRef
	for _, ref := range []string{"securitygroup default", "addressgroup office", "securitygroup web", "port vm1", "network blue"} {
		var o weftv1.ObjectRef
		fmt.Sscan(ref, &o.Kind, &o.Name)
		deletes = append(deletes, &o)
	}
	must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Deletes: deletes}))
	for kind, n := range must[*weftv1.GetStatusResponse](t)(d.GetStatus(d.ctx, &weftv1.GetStatusRequest{})).Objects {
		if n != 0 {
			t.Errorf("%d of %s are left", n, kind)
		}
	}
}

// Groups of a port that says nothing: the default group with port security, and none when the mask names the field.
func TestPortSecurityDefaults(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue", unsecured), network("safe"))
	open := must[*weftv1.Port](t)(d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("open", "blue").GetPort()}))
	if *open.PortSecurityEnabled || len(open.SecurityGroups) != 0 {
		t.Errorf("%v", open)
	}
	safe := must[*weftv1.Port](t)(d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("safe", "safe").GetPort()}))
	if !*safe.PortSecurityEnabled || len(safe.SecurityGroups) != 1 {
		t.Errorf("%v", safe)
	}
	alone := must[*weftv1.Port](t)(d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("alone", "safe").GetPort(), CreateMask: maskOf("security_groups")}))
	if !*alone.PortSecurityEnabled || len(alone.SecurityGroups) != 0 {
		t.Errorf("%v", alone)
	}
	_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("odd", "safe").GetPort(), CreateMask: maskOf("security_grops")})
	if want := `create_mask: "security_grops" is no field of a port; did you mean "security_groups"?`; !strings.HasPrefix(statusOf(err).Message(), want) {
		t.Errorf("a mask with a field that there is not: %v", err)
	}
	edit := func(p *weftv1.Port, mask ...string) *weftv1.Port {
		return must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: p, UpdateMask: maskOf(mask...)}))
	}
	none := edit(&weftv1.Port{Metadata: &weftv1.Metadata{Id: "safe"}}, "security_groups")
	if !*none.PortSecurityEnabled || len(none.SecurityGroups) != 0 {
		t.Errorf("%v", none)
	}
	if same := edit(&weftv1.Port{Metadata: &weftv1.Metadata{Id: "safe", Description: "x"}}, "metadata.description"); len(same.SecurityGroups) != 0 {
		t.Errorf("%v", same)
	}
	later := edit(&weftv1.Port{Metadata: &weftv1.Metadata{Id: "open"}, PortSecurityEnabled: proto.Bool(true)})
	diff(t, "enabled later", safe.SecurityGroups, later.SecurityGroups)
	off := edit(&weftv1.Port{Metadata: &weftv1.Metadata{Id: "open"}, PortSecurityEnabled: proto.Bool(false)}, "port_security_enabled", "security_groups")
	if *off.PortSecurityEnabled || len(off.SecurityGroups) != 0 {
		t.Errorf("%v", off)
	}
}

func TestRefusalsOfSecurity(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue", unsecured), withID(securityGroup("web"), webID), withID(addressGroup("office", "192.0.2.0/24"), officeID), withID(rule("web", "ingress", ssh), ruleID),
		network("safe"))
	newRule := func(change func(*weftv1.SecurityGroupRule)) error {
		_, err := d.CreateSecurityGroupRule(d.ctx, &weftv1.CreateSecurityGroupRuleRequest{Securitygrouprule: rule("web", "ingress", change).GetSecuritygrouprule()})
		return err
	}
	newPort := func(network string, change func(*weftv1.Port)) error {
		_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("p", network, change).GetPort()})
		return err
	}
	_, hybrid := d.CreateHost(d.ctx, &weftv1.CreateHostRequest{Host: host("h", func(h *weftv1.Host) { h.FirewallDriver = "iptables" }).GetHost()})
	_, standard := d.CreateSecurityGroup(d.ctx, &weftv1.CreateSecurityGroupRequest{Securitygroup: securityGroup("fixed", func(g *weftv1.SecurityGroup) { g.Metadata.Id = webID }).GetSecuritygroup()})
	_, direction := d.ListSecurityGroupRules(d.ctx, &weftv1.ListSecurityGroupRulesRequest{Direction: "up"})
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a protocol that there is not", newRule(func(r *weftv1.SecurityGroupRule) { r.Protocol = "tpc" }),
			`protocol: "tpc" is no protocol; did you mean "tcp"?; give a number in 1..255, or one of ah, dccp, egp, esp, gre, icmp, icmpv6, igmp, ipip, ipv6-encap, ipv6-icmp, ospf, pgm, pim, rsvp, sctp, tcp, udp, udplite, vrrp`},
		{"much at once", newRule(func(r *weftv1.SecurityGroupRule) {
			r.Direction, r.Ethertype, r.PortRangeMin, r.RemoteIpPrefix, r.RemoteGroupId = "up", "ip", proto.Uint32(70000), "10.0.0.1/8", "wbe"
		}), `port_range_min: 70000 is not in 0..65535; remote_ip_prefix: "10.0.0.1/8" has host bits; did you mean 10.0.0.0/8?; remote_group_id: securitygroup "wbe" does not exist; did you mean "web"?; direction: "up" is unknown; choose ingress or egress; ethertype: "ip" is unknown; choose IPv4 or IPv6`},
		{"a group that there is not", newPort("blue", func(p *weftv1.Port) {
			p.PortSecurityEnabled, p.SecurityGroups = proto.Bool(true), []string{"web", "db", ""}
		}),
			`security_groups[1]: securitygroup "db" does not exist; security_groups[2]: is empty; give an id or a name`},
		{"groups without port security", newPort("blue", func(p *weftv1.Port) { p.SecurityGroups = []string{"web"} }),
			`security_groups: are no use while port_security_enabled is false: nobody would mind them; empty the list, in an update with security_groups in update_mask, or enable port security`},
		{"pairs without port security", newPort("safe", func(p *weftv1.Port) {
			p.PortSecurityEnabled, p.AllowedAddressPairs = proto.Bool(false), []*weftv1.AddressPair{{IpAddress: "10.0.0.1"}}
		}), `allowed_address_pairs: are no use while port_security_enabled is false: the port may send from any address; empty the list, in an update with allowed_address_pairs in update_mask, or enable port security`},
		{"a firewall driver that there is not", hybrid, `firewall_driver: "iptables" is unknown; choose openvswitch or iptables_hybrid, or leave it out`},
		{"an id that is taken", standard, fmt.Sprintf(`metadata.id: %s is taken by securitygroup "web" (%s)`, webID, webID)},
		{"a direction that there is not", direction, `direction: "up" is unknown; choose ingress or egress`},
	} {
		if c.err == nil {
			t.Errorf("%s: was not refused", c.name)
			continue
		}
		diff(t, c.name, c.want, statusOf(c.err).Message())
	}
}
