// Package flow holds the words in which the pipelines are written: tables that are declared once, and rows that read
// like a line of ovs-ofctl dump-flows.
//
//	UcastToTun.Row(2, flow.DlVlan(3), flow.DlDst(mac)).Do(flow.PopVLAN(), flow.SetTunID(0x2b), flow.Output(2))
//	table=20, priority=2,dl_vlan=3,dl_dst=fa:16:3e:00:00:02 actions=pop_vlan,set_field:0x2b->tun_id,output:2
//
// A table says what its rows may match, set and go to; Check holds rows against that and against the rules that every
// table keeps. Diff and Compare tell one set of rows from another.
//
// The package is pure: it does no I/O and knows no hosts, networks or ports.
package flow
