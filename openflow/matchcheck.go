package openflow

import "fmt"

// Check says which field of the match lacks what it needs; a switch would refuse the match
// (ovs-fields(7), "Prerequisites"). The match must be canonical.
func (m Match) Check() error {
	var w matchWriter
	w.index(m)
	for i := range m {
		f := m[i].Field.Plain()
		if need := f.info().needs; !w.meets(need) {
			return fmt.Errorf("%v is matched without %s", f, needNames[need])
		}
	}
	return nil
}

var needNames = [...]string{
	needsVLAN: "a VLAN id", needsMPLS: "mpls or mplsm", needsIPv4: "ip", needsIPv6: "ipv6", needsIP: "ip or ipv6",
	needsTCP: "tcp or tcp6", needsUDP: "udp or udp6", needsSCTP: "sctp or sctp6", needsICMPv4: "icmp",
	needsICMPv6: "icmp6", needsND: "icmp6,icmp_type=135 or 136", needsNDSolicit: "icmp6,icmp_type=135",
	needsNDAdvert: "icmp6,icmp_type=136", needsARP: "arp or rarp", needsNSH: "nsh",
	needsCT: "ip or ipv6 and ct_state=+trk-inv, +new, +est, +rel, +rpl, +snat or +dnat",
}

func (w *matchWriter) meets(need prerequisite) bool {
	ethType, _ := w.exact(EthType)
	if o := w.get(PacketType); o != nil && o.Uint()>>16 == 1 {
		ethType = o.Uint() & 0xffff
	}
	proto, _ := w.exact(IPProto)
	icmp, _ := w.exact(ICMPv6Type)
	ip := ethType == ethIPv4 || ethType == ethIPv6
	switch need {
	case needsVLAN:
		o := w.get(VlanVID)
		return o != nil && o.Uint()&VLANPresent != 0
	case needsMPLS:
		return ethType == ethMPLS || ethType == ethMPLSMcast
	case needsIPv4:
		return ethType == ethIPv4
	case needsIPv6:
		return ethType == ethIPv6
	case needsIP:
		return ip
	case needsTCP:
		return ip && proto == protoTCP
	case needsUDP:
		return ip && proto == protoUDP
	case needsSCTP:
		return ip && proto == protoSCTP
	case needsICMPv4:
		return ethType == ethIPv4 && proto == protoICMP
	case needsICMPv6:
		return ethType == ethIPv6 && proto == protoICMPv6
	case needsND:
		return ethType == ethIPv6 && proto == protoICMPv6 && (icmp == 135 || icmp == 136)
	case needsNDSolicit:
		return ethType == ethIPv6 && proto == protoICMPv6 && icmp == 135
	case needsNDAdvert:
		return ethType == ethIPv6 && proto == protoICMPv6 && icmp == 136
	case needsARP:
		return ethType == ethARP || ethType == ethRARP
	case needsNSH:
		return ethType == ethNSH
	case needsCT:
		// Only a valid connection has an original direction.
		o := w.get(CTState)
		return ip && o != nil && (o.Uint()&(CTNew|CTEstablished|CTRelated|CTReply|CTSourceNAT|CTDestNAT) != 0 ||
			o.Uint()&CTTracked != 0 && o.MaskUint()&CTInvalid != 0 && o.Uint()&CTInvalid == 0)
	}
	return true
}
