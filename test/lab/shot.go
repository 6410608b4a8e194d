package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
)

// Numbers of IP protocols (IANA, "Protocol Numbers") that shots know more of than the number.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// errorAnswer is an answer that refuses: a reset, or that nobody listens.
type errorAnswer struct{ error }

// once is one try. The answer is the address that a server saw.
func once(ctx context.Context, s Shot, number uint16) (netip.Addr, error) {
	switch s.Protocol {
	case protoTCP, protoUDP:
		caller, err := onceByPort(ctx, s)
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
			err = errorAnswer{err}
		}
		return caller, err
	case protoICMP, protoICMPv6:
		return netip.Addr{}, onceRaw(ctx, s, question(s, number), func(b []byte) bool { return answers(s, number, b) })
	}
	payload := stranger(number)
	if s.Protocol == protoSCTP {
		payload = sctpInit(number, s.Port)
	}
	return netip.Addr{}, onceRaw(ctx, s, payload, func(b []byte) bool { return bytes.Equal(b, reflected(s.Protocol, payload)) })
}

func onceByPort(ctx context.Context, s Shot) (netip.Addr, error) {
	dialer := net.Dialer{}
	network := "tcp"
	if s.Protocol == protoUDP {
		network = "udp"
	}
	if s.From.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.From, 0))
		if network == "udp" {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.From, 0))
		}
	}
	conn, err := dialer.DialContext(ctx, network, netip.AddrPortFrom(s.To, s.Port).String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return netip.Addr{}, err
		}
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return netip.Addr{}, err
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return netip.Addr{}, err
	}
	var g Greeting
	err = json.Unmarshal(line, &g)
	return g.Caller.Addr(), err
}

// onceRaw sends a payload by IP, and waits for one that answers.
func onceRaw(ctx context.Context, s Shot, payload []byte, answers func([]byte) bool) error {
	network := fmt.Sprintf("ip4:%d", s.Protocol)
	if s.To.Is6() {
		network = fmt.Sprintf("ip6:%d", s.Protocol)
	}
	own := ""
	if s.From.IsValid() {
		own = s.From.String()
	}
	conn, err := net.ListenPacket(network, own)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	to := &net.IPAddr{IP: s.To.AsSlice()}
	if _, err := conn.WriteTo(payload, to); err != nil {
		return err
	}
	buffer := make([]byte, 1<<12)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if from.(*net.IPAddr).IP.Equal(to.IP) && answers(buffer[:n]) {
			return nil
		}
	}
}

// ICMP types of questions and of what answers to them (RFC 792; RFC 4443, section 4).
var icmpAnswers = map[uint8]map[uint8]uint8{
	protoICMP:   {8: 0, 13: 14},
	protoICMPv6: {128: 129},
}

// question is an ICMP message: a type, a code, a checksum, an identifier, a sequence number, and room for timestamps. The
// kernel puts in the checksum of ICMPv6 (RFC 3542, section 3.1).
func question(s Shot, number uint16) []byte {
	b := make([]byte, 20)
	b[0], b[1] = s.Type, s.Code
	binary.BigEndian.PutUint16(b[4:], number)
	binary.BigEndian.PutUint16(b[6:], 1)
	if s.Protocol == protoICMP {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// answers says whether a message answers to the question with a number.
func answers(s Shot, number uint16, b []byte) bool {
	want, known := icmpAnswers[s.Protocol][s.Type]
	return known && len(b) >= 8 && b[0] == want && binary.BigEndian.Uint16(b[4:]) == number
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// Payloads of other protocols begin with a GRE header that carries nothing known (RFC 2784; ethertype 0x88b5 is for
// experiments), so that GRE can be one of them. Then comes who speaks.
var (
	rawQuestion = []byte{0, 0, 0x88, 0xb5, 'a', 's', 'k', ' '}
	rawAnswer   = []byte{0, 0, 0x88, 0xb5, 's', 'a', 'y', ' '}
)

// stranger is what asks by another protocol.
func stranger(number uint16) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(rawQuestion), uint64(number))
}

// reflected is what answers to a question by SCTP or another protocol; nil when it is no question.
func reflected(protocol uint8, payload []byte) []byte {
	if protocol == protoSCTP {
		return sctpAck(payload)
	}
	rest, isQuestion := bytes.CutPrefix(payload, rawQuestion)
	if !isQuestion {
		return nil
	}
	return append(bytes.Clone(rawAnswer), rest...)
}

// answerRaw answers questions by another protocol, from the address that was asked.
func answerRaw(conn net.PacketConn, protocol uint8) error {
	buffer := make([]byte, 1<<12)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if answer := reflected(protocol, buffer[:n]); answer != nil {
			// An answer that cannot be sent is missed by who asked.
			_, _ = conn.WriteTo(answer, from)
		}
	}
}
