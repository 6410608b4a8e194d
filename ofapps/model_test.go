package ofapps

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/nsagent/unixctl"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/ovs"
)

// Of each check, so many clouds are drawn, and in each so many packets are traced. -rapid.checks scales both.
const cloudsACheck, packetsACloud = 32, 5

// What the model of the rules says, and what the switch does with the rendered tables, must be the same: for clouds and
// packets of any kind, at the sender and at the receiver, on one host and on two, for what is new, for what goes on, and
// for answers, also in connections that no rule allows any more. Some ports are limited and marked, which is to change none of it.
func TestTablesDoWhatTheModelSays(t *testing.T) {
	d := startDuo(t)
	asked := 0
	rapid.Check(t, func(rt *rapid.T) {
		for range cloudsACheck {
			s := rapid.Custom(func(t *rapid.T) *viewtest.Cloud { return drawn{t}.cloud() }).Draw(rt, "cloud").Snapshot()
			d.load(rt, s)
			for range packetsACloud {
				asked += d.compare(rt, s, rapid.Custom(func(t *rapid.T) talk { return drawn{t}.talk(s) }).Draw(rt, "talk"))
			}
			asked += d.everybodyHears(rt, s, rapid.SampledFrom(places()).Draw(rt, "who asks"))
		}
	})
	if d.metered == 0 || d.routed == 0 || d.provided == 0 {
		t.Errorf("%d packets came to a meter, %d arrived that a router had sent, %d from a provider's network: each must have", d.metered, d.routed, d.provided)
	}
	t.Logf("%d traces, %d of them by meters; %d packets of routers and %d of a provider's network arrived", asked, d.metered, d.routed, d.provided)
}

// duo are the integration bridges of two hosts in one switch. The ports are always the same ones, and are on the VLANs of
// their places; clouds change the rows.
type duo struct {
	realHost
	conns map[string]*channel.Conn
	rows  map[string][]flow.Flow
	// meters are those that a bridge has.
	meters map[string]map[uint32]bool
	// metered counts traces that came to a meter, routed and provided those that arrived: from a router, from a provider's network.
	metered, routed, provided int
}

func startDuo(t *testing.T) *duo {
	t.Helper()
	d := &duo{realHost: realHost{Switch: ovs.Start(t), ports: map[string]string{}}, conns: map[string]*channel.Conn{}, rows: map[string][]flow.Flow{},
		meters: map[string]map[uint32]bool{"host1": {}, "host2": {}}}
	for _, host := range []string{"host1", "host2"} {
		br := "br-" + host
		d.Vsctl("add-br", br, "--", "set", "bridge", br, "datapath_type=dummy", "fail_mode=secure", "protocols=OpenFlow13,OpenFlow14")
		d.port(br, host+"-tun", patchTun)
		d.port(br, host+"-ex", intBrEx)
		for n := range 2 {
			name := fmt.Sprintf("%s-gw%d", host, n)
			d.port(br, name, uint32(device+n))
			d.Vsctl("set", "port", name, fmt.Sprintf("tag=%d", 1+n))
		}
	}
	for _, p := range places() {
		d.port("br-"+p.host, p.id(), p.ofport)
		d.Vsctl("set", "port", p.id(), fmt.Sprintf("tag=%d", p.vlan()))
	}
	d.number()
	for _, host := range []string{"host1", "host2"} {
		nc, err := net.Dial("unix", filepath.Join(d.Dir, "br-"+host+".mgmt"))
		if err != nil {
			t.Fatal(err)
		}
		if d.conns[host], err = (channel.Config{}).Handshake(t.Context(), nc); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.conns[host].Close() })
	}
	return d
}

// load gives both bridges the rows of a cloud, as a controller does: only what differs, in one bundle. Meters are there before
// the rows, and stay: to remove some and then add others can end Open vSwitch (docs/decisions/0083).
func (d *duo) load(t *rapid.T, s state.Snapshot) {
	for host, conn := range d.conns {
		var mods []openflow.Message
		for p := range view.Parts(s, host) {
			for _, m := range Meters(s, host, p) {
				command := openflow.MeterModify
				if !d.meters[host][m.ID] {
					command, d.meters[host][m.ID] = openflow.MeterAdd, true
				}
				mods = append(mods, m.Mod(command))
			}
		}
		if err := conn.Tell(context.Background(), mods...); err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		rows := RenderAll(s, host)[view.BrInt]
		diffs, err := flow.Diff(&flow.Coder{Version: conn.Version()}, d.rows[host], rows)
		if err != nil {
			t.Fatal(err)
		}
		changes := make([]openflow.FlowMod, 0, len(diffs))
		for _, x := range diffs {
			changes = append(changes, x.FlowMod())
		}
		if err := conn.Bundle(context.Background(), changes); err != nil {
			t.Fatalf("%s: %v\n%s", host, err, tell(s))
		}
		d.rows[host] = rows
	}
}

// compare asks model and switch about a packet, and about its answer. It returns the number of traces.
func (d *duo) compare(t *rapid.T, s state.Snapshot, k talk) int {
	from, to := bound(s, k.from), bound(s, k.to)
	if k.from.host != "" && from == nil || k.to.host != "" && to == nil {
		return 0 // it is nowhere
	}
	v := policy.May(s, policy.End{Port: k.from.id(), MAC: k.mac}, policy.End{Port: k.to.id()}, k.packet)
	state := isNew
	if !begins(k.packet) {
		state = isInvalid
	}
	n := d.oneWay(t, s, k, v, state)
	if state == isNew {
		// A connection that is under way is judged as when it began.
		n += d.oneWay(t, s, k, v, isBegun)
	}
	if state != isNew || k.group || k.routed || k.mac != k.from.mac() && k.from.host != "" {
		return n
	}
	back := talk{from: k.to, to: k.from, mac: k.to.mac(), packet: k.packet.Answer(), asked: &k.packet}
	a := policy.MayAnswer(s, policy.End{Port: k.from.id()}, policy.End{Port: k.to.id()}, k.packet)
	return n + d.oneWay(t, s, back, a, isAnswer)
}

func bound(s state.Snapshot, at place) *model.Binding { return s.Binding(at.id()) }

// begins says what the connection tracker makes of a packet that it has not heard of before.
func begins(p policy.Packet) bool {
	switch p.Protocol {
	case policy.ICMP:
		return p.Type == 8 || p.Type == 13
	case policy.ICMPv6:
		return p.Type == 128
	}
	return true
}

// oneWay traces a packet on the hosts that it passes.
func (d *duo) oneWay(t *rapid.T, s state.Snapshot, k talk, v policy.Verdict, ct string) int {
	switch {
	case k.group:
		return d.toAll(t, s, k, v, ct)
	case k.from.host != "" && k.from.host == k.to.host:
		d.expect(t, s, k, k.from.host, k.from.id(), k.to.id(), ct, v.Allowed())
		return 1
	}
	n := 0
	if k.from.host != "" {
		d.expect(t, s, k, k.from.host, k.from.id(), uplink(s, k.from), ct, v.Egress.Allowed)
		n++
	}
	if k.to.host != "" {
		// What a router has sent to a network that it is not on is for nobody.
		arrives := v.Ingress.Allowed && (!k.routed || routes(s, k.to.network()))
		in := uplink(s, k.to)
		d.expect(t, s, k, k.to.host, in, k.to.id(), ct, arrives)
		n++
		if arrives && k.routed {
			d.routed++
		}
		if arrives && strings.HasSuffix(in, "-ex") {
			d.provided++
		}
	}
	return n
}

// toAll is a packet for all: on the sender's host every other port of the network hears it if its own rules say so.
func (d *duo) toAll(t *rapid.T, s state.Snapshot, k talk, v policy.Verdict, ct string) int {
	defer d.learn(t, k.from, k.mac)()
	out, left := d.ask(t, k, k.from.host, k.from.id(), ct)
	want := map[string]bool{uplink(s, k.from): v.Egress.Allowed}
	for _, p := range places() {
		if p.host == k.from.host && p != k.from && p.network() == k.from.network() && bound(s, p) != nil {
			at := policy.May(s, policy.End{Port: k.from.id(), MAC: k.mac}, policy.End{Port: p.id()}, k.packet)
			want[p.id()] = at.Allowed()
		}
	}
	for port, hears := range want {
		if left[port] != hears {
			t.Fatalf("%s hears %v of %#v (%s), and should hear %v\n%s\n%s", port, left[port], k, ct, hears, tell(s), out)
		}
	}
	return 1
}

// everybodyHears has a port ask by ARP for an address that nobody has: the rest of its network hears that, whatever their rules
// and limits.
func (d *duo) everybodyHears(t *rapid.T, s state.Snapshot, from place) int {
	if bound(s, from) == nil {
		return 0
	}
	question := fmt.Sprintf("in_port=%s,dl_src=%s,%s", from.id(), from.mac(), bcast+",dl_type=0x0806,arp_op=1,arp_sha="+from.mac().String()+
		",arp_spa="+s.Port(from.id()).FixedIPs[0].IP.String()+",arp_tpa=10.0.0.99")
	defer d.learn(t, from, from.mac())()
	out, left := d.trace(t, from.host, question)
	want := map[string]bool{uplink(s, from): true}
	for _, p := range places() {
		if p.host == from.host && bound(s, p) != nil {
			want[p.id()] = p != from && p.network() == from.network()
		}
	}
	for port, hears := range want {
		if left[port] != hears {
			t.Fatalf("%s hears %v of %s, and should hear %v\n%s\n%s", port, left[port], question, hears, tell(s), out)
		}
	}
	return 1
}

func (d *duo) expect(t *rapid.T, s state.Snapshot, k talk, host, in, at, ct string, want bool) {
	out, left := d.ask(t, k, host, in, ct)
	if left[at] != want {
		t.Fatalf("%#v (%s) by %s arrives at %s: %v; the model says %v\n%s\n%s", k, ct, in, at, left[at], want, tell(s), out)
	}
}

// ask traces, and tells by which ports the packet leaves.
func (d *duo) ask(t *rapid.T, k talk, host, in, ct string) (out string, left map[string]bool) {
	var states []string
	for range 4 {
		states = append(states, "--ct-next", ct)
	}
	return d.trace(t, host, d.spell(k, in), states...)
}

func (d *duo) trace(t *rapid.T, host, packet string, options ...string) (out string, left map[string]bool) {
	out = d.call(t, "ofproto/trace", append([]string{"br-" + host, packet}, options...)...)
	left = map[string]bool{}
	if strings.Contains(out, "meter(") {
		d.metered++
	}
	for _, m := range allActions.FindAllStringSubmatch(out, -1) {
		d.outputs(metered(t, m[1]), left)
	}
	return out, left
}

// learn has a bridge know where a MAC is, until it is to forget it: a bridge learns from a packet before it forwards it, but
// not from one that is traced.
func (d *duo) learn(t *rapid.T, at place, mac model.MAC) (forget func()) {
	br, vlan := "br-"+at.host, fmt.Sprint(at.vlan())
	d.call(t, "fdb/add", br, at.id(), vlan, mac.String())
	return func() { d.call(t, "fdb/del", br, vlan, mac.String()) }
}

func (d *duo) call(t *rapid.T, command string, args ...string) string {
	out, err := unixctl.Call(context.Background(), d.Dir, "ovs-vswitchd", command, args...)
	if err != nil {
		t.Fatalf("%s %v: %v", command, args, err)
	}
	return out
}

func (d *duo) outputs(list string, left map[string]bool) {
	for _, a := range topLevel(list) {
		if inner, isCopy := strings.CutPrefix(a, "clone("); isCopy {
			d.outputs(strings.TrimSuffix(inner, ")"), left)
		} else if name := d.ports[a]; name != "" {
			left[name] = true
		}
	}
}

// spell is the packet as ofproto/trace reads it.
func (d *duo) spell(k talk, in string) string {
	p := k.packet
	to := "dl_dst=" + k.to.mac().String()
	switch {
	case k.group && p.Dst.Is6():
		to = "dl_dst=33:33:00:00:00:12"
	case k.group:
		to = group
	}
	vlan, mac := "", k.mac // what comes from the other hosts has the network's tag: here, or outside
	switch n := max(k.from.vlan(), k.to.vlan()); {
	case strings.HasSuffix(in, "-tun"):
		vlan = fmt.Sprintf("dl_vlan=%d,", n)
	case strings.HasSuffix(in, "-ex"):
		vlan = fmt.Sprintf("dl_vlan=%d,", segment+n-1)
	}
	if k.routed {
		mac = viewtest.DVRMAC(map[string]byte{"host1": 2, "host2": 1}[k.to.host])
	}
	text := fmt.Sprintf("in_port=%s,%sdl_src=%s,%s,", in, vlan, mac, to)
	if p.Src.Is4() {
		text += fmt.Sprintf("dl_type=0x0800,nw_src=%s,nw_dst=%s,nw_proto=%d", p.Src, p.Dst, p.Protocol)
	} else {
		text += fmt.Sprintf("dl_type=0x86dd,ipv6_src=%s,ipv6_dst=%s,nw_proto=%d", p.Src, p.Dst, p.Protocol)
	}
	names := map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp", policy.SCTP: "sctp", policy.ICMP: "icmp", policy.ICMPv6: "icmpv6"}
	switch name := names[p.Protocol]; p.Protocol {
	case policy.TCP, policy.UDP, policy.SCTP:
		text += fmt.Sprintf(",%s_src=%d,%s_dst=%d", name, p.SrcPort, name, p.DstPort)
	case policy.ICMP, policy.ICMPv6:
		text += fmt.Sprintf(",%s_type=%d,%s_code=%d", name, p.Type, name, p.Code)
		if p.Type == 135 || p.Type == 136 {
			text += ",nd_target=" + p.Target.String()
		}
	}
	return text + began(k.asked)
}

// began is what the connection tracker of Open vSwitch 3.1 knows, in userspace, of the packet that began a connection: no ports
// of SCTP.
func began(p *policy.Packet) string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf(",ct_state=%s,ct_nw_proto=%d", strings.ReplaceAll(isAnswer, ",", "|"), p.Protocol)
	switch p.Protocol {
	case policy.TCP, policy.UDP:
		text += fmt.Sprintf(",ct_tp_src=%d,ct_tp_dst=%d", p.SrcPort, p.DstPort)
	case policy.ICMP, policy.ICMPv6:
		text += fmt.Sprintf(",ct_tp_src=%d,ct_tp_dst=%d", p.Type, p.Code)
	}
	return text
}
