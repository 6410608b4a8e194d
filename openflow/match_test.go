package openflow

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonical(t *testing.T) {
	mac1 := mac("fa:16:3e:00:00:01")
	for _, c := range []struct {
		name     string
		in, want Match
	}{
		{"sorted as nx_put_match lists it",
			Match{U64(Metadata, 1), U64(TunID, 2), AddrField(IPv4Src, netip.MustParseAddr("10.0.0.1")), U16(EthType, 0x800), MACField(EthDst, mac1), U32(InPort, 3)},
			Match{U32(InPort, 3), MACField(EthDst, mac1), U16(EthType, 0x800), AddrField(IPv4Src, netip.MustParseAddr("10.0.0.1")), U64(TunID, 2), U64(Metadata, 1)}},
		{"a full mask is none", Match{U32Masked(Reg0, 5, 0xffffffff)}, Match{U32(Reg0, 5)}},
		{"an empty mask says nothing", Match{U32Masked(Reg0, 5, 0)}, Match{}},
		{"a VLAN id has 13 bits", Match{U16Masked(VlanVID, 0x1003, 0x1fff)}, Match{U16(VlanVID, 0x1003)}},
		{"some of a VLAN id", Match{U16Masked(VlanVID, 0x1000, 0x1000)}, Match{U16Masked(VlanVID, 0x1000, 0x1000)}},
		{"a tag is an id and a priority", Match{U16(VlanTCI, 0x7003)}, Match{U16(VlanVID, 0x1003), U8(VlanPCP, 3)}},
		{"a tag's id", Match{U16Masked(VlanTCI, 0x1003, 0x1fff)}, Match{U16(VlanVID, 0x1003)}},
		{"no tag", Match{U16(VlanTCI, 0)}, Match{U16(VlanVID, 0)}},
		{"bits outside the mask",
			Match{Bytes(IPv4Src, []byte{10, 1, 2, 3}, []byte{255, 255, 0, 0}), {Field: ARPTPA, Value: "\x0a\x01\x02\x03", Mask: "\xff\x00\x00\x00"}},
			Match{PrefixField(IPv4Src, netip.MustParsePrefix("10.1.0.0/16")), PrefixField(ARPTPA, netip.MustParsePrefix("10.0.0.0/8"))}},
		{"a register of 64 bits", Match{U64(XReg0, 0x100000002)}, Match{U32(Reg0, 1), U32(Reg1, 2)}},
		{"half a register of 64 bits", Match{U64Masked(XReg(7), 5, 0xffffffff)}, Match{U32(Reg15, 5)}},
		{"a register of 128 bits", Match{U64(XXReg(1), 7)}, Match{U32(Reg4, 0), U32(Reg5, 0), U32(Reg6, 0), U32(Reg7, 7)}},
		{"a port of 16 bits", Match{U16(InPort16, 0xfffe)}, Match{U32(InPort, PortLocal)}},
		{"a type of service", Match{U8(IPTOS, 184)}, Match{U8(IPDSCP, 46)}},
		{"Ethernet is what every packet is", Match{U32(PacketType, 0), U32(ConjID, 1)}, Match{U32(ConjID, 1)}},
		{"a connection's state has 8 bits", Match{U32(CTState, CTNew|CTTracked)}, Match{U32Masked(CTState, 0x21, 0xff)}},
		{"a code that this version does not use", Match{{Field: TunID | 1<<spellingShift, Value: "\x00\x00\x00\x00\x00\x00\x00\x07"}}, Match{U64(TunID, 7)}},
		{"nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Canonical(c.in)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("canonical (-want +got):\n%s", d)
			}
			if d := cmp.Diff(got, Canonical(got)); d != "" {
				t.Errorf("canonical again (-once +twice):\n%s", d)
			}
		})
	}
}

// What a peer spells in another way, or what nobody knows, comes back as it was.
func TestMatchKeepsBytes(t *testing.T) {
	for _, c := range []struct{ name, elements, text string }{
		{"NXM codes", "00000802" + "1003" + "00000e04" + "0a000001", "dl_vlan=3,dl_vlan_pcp=0,nw_src=10.0.0.1"},
		{"NXM code of a field that has an OXM code", "00000206" + "fa163e000001" + "00000602" + "0800", "ip,dl_dst=fa:16:3e:00:00:01"},
		{"tcp_flags as OpenFlow 1.5 has it", "80000a020800" + "8000140106" + "800054020002", "tcp,tcp_flags=syn"},
		{"an experimenter that nobody knows", "ffff0208deadbeef01020304", "unknown=ffff0208deadbeef01020304"},
		{"a MAC of 5 bytes", "80000605fa163e0000", "unknown=80000605fa163e0000"},
		{"a mask of ones", "00010108" + "00000005" + "ffffffff", "reg0=0x5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			elements, err := hex.DecodeString(c.elements)
			if err != nil {
				t.Fatal(err)
			}
			wire := pad(append([]byte{0, 1, 0, byte(4 + len(elements))}, elements...), 0)
			m, n, err := ParseMatch(wire)
			if err != nil || n != len(wire) {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if again := AppendMatch(nil, m); string(again) != string(wire) {
				t.Errorf("%x encodes to %x", wire, again)
			}
			if m.String() != c.text {
				t.Errorf("text %v, not %s", m, c.text)
			}
		})
	}
}

func TestMatchRefusesWrongLengths(t *testing.T) {
	for name, wire := range map[string]string{
		"match: 0 bytes are too few":                                    "",
		"match: type 0 where 1 (OXM) is known":                          "0000000400000000",
		"match: length 3, with 8 bytes there":                           "0001000300000000",
		"match: length 12, with 8 bytes there":                          "0001000c00000000",
		"match element: 2 bytes are no header":                          "000100060000" + "0000",
		"match element 80000a02: 1 bytes where 2 should follow":         "0001000980000a02" + "0800000000000000",
		"match element ffff0203: no experimenter":                       "0001000cffff0203" + "0000232000000000",
		"match element ffff020800002320: 2 bytes where 4 should follow": "0001000effff0208" + "0000232000000000",
	} {
		b, err := hex.DecodeString(wire)
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := ParseMatch(b); err == nil || err.Error() != name {
			t.Errorf("%s is %v, %v; want %s", wire, m, err, name)
		}
		if _, err := ValidateMatch(b); err == nil || err.Error() != name {
			t.Errorf("%s is valid or %v; want %s", wire, err, name)
		}
	}
}

func TestOXMConstructors(t *testing.T) {
	for _, c := range []struct {
		got  OXM
		want OXM
	}{
		{U8(IPProto, 6), OXM{Field: IPProto, Value: "\x06"}},
		{U16(TCPDst, 80), OXM{Field: TCPDst, Value: "\x00\x50"}},
		{U16(InPort, 7), OXM{Field: InPort, Value: "\x00\x00\x00\x07"}},
		{U64(CTLabel, 1), OXM{Field: CTLabel, Value: "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"}},
		{U32Masked(Reg0, 0xffffffff, 0xff00), OXM{Field: Reg0, Value: "\x00\x00\xff\x00", Mask: "\x00\x00\xff\x00"}},
		{AddrField(IPv4Src, netip.MustParseAddr("::ffff:10.0.0.1")), OXM{Field: IPv4Src, Value: "\x0a\x00\x00\x01"}},
		{PrefixField(IPv4Src, netip.MustParsePrefix("10.1.2.3/32")), OXM{Field: IPv4Src, Value: "\x0a\x01\x02\x03"}},
		{PrefixField(IPv4Src, netip.MustParsePrefix("10.1.2.3/9")), OXM{Field: IPv4Src, Value: "\x0a\x00\x00\x00", Mask: "\xff\x80\x00\x00"}},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	o := U16Masked(VlanVID, 0x1003, 0x100f)
	if o.Uint() != 0x1003 || o.MaskUint() != 0x100f || U32(Reg0, 5).MaskUint() != 0xffffffff {
		t.Errorf("%#x/%#x", o.Uint(), o.MaskUint())
	}
	if a := AddrField(ARPTPA, netip.MustParseAddr("10.0.0.1")).Addr(); a.String() != "10.0.0.1" {
		t.Errorf("address %v", a)
	}
}

func TestMatchCheck(t *testing.T) {
	addr := AddrField(IPv4Src, netip.MustParseAddr("10.0.0.1"))
	for _, c := range []struct {
		want string
		m    Match
	}{
		{"", nil},
		{"", Match{U16(EthType, 0x800), addr}},
		{"ip_src is matched without ip", Match{addr}},
		{"ip_src is matched without ip", Match{U16(EthType, 0x86dd), addr}},
		{"tcp_dst is matched without tcp or tcp6", Match{U16(EthType, 0x800), U8(IPProto, 17), U16(TCPDst, 80)}},
		{"arp_op is matched without arp or rarp", Match{U16(EthType, 0x800), U16(ARPOp, 1)}},
		{"nd_sll is matched without icmp6,icmp_type=135", Match{U16(EthType, 0x86dd), U8(IPProto, 58), U8(ICMPv6Type, 136), MACField(NDSLL, [6]byte{})}},
		{"vlan_pcp is matched without a VLAN id", Match{U8(VlanPCP, 1)}},
		{"mpls_label is matched without mpls or mplsm", Match{U32(MPLSLabel, 1)}},
		{"ct_nw_proto is matched without ip or ipv6 and ct_state=+trk-inv, +new, +est, +rel, +rpl, +snat or +dnat", Match{U16(EthType, 0x800), U8(CTNwProto, 6)}},
	} {
		err := Canonical(c.m).Check()
		if got := errorText(err); got != c.want {
			t.Errorf("%v: %q, want %q", c.m, got, c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
