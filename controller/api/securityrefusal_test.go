package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// What contradicts itself or others is refused by the field that has to change, and nothing is written.
func TestSecurityThatContradictsItself(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), subnet("blue-v4", "blue", "10.0.0.0/24"), withID(securityGroup("web"), webID), withID(addressGroup("office", "192.0.2.0/24"), officeID),
		withID(rule("web", "ingress", ssh), ruleID), withID(securityGroup("db"), "5ec60000-0000-4000-8000-000000000044"),
		withID(rule("db", "ingress", func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId = "web" }), "4e1e0000-0000-4000-8000-000000000046"),
		withID(port("vm1", "blue", func(p *weftv1.Port) { p.SecurityGroups = []string{"db"} }), "11110000-0000-4000-8000-000000000045"))
	newRule := func(change func(*weftv1.SecurityGroupRule)) func() error {
		return func() error {
			_, err := d.CreateSecurityGroupRule(d.ctx, &weftv1.CreateSecurityGroupRuleRequest{Securitygrouprule: rule("web", "ingress", change).GetSecuritygrouprule()})
			return err
		}
	}
	newPort := func(change func(*weftv1.Port)) func() error {
		return func() error {
			_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("p", "blue", change).GetPort()})
			return err
		}
	}
	ports := func(r *weftv1.SecurityGroupRule, lo, hi uint32) {
		r.PortRangeMin, r.PortRangeMax = proto.Uint32(lo), proto.Uint32(hi)
	}
	var eleven []*weftv1.AddressPair
	for i := range 11 {
		eleven = append(eleven, &weftv1.AddressPair{IpAddress: fmt.Sprintf("10.0.0.%d", 100+i)})
	}
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"ports without protocol", newRule(func(r *weftv1.SecurityGroupRule) { ports(r, 80, 90) }),
			`protocol: is missing: ports are those of a protocol; choose tcp, udp or sctp, or icmp or icmpv6 for type and code`},
		{"min greater than max", newRule(func(r *weftv1.SecurityGroupRule) { r.Protocol = "tcp"; ports(r, 90, 80) }),
			`port_range_min: 90 is greater than port_range_max, 80; exchange them`},
		{"half a range", newRule(func(r *weftv1.SecurityGroupRule) { r.Protocol, r.PortRangeMin = "udp", proto.Uint32(53) }),
			`port_range_max: is missing beside port_range_min; give both, the same for one port`},
		{"ports of a protocol without", newRule(func(r *weftv1.SecurityGroupRule) { r.Protocol = "gre"; ports(r, 1, 2) }),
			`port_range_min: is given, but Open vSwitch knows ports of tcp, udp and sctp only, and not of gre; leave ports out`},
		{"an ICMP code without a type", newRule(func(r *weftv1.SecurityGroupRule) { r.Protocol, r.PortRangeMax = "icmp", proto.Uint32(0) }),
			`port_range_min: is missing: an ICMP code is one of a type, which is port_range_min`},
		{"prefix of the other family", newRule(func(r *weftv1.SecurityGroupRule) { r.Ethertype, r.RemoteIpPrefix = "IPv4", "2001:db8::/32" }),
			`remote_ip_prefix: 2001:db8::/32 is IPv6, but ethertype is IPv4; give a block of the same family`},
		{"protocol of the other family", newRule(func(r *weftv1.SecurityGroupRule) { r.Ethertype, r.Protocol = "IPv4", "icmpv6" }),
			`protocol: icmpv6 is carried by IPv6 only; choose icmp, or ethertype IPv6`},
		{"group and prefix together", newRule(func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId, r.RemoteIpPrefix = "web", "10.0.0.0/8" }),
			`remote_group_id: is given beside remote_ip_prefix; give one of them, and another rule for the other`},
		{"group and address group together", newRule(func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId, r.RemoteAddressGroupId = "web", "office" }),
			`remote_address_group_id: is given beside remote_group_id; give one of them, and another rule for the other`},
		{"a rule of an unknown group", func() error {
			_, err := d.CreateSecurityGroupRule(d.ctx, &weftv1.CreateSecurityGroupRuleRequest{Securitygrouprule: rule("wbe", "ingress").GetSecuritygrouprule()})
			return err
		},
			`security_group_id: securitygroup "wbe" does not exist; did you mean "web"?`},
		{"an unknown remote group", newRule(func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId = "nobody" }),
			`remote_group_id: securitygroup "nobody" does not exist`},
		{"an unknown address group", newRule(func(r *weftv1.SecurityGroupRule) { r.RemoteAddressGroupId = "offices" }),
			`remote_address_group_id: addressgroup "offices" does not exist; did you mean "office"?`},
		{"an unknown group of a port", newPort(func(p *weftv1.Port) { p.SecurityGroups = []string{"web", "nobody"} }),
			`security_groups[1]: securitygroup "nobody" does not exist`},
		{"a group in use by a port", func() error {
			_, err := d.DeleteSecurityGroup(d.ctx, &weftv1.DeleteSecurityGroupRequest{Id: "db"})
			return err
		},
			`securitygroup 5ec60000-0000-4000-8000-000000000044 is in use by port "vm1" (11110000-0000-4000-8000-000000000045)`},
		{"a group in use by a rule", func() error {
			_, err := d.DeleteSecurityGroup(d.ctx, &weftv1.DeleteSecurityGroupRequest{Id: "web"})
			return err
		},
			`securitygroup 5ec60000-0000-4000-8000-000000000041 is in use by securitygrouprule 4e1e0000-0000-4000-8000-000000000046`},
		{"an address group in use", func() error {
			_, err := d.DeleteAddressGroup(d.ctx, &weftv1.DeleteAddressGroupRequest{Id: "office"})
			return err
		},
			`addressgroup add40000-0000-4000-8000-000000000043 is in use by securitygrouprule 4e1e0000-0000-4000-8000-000000000042`},
		{"more address pairs than the limit", newPort(func(p *weftv1.Port) { p.AllowedAddressPairs = eleven }),
			`allowed_address_pairs: there are 11; at most 10 are allowed: give a block instead`},
		{"the same address pair twice", newPort(func(p *weftv1.Port) { p.AllowedAddressPairs = append(eleven[:1:1], eleven[0]) }),
			`allowed_address_pairs[1]: is the same as allowed_address_pairs[0]`},
		{"the same block twice in an address group", func() error {
			_, err := d.CreateAddressGroup(d.ctx, &weftv1.CreateAddressGroupRequest{Addressgroup: addressGroup("twice", "10.0.0.1", "10.0.0.1/32").GetAddressgroup()})
			return err
		},
			`addresses[1]: is the same as addresses[0]`},
		{"the same rule twice, spelled otherwise", newRule(func(r *weftv1.SecurityGroupRule) {
			ssh(r)
			r.Protocol, r.Ethertype = "6", "ipv4"
		}),
			`remote_address_group_id: the rule "ingress IPv4 tcp 22 from addressgroup add40000-0000-4000-8000-000000000043" of securitygroup "web" (5ec60000-0000-4000-8000-000000000041) is taken by securitygrouprule 4e1e0000-0000-4000-8000-000000000042`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, before := d.store.Snapshot()
			err := c.do()
			if err == nil {
				t.Fatal("was not refused")
			}
			diff(t, "refused with", c.want, statusOf(err).Message())
			if _, after := d.store.Snapshot(); after != before {
				t.Errorf("revision %d after %d: something was written", after, before)
			}
		})
	}
}

// A change that would make a rule say what another says is refused by the field that was changed.
func TestChangesThatMakeARuleTheSame(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(securityGroup("web"), webID), withID(addressGroup("office", "192.0.2.0/24"), officeID))
	web := func(name, protocol string, lo, hi uint32, change ...func(*weftv1.SecurityGroupRule)) {
		d.apply(rule("web", "ingress", append(change, func(r *weftv1.SecurityGroupRule) {
			r.Metadata.Name, r.Protocol, r.PortRangeMin, r.PortRangeMax = name, protocol, proto.Uint32(lo), proto.Uint32(hi)
		})...))
	}
	d.apply(withID(rule("web", "ingress", func(r *weftv1.SecurityGroupRule) {
		r.Metadata.Name, r.Protocol, r.PortRangeMin, r.PortRangeMax = "ssh", "tcp", proto.Uint32(22), proto.Uint32(22)
	}), ruleID))
	web("low", "tcp", 21, 22)
	web("long", "tcp", 22, 23)
	web("datagrams", "udp", 22, 22)
	web("out", "tcp", 22, 22, func(r *weftv1.SecurityGroupRule) { r.Direction = "egress" })
	web("six", "tcp", 22, 22, func(r *weftv1.SecurityGroupRule) { r.Ethertype = "IPv6" })
	web("near", "tcp", 22, 22, func(r *weftv1.SecurityGroupRule) { r.RemoteIpPrefix = "10.0.0.0/8" })
	web("friends", "tcp", 22, 22, func(r *weftv1.SecurityGroupRule) { r.RemoteGroupId = "web" })
	web("offices", "tcp", 22, 22, func(r *weftv1.SecurityGroupRule) { r.RemoteAddressGroupId = "office" })
	for _, c := range []struct {
		rule, field string
		change      *weftv1.SecurityGroupRule
	}{
		{"low", "port_range_min", &weftv1.SecurityGroupRule{PortRangeMin: proto.Uint32(22)}},
		{"long", "port_range_max", &weftv1.SecurityGroupRule{PortRangeMax: proto.Uint32(22)}},
		{"datagrams", "protocol", &weftv1.SecurityGroupRule{Protocol: "6"}},
		{"out", "direction", &weftv1.SecurityGroupRule{Direction: "ingress"}},
		{"six", "ethertype", &weftv1.SecurityGroupRule{Ethertype: "ipv4"}},
		{"near", "remote_ip_prefix", &weftv1.SecurityGroupRule{RemoteIpPrefix: "0.0.0.0/0"}},
		{"friends", "remote_group_id", &weftv1.SecurityGroupRule{}},
		{"offices", "remote_address_group_id", &weftv1.SecurityGroupRule{}},
	} {
		_, before := d.store.Snapshot()
		c.change.Metadata = &weftv1.Metadata{Id: c.rule}
		_, err := d.UpdateSecurityGroupRule(d.ctx, &weftv1.UpdateSecurityGroupRuleRequest{Securitygrouprule: c.change, UpdateMask: maskOf(c.field)})
		if err == nil {
			t.Errorf("%s is the same as ssh now", c.rule)
			continue
		}
		diff(t, c.rule, c.field+`: the rule "ingress IPv4 tcp 22 from anybody" of securitygroup "web" (`+webID+`) is taken by securitygrouprule "ssh" (`+ruleID+`)`, statusOf(err).Message())
		if code := statusOf(err).Code(); code != codes.AlreadyExists {
			t.Errorf("%s: %s", c.rule, code)
		}
		if _, after := d.store.Snapshot(); after != before {
			t.Errorf("%s: something was written", c.rule)
		}
	}
}

// A pair that says the same as another, spelled otherwise, is refused by its field; what only overlaps is taken.
func TestTheSamePairTwice(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"),
		withID(port("vm1", "blue", func(p *weftv1.Port) {
			p.MacAddress, p.AllowedAddressPairs = "fa:16:3e:00:00:01", []*weftv1.AddressPair{{IpAddress: "10.0.0.5"}}
		}), "11110000-0000-4000-8000-000000000045"))
	pairs := func(pairs ...*weftv1.AddressPair) (create, set error) {
		_, create = d.CreatePort(d.ctx, &weftv1.CreatePortRequest{ValidateOnly: true, Port: port("p", "blue", func(p *weftv1.Port) {
			p.MacAddress, p.AllowedAddressPairs = "fa:16:3e:00:00:02", pairs
		}).GetPort()})
		_, set = d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{ValidateOnly: true, Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: "vm1"},
			MacAddress: "fa:16:3e:00:00:02", AllowedAddressPairs: pairs}})
		return create, set
	}
	one, block, other := &weftv1.AddressPair{IpAddress: "10.0.0.5"}, &weftv1.AddressPair{IpAddress: "10.0.0.0/24"}, &weftv1.AddressPair{IpAddress: "10.0.0.5", MacAddress: "fa:16:3e:00:00:09"}
	for name, c := range map[string]struct {
		pairs []*weftv1.AddressPair
		want  string
	}{
		"the port's own MAC, spelled out": {[]*weftv1.AddressPair{one, block, {IpAddress: "10.0.0.5", MacAddress: "FA-16-3E-00-00-02"}}, "allowed_address_pairs[2]: is the same as allowed_address_pairs[0]"},
		"it, and then none":               {[]*weftv1.AddressPair{{IpAddress: "10.0.0.5", MacAddress: "fa:16:3e:00:00:02"}, one}, "allowed_address_pairs[1]: is the same as allowed_address_pairs[0]"},
		"a block of one":                  {[]*weftv1.AddressPair{one, {IpAddress: "10.0.0.5/32"}}, "allowed_address_pairs[1]: is the same as allowed_address_pairs[0]"},
		"an address in another form":      {[]*weftv1.AddressPair{{IpAddress: "fd00::5"}, {IpAddress: "FD00:0::0:5"}}, "allowed_address_pairs[1]: is the same as allowed_address_pairs[0]"},
		"an address in a block":           {[]*weftv1.AddressPair{one, block}, ""},
		"another MAC":                     {[]*weftv1.AddressPair{one, other}, ""},
	} {
		create, set := pairs(c.pairs...)
		diff(t, "create: "+name, c.want, said(create))
		diff(t, "set: "+name, c.want, said(set))
	}
	// A port that takes the MAC which a pair spells out.
	must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: "vm1"}, AllowedAddressPairs: []*weftv1.AddressPair{one, other}}}))
	_, err := d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: "vm1"}, MacAddress: "fa:16:3e:00:00:09"}})
	diff(t, "a new MAC", "allowed_address_pairs[1]: is the same as allowed_address_pairs[0]", said(err))
}

// said is the text of an error; "" when there is none.
func said(err error) string {
	if err == nil {
		return ""
	}
	return statusOf(err).Message()
}

// So is a rule.
func TestTheSameRuleTwice(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(securityGroup("web"), webID))
	type ruleText struct {
		direction, ethertype, protocol, remote string
		lo, hi                                 uint32
	}
	try := func(r ruleText, id string) string {
		m := &weftv1.SecurityGroupRule{Metadata: &weftv1.Metadata{Id: id}, SecurityGroupId: "web", Direction: r.direction, Ethertype: r.ethertype, Protocol: r.protocol, RemoteIpPrefix: r.remote}
		if r.lo != 0 {
			m.PortRangeMin, m.PortRangeMax = proto.Uint32(r.lo), proto.Uint32(r.hi)
		}
		var err error
		if id == "" {
			_, err = d.CreateSecurityGroupRule(d.ctx, &weftv1.CreateSecurityGroupRuleRequest{ValidateOnly: true, Securitygrouprule: m})
		} else {
			_, err = d.UpdateSecurityGroupRule(d.ctx, &weftv1.UpdateSecurityGroupRuleRequest{ValidateOnly: true, Securitygrouprule: m,
				UpdateMask: maskOf("direction", "ethertype", "protocol", "remote_ip_prefix", "port_range_min", "port_range_max")})
		}
		return said(err)
	}
	first := ruleText{"ingress", "IPv4", "tcp", "10.0.0.0/24", 80, 90}
	icmp6, all := ruleText{"ingress", "IPv6", "icmpv6", "", 0, 0}, ruleText{"ingress", "IPv4", "udp", "0.0.0.0/0", 53, 53}
	for _, r := range []ruleText{first, icmp6, all} {
		d.apply(rule("web", r.direction, func(m *weftv1.SecurityGroupRule) {
			m.Ethertype, m.Protocol, m.RemoteIpPrefix = r.ethertype, r.protocol, r.remote
			if r.lo != 0 {
				m.PortRangeMin, m.PortRangeMax = proto.Uint32(r.lo), proto.Uint32(r.hi)
			}
		}))
	}
	d.apply(withID(rule("web", "ingress", func(m *weftv1.SecurityGroupRule) { m.Protocol = "gre" }), ruleID))
	for name, c := range map[string]struct {
		rule ruleText
		want string // the beginning of the refusal
	}{
		"a protocol's number":       {ruleText{"ingress", "IPv4", "6", "10.0.0.0/24", 80, 90}, "remote_ip_prefix: the rule "},
		"all in capitals":           {ruleText{"INGRESS", "ipv4", "TCP", "10.0.0.0/24", 80, 90}, "remote_ip_prefix: the rule "},
		"no ethertype":              {ruleText{"ingress", "", "tcp", "10.0.0.0/24", 80, 90}, "remote_ip_prefix: the rule "},
		"host bits":                 {ruleText{"ingress", "IPv4", "tcp", "10.0.0.7/24", 80, 90}, `remote_ip_prefix: "10.0.0.7/24" has host bits; did you mean 10.0.0.0/24?`},
		"ipv6-icmp is icmpv6":       {ruleText{"ingress", "IPv6", "ipv6-icmp", "", 0, 0}, "protocol: the rule "},
		"and so is 58":              {ruleText{"ingress", "", "58", "::/0", 0, 0}, "remote_ip_prefix: the rule "},
		"all addresses are anybody": {ruleText{"ingress", "IPv4", "udp", "", 53, 53}, "port_range_min: the rule "},
		"a machine of the block":    {ruleText{"ingress", "IPv4", "tcp", "10.0.0.7", 80, 90}, ""},
		"a larger block":            {ruleText{"ingress", "IPv4", "tcp", "10.0.0.0/8", 80, 90}, ""},
		"a port of the range":       {ruleText{"ingress", "IPv4", "tcp", "10.0.0.0/24", 85, 85}, ""},
		"a range across the end":    {ruleText{"ingress", "IPv4", "tcp", "10.0.0.0/24", 85, 95}, ""},
		"all ports":                 {ruleText{"ingress", "IPv4", "tcp", "10.0.0.0/24", 0, 0}, ""},
	} {
		for way, id := range map[string]string{"create": "", "set": ruleID} {
			got := try(c.rule, id)
			if c.want == "" && got != "" || c.want != "" && !strings.HasPrefix(got, c.want) {
				t.Errorf("%s: %s: refused with %q, want %q…", way, name, got, c.want)
			}
		}
	}
}
