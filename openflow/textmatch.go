package openflow

import "strconv"

// Ethernet types and IP protocols that ovs-ofctl has words for.
const (
	ethIPv4      = 0x0800
	ethARP       = 0x0806
	ethRARP      = 0x8035
	ethIPv6      = 0x86dd
	ethMPLS      = 0x8847
	ethMPLSMcast = 0x8848
	ethNSH       = 0x894f

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// String writes the match as ovs-ofctl dump-flows does, without the priority.
func (m Match) String() string { return string(m.appendText(nil)) }

// appendText writes the match as match_format does: in an order that is neither that of the wire nor alphabetical.
func (m Match) appendText(b []byte) []byte {
	w := matchWriter{b: b}
	start := len(b)
	var buf [24]OXM
	w.index(normalize(append(buf[:0], m...)))
	w.write()
	if len(w.b) > start {
		w.b = w.b[:len(w.b)-1]
	}
	return w.b
}

func (w *matchWriter) write() {
	ethType, hasType := w.exact(EthType)
	proto, hasProto := w.exact(IPProto)
	w.metadata()
	if o := w.get(PacketType); o != nil && o.Uint() != 0 {
		w.b = appendPacketType(w.b, uint32(o.Uint()))
		w.end()
		if !hasType && o.Uint()>>16 == 1 {
			ethType = o.Uint() & 0xffff
		}
	}
	typeSaid, protoSaid := w.protocol(ethType, hasType, proto, hasProto)
	for i := range 16 {
		w.hex(fields[Reg(i)].name, Reg(i))
	}
	w.tunnel()
	w.hex("metadata", Metadata)
	w.port("in_port", InPort)
	w.vlan()
	w.mac("dl_src", EthSrc)
	w.mac("dl_dst", EthDst)
	if hasType && !typeSaid {
		w.name("dl_type")
		w.b = appendHexPadded(w.b, ethType, 4)
		w.end()
	}
	w.network(ethType, hasProto && !protoSaid)
	w.transport(ethType, proto)
	for i := range w.m {
		if o := &w.m[i]; o.Field == UnknownField {
			w.name("unknown")
			for j := range len(o.Value) {
				w.b = append(w.b, hexDigits[o.Value[j]>>4], hexDigits[o.Value[j]&15])
			}
			w.end()
		}
	}
}

func (w *matchWriter) metadata() {
	w.hex("pkt_mark", PktMark)
	w.hex("recirc_id", RecircID)
	w.hex("dp_hash", DPHash)
	w.dec("conj_id", ConjID, 1)
	w.port("actset_output", ActsetOutput)
	if o := w.get(CTState); o != nil {
		full := uint64(ctStateMask)
		if o.MaskUint() == ctStateNamed {
			full = ctStateNamed
		}
		w.flags("ct_state", CTState, ctStateNames, full)
	}
	w.dec("ct_zone", CTZone, 1)
	w.hex("ct_mark", CTMark)
	w.hex("ct_label", CTLabel)
	w.addr("ct_nw_src", CTNwSrc)
	w.addr("ct_ipv6_src", CTIPv6Src)
	w.addr("ct_nw_dst", CTNwDst)
	w.addr("ct_ipv6_dst", CTIPv6Dst)
	w.dec("ct_nw_proto", CTNwProto, 1)
	w.dec("ct_tp_src", CTTPSrc, 1)
	w.dec("ct_tp_dst", CTTPDst, 1)
}

// protocol writes the word for the packet's type and protocol, and tells how much of it the word says.
func (w *matchWriter) protocol(ethType uint64, hasType bool, proto uint64, hasProto bool) (typeSaid, protoSaid bool) {
	if !hasType {
		return false, false
	}
	if (ethType == ethIPv4 || ethType == ethIPv6) && hasProto {
		suffix := ""
		if ethType == ethIPv6 {
			suffix = "6"
		}
		word := ""
		switch {
		case proto == protoTCP:
			word = "tcp" + suffix
		case proto == protoUDP:
			word = "udp" + suffix
		case proto == protoSCTP:
			word = "sctp" + suffix
		case proto == protoICMP && ethType == ethIPv4:
			word = "icmp"
		case proto == protoICMPv6 && ethType == ethIPv6:
			word = "icmp6"
		}
		if word != "" {
			w.word(word)
			return true, true
		}
	}
	word := map[uint64]string{ethIPv4: "ip", ethIPv6: "ipv6", ethARP: "arp", ethRARP: "rarp", ethMPLS: "mpls",
		ethMPLSMcast: "mplsm"}[ethType]
	if word == "" {
		return false, false
	}
	w.word(word)
	return true, false
}

func (w *matchWriter) tunnel() {
	w.hex("tun_id", TunID)
	w.addr("tun_src", TunSrc)
	w.addr("tun_dst", TunDst)
	w.addr("tun_ipv6_src", TunIPv6Src)
	w.addr("tun_ipv6_dst", TunIPv6Dst)
	w.dec("tun_gbp_id", TunGBPID, 1)
	if o := w.get(TunGBPFlags); o != nil {
		w.name("tun_gbp_flags")
		w.b = appendHex(w.b, o.Uint())
		w.end()
	}
	w.unmasked("tun_erspan_ver", TunERSPANVer, false)
	version, _ := w.exact(TunERSPANVer)
	if version == 1 {
		w.unmasked("tun_erspan_idx", TunERSPANIdx, true)
	}
	if version == 2 {
		w.unmasked("tun_erspan_dir", TunERSPANDir, false)
		w.unmasked("tun_erspan_hwid", TunERSPANHWID, true)
	}
	w.unmasked("gtpu_flags", TunGTPUFlags, true)
	w.unmasked("gtpu_msgtype", TunGTPUMsgType, false)
	// Open vSwitch counts flags here that nobody can match: the mask is never full.
	w.flags("tun_flags", TunFlags, tunFlagNames, 0xffff)
	for i := range 64 {
		if o := w.get(TunMetadata(i)); o != nil && o.Mask != "" && stringZero(o.Mask) {
			w.word(fields[TunMetadata(i)].name)
		} else {
			w.hex(fields[TunMetadata(i)].name, TunMetadata(i))
		}
	}
}

// unmasked writes a value whose mask Open vSwitch never prints.
func (w *matchWriter) unmasked(name string, f Field, hex bool) {
	o := w.get(f)
	if o == nil {
		return
	}
	w.name(name)
	if hex {
		w.b = appendHex(w.b, o.Uint())
	} else {
		w.b = strconv.AppendUint(w.b, o.Uint(), 10)
	}
	w.end()
}

// vlan writes VlanVID and VlanPCP as dl_vlan and dl_vlan_pcp where they mean a tag that is there, else as vlan_tci.
func (w *matchWriter) vlan() {
	var tci, mask uint64
	if o := w.get(VlanVID); o != nil {
		tci, mask = o.Uint(), o.MaskUint()&vlanFieldMask
	}
	if o := w.get(VlanPCP); o != nil {
		tci, mask = tci|o.Uint()<<13, mask|0xe000
	}
	if mask == 0 {
		return
	}
	vid, pcp := mask&vlanVIDMask, mask&0xe000
	if mask&tci&VLANPresent != 0 && (vid == 0 || vid == vlanVIDMask) && (pcp == 0 || pcp == 0xe000) && vid|pcp != 0 {
		if vid != 0 {
			w.b = append(appendArg(w.b, "dl_vlan=", tci&vlanVIDMask), ',')
		}
		if pcp != 0 {
			w.b = append(appendArg(w.b, "dl_vlan_pcp=", tci>>13), ',')
		}
		return
	}
	w.name("vlan_tci")
	w.b = appendHexPadded(w.b, tci, 4)
	if mask != 0xffff {
		w.b = appendHexPadded(append(w.b, '/'), mask, 4)
	}
	w.end()
}

func (w *matchWriter) network(ethType uint64, protoUnsaid bool) {
	switch ethType {
	case ethIPv6:
		w.addr("ipv6_src", IPv6Src)
		w.addr("ipv6_dst", IPv6Dst)
		if o := w.get(IPv6Label); o != nil {
			w.name("ipv6_label")
			w.b = appendHexPadded(w.b, o.Uint(), 5)
			if o.Mask != "" {
				w.b = appendHexPadded(append(w.b, '/'), o.MaskUint(), 5)
			}
			w.end()
		}
	case ethARP, ethRARP:
		w.addr("arp_spa", ARPSPA)
		w.addr("arp_tpa", ARPTPA)
		w.dec("arp_op", ARPOp, 1)
		w.mac("arp_sha", ARPSHA)
		w.mac("arp_tha", ARPTHA)
	case ethNSH:
		w.nsh()
	default:
		w.addr("nw_src", IPv4Src)
		w.addr("nw_dst", IPv4Dst)
	}
	if protoUnsaid {
		w.dec("nw_proto", IPProto, 1)
	}
	if o := w.get(IPDSCP); o != nil {
		w.b = append(appendArg(w.b, "nw_tos=", o.Uint()<<2), ',')
	}
	w.dec("nw_ecn", IPECN, 1)
	w.dec("nw_ttl", IPTTL, 1)
	w.dec("mpls_label", MPLSLabel, 1)
	w.dec("mpls_tc", MPLSTC, 1)
	w.dec("mpls_ttl", MPLSTTL, 1)
	w.dec("mpls_bos", MPLSBOS, 1)
	if o := w.get(IPFrag); o != nil {
		w.name("nw_frag")
		w.word(fragName(*o))
	}
}

func (w *matchWriter) nsh() {
	w.dec("nsh_flags", NSHFlags, 2)
	w.dec("nsh_ttl", NSHTTL, 2)
	w.dec("nsh_mdtype", NSHMDType, 2)
	w.dec("nsh_np", NSHNP, 2)
	w.nshHex("nsh_spi", NSHSPI)
	w.dec("nsh_si", NSHSI, 2)
	if t, _ := w.exact(NSHMDType); t == 1 {
		for i, f := range []Field{NSHC1, NSHC2, NSHC3, NSHC4} {
			w.nshHex("nsh_c"+strconv.Itoa(i+1), f)
		}
	}
}

func (w *matchWriter) nshHex(name string, f Field) {
	if o := w.get(f); o != nil {
		w.name(name)
		w.b = appendHexPadded(w.b, o.Uint(), 1)
		if o.Mask != "" {
			w.b = appendHexPadded(append(w.b, '/'), o.MaskUint(), 1)
		}
		w.end()
	}
}

func (w *matchWriter) transport(ethType, proto uint64) {
	switch {
	case ethType == ethIPv4 && proto == protoICMP:
		w.dec("icmp_type", ICMPType, 1)
		w.dec("icmp_code", ICMPCode, 1)
	case ethType == ethIPv6 && proto == protoICMPv6:
		w.dec("icmp_type", ICMPv6Type, 1)
		w.dec("icmp_code", ICMPv6Code, 1)
		w.addr("nd_target", NDTarget)
		w.mac("nd_sll", NDSLL)
		w.mac("nd_tll", NDTLL)
		w.dec("nd_reserved", NDReserved, 1)
		w.dec("nd_options_type", NDOptionsType, 1)
	default:
		for _, f := range []Field{TCPSrc, UDPSrc, SCTPSrc} {
			w.dec("tp_src", f, 1)
		}
		for _, f := range []Field{TCPDst, UDPDst, SCTPDst} {
			w.dec("tp_dst", f, 1)
		}
		w.flags("tcp_flags", TCPFlags, tcpFlagNames, tcpFlagsMask)
	}
}
