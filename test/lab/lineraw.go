package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// packets is an end of a Line that sends and hears single packets.
type packets struct {
	net.PacketConn
	// to is whom it tells. One that answers does not know before it has heard something.
	to net.Addr
	// raw is nil for datagrams: they are what is said, and nothing else comes to their port.
	raw *rawEnd
}

// Write sends what an end says.
func (p *packets) Write(word []byte) (int, error) {
	if p.to == nil {
		return 0, errors.New("it has heard nothing that it could answer")
	}
	if p.raw != nil {
		word = p.raw.packet(word)
	}
	return p.WriteTo(word, p.to)
}

// Read hears what the other end says.
func (p *packets) Read(b []byte) (int, error) {
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return 0, err
		}
		word := b[:n]
		if p.raw != nil {
			if word = p.raw.word(word); word == nil {
				continue
			}
		}
		if p.to == nil {
			p.to = from
		}
		return copy(b, word), nil
	}
}

// rawEnd is how the packets of an end look. A raw socket hears all packets of its protocol, so that each Line has a number, which is
// in all of its packets.
type rawEnd struct {
	protocol     uint8
	says, hears  []byte
	echo, number uint16
}

var lineNumbers atomic.Uint32

// rawEnds are those of a Line. The opener asks for an echo, and who answers sends one; that it is not of what was asked nobody on the
// way looks at. Other protocols begin as GRE does.
func rawEnds(protocol uint8) [2]*rawEnd {
	number := uint16(lineNumbers.Add(1))
	asks, answers := rawQuestion, rawAnswer
	switch protocol {
	case protoICMP:
		asks, answers = []byte{8, 0}, []byte{0, 0}
	case protoICMPv6:
		asks, answers = []byte{128, 0}, []byte{129, 0}
	}
	return [2]*rawEnd{Opener: {protocol, asks, answers, number, number}, Answerer: {protocol, answers, asks, 0, number}}
}

func (r *rawEnd) isEcho() bool { return r.protocol == protoICMP || r.protocol == protoICMPv6 }

// packet is what the end sends to say something. The kernel puts in the checksum of ICMPv6.
func (r *rawEnd) packet(word []byte) []byte {
	b := bytes.Clone(r.says)
	if r.isEcho() {
		b = binary.BigEndian.AppendUint16(append(b, 0, 0), r.echo)
	}
	b = append(binary.BigEndian.AppendUint16(b, r.number), word...)
	if r.protocol == protoICMP {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// word is what the other end has said by a packet; nil if the packet is not of the Line.
func (r *rawEnd) word(packet []byte) []byte {
	rest, ours := bytes.CutPrefix(packet, r.hears)
	var echo uint16
	if r.isEcho() {
		if len(rest) < 4 {
			return nil
		}
		// A router that translates may choose another identifier: who answers takes the one that it hears.
		echo, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	word, numbered := bytes.CutPrefix(rest, binary.BigEndian.AppendUint16(nil, r.number))
	if !ours || !numbered || r.isEcho() && r.echo != 0 && r.echo != echo {
		return nil
	}
	r.echo = echo
	return word
}

func (l *Line) openRaw(protocol string, way Way) error {
	number, network := uint8(protoICMP), "ip4:"
	if way.Called.Is6() {
		number, network = protoICMPv6, "ip6:"
	}
	if text, other := strings.CutPrefix(protocol, "ip:"); other {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return fmt.Errorf("protocol %s: %w", protocol, err)
		}
		number = uint8(n)
	} else if protocol != "icmp" {
		return fmt.Errorf("protocol %s: it is none of tcp, udp, icmp and ip:NUMBER", protocol)
	}
	network += strconv.Itoa(int(number))
	raw := rawEnds(number)
	for _, e := range []struct {
		end int
		box *nsbox.Box
		own netip.Addr
		to  net.Addr
	}{{Opener, way.From, way.Source, &net.IPAddr{IP: way.Called.AsSlice()}}, {Answerer, way.To, way.own(), nil}} {
		own := ""
		if e.own.IsValid() {
			own = e.own.String()
		}
		if err := within(e.box, func() error {
			c, err := net.ListenPacket(network, own)
			if err == nil {
				l.ends[e.end] = &packets{PacketConn: c, to: e.to, raw: raw[e.end]}
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
