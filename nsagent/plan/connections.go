package plan

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Connection is an entry of a connection tracker.
type Connection struct {
	Protocol uint8
	// Orig is of the first packet, Reply of its answers.
	Orig, Reply Tuple
	Mark        uint32
	// State is TCP's or SCTP's, as Open vSwitch spells it: ESTABLISHED. Its userspace tracker knows none of SCTP's.
	State string
	// Joined: of one of TCP, its beginning was not seen.
	Joined bool
	// Tags are SCTP's: the verification tags of packets in both directions; 0 is unknown.
	Tags Tags
	// Unanswered: of one that is not TCP's, no answer was seen.
	Unanswered bool
}

// Tuple is one direction of a connection.
type Tuple struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	// ID, Type and Code are of ICMP.
	ID         uint16
	Type, Code uint8
}

// Numbers of protocols (IANA).
const (
	icmpProto, tcpProto, udpProto, dccpProto, icmpv6Proto, sctpProto, udpLiteProto uint8 = 1, 6, 17, 33, 58, 132, 136
)

var trackedPattern = regexp.MustCompile(`^(\w+),orig=\(([^)]*)\),reply=\(([^)]*)\)(.*)$`)

// ParseConnections reads what "ovs-appctl dpctl/dump-conntrack" printed. What it does not understand it leaves out: such a
// connection has to begin anew.
func ParseConnections(text string) []Connection {
	var out []Connection
	for line := range strings.Lines(text) {
		m := trackedPattern.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		var c Connection
		switch m[1] {
		case "tcp":
			c.Protocol = tcpProto
		case "udp":
			c.Protocol = udpProto
		case "icmp":
			c.Protocol = icmpProto
		case "icmpv6":
			c.Protocol = icmpv6Proto
		case "sctp":
			c.Protocol = sctpProto
		default:
			n, err := strconv.ParseUint(m[1], 10, 8)
			if err != nil {
				continue // its ports are of another form with the kernel
			}
			c.Protocol = uint8(n)
		}
		var ok [2]bool
		c.Orig, ok[0] = parseTuple(m[2])
		c.Reply, ok[1] = parseTuple(m[3])
		if !ok[0] || !ok[1] || c.Orig.Src.Is4() != c.Reply.Src.Is4() {
			continue
		}
		for _, f := range strings.Split(m[4], ",") {
			switch key, value, _ := strings.Cut(f, "="); key {
			case "mark":
				n, _ := strconv.ParseUint(value, 0, 32)
				c.Mark = uint32(n)
			case "protoinfo":
				c.State = strings.TrimSuffix(strings.TrimPrefix(value, "(state="), ")")
			case "vtag_orig":
				c.Tags.Orig = parseTag(value)
			case "vtag_reply":
				c.Tags.Reply = parseTag(value)
			}
		}
		out = append(out, c)
	}
	return out
}

func parseTag(s string) uint32 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(s, ")"), 10, 32)
	return uint32(n)
}

func parseTuple(s string) (Tuple, bool) {
	var t Tuple
	number := func(v string, bits int) uint16 {
		n, _ := strconv.ParseUint(v, 10, bits)
		return uint16(n)
	}
	for _, f := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "src":
			t.Src, _ = netip.ParseAddr(value)
		case "dst":
			t.Dst, _ = netip.ParseAddr(value)
		case "sport":
			t.SrcPort = number(value, 16)
		case "dport":
			t.DstPort = number(value, 16)
		case "id":
			t.ID = number(value, 16)
		case "type":
			t.Type = uint8(number(value, 8))
		case "code":
			t.Code = uint8(number(value, 8))
		}
	}
	return t, t.Src.IsValid() && t.Dst.IsValid() && t.Src.Is4() == t.Dst.Is4() && t.Src.Zone() == "" && t.Dst.Zone() == ""
}

// Of says whether a connection has an end at a port's addresses.
func (c Connection) Of(senders []Sender) bool {
	return slices.ContainsFunc(senders, func(s Sender) bool { return s.Prefix.Contains(c.Orig.Src) || s.Prefix.Contains(c.Orig.Dst) })
}

// Replied says whether an answer was seen.
func (c Connection) Replied() bool { return c.State != "SYN_SENT" && !c.Unanswered }

// Over says whether the connection has ended.
func (c Connection) Over() bool {
	return slices.Contains([]string{"CLOSED", "CLOSE", "TIME_WAIT", "CLOSING", "LAST_ACK", "SHUTDOWN_ACK_SENT"}, c.State)
}
