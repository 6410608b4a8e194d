package agent

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// question asks an agent, and waits for what it says.
func (h *host) question(c *controller, ask *nodev1.Ask) *nodev1.Answer {
	h.t.Helper()
	c.mu.Lock()
	ask.Nonce = fmt.Sprint("q", len(c.answers))
	c.mu.Unlock()
	c.send(&nodev1.SyncResponse{Epoch: c.epoch, Message: &nodev1.SyncResponse_Ask{Ask: ask}})
	var a *nodev1.Answer
	h.Await("an answer", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		a = c.answers[ask.Nonce]
		return a != nil
	})
	return a
}

func TestQuestionsAboutPackets(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()})
	c.await("ack 1 rev 40")
	h.plug("vm1", vmPort)
	h.plug("vm2", dhcpPort)
	h.Await("the ports", func() bool {
		return h.get("interface", "vm1", "ofport") != "[]" && h.get("interface", "vm2", "ofport") != "[]"
	})
	h.Await("the agent to see them", func() bool {
		return len(h.agent.seen.Load().Interfaces("br-int")) >= 4 && h.agent.seen.Load().Interfaces("br-int")["vm2"].OFPort != 0
	})
	in, out := h.get("interface", "vm1", "ofport"), h.get("interface", "vm2", "ofport")
	h.Ofctl("add-flow", "br-int", "cookie=0x5703,table=0,priority=7,in_port="+in+",tcp,tp_dst=80,actions=output:"+out)
	h.Ofctl("add-flow", "br-int", "table=0,priority=7,in_port="+in+",icmp6,icmp_type=128,ipv6_dst=fd00::2,actions=output:"+out)
	h.Ofctl("add-flow", "br-int", "table=0,priority=7,in_port="+in+",dl_vlan=9,sctp,actions=output:"+out)
	h.Ofctl("add-flow", "br-int", "table=0,priority=7,in_port="+in+",tun_id=0x2a,tun_src=192.0.2.1,udp,actions=output:"+out)
	packet := func(change func(*nodev1.TraceQuestion)) *nodev1.Answer {
		t.Helper()
		q := &nodev1.TraceQuestion{Bridge: "br-int", InPort: "vm1", EthSrc: "fa:16:3e:00:00:01", EthDst: "fa:16:3e:00:00:02", IpSrc: "10.0.1.1", IpDst: "10.0.1.2", Protocol: 6, Ttl: 64, SrcPort: 40000, DstPort: 80}
		if change != nil {
			change(q)
		}
		return h.question(c, &nodev1.Ask{Trace: proto.Clone(q).(*nodev1.TraceQuestion)})
	}
	for name, change := range map[string]func(*nodev1.TraceQuestion){
		"TCP": nil,
		"ICMP": func(q *nodev1.TraceQuestion) {
			q.Protocol, q.SrcPort, q.DstPort, q.IpSrc, q.IpDst = 58, 128, 0, "fd00::1", "fd00::2"
		},
		"VLAN": func(q *nodev1.TraceQuestion) { q.Protocol, q.Vlan = 132, 9 },
		"UDP, by a tunnel": func(q *nodev1.TraceQuestion) {
			q.Protocol, q.Tunnel = 17, &nodev1.Encapsulation{Key: 42, Src: "192.0.2.1", Dst: "192.0.2.2"}
		},
	} {
		a := packet(change)
		if text := a.GetTrace().GetText(); a.Error != "" || !strings.Contains(text, "priority 7") || !strings.Contains(text, "output:"+out) || !strings.Contains(text, "Datapath actions: ") {
			t.Errorf("%s: %q\n%s", name, a.Error, text)
		}
		if ports := a.GetTrace().GetPorts(); !strings.Contains(ports, "vm1 "+in+"/") || !strings.Contains(ports, "patch-tun ") || !strings.Contains(ports, "br-ex:") {
			t.Errorf("%s: ports\n%s", name, ports)
		}
	}
	if a := packet(func(q *nodev1.TraceQuestion) { q.DstPort = 81 }); !strings.Contains(a.GetTrace().GetText(), "No match.") {
		t.Errorf("nothing is let through at 81: %v", a)
	}
	if a := h.question(c, &nodev1.Ask{Trace: &nodev1.TraceQuestion{Bridge: "br-ex"}}); a.Error != "" || a.GetTrace().GetText() != "" || !strings.Contains(a.GetTrace().GetPorts(), "phy-br-ex ") {
		t.Errorf("only the ports: %v", a)
	}
	for want, change := range map[string]func(*nodev1.TraceQuestion){
		`br-int has no port "tap9"`:                               func(q *nodev1.TraceQuestion) { q.InPort = "tap9" },
		`br-int has no port "1,dl_vlan=7"`:                        func(q *nodev1.TraceQuestion) { q.InPort = "1,dl_vlan=7" },
		`br-nil has no port "vm1"`:                                func(q *nodev1.TraceQuestion) { q.Bridge = "br-nil" },
		`dl_src: "" is no MAC address`:                            func(q *nodev1.TraceQuestion) { q.EthSrc = "" },
		`dl_dst: "fa:16:3e:00:00:02,dl_vlan=7" is no MAC address`: func(q *nodev1.TraceQuestion) { q.EthDst += ",dl_vlan=7" },
		`vlan: 5000 is no VLAN`:                                   func(q *nodev1.TraceQuestion) { q.Vlan = 5000 },
		`ip_src: ParseAddr("x"): unable to parse IP`:              func(q *nodev1.TraceQuestion) { q.IpSrc = "x" },
		`ip_dst: ParseAddr(""): unable to parse IP`:               func(q *nodev1.TraceQuestion) { q.IpDst = "" },
		`ip_dst: fd00::1 does not go with 10.0.1.1`:               func(q *nodev1.TraceQuestion) { q.IpDst = "fd00::1" },
		`ip_dst: fe80::1%a,b=c does not go with fe80::2`:          func(q *nodev1.TraceQuestion) { q.IpSrc, q.IpDst = "fe80::2", "fe80::1%a,b=c" },
		`protocol, ttl: one of them is more than 255`:             func(q *nodev1.TraceQuestion) { q.Protocol = 300 },
		`src_port, dst_port: one of them is more than 65535`:      func(q *nodev1.TraceQuestion) { q.DstPort = 70000 },
		`tunnel.src: ParseAddr("t"): unable to parse IP`:          func(q *nodev1.TraceQuestion) { q.Tunnel = &nodev1.Encapsulation{Src: "t", Dst: "192.0.2.2"} },
		`tunnel.dst: ParseAddr(""): unable to parse IP`:           func(q *nodev1.TraceQuestion) { q.Tunnel = &nodev1.Encapsulation{Src: "192.0.2.2"} },
	} {
		if a := packet(change); a.Error != want || a.Trace != nil {
			t.Errorf("said %q, want %q", a.Error, want)
		}
	}
}

func TestQuestionsAboutRoutes(t *testing.T) {
	h := newCloud(t)
	h.up()
	ask := func(namespace, src, dst string) *nodev1.Answer {
		t.Helper()
		return h.question(h.c, &nodev1.Ask{Route: &nodev1.RouteQuestion{Namespace: namespace, Device: "ns-33333333-00", Src: src, Dst: dst}})
	}
	if a := ask(qdhcp, "10.0.1.11", "10.0.1.2"); a.Error != "" || a.GetRoute().GetKind() != "local" {
		t.Errorf("to itself: %v", a)
	}
	if a := ask("qrouter-"+netID, "10.0.1.11", "10.0.1.2"); a.Error != "" || a.GetRoute().GetKind() != "drop" || a.GetRoute().GetMessage() != "the host has no such namespace" {
		t.Errorf("in a namespace that is not there: %v", a)
	}
	for want, ask := range map[string]func() *nodev1.Answer{
		`src: ParseAddr("x"): unable to parse IP`:                func() *nodev1.Answer { return ask(qdhcp, "x", "10.0.1.2") },
		`dst: ParseAddr("y"): unable to parse IP`:                func() *nodev1.Answer { return ask(qdhcp, "10.0.1.2", "y") },
		"dst: fd00::1 does not go with 10.0.1.2":                 func() *nodev1.Answer { return ask(qdhcp, "10.0.1.2", "fd00::1") },
		`namespace "../x": name is taken: it is no name of ours`: func() *nodev1.Answer { return ask("../x", "10.0.1.2", "10.0.1.3") },
	} {
		if a := ask(); a.Error != want || a.Route != nil {
			t.Errorf("said %q, want %q", a.Error, want)
		}
	}
}
