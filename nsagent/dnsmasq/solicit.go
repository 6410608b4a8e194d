package dnsmasq

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where things are in a frame that holds a message of DHCPv6: Ethernet, IPv6 without extension headers, UDP.
const (
	atSource     = 6
	atEtherType  = 12
	atIPv6       = 14
	atNextHeader = atIPv6 + 6
	atUDP        = atIPv6 + 40
	atPort       = atUDP + 2
	atLength     = atUDP + 4
	atMessage    = atUDP + 8
	atOptions    = atMessage + 4 // after message type and transaction id
)

// maxFrame is the longest frame that is read. Solicits have a few hundred bytes; one that is cut short is none.
const maxFrame = 4096

// solicits lets through the Solicits of machines. Those that a relay forwards are inside another message.
var solicits = []bpf.Instruction{
	bpf.LoadAbsolute{Off: atEtherType, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IPV6, SkipTrue: 7},
	bpf.LoadAbsolute{Off: atNextHeader, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: 5},
	bpf.LoadAbsolute{Off: atPort, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: serverPort6, SkipTrue: 3},
	bpf.LoadAbsolute{Off: atMessage, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: messageSolicit, SkipTrue: 1},
	bpf.RetConstant{Val: maxFrame},
	bpf.RetConstant{Val: 0},
}

// asker is a machine that solicits.
type asker struct {
	// mac is what the frame came from.
	mac string
	// duid is the machine's, and associations those that it wants addresses for.
	duid         []byte
	associations []association
}

// association is an IA_NA or IA_TA of a machine.
type association struct {
	option uint16
	iaid   uint32
}

// has says whether a lease is the asker's own.
func (a asker) has(l lease) bool {
	duid, err := parseDUID(l.client)
	iaid, option, bad := l.association()
	return err == nil && bad == nil && bytes.Equal(duid, a.duid) && slices.Contains(a.associations, association{option, iaid})
}

// readSolicit reads a frame that solicits lets through. ok says that it is whole, and asks for addresses.
func readSolicit(frame []byte) (a asker, ok bool) {
	if len(frame) < atOptions || frame[atMessage] != messageSolicit {
		return a, false
	}
	end := atUDP + int(binary.BigEndian.Uint16(frame[atLength:]))
	if end < atOptions || end > len(frame) {
		return a, false
	}
	a.mac = net.HardwareAddr(frame[atSource:][:6]).String()
	for b := frame[atOptions:end]; len(b) > 0; {
		if len(b) < 4 {
			return a, false
		}
		option, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; size > len(b) {
			return a, false
		}
		value := b[:size]
		b = b[size:]
		switch {
		case option == optionClientID && a.duid == nil:
			a.duid = bytes.Clone(value)
		case option == optionNA && size >= 12, option == optionTA && size >= 4: // RFC 8415, sections 21.4 and 21.5
			a.associations = append(a.associations, association{option, binary.BigEndian.Uint32(value)})
		}
	}
	return a, len(a.duid) > 0 && len(a.duid) <= maxDUID && len(a.associations) > 0
}
