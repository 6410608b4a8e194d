package plan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func number10(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// maxSet is the largest number of a set of groups: the next one allows everything in rows of br-int, and the bit above says that
// groups are stateless.
const maxSet = 1<<31 - 2

// linkLocal is the address that belongs to a MAC (RFC 4291, appendix A).
func linkLocal(mac string) netip.Addr {
	m, err := net.ParseMAC(mac)
	if err != nil || len(m) != 6 {
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}

func (r *reader) portFirewall(n *nodev1.PortFirewall) *PortFirewall {
	out := &PortFirewall{PortID: r.uuid("port_id", n.GetPortId()), Interface: r.device15("interface", n.GetInterface()), MAC: r.mac("mac_address", n.GetMacAddress()),
		NetworkID: r.uuid("network_id", n.GetNetworkId()), MTU: n.GetMtu(), GroupSet: n.GetGroupSet(), Stateless: n.GetStateless(), Leaving: n.GetLeaving(), VLAN: uint16(n.GetVlan())}
	if out.MTU < 68 || out.MTU > 65535 {
		r.fail("mtu", "%d is not in 68..65535", out.MTU)
	}
	if n.GetVlan() < 1 || n.GetVlan() > 4094 {
		r.fail("vlan", "%d is not in 1..4094", n.GetVlan())
	}
	if out.GroupSet > maxSet {
		r.fail("group_set", "%d is not in 0..%d", out.GroupSet, maxSet)
	}
	for i, s := range n.GetSenders() {
		field := fmt.Sprintf("senders[%d]", i)
		out.Senders = append(out.Senders, Sender{r.mac(field+".mac_address", s.GetMacAddress()), r.block(field+".ip_prefix", s.GetIpPrefix())})
	}
	return out
}

// device15 is the name of a device as it may be in an argument of a command.
func (r *reader) device15(field, s string) string {
	if s == "" || len(s) > 15 || s[0] == '-' || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == '"' }) {
		r.fail(field, "%q is no name of a device", s)
	}
	return s
}

func (r *reader) groupSet(n *nodev1.GroupSet) *GroupSet {
	out := &GroupSet{Number: n.GetNumber()}
	if out.Number < 1 || out.Number > maxSet {
		r.fail("number", "%d is not in 1..%d", out.Number, maxSet)
	}
	for i, x := range n.GetRules() {
		out.Rules = append(out.Rules, r.firewallRule(fmt.Sprintf("rules[%d]", i), x))
	}
	return out
}

func (r *reader) firewallRule(field string, n *nodev1.FirewallRule) FirewallRule {
	out := FirewallRule{ID: r.uuid(field+".id", n.GetId()), Ingress: n.GetIngress(), IPv6: n.GetIpv6()}
	if p := n.Protocol; p != nil {
		if *p > 255 {
			r.fail(field+".protocol", "%d is not in 0..255", *p)
		}
		b := uint8(*p)
		out.Protocol = &b
	}
	port := func(name string, v *uint32) *uint16 {
		if v == nil {
			return nil
		}
		if *v > 65535 {
			r.fail(field+"."+name, "%d is not in 0..65535", *v)
		}
		w := uint16(*v)
		return &w
	}
	out.Min, out.Max = port("port_range_min", n.PortRangeMin), port("port_range_max", n.PortRangeMax)
	if s := n.GetRemoteIpPrefix(); s != "" {
		out.Prefix = r.block(field+".remote_ip_prefix", s)
		if out.Prefix.IsValid() && out.Prefix.Addr().Is6() != out.IPv6 {
			r.fail(field+".remote_ip_prefix", "%q is of the other family", s)
		}
	}
	if s := n.GetRemoteGroupId(); s != "" {
		out.Group = r.uuid(field+".remote_group_id", s)
		if out.Prefix.IsValid() {
			r.fail(field+".remote_group_id", "there is a remote_ip_prefix too")
		}
	}
	return out
}

func (r *reader) remoteGroup(n *nodev1.RemoteGroup) *RemoteGroup {
	return &RemoteGroup{r.uuid("group_id", n.GetGroupId())}
}

func (r *reader) remoteAddress(n *nodev1.RemoteAddress) *RemoteAddress {
	out := &RemoteAddress{Prefix: r.block("ip_prefix", n.GetIpPrefix())}
	for i, g := range n.GetGroupIds() {
		out.Groups = append(out.Groups, r.uuid(fmt.Sprintf("group_ids[%d]", i), g))
	}
	slices.Sort(out.Groups)
	return out
}
