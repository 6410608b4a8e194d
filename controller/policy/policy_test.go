package policy

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

var (
	virtual = model.MAC{0, 0, 0x5e, 0, 1, 10}
	own     = model.MAC{}
)

// cloud has web servers (web1, web2), a database (db1) that they may ask, a port with stateless groups (once), one without
// groups (none), and one that is not judged (open).
func cloud(t *testing.T) state.Snapshot {
	c := viewtest.New(t)
	c.Network("n1", model.VXLAN, 1, true)
	for i, id := range []string{"web1", "web2", "db1", "once", "none", "open"} {
		n := byte(i + 1)
		c.Bind(id, "n1", "host1", n, uint32(n), "10.0.0."+string('0'+rune(n)), "fd00::"+string('0'+rune(n)))
	}
	c.AddressGroup("office", 9, "192.0.2.0/24", "2001:db8::/32")
	c.Group("web", 1, "egress ipv4", "egress ipv6", "ingress ipv4 tcp 80-90", "ingress ipv6 tcp 80", "ingress ipv4 icmp 8/0",
		"ingress ipv4 udp 1-65535 from web", "ingress ipv6 icmpv6 128")
	c.Group("db", 2, "egress ipv4 tcp 53 to 192.0.2.53/32", "ingress ipv4 tcp 5432 from web", "ingress ipv4 gre from office",
		"ingress ipv6 from office", "ingress ipv4 sctp 7 from 10.0.0.0/24")
	c.StatelessGroup("singly", 3, "egress ipv4 udp 53", "ingress ipv4 tcp 7", "ingress ipv4 icmp 3/4")
	c.Secure("web1", "web")
	c.Secure("web2", "web")
	c.Secure("db1", "db")
	c.Secure("once", "singly")
	c.Secure("none")
	c.Pair("web2", "10.0.0.100/32", virtual)
	c.Pair("web2", "10.9.0.0/16", own)
	return c.Snapshot()
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func tcp(src, dst string, port uint16) Packet {
	return Packet{Src: addr(src), Dst: addr(dst), Protocol: TCP, SrcPort: 40000, DstPort: port}
}

func udp(src, dst string, from, to uint16) Packet {
	return Packet{Src: addr(src), Dst: addr(dst), Protocol: UDP, SrcPort: from, DstPort: to}
}

func icmp(src, dst string, typ, code uint8) Packet {
	p := Packet{Src: addr(src), Dst: addr(dst), Protocol: ICMP, Type: typ, Code: code}
	if p.Src.Is6() {
		p.Protocol = ICMPv6
	}
	return p
}

func about(p Packet, target string) Packet {
	p.Target = addr(target)
	return p
}

func proto(src, dst string, n uint8) Packet {
	return Packet{Src: addr(src), Dst: addr(dst), Protocol: n}
}

func TestWhoMayTalkToWhom(t *testing.T) {
	s := cloud(t)
	outside := End{}
	port := func(id string) End { return End{Port: id} }
	for _, c := range []struct {
		name     string
		from, to End
		packet   Packet
		// egress and ingress are a rule's id, or why it is allowed or refused.
		egress, ingress string
	}{
		{"in the range of ports", outside, port("web1"), tcp("192.0.2.1", "10.0.0.1", 90), "the sender is not judged", viewtest.RuleID(1, 3)},
		{"beyond it", outside, port("web1"), tcp("192.0.2.1", "10.0.0.1", 91), "the sender is not judged", "no rule allows it"},
		{"another family", outside, port("web1"), tcp("2001:db8::1", "fd00::1", 90), "the sender is not judged", "no rule allows it"},
		{"another protocol", outside, port("web1"), udp("192.0.2.1", "10.0.0.1", 1, 80), "the sender is not judged", "no rule allows it"},
		{"from a member", port("web2"), port("web1"), udp("10.0.0.2", "10.0.0.1", 1, 9), viewtest.RuleID(1, 1), viewtest.RuleID(1, 6)},
		{"from a member's pair", outside, port("web1"), udp("10.9.1.2", "10.0.0.1", 1, 9), "the sender is not judged", viewtest.RuleID(1, 6)},
		{"from no member", outside, port("web1"), udp("10.0.0.3", "10.0.0.1", 1, 9), "the sender is not judged", "no rule allows it"},
		{"by group", port("web1"), port("db1"), tcp("10.0.0.1", "10.0.0.3", 5432), viewtest.RuleID(1, 1), viewtest.RuleID(2, 2)},
		{"by address group", outside, port("db1"), proto("192.0.2.200", "10.0.0.3", 47), "the sender is not judged", viewtest.RuleID(2, 3)},
		{"by address group, any protocol", outside, port("db1"), proto("2001:db8::5", "fd00::3", 99), "the sender is not judged", viewtest.RuleID(2, 4)},
		{"outside the address group", outside, port("db1"), proto("192.0.3.1", "10.0.0.3", 47), "the sender is not judged", "no rule allows it"},
		{"SCTP port", outside, port("db1"), Packet{Src: addr("10.0.0.9"), Dst: addr("10.0.0.3"), Protocol: SCTP, DstPort: 7}, "the sender is not judged", viewtest.RuleID(2, 5)},
		{"egress to a prefix", port("db1"), outside, tcp("10.0.0.3", "192.0.2.53", 53), viewtest.RuleID(2, 1), "the receiver is not judged"},
		{"egress past it", port("db1"), outside, tcp("10.0.0.3", "192.0.2.54", 53), "no rule allows it", "the receiver is not judged"},
		{"refused at one end only", port("db1"), port("web1"), tcp("10.0.0.3", "10.0.0.1", 80), "no rule allows it", viewtest.RuleID(1, 3)},
		{"between ports that nobody judges", port("open"), port("open"), tcp("10.9.9.9", "10.0.0.6", 1), "the sender is not judged", "the receiver is not judged"},
		{"from a port without groups", port("none"), outside, tcp("10.0.0.5", "192.0.2.1", 80), "no rule allows it", "the receiver is not judged"},
		{"to a port without groups", outside, port("none"), icmp("192.0.2.1", "10.0.0.5", 8, 0), "the sender is not judged", "no rule allows it"},

		{"echo request", outside, port("web1"), icmp("192.0.2.1", "10.0.0.1", 8, 0), "the sender is not judged", viewtest.RuleID(1, 5)},
		{"echo request of another code", outside, port("web1"), icmp("192.0.2.1", "10.0.0.1", 8, 1), "the sender is not judged", "no rule allows it"},
		{"echo request, any code", outside, port("web1"), icmp("2001:db8::1", "fd00::1", 128, 9), "the sender is not judged", viewtest.RuleID(1, 7)},
		{"echo reply that nobody asked for", port("web1"), outside, icmp("10.0.0.1", "192.0.2.1", 0, 0),
			"it neither begins a conversation nor belongs to one", "the receiver is not judged"},
		{"the same without connections", outside, port("once"), icmp("192.0.2.1", "10.0.0.4", 3, 4), "the sender is not judged", viewtest.RuleID(3, 3)},

		{"other address", port("web1"), outside, tcp("10.0.0.7", "192.0.2.1", 80), "the source address is not the port's", "the receiver is not judged"},
		{"other MAC", End{Port: "web1", MAC: virtual}, outside, tcp("10.0.0.1", "192.0.2.1", 80), "the source MAC is not the port's", "the receiver is not judged"},
		{"pair with its MAC", End{Port: "web2", MAC: virtual}, outside, tcp("10.0.0.100", "192.0.2.1", 80), viewtest.RuleID(1, 1), "the receiver is not judged"},
		{"pair with another's MAC", port("web2"), outside, tcp("10.0.0.100", "192.0.2.1", 80), "the source address is not the port's", "the receiver is not judged"},
		{"own address with a pair's MAC", End{Port: "web2", MAC: virtual}, outside, tcp("10.0.0.2", "192.0.2.1", 80), "the source address is not the port's", "the receiver is not judged"},
		{"block of a pair", port("web2"), outside, tcp("10.9.255.1", "192.0.2.1", 80), viewtest.RuleID(1, 1), "the receiver is not judged"},
		{"link-local address", port("web1"), outside, tcp("fe80::f816:3eff:fe00:1", "fd00::9", 80), viewtest.RuleID(1, 2), "the receiver is not judged"},
		{"link-local address of another", port("web1"), outside, tcp("fe80::f816:3eff:fe00:2", "fd00::9", 80), "the source address is not the port's", "the receiver is not judged"},

		{"DHCP client", port("none"), outside, udp("0.0.0.0", "255.255.255.255", 68, 67), "a DHCP client's", "the receiver is not judged"},
		{"DHCP client without an address, to one station", port("none"), outside, udp("0.0.0.0", "192.0.2.1", 68, 67), "the source address is not the port's", "the receiver is not judged"},
		{"DHCP client that renews", port("none"), outside, udp("10.0.0.5", "10.0.0.6", 68, 67), "a DHCP client's", "the receiver is not judged"},
		{"DHCP server", port("web1"), port("none"), udp("10.0.0.1", "10.0.0.5", 67, 68), "only DHCP servers may answer clients", "a DHCP server's"},
		{"DHCP server on another port", port("web1"), outside, udp("10.0.0.1", "10.0.0.5", 1067, 68), "only DHCP servers may answer clients", "the receiver is not judged"},
		{"real DHCP server", port("open"), port("none"), udp("10.0.0.6", "10.0.0.5", 67, 68), "the sender is not judged", "a DHCP server's"},
		{"DHCPv6 client", port("none"), outside, udp("fe80::f816:3eff:fe00:5", "ff02::1:2", 546, 547), "a DHCP client's", "the receiver is not judged"},
		{"DHCPv6 server", port("web1"), outside, udp("fd00::1", "fd00::5", 547, 546), "only DHCP servers may answer clients", "the receiver is not judged"},

		{"router advertisement", port("web1"), outside, icmp("fe80::f816:3eff:fe00:1", "ff02::1", 134, 0), "only routers may advertise themselves", "the receiver is not judged"},
		{"real router advertisement", outside, port("none"), icmp("fe80::1", "ff02::1", 134, 0), "the sender is not judged", "neighbour discovery"},
		{"solicitation", port("none"), port("web1"), about(icmp("fd00::5", "ff02::1:ff00:1", 135, 0), "fd00::1"), "neighbour discovery", "neighbour discovery"},
		{"duplicate address detection", port("none"), outside, about(icmp("::", "ff02::1:ff00:5", 135, 0), "fd00::5"), "whether the address is free", "the receiver is not judged"},
		{"the same about another's", port("none"), outside, about(icmp("::", "ff02::1:ff00:1", 135, 0), "fd00::1"), "the source address is not the port's", "the receiver is not judged"},
		{"advertisement", port("none"), outside, about(icmp("fd00::5", "fd00::1", 136, 0), "fd00::5"), "neighbour discovery", "the receiver is not judged"},
		{"advertisement of another's", port("none"), outside, about(icmp("fd00::5", "fd00::1", 136, 0), "fd00::1"), "the advertised address is not the port's", "the receiver is not judged"},
		{"MLD without an address", port("none"), outside, icmp("::", "ff02::16", 143, 0), "neighbour discovery", "the receiver is not judged"},
		{"anything else without an address", port("web1"), outside, tcp("::", "fd00::9", 80), "the source address is not the port's", "the receiver is not judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := May(s, c.from, c.to, c.packet)
			if d := cmp.Diff([]string{c.egress, c.ingress}, []string{said(v.Egress), said(v.Ingress)}); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func said(j Judgement) string {
	if j.Rule != nil {
		return j.Rule.ID
	}
	return j.Why
}

func TestAnswers(t *testing.T) {
	s := cloud(t)
	for _, c := range []struct {
		name     string
		from, to End
		packet   Packet
		want     bool
	}{
		{"to a stateful port", End{Port: "db1"}, End{}, tcp("10.0.0.3", "192.0.2.53", 53), true},
		{"of a stateful port", End{}, End{Port: "web1"}, tcp("192.0.2.1", "10.0.0.1", 80), true},
		{"to a stateless port that no rule lets in", End{Port: "once"}, End{}, udp("10.0.0.4", "192.0.2.1", 1, 53), false},
		{"to a stateless port that a rule lets in", End{Port: "once"}, End{}, Packet{Src: addr("10.0.0.4"), Dst: addr("192.0.2.1"), Protocol: TCP, SrcPort: 7, DstPort: 9}, true},
		{"of a stateless port that no rule lets out", End{}, End{Port: "once"}, tcp("192.0.2.1", "10.0.0.4", 7), false},
		{"from an address that is not the answerer's", End{Port: "web1"}, End{Port: "web2"}, tcp("10.0.0.1", "10.0.0.77", 80), false},
		{"of an echo", End{}, End{Port: "web1"}, icmp("192.0.2.1", "10.0.0.1", 8, 0), true},
		{"of an echo with another code", End{}, End{Port: "web1"}, icmp("192.0.2.1", "10.0.0.1", 8, 1), false},
		{"of a conversation that no rule lets in any more", End{}, End{Port: "web1"}, tcp("192.0.2.1", "10.0.0.1", 91), false},
		{"to one that no rule lets out any more", End{Port: "db1"}, End{}, tcp("10.0.0.3", "192.0.2.53", 54), false},
		{"to a member", End{}, End{Port: "web1"}, udp("10.0.0.2", "10.0.0.1", 1, 9), true},
		{"to one who has left", End{}, End{Port: "web1"}, udp("10.0.0.3", "10.0.0.1", 1, 9), false},
		{"to a DHCP client", End{Port: "none"}, End{}, udp("10.0.0.5", "10.0.0.6", 68, 67), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := MayAnswer(s, c.from, c.to, c.packet); got.Allowed() != c.want {
				t.Errorf("%+v, want %v", got, c.want)
			}
		})
	}
}

func TestRulesThatNothingMeets(t *testing.T) {
	six, dccp, icmp4 := uint8(6), uint8(33), uint8(1)
	n := uint16(5)
	p := tcp("10.0.0.1", "10.0.0.2", 5)
	for name, r := range map[string]*model.SecurityGroupRule{
		"ports of no protocol":              {EtherType: model.IPv4, PortRangeMin: &n, PortRangeMax: &n},
		"half a range":                      {EtherType: model.IPv4, Protocol: &six, PortRangeMin: &n},
		"a group that does not exist":       {EtherType: model.IPv4, RemoteGroupID: "nobody"},
		"an address group that there isn't": {EtherType: model.IPv4, RemoteAddressGroupID: "nobody"},
	} {
		if Matches(cloud(t), r, p, p.Src) {
			t.Errorf("%s: %v matches", name, r)
		}
	}
	p.Protocol = dccp
	if r := (&model.SecurityGroupRule{EtherType: model.IPv4, Protocol: &dccp, PortRangeMin: &n, PortRangeMax: &n}); Matches(cloud(t), r, p, p.Src) {
		t.Error("ports of a protocol whose ports no switch knows match")
	}
	six6 := Packet{Src: addr("fd00::1"), Dst: addr("fd00::2"), Protocol: 1, Type: 5}
	if r := (&model.SecurityGroupRule{EtherType: model.IPv6, Protocol: &icmp4, PortRangeMin: &n}); Matches(cloud(t), r, six6, six6.Src) {
		t.Error("a type of the other family's ICMP matches")
	}
}
