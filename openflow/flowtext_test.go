package openflow

import (
	"testing"
)

func TestParseFlowErrors(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"table=3", `flow "table=3" has no actions`},
		{"table=256 actions=drop", `flow "table=256 actions=drop": table: "256" is no number of 8 bits`},
		{"nw_src=10.0.0.1 actions=drop", `flow "nw_src=10.0.0.1 actions=drop": ip_src is matched without ip`},
		{"ip,nw_src=10.0.0.300 actions=drop", `flow "ip,nw_src=10.0.0.300 actions=drop": nw_src: ip_src: "10.0.0.300" is no address of 32 bits`},
		{"ip,nw_src=10.0.0.0/33 actions=drop", `flow "ip,nw_src=10.0.0.0/33 actions=drop": nw_src: ip_src: "33" is no length of a prefix`},
		{"dl_src=fa:16:3e actions=drop", `flow "dl_src=fa:16:3e actions=drop": dl_src: eth_src: "fa:16:3e" is no MAC address`},
		{"dl_vlan=5000 actions=drop", `flow "dl_vlan=5000 actions=drop": dl_vlan: dl_vlan: 5000 is no VLAN id`},
		{"nonsense=1 actions=drop", `flow "nonsense=1 actions=drop": nonsense: unknown here`},
		{"reg0 actions=drop", `flow "reg0 actions=drop": reg0: reg0 has no value`},
		{"eth_type=0x800/0xff00 actions=drop", `flow "eth_type=0x800/0xff00 actions=drop": eth_type: eth_type: "0x800/0xff00" has a mask, and this field takes none`},
		{"ct_state=+odd actions=drop", `flow "ct_state=+odd actions=drop": ct_state: ct_state: "odd" is none of new, est, rel, rpl, inv, trk, snat, dnat`},
		{"reg0[0..32]=1 actions=drop", `flow "reg0[0..32]=1 actions=drop": reg0[0..32]: "reg0[0..32]": reg0 has 32 bits`},
		{"reg0[0..3]=16 actions=drop", `flow "reg0[0..3]=16 actions=drop": reg0[0..3]: reg0[0..3]: "16" does not fit into 4 bits`},
		{"actions=outputt:1", `flow "actions=outputt:1": "outputt" is no action`},
		{"actions=output:nowhere", `flow "actions=output:nowhere": output: "nowhere" is neither a port nor a field`},
		{"actions=drop,output:1", `flow "actions=drop,output:1": actions "drop,output:1": drop stands alone`},
		{"actions=set_field:1->eth_type", `flow "actions=set_field:1->eth_type": set_field: eth_type is read-only`},
		{"actions=set_field:1->nothing", `flow "actions=set_field:1->nothing": set_field: "nothing" is no field`},
		{"actions=load:0x10->NXM_NX_REG0[0..3]", `flow "actions=load:0x10->NXM_NX_REG0[0..3]": load: "0x10" does not fit into 4 bits`},
		{"actions=move:NXM_NX_REG0[]->NXM_OF_ETH_SRC[]", `flow "actions=move:NXM_NX_REG0[]->NXM_OF_ETH_SRC[]": move: "NXM_NX_REG0[]->NXM_OF_ETH_SRC[]": 32 bits go into 48`},
		{"actions=ct(force)", `flow "actions=ct(force)": ct: force needs commit`},
		{"actions=ct(commit,nat(src=1.2.3.4,dst=1.2.3.5))", `flow "actions=ct(commit,nat(src=1.2.3.4,dst=1.2.3.5))": ct: nat: src and dst exclude each other`},
		{"actions=conjunction(1,3/2)", `flow "actions=conjunction(1,3/2)": conjunction: "1,3/2": clauses are 1 to 64, and at least 2`},
		{"actions=learn(table=255)", `flow "actions=learn(table=255)": learn: table: there is no table 255`},
		{"actions=learn(nothing=1)", `flow "actions=learn(nothing=1)": learn: nothing: unknown here`},
		{"actions=clone(goto_table:1)", `flow "actions=clone(goto_table:1)": clone: goto_table:1 has no place in other actions`},
		{"actions=mod_tp_src:80", `flow "actions=mod_tp_src:80": mod_tp_src: the match does not say tcp, udp or sctp`},
		{"actions=resubmit(,)", `flow "actions=resubmit(,)": resubmit: neither a port nor a table`},
		{"actions=resubmit(1,2,3,4)", `flow "actions=resubmit(1,2,3,4)": resubmit: "1,2,3,4" has more than a port, a table and ct`},
		{"actions=unknown(0012000400000000)", `flow "actions=unknown(0012000400000000)": unknown: "0012000400000000" is not one unknown`},
	} {
		if f, err := ParseFlow(c.line); errorText(err) != c.want {
			t.Errorf("%s is %v\ngot  %v\nwant %s", c.line, f, err, c.want)
		}
	}
}

// Words and spellings that ovs-ofctl takes and does not print.
func TestParseFlowSpellings(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{" cookie=0x0, duration=5.1s, table=3, n_packets=7, n_bytes=0, idle_age=3, priority=1,ip actions=NORMAL", "table=3, priority=1,ip actions=NORMAL"},
		{"in_port=local,action=in_port", "in_port=LOCAL actions=IN_PORT"},
		{"table=1,tcp,tcp_dst=0x50,actions=strip_vlan,2", "table=1, tcp,tp_dst=80 actions=pop_vlan,output:2"},
		{"tunnel_id=5 actions=set_tunnel64:7", "tun_id=0x5 actions=set_field:0x7->tun_id"},
		{"NXM_NX_REG0[0..7]=1,NXM_NX_REG0[8..15]=2 actions=drop", "reg0=0x201/0xffff actions=drop"},
		{"reg0=0x5/0xffffffff,reg1=*,reg2=0/0 actions=drop", "reg0=0x5 actions=drop"},
		{"ip,nw_src=10.1.2.3/8 actions=drop", "ip,nw_src=10.0.0.0/8 actions=drop"},
		{"arp,nw_src=10.0.0.1,nw_proto=2 actions=drop", "arp,arp_spa=10.0.0.1,arp_op=2 actions=drop"},
		{"icmp6,tp_src=135,tp_dst=0 actions=drop", "icmp6,icmp_type=135,icmp_code=0 actions=drop"},
		{"eth,dl_type=0x86dd,nw_proto=58 actions=drop", "icmp6 actions=drop"},
		{"dl_type=0x894f,nsh_si=3 actions=resubmit( , 5 )", "dl_type=0x894f,nsh_si=3 actions=resubmit(,5)"},
		{"actions=note:0a0b", "actions=note:0a.0b.00.00.00.00"},
		{"actions=", "actions=drop"},
	} {
		f, err := ParseFlow(c.line)
		if err != nil {
			t.Error(err)
		} else if f.String() != c.want {
			t.Errorf("%s\nis   %v\nwant %s", c.line, f, c.want)
		}
	}
}

func TestParseMatchText(t *testing.T) {
	m, err := ParseMatchText("arp,dl_vlan=3,arp_tpa=10.0.0.1")
	if want := "arp,dl_vlan=3,arp_tpa=10.0.0.1"; err != nil || m.String() != want {
		t.Errorf("%v, %v; want %s", m, err, want)
	}
	_, err = ParseMatchText("priority=3,arp")
	if want := `match "priority=3,arp": "priority" is no field`; errorText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPortNames(t *testing.T) {
	for name, port := range map[string]uint32{"IN_PORT": PortInPort, "LOCAL": PortLocal, "ANY": PortAny, "7": 7, "65279": 65279} {
		if got := PortName(port); got != name {
			t.Errorf("port %#x is %s, not %s", port, got, name)
		}
		if got, err := PortNamed(name); err != nil || got != port {
			t.Errorf("%s is %#x, %v", name, got, err)
		}
	}
	if got, err := PortNamed("65534"); err != nil || got != PortLocal {
		t.Errorf("65534 is %#x, %v: ports of OpenFlow 1.0 have 16 bits", got, err)
	}
}
