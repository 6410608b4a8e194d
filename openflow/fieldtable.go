package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

// format is how ovs-ofctl writes a value.
type format uint8

const (
	asDecimal format = iota
	asHex
	asMAC
	asIPv4
	asIPv6
	asPort
	asPort16
	asCTState
	asFrag
	asTunFlags
	asTCPFlags
	asPacketType
)

// prerequisite is what a match must also say for a field to mean something (ovs-fields(7), "Prerequisites").
type prerequisite uint8

const (
	needsNothing prerequisite = iota
	needsEthernet
	needsVLAN
	needsMPLS
	needsIPv4
	needsIPv6
	needsIP
	needsTCP
	needsUDP
	needsSCTP
	needsICMPv4
	needsICMPv6
	needsND
	needsNDSolicit
	needsNDAdvert
	needsARP
	needsNSH
	needsCT
)

type fieldInfo struct {
	name, alias string
	bytes       uint8
	bits        uint16
	format      format
	needs       prerequisite
	maskable    bool
	writable    bool
	// codes are the field's names and numbers on the wire, as in ovs-fields(7), the oldest first.
	codes string

	wire []wireCode
	// plain is the index of the code in a match and in a set-field action of 1.3 and 1.4.
	plain int
}

// fields is ovs-fields(7) of Open vSwitch 3.1. bits is left out where it is 8 times bytes.
var fields = [numFields]fieldInfo{
	PacketType: {name: "packet_type", bytes: 4, format: asPacketType,
		codes: "OXM_OF_PACKET_TYPE(44)"},
	DPHash: {name: "dp_hash", bytes: 4, format: asHex, maskable: true,
		codes: "NXM_NX_DP_HASH(35) NXOXM_ET_DP_HASH(0)"},
	RecircID: {name: "recirc_id", bytes: 4,
		codes: "NXM_NX_RECIRC_ID(36)"},
	ConjID: {name: "conj_id", bytes: 4,
		codes: "NXM_NX_CONJ_ID(37)"},
	InPort: {name: "in_port_oxm", bytes: 4, format: asPort, writable: true,
		codes: "OXM_OF_IN_PORT(0)"},
	InPort16: {name: "in_port", bytes: 2, format: asPort16, writable: true,
		codes: "NXM_OF_IN_PORT(0)"},
	ActsetOutput: {name: "actset_output", bytes: 4, format: asPort,
		codes: "ONFOXM_ET_ACTSET_OUTPUT(43) OXM_OF_ACTSET_OUTPUT(43)@1.5"},
	EthSrc: {name: "eth_src", alias: "dl_src", bytes: 6, format: asMAC, needs: needsEthernet, maskable: true, writable: true,
		codes: "NXM_OF_ETH_SRC(2) OXM_OF_ETH_SRC(4)"},
	EthDst: {name: "eth_dst", alias: "dl_dst", bytes: 6, format: asMAC, needs: needsEthernet, maskable: true, writable: true,
		codes: "NXM_OF_ETH_DST(1) OXM_OF_ETH_DST(3)"},
	EthType: {name: "eth_type", alias: "dl_type", bytes: 2, format: asHex, needs: needsEthernet,
		codes: "NXM_OF_ETH_TYPE(3) OXM_OF_ETH_TYPE(5)"},
	VlanTCI: {name: "vlan_tci", bytes: 2, format: asHex, needs: needsEthernet, maskable: true, writable: true,
		codes: "NXM_OF_VLAN_TCI(4)"},
	VlanVID: {name: "vlan_vid", bytes: 2, bits: 12, needs: needsEthernet, maskable: true, writable: true,
		codes: "OXM_OF_VLAN_VID(6)"},
	VlanPCP: {name: "vlan_pcp", bytes: 1, bits: 3, needs: needsVLAN, writable: true,
		codes: "OXM_OF_VLAN_PCP(7)"},
	MPLSTC: {name: "mpls_tc", bytes: 1, bits: 3, needs: needsMPLS, writable: true,
		codes: "OXM_OF_MPLS_TC(35)"},
	MPLSBOS: {name: "mpls_bos", bytes: 1, bits: 1, needs: needsMPLS,
		codes: "OXM_OF_MPLS_BOS(36)"},
	MPLSTTL: {name: "mpls_ttl", bytes: 1, needs: needsMPLS, writable: true,
		codes: "NXM_NX_MPLS_TTL(30)"},
	MPLSLabel: {name: "mpls_label", bytes: 4, bits: 20, needs: needsMPLS, writable: true,
		codes: "OXM_OF_MPLS_LABEL(34)"},
	IPv4Src: {name: "ip_src", alias: "nw_src", bytes: 4, format: asIPv4, needs: needsIPv4, maskable: true, writable: true,
		codes: "NXM_OF_IP_SRC(7) OXM_OF_IPV4_SRC(11)"},
	IPv4Dst: {name: "ip_dst", alias: "nw_dst", bytes: 4, format: asIPv4, needs: needsIPv4, maskable: true, writable: true,
		codes: "NXM_OF_IP_DST(8) OXM_OF_IPV4_DST(12)"},
	IPv6Src: {name: "ipv6_src", bytes: 16, format: asIPv6, needs: needsIPv6, maskable: true, writable: true,
		codes: "NXM_NX_IPV6_SRC(19) OXM_OF_IPV6_SRC(26)"},
	IPv6Dst: {name: "ipv6_dst", bytes: 16, format: asIPv6, needs: needsIPv6, maskable: true, writable: true,
		codes: "NXM_NX_IPV6_DST(20) OXM_OF_IPV6_DST(27)"},
	IPFrag: {name: "ip_frag", alias: "nw_frag", bytes: 1, bits: 2, format: asFrag, needs: needsIP, maskable: true,
		codes: "NXM_NX_IP_FRAG(26)"},
	IPTOS: {name: "nw_tos", bytes: 1, needs: needsIP, writable: true,
		codes: "NXM_OF_IP_TOS(5)"},
	IPDSCP: {name: "ip_dscp", bytes: 1, bits: 6, needs: needsIP, writable: true,
		codes: "OXM_OF_IP_DSCP(8)"},
	IPECN: {name: "nw_ecn", alias: "ip_ecn", bytes: 1, bits: 2, needs: needsIP, writable: true,
		codes: "NXM_NX_IP_ECN(28) OXM_OF_IP_ECN(9)"},
	IPTTL: {name: "nw_ttl", bytes: 1, needs: needsIP, writable: true,
		codes: "NXM_NX_IP_TTL(29)"},
	IPv6Label: {name: "ipv6_label", bytes: 4, bits: 20, format: asHex, needs: needsIPv6, maskable: true, writable: true,
		codes: "NXM_NX_IPV6_LABEL(27) OXM_OF_IPV6_FLABEL(28)"},
	IPProto: {name: "nw_proto", alias: "ip_proto", bytes: 1, needs: needsIP,
		codes: "NXM_OF_IP_PROTO(6) OXM_OF_IP_PROTO(10)"},
	TCPSrc: {name: "tcp_src", alias: "tp_src", bytes: 2, needs: needsTCP, maskable: true, writable: true,
		codes: "NXM_OF_TCP_SRC(9) OXM_OF_TCP_SRC(13)"},
	TCPDst: {name: "tcp_dst", alias: "tp_dst", bytes: 2, needs: needsTCP, maskable: true, writable: true,
		codes: "NXM_OF_TCP_DST(10) OXM_OF_TCP_DST(14)"},
	TCPFlags: {name: "tcp_flags", bytes: 2, bits: 12, format: asTCPFlags, needs: needsTCP, maskable: true,
		codes: "NXM_NX_TCP_FLAGS(34) ONFOXM_ET_TCP_FLAGS(42) OXM_OF_TCP_FLAGS(42)@1.5"},
	UDPSrc: {name: "udp_src", bytes: 2, needs: needsUDP, maskable: true, writable: true,
		codes: "NXM_OF_UDP_SRC(11) OXM_OF_UDP_SRC(15)"},
	UDPDst: {name: "udp_dst", bytes: 2, needs: needsUDP, maskable: true, writable: true,
		codes: "NXM_OF_UDP_DST(12) OXM_OF_UDP_DST(16)"},
	SCTPSrc: {name: "sctp_src", bytes: 2, needs: needsSCTP, maskable: true, writable: true,
		codes: "OXM_OF_SCTP_SRC(17)"},
	SCTPDst: {name: "sctp_dst", bytes: 2, needs: needsSCTP, maskable: true, writable: true,
		codes: "OXM_OF_SCTP_DST(18)"},
	ICMPType: {name: "icmp_type", bytes: 1, needs: needsICMPv4, writable: true,
		codes: "NXM_OF_ICMP_TYPE(13) OXM_OF_ICMPV4_TYPE(19)"},
	ICMPCode: {name: "icmp_code", bytes: 1, needs: needsICMPv4, writable: true,
		codes: "NXM_OF_ICMP_CODE(14) OXM_OF_ICMPV4_CODE(20)"},
	ICMPv6Type: {name: "icmpv6_type", bytes: 1, needs: needsICMPv6, writable: true,
		codes: "NXM_NX_ICMPV6_TYPE(21) OXM_OF_ICMPV6_TYPE(29)"},
	ICMPv6Code: {name: "icmpv6_code", bytes: 1, needs: needsICMPv6, writable: true,
		codes: "NXM_NX_ICMPV6_CODE(22) OXM_OF_ICMPV6_CODE(30)"},
	NDReserved: {name: "nd_reserved", bytes: 4, needs: needsND, writable: true,
		codes: "ERICOXM_OF_ICMPV6_ND_RESERVED(1)"},
	NDTarget: {name: "nd_target", bytes: 16, format: asIPv6, needs: needsND, maskable: true, writable: true,
		codes: "NXM_NX_ND_TARGET(23) OXM_OF_IPV6_ND_TARGET(31)"},
	NDOptionsType: {name: "nd_options_type", bytes: 1, needs: needsND, writable: true,
		codes: "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE(2)"},
	NDSLL: {name: "nd_sll", bytes: 6, format: asMAC, needs: needsNDSolicit, maskable: true, writable: true,
		codes: "NXM_NX_ND_SLL(24) OXM_OF_IPV6_ND_SLL(32)"},
	NDTLL: {name: "nd_tll", bytes: 6, format: asMAC, needs: needsNDAdvert, maskable: true, writable: true,
		codes: "NXM_NX_ND_TLL(25) OXM_OF_IPV6_ND_TLL(33)"},
	ARPOp: {name: "arp_op", bytes: 2, needs: needsARP, writable: true,
		codes: "NXM_OF_ARP_OP(15) OXM_OF_ARP_OP(21)"},
	ARPSPA: {name: "arp_spa", bytes: 4, format: asIPv4, needs: needsARP, maskable: true, writable: true,
		codes: "NXM_OF_ARP_SPA(16) OXM_OF_ARP_SPA(22)"},
	ARPTPA: {name: "arp_tpa", bytes: 4, format: asIPv4, needs: needsARP, maskable: true, writable: true,
		codes: "NXM_OF_ARP_TPA(17) OXM_OF_ARP_TPA(23)"},
	ARPSHA: {name: "arp_sha", bytes: 6, format: asMAC, needs: needsARP, maskable: true, writable: true,
		codes: "NXM_NX_ARP_SHA(17) OXM_OF_ARP_SHA(24)"},
	ARPTHA: {name: "arp_tha", bytes: 6, format: asMAC, needs: needsARP, maskable: true, writable: true,
		codes: "NXM_NX_ARP_THA(18) OXM_OF_ARP_THA(25)"},
	TunID: {name: "tun_id", alias: "tunnel_id", bytes: 8, format: asHex, maskable: true, writable: true,
		codes: "NXM_NX_TUN_ID(16) OXM_OF_TUNNEL_ID(38)"},
	TunFlags: {name: "tun_flags", bytes: 2, bits: 1, format: asTunFlags, maskable: true, writable: true,
		codes: "NXM_NX_TUN_FLAGS(104)"},
	TunSrc: {name: "tun_src", bytes: 4, format: asIPv4, maskable: true, writable: true,
		codes: "NXM_NX_TUN_IPV4_SRC(31)"},
	TunDst: {name: "tun_dst", bytes: 4, format: asIPv4, maskable: true, writable: true,
		codes: "NXM_NX_TUN_IPV4_DST(32)"},
	TunIPv6Src: {name: "tun_ipv6_src", bytes: 16, format: asIPv6, maskable: true, writable: true,
		codes: "NXM_NX_TUN_IPV6_SRC(109)"},
	TunIPv6Dst: {name: "tun_ipv6_dst", bytes: 16, format: asIPv6, maskable: true, writable: true,
		codes: "NXM_NX_TUN_IPV6_DST(110)"},
	TunGBPID: {name: "tun_gbp_id", bytes: 2, maskable: true, writable: true,
		codes: "NXM_NX_TUN_GBP_ID(38)"},
	TunGBPFlags: {name: "tun_gbp_flags", bytes: 1, format: asHex, maskable: true, writable: true,
		codes: "NXM_NX_TUN_GBP_FLAGS(39)"},
	TunERSPANIdx: {name: "tun_erspan_idx", bytes: 4, bits: 20, format: asHex, maskable: true, writable: true,
		codes: "NXOXM_ET_ERSPAN_IDX(11)"},
	TunERSPANVer: {name: "tun_erspan_ver", bytes: 1, bits: 4, maskable: true, writable: true,
		codes: "NXOXM_ET_ERSPAN_VER(12)"},
	TunERSPANDir: {name: "tun_erspan_dir", bytes: 1, bits: 1, maskable: true, writable: true,
		codes: "NXOXM_ET_ERSPAN_DIR(13)"},
	TunERSPANHWID: {name: "tun_erspan_hwid", bytes: 1, bits: 6, format: asHex, maskable: true, writable: true,
		codes: "NXOXM_ET_ERSPAN_HWID(14)"},
	TunGTPUFlags: {name: "tun_gtpu_flags", bytes: 1, format: asHex, maskable: true,
		codes: "NXOXM_ET_GTPU_FLAGS(15)"},
	TunGTPUMsgType: {name: "tun_gtpu_msgtype", bytes: 1, maskable: true,
		codes: "NXOXM_ET_GTPU_MSGTYPE(16)"},
	NSHFlags: {name: "nsh_flags", bytes: 1, needs: needsNSH, maskable: true, writable: true,
		codes: "NXOXM_NSH_FLAGS(1)"},
	NSHTTL: {name: "nsh_ttl", bytes: 1, needs: needsNSH, writable: true,
		codes: "NXOXM_NSH_TTL(10)"},
	NSHMDType: {name: "nsh_mdtype", bytes: 1, needs: needsNSH,
		codes: "NXOXM_NSH_MDTYPE(2)"},
	NSHNP: {name: "nsh_np", bytes: 1, needs: needsNSH,
		codes: "NXOXM_NSH_NP(3)"},
	NSHSPI: {name: "nsh_spi", alias: "nsp", bytes: 4, bits: 24, format: asHex, needs: needsNSH, writable: true,
		codes: "NXOXM_NSH_SPI(4)"},
	NSHSI: {name: "nsh_si", alias: "nsi", bytes: 1, needs: needsNSH, writable: true,
		codes: "NXOXM_NSH_SI(5)"},
	NSHC1: {name: "nsh_c1", alias: "nshc1", bytes: 4, format: asHex, needs: needsNSH, maskable: true, writable: true,
		codes: "NXOXM_NSH_C1(6)"},
	NSHC2: {name: "nsh_c2", alias: "nshc2", bytes: 4, format: asHex, needs: needsNSH, maskable: true, writable: true,
		codes: "NXOXM_NSH_C2(7)"},
	NSHC3: {name: "nsh_c3", alias: "nshc3", bytes: 4, format: asHex, needs: needsNSH, maskable: true, writable: true,
		codes: "NXOXM_NSH_C3(8)"},
	NSHC4: {name: "nsh_c4", alias: "nshc4", bytes: 4, format: asHex, needs: needsNSH, maskable: true, writable: true,
		codes: "NXOXM_NSH_C4(9)"},
	PktMark: {name: "pkt_mark", bytes: 4, format: asHex, maskable: true, writable: true,
		codes: "NXM_NX_PKT_MARK(33)"},
	CTState: {name: "ct_state", bytes: 4, format: asCTState, maskable: true,
		codes: "NXM_NX_CT_STATE(105)"},
	CTZone: {name: "ct_zone", bytes: 2, format: asHex,
		codes: "NXM_NX_CT_ZONE(106)"},
	CTMark: {name: "ct_mark", bytes: 4, format: asHex, maskable: true, writable: true,
		codes: "NXM_NX_CT_MARK(107)"},
	CTLabel: {name: "ct_label", bytes: 16, format: asHex, maskable: true, writable: true,
		codes: "NXM_NX_CT_LABEL(108)"},
	CTNwSrc: {name: "ct_nw_src", bytes: 4, format: asIPv4, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_NW_SRC(120)"},
	CTIPv6Src: {name: "ct_ipv6_src", bytes: 16, format: asIPv6, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_IPV6_SRC(122)"},
	CTNwDst: {name: "ct_nw_dst", bytes: 4, format: asIPv4, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_NW_DST(121)"},
	CTIPv6Dst: {name: "ct_ipv6_dst", bytes: 16, format: asIPv6, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_IPV6_DST(123)"},
	CTNwProto: {name: "ct_nw_proto", bytes: 1, needs: needsCT,
		codes: "NXM_NX_CT_NW_PROTO(119)"},
	CTTPSrc: {name: "ct_tp_src", bytes: 2, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_TP_SRC(124)"},
	CTTPDst: {name: "ct_tp_dst", bytes: 2, needs: needsCT, maskable: true,
		codes: "NXM_NX_CT_TP_DST(125)"},
	Metadata: {name: "metadata", bytes: 8, format: asHex, maskable: true, writable: true,
		codes: "OXM_OF_METADATA(2)"},
	UnknownField: {name: "unknown"},
}

var fieldsByName = make(map[string]Field, 512)

func init() {
	series := func(first Field, n int, info fieldInfo, code string, from int) {
		for i := range n {
			f := info
			f.name += strconv.Itoa(i)
			f.codes = fmt.Sprintf(code, i, from+i)
			fields[first+Field(i)] = f
		}
	}
	series(Reg0, 16, fieldInfo{name: "reg", bytes: 4, format: asHex, maskable: true, writable: true}, "NXM_NX_REG%d(%d)", 0)
	series(XReg0, 8, fieldInfo{name: "xreg", bytes: 8, format: asHex, maskable: true, writable: true}, "OXM_OF_PKT_REG%d(%d)", 0)
	series(XXReg0, 4, fieldInfo{name: "xxreg", bytes: 16, format: asHex, maskable: true, writable: true}, "NXM_NX_XXREG%d(%d)", 111)
	series(TunMetadata0, 64, fieldInfo{name: "tun_metadata", bytes: maxTunMetadata, format: asHex, maskable: true, writable: true},
		"NXM_NX_TUN_METADATA%d(%d)", 40)
	for f := range numFields {
		info := &fields[f]
		if info.bits == 0 {
			info.bits = 8 * uint16(info.bytes)
		}
		for _, c := range strings.Fields(info.codes) {
			info.addCode(f, c)
		}
		for _, n := range []string{info.name, info.alias} {
			if n != "" && f != UnknownField {
				fieldsByName[n] = f
			}
		}
	}
}
