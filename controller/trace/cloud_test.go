package trace

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// id is that of a port, router or network; what its devices are called begins with it.
func id(n int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", n) }

const (
	web, far, db, blank = 1, 2, 3, 4 // ports of machines
	gwBlue, gwRed       = 11, 12     // of the router
	snatBlue, qg, fg    = 13, 14, 15 // of its namespaces
	blue, red, vlan     = "blue", "red", "vlan"
	ext                 = "ext"
	router              = "99999999-0000-4000-8000-000000000000"
)

// cloud has web and far on network blue, db on red, and blank on a VLAN network, by a distributed router with a gateway. web and db are on
// host1, far on host2, blank on host3; host2 has the router's centralised part. web has the floating IP 203.0.113.3.
func cloud(t *testing.T) *viewtest.Cloud {
	c := viewtest.New(t)
	for n := range byte(3) {
		c.Host(n+1, map[string]uint32{"patch-tun": 1, "int-br-ex": 2})
	}
	c.Network(blue, model.VXLAN, 100, true)
	c.Network(red, model.GRE, 200, true)
	c.Network(vlan, model.VLAN, 300, true)
	c.Network(ext, model.VLAN, 400, true)
	c.Subnets(blue, "10.0.1.0/24", "fd00:1::/64")
	c.Subnets(red, "10.0.2.0/24")
	c.Subnets(vlan, "10.0.3.0/24")
	c.Subnets(ext, "203.0.113.0/24")
	c.Bind(id(web), blue, "host1", 1, 5, "10.0.1.5", "fd00:1::5")
	c.Bind(id(far), blue, "host2", 2, 5, "10.0.1.6", "fd00:1::6")
	c.Bind(id(db), red, "host1", 3, 6, "10.0.2.5")
	c.Bind(id(blank), vlan, "host3", 4, 7, "10.0.3.5")
	c.Router(router, true)
	c.Join(router, id(gwBlue), blue, 11, "10.0.1.1")
	c.Join(router, id(gwRed), red, 12, "10.0.2.1")
	c.RouterAt(router, "host1", map[string]uint32{id(gwBlue): 8, id(gwRed): 9})
	c.RouterAt(router, "host2", map[string]uint32{id(gwBlue): 8, id(gwRed): 9})
	c.Own(model.OwnerCentralizedSNAT, router, id(snatBlue), blue, "host2", 13, 10, "10.0.1.3")
	c.Own(model.OwnerRouterGateway, router, id(qg), ext, "host2", 14, 11, "203.0.113.2")
	c.Own(model.OwnerFIPGateway, "host1", id(fg), ext, "host1", 15, 12, "203.0.113.4")
	r := *c.Snapshot().Router(router)
	r.Gateway = &model.ExternalGateway{NetworkID: ext, EnableSNAT: true, PortID: id(qg), FixedIPs: []model.FixedIP{{SubnetID: "s-ext", IP: addr("203.0.113.2")}}}
	c.Put(&r, &model.Schedule{RouterID: router, Host: "host2"},
		&model.FloatingIP{Meta: model.Meta{ID: "fip"}, FloatingNetworkID: ext, Address: addr("203.0.113.3"), PortID: id(web), FixedIP: addr("10.0.1.5"), RouterID: router, RulePriority: 32768})
	return c
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// answers is a fake fleet. What a switch does with a packet is found by host, bridge, port and, if there is one, destination MAC: the
// actions of the datapath, and then rows, "bridge table match:actions" each.
type answers struct {
	t        *testing.T
	switches map[string][]string
	routes   map[string]report.RouteAnswer
	// lacking are the namespaces that lack rules.
	lacking map[string]int
	asked   []string
}

// The datapath of every host has these ports.
const dpifShow = `netdev@ovs-netdev: hit:1 missed:1
  br-ex:
    br-ex 65534/1: (tap)
    eth2 1/2: (system)
    phy-br-ex 2/none: (patch: peer=int-br-ex)
  br-int:
    br-int 65534/3: (tap)
    tap-00000001-0000-4000-8000-000000000000 5/11: (system)
    tap-00000002-0000-4000-8000-000000000000 5/12: (system)
    tap-00000003-0000-4000-8000-000000000000 6/13: (system)
    tap-00000004-0000-4000-8000-000000000000 7/14: (system)
    tap00000011-00 8/21: (system)
    tap00000012-00 9/22: (system)
    tap00000013-00 10/23: (system)
    tap00000014-00 11/24: (system)
    tap00000015-00 12/25: (system)
    veth0 13/26: (system)
  br-tun:
    br-tun 65534/4: (tap)
    vxlan-0a000002 3/8: (vxlan: key=flow, local_ip=10.0.0.1, remote_ip=10.0.0.2)
`

// tunnelTo is how the userspace datapath sends to a host.
func tunnelTo(host byte, key int) string {
	return fmt.Sprintf("tnl_push(tnl_port(8),header(size=50,type=4,eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01,dl_type=0x0800),ipv4(src=10.0.0.1,dst=10.0.0.%d,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x%x)),out_port(4)),3", host, key)
}

func (a *answers) Trace(_ context.Context, host string, q report.TraceQuestion) (report.TraceAnswer, error) {
	if q.InPort == "" {
		return report.TraceAnswer{Ports: a.portsOf(host)}, nil
	}
	key := fmt.Sprintf("%s %s %s", host, q.Bridge, q.InPort)
	asked := fmt.Sprintf("%s %s > %s, %v > %v, ttl %d", key, q.EthSrc, q.EthDst, q.Src, q.Dst, q.TTL)
	if q.VLAN != 0 {
		asked += fmt.Sprintf(", vlan %d", q.VLAN)
	}
	if e := q.Tunnel; e != nil {
		asked += fmt.Sprintf(", key %d from %v to %v", e.Key, e.Src, e.Dst)
	}
	a.asked = append(a.asked, asked)
	say, ok := a.switches[key+" "+q.EthDst]
	if !ok {
		say, ok = a.switches[key]
	}
	if !ok {
		return report.TraceAnswer{}, fmt.Errorf("host %s: its agent is not connected since 12:01:07", host)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Flow: ip,in_port=1,dl_src=%s,dl_dst=%s\n", q.EthSrc, q.EthDst)
	bridge := ""
	for _, row := range say[1:] {
		words := strings.SplitN(row, " ", 3)
		if words[0] != bridge {
			bridge = words[0]
			fmt.Fprintf(&text, "\nbridge(\"%s\")\n-------------\n", bridge)
		}
		match, actions, _ := strings.Cut(words[2], ":")
		fmt.Fprintf(&text, "%2s. %s\n", words[1], match)
		for _, x := range strings.Split(actions, ";") {
			fmt.Fprintf(&text, "    %s\n", x)
		}
	}
	fmt.Fprintf(&text, "\nFinal flow: unchanged\nMegaflow: ip\nDatapath actions: %s", say[0])
	return report.TraceAnswer{Text: text.String(), Ports: a.portsOf(host)}, nil
}

func (a *answers) portsOf(host string) string {
	if host == "host9" {
		return strings.Replace(dpifShow, "    phy-br-ex", "    eth3 3/5: (system)\n    phy-br-ex", 1)
	}
	return dpifShow
}

func (a *answers) Route(_ context.Context, host string, q report.RouteQuestion) (report.RouteAnswer, error) {
	key := fmt.Sprintf("%s %s %s", host, q.Namespace, q.Device)
	a.asked = append(a.asked, fmt.Sprintf("%s %v > %v", key, q.Src, q.Dst))
	r, ok := a.routes[key]
	if !ok {
		return r, errors.New("host " + host + ": its agent is not connected since 12:01:07")
	}
	return r, nil
}

func (a *answers) Namespace(_ context.Context, host, namespace string) (report.Namespace, error) {
	ns := report.Namespace{Host: host, Name: namespace, Lines: []report.NamespaceLine{{Section: "route", Text: "default", State: report.Missing}}}
	for range a.lacking[namespace] {
		ns.Lines = append(ns.Lines, report.NamespaceLine{Section: "iptables", Text: "-A", State: report.Missing})
	}
	return ns, nil
}

// follow traces an echo request, or TCP to a port, and tells the way.
func (a *answers) follow(s state.Snapshot, from int, to *model.Port, src, dst string, port uint16) string {
	p := policy.Packet{Src: addr(src), Dst: addr(dst), Protocol: policy.ICMP, Type: 8}
	if p.Src.Is6() {
		p.Protocol, p.Type = policy.ICMPv6, 128
	}
	if port != 0 {
		p = policy.Packet{Src: addr(src), Dst: addr(dst), Protocol: policy.TCP, SrcPort: 40000, DstPort: port}
	}
	r := Follow(a.t.Context(), s, a, Names{
		Table: func(bridge string, n uint8) string { return "T" + strconv.Itoa(int(n)) },
		Owner: func(cookie uint64) string { return map[uint64]string{0x7: "port seven"}[cookie] },
	}, Request{s.Port(id(from)), to, p})
	var b strings.Builder
	for _, l := range r.Legs {
		fmt.Fprintf(&b, "%s %s: %s\n", l.Host, l.Place, l.Text)
		for _, n := range l.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	fmt.Fprintf(&b, "%s at %s %s: %s", r.Verdict, r.Host, r.Place, r.Text)
	if r.Next != "" {
		fmt.Fprintf(&b, "\ntry: %s", r.Next)
	}
	return b.String()
}
