package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
)

// A small bridge: what comes in by port 1 with a VLAN goes out of port 2.
var (
	first = &Table{
		ID: 0, Name: "First", About: "First", Match: []openflow.Field{openflow.InPort, openflow.Reg0},
		Set: []openflow.Field{openflow.Reg0}, Next: []string{"Second"}, Learns: []string{"Second"},
	}
	second = &Table{
		ID: 5, Name: "Second", About: "Second", Match: []openflow.Field{openflow.VlanVID, openflow.EthDst},
		Set: []openflow.Field{openflow.VlanVID},
	}
	other = &Table{ID: 9, Name: "Other", About: "Other"}
)

func rows(more ...Flow) []Flow {
	return Owned(Cookie(PipelineCookie, "test"), append([]Flow{
		first.Row(1, InPort(1)).Goto(second),
		first.Row(0).Drop(),
		second.Row(2, DlVlan(7)).Do(PopVLAN(), Output(2)),
		second.Row(0, Unicast()).Drop(),
		second.Row(0, Multicast()).Drop(),
	}, more...)...)
}

func ethType(t uint16) openflow.Match { return openflow.Match{openflow.U16(openflow.EthType, t)} }

func TestCheckNamesEveryFault(t *testing.T) {
	tables := []*Table{first, second}
	without := func(i int) []Flow {
		r := rows()
		return append(r[:i], r[i+1:]...)
	}
	load := func(value uint64, dst openflow.Subfield) Flow {
		return first.Row(3).Do(openflow.Load{Value: value, Dst: dst})
	}
	for _, c := range []struct {
		name string
		rows []Flow
		want string
	}{
		{"nothing wrong", rows(), ""},
		{"one match and priority twice", rows(second.Row(2, DlVlan(7)).Drop()),
			`row "table=5, priority=2,dl_vlan=7 actions=drop" has the match and priority of "table=5, priority=2,dl_vlan=7 actions=pop_vlan,output:2"`},
		{"no row for the rest", without(1), `table 0 First has no row for packets that match none`},
		{"no row for multicast", without(4), `table 5 Second has no row for packets that match none`},
		{"table that is not declared", rows(other.Row(0).Drop()), `row "table=9, priority=0 actions=drop" is in a table that is not declared`},
		{"backwards", rows(second.Row(3).Goto(first)), `row "table=5, priority=3 actions=goto_table:0" leads to table 0, which table Second does not declare`},
		{"to nowhere", rows(first.Row(3).Goto(other)), `row "table=0, priority=3 actions=goto_table:9" leads to table 9, which table First does not declare`},
		{"port that is not there", rows(second.Row(3).Do(Output(9))), `row "table=5, priority=3 actions=output:9" names port 9, which the bridge does not have`},
		{"from a port that is not there", rows(first.Row(3, InPort(9)).Drop()), `row "table=0, priority=3,in_port=9 actions=drop" names port 9, which the bridge does not have`},
		{"match that is not declared", rows(first.Row(3, DlVlan(7)).Drop()), `row "table=0, priority=3,dl_vlan=7 actions=drop" matches vlan_vid, which table First does not declare`},
		{"field that is not declared", rows(second.Row(3).Do(SetTunID(1))), `row "table=5, priority=3 actions=set_field:0x1->tun_id" sets tun_id, which table Second does not declare`},
		{"tag that is not declared", rows(first.Row(3).Do(PushVLAN())), `row "table=0, priority=3 actions=push_vlan:0x8100" sets vlan_vid, which table First does not declare`},
		{"register too small", rows(load(0x10, openflow.Reg0.Range(0, 3))), `row "table=0, priority=3 actions=load:0x10->NXM_NX_REG0[0..3]" loads 0x10 into 4 bits`},
		{"bits that a register does not have", rows(load(1, openflow.Subfield{Field: openflow.Reg0, Ofs: 30, Bits: 4})),
			`row "table=0, priority=3 actions=load:0x1->NXM_NX_REG0[30..33]" names bits 30 to 33 of reg0, which has 32`},
		{"learning into another table", rows(first.Row(3).Do(openflow.Learn{Table: 9})), `row "table=0, priority=3 actions=learn(table=9,priority=0)" leads to table 9, which table First does not declare`},
		{"tracking what may be no IP packet", rows(first.Row(3).Do(Track(openflow.Reg0.Range(0, 15), second))),
			`row "table=0, priority=3 actions=ct(table=5,zone=NXM_NX_REG0[0..15])" tracks the connections of packets that may be neither IPv4 nor IPv6`},
		{"tracking on to a table that is not declared", rows(first.Row(3, ethType(0x86dd)).Do(Track(openflow.Reg0.Range(0, 15), other))),
			`row "table=0, priority=3,ipv6 actions=ct(table=9,zone=NXM_NX_REG0[0..15])" matches eth_type, which table First does not declare
row "table=0, priority=3,ipv6 actions=ct(table=9,zone=NXM_NX_REG0[0..15])" leads to table 9, which table First does not declare`},
		{"mark that is not declared", rows(first.Row(3, ethType(0x0800)).Do(Commit(openflow.Reg0.Range(0, 15), SetCTMark(1, 1)))),
			`row "table=0, priority=3,ip actions=ct(commit,zone=NXM_NX_REG0[0..15],exec(load:0x1->NXM_NX_CT_MARK[0]))" matches eth_type, which table First does not declare
row "table=0, priority=3,ip actions=ct(commit,zone=NXM_NX_REG0[0..15],exec(load:0x1->NXM_NX_CT_MARK[0]))" sets ct_mark, which table First does not declare`},
		{"port of a connection of no protocol", rows(first.Row(3, CTState(openflow.CTTracked, openflow.CTInvalid), CTTPDst(80, 0xffff)).Drop()),
			`row "table=0, priority=3,ct_state=-inv+trk,ct_tp_dst=80 actions=drop" matches ct_state, which table First does not declare
row "table=0, priority=3,ct_state=-inv+trk,ct_tp_dst=80 actions=drop" matches ct_tp_dst, which table First does not declare
row "table=0, priority=3,ct_state=-inv+trk,ct_tp_dst=80 actions=drop" matches ct_tp_dst without ct_nw_proto, which a switch does not show again`},
		{"copy that goes backwards", rows(second.Row(3).Do(Copy(first))),
			`row "table=5, priority=3 actions=clone(resubmit(,0))" leads to table 0, which table Second does not declare`},
		{"clause and more", rows(first.Row(3).Do(Clause(1, 2), Output(1))),
			`row "table=0, priority=3 actions=conjunction(1,2/2),output:1" does something beside its conjunctions, which a switch never would`},
		{"output to a port that only a register knows", rows(first.Row(3).Do(openflow.OutputReg{Src: openflow.Reg0.Whole()})),
			`row "table=0, priority=3 actions=output:NXM_NX_REG0[]" does output:NXM_NX_REG0[], which no table of ours may`},
		{"action of no table", rows(first.Row(3).Do(openflow.DecTTL{})), `row "table=0, priority=3 actions=dec_ttl" does dec_ttl, which no table of ours may`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := Check(tables, c.rows, []uint32{1, 2}); err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestCheckWantsOwners(t *testing.T) {
	r := rows()
	r[0].Cookie = 0x1234
	want := `row "table=0, priority=1,in_port=1 actions=goto_table:5" has the cookie 0x1234, which leads to nobody`
	if err := Check([]*Table{first, second}, r, []uint32{1, 2}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCheckWantsTablesThatLeadOn(t *testing.T) {
	backwards := &Table{ID: 5, Name: "Second", Next: []string{"First", "Nowhere"}}
	err := Check([]*Table{first, backwards, {ID: 0, Name: "Again"}}, nil, nil)
	want := `table 0 Again is declared twice
table 5 Second leads to First, which is no later table
table 5 Second leads to Nowhere, which is no later table
table 0 First has no row for packets that match none
table 5 Second has no row for packets that match none
table 0 Again has no row for packets that match none`
	if err == nil {
		t.Fatal("nothing found")
	}
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
