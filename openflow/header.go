package openflow

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderLen is the length of the header of every message, and so the shortest message.
const HeaderLen = 8

// MaxMessageLen is the longest message that its 16-bit length can tell.
const MaxMessageLen = 0xffff

// Header begins every message (OpenFlow 1.5.1, 7.1.1).
type Header struct {
	Version Version
	Type    Type
	// Length counts the whole message in bytes, the header included.
	Length uint16
	// XID ties a reply or an error to its request. A switch sends what nobody asked for with 0.
	XID uint32
}

// String is how people say the version: "1.3".
func (v Version) String() string {
	switch {
	case v == 1:
		return "1.0"
	case v >= 2 && v <= V15:
		return string([]byte{'1', '.', '0' + byte(v) - 1})
	}
	return fmt.Sprintf("0x%02x", uint8(v))
}

// Type is the type of a message, as on the wire. Types up to TypeMeterMod mean the same in 1.3, 1.4 and 1.5.
type Type uint8

// Message types (OpenFlow 1.5.1, 7.1.1).
const (
	TypeHello           Type = 0
	TypeError           Type = 1
	TypeEchoRequest     Type = 2
	TypeEchoReply       Type = 3
	TypeExperimenter    Type = 4
	TypeFeaturesRequest Type = 5
	TypeFeaturesReply   Type = 6
	TypeGetConfigReq    Type = 7
	TypeGetConfigReply  Type = 8
	TypeSetConfig       Type = 9
	TypePacketIn        Type = 10
	TypeFlowRemoved     Type = 11
	TypePortStatus      Type = 12
	TypePacketOut       Type = 13
	TypeFlowMod         Type = 14
	TypeGroupMod        Type = 15
	TypePortMod         Type = 16
	TypeTableMod        Type = 17
	TypeMultipartReq    Type = 18
	TypeMultipartReply  Type = 19
	TypeBarrierRequest  Type = 20
	TypeBarrierReply    Type = 21
	TypeRoleRequest     Type = 24
	TypeRoleReply       Type = 25
	TypeGetAsyncRequest Type = 26
	TypeGetAsyncReply   Type = 27
	TypeSetAsync        Type = 28
	TypeMeterMod        Type = 29
	TypeRoleStatus      Type = 30 // 1.4
	TypeTableStatus     Type = 31 // 1.4
	TypeRequestForward  Type = 32 // 1.4
	TypeBundleControl   Type = 33 // 1.4
	TypeBundleAdd       Type = 34 // 1.4
)

var typeNames = map[Type]string{
	TypeHello: "hello", TypeError: "error", TypeEchoRequest: "echo request", TypeEchoReply: "echo reply",
	TypeExperimenter: "experimenter message", TypeFeaturesRequest: "features request", TypeFeaturesReply: "features reply",
	TypeGetConfigReq: "get-config request", TypeGetConfigReply: "get-config reply", TypeSetConfig: "set-config",
	TypePacketIn: "packet-in", TypeFlowRemoved: "flow-removed", TypePortStatus: "port-status", TypePacketOut: "packet-out",
	TypeFlowMod: "flow-mod", TypeGroupMod: "group-mod", TypePortMod: "port-mod", TypeTableMod: "table-mod",
	TypeMultipartReq: "multipart request", TypeMultipartReply: "multipart reply", TypeBarrierRequest: "barrier request",
	TypeBarrierReply: "barrier reply", TypeRoleRequest: "role request", TypeRoleReply: "role reply",
	TypeGetAsyncRequest: "get-async request", TypeGetAsyncReply: "get-async reply", TypeSetAsync: "set-async",
	TypeMeterMod: "meter-mod", TypeRoleStatus: "role-status", TypeTableStatus: "table-status",
	TypeRequestForward: "request-forward", TypeBundleControl: "bundle-control", TypeBundleAdd: "bundle-add",
}

// String is the type in words, e.g. "flow-mod".
func (t Type) String() string {
	if s := typeNames[t]; s != "" {
		return s
	}
	return fmt.Sprintf("message of type %d", uint8(t))
}

// ParseHeader reads the header of a message. Of the message, only the header need have arrived.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, fmt.Errorf("header: %d bytes of %d", len(b), HeaderLen)
	}
	h := Header{Version: Version(b[0]), Type: Type(b[1]), Length: binary.BigEndian.Uint16(b[2:]), XID: binary.BigEndian.Uint32(b[4:])}
	if h.Length < HeaderLen {
		return h, fmt.Errorf("header: %v says that it is %d bytes long; no message is shorter than %d", h.Type, h.Length, HeaderLen)
	}
	return h, nil
}

// appendHeader begins a message; finish sets its length.
func appendHeader(b []byte, v Version, t Type, xid uint32) []byte {
	return append(b, byte(v), byte(t), 0, 0, byte(xid>>24), byte(xid>>16), byte(xid>>8), byte(xid))
}

// finish sets the length of the message that begins at start. A message longer than MaxMessageLen cannot be told: who
// sends must compare what Append added with MaxMessageLen.
func finish(b []byte, start int) []byte {
	putLen(b, start+2, len(b)-start)
	return b
}

func putLen(b []byte, at, n int) { binary.BigEndian.PutUint16(b[at:], uint16(n)) }

func appendU16(b []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(b, n) }
func appendU32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }
func appendU64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// appendZeros appends up to 16 zeros.
func appendZeros(b []byte, n int) []byte { return append(b, zeros[:n]...) }

// pad fills up to a multiple of 8 bytes counted from start.
func pad(b []byte, start int) []byte { return appendZeros(b, pad8(len(b)-start)) }

func pad8(n int) int { return -n & 7 }

var errShort = errors.New("it ends too early")

// cursor takes fields off the front of a message's body. After a step past the end it yields zeros and remembers that,
// so that a decoder needs to ask once, at its end.
type cursor struct {
	b     []byte
	off   int
	short bool
}

// body is a cursor behind the header of a message.
func body(b []byte) cursor { return cursor{b: b[HeaderLen:], off: HeaderLen} }

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	c.off += n
	return out
}

func (c *cursor) skip(n int) { c.take(n) }

// rest takes everything that is left.
func (c *cursor) rest() []byte { return c.take(len(c.b)) }

func (c *cursor) u8() uint8 {
	if f := c.take(1); f != nil {
		return f[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if f := c.take(2); f != nil {
		return binary.BigEndian.Uint16(f)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if f := c.take(4); f != nil {
		return binary.BigEndian.Uint32(f)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if f := c.take(8); f != nil {
		return binary.BigEndian.Uint64(f)
	}
	return 0
}

// match takes a match with its padding, unread.
func (c *cursor) match() RawMatch {
	if c.short || len(c.b) < 4 {
		c.short = true
		return nil
	}
	n := int(binary.BigEndian.Uint16(c.b[2:]))
	if n < 4 {
		c.short = true
		return nil
	}
	return RawMatch(c.take(n + pad8(n)))
}

func decodeMatch(m RawMatch) (Match, error) {
	out, _, err := ParseMatch(m)
	return out, err
}

func checkMatch(m RawMatch) error {
	_, err := ValidateMatch(m)
	return err
}

// err says whether the decoder stepped past the end.
func (c *cursor) err() error {
	if c.short {
		return fmt.Errorf("after byte %d: %w", c.off, errShort)
	}
	return nil
}

// end is err for a decoder that must have used every byte.
func (c *cursor) end() error {
	if c.short {
		return c.err()
	}
	if len(c.b) > 0 {
		return fmt.Errorf("after byte %d: %d bytes too many", c.off, len(c.b))
	}
	return nil
}

// text is a fixed-length field that holds a string up to its first zero byte.
func (c *cursor) text(n int) string {
	f := c.take(n)
	for i, ch := range f {
		if ch == 0 {
			return string(f[:i])
		}
	}
	return string(f)
}

// appendText is the inverse of text. What does not fit with one zero byte after it is cut.
func appendText(b []byte, s string, n int) []byte {
	b = append(b, s[:min(len(s), n-1)]...)
	for i := min(len(s), n-1); i < n; i++ {
		b = append(b, 0)
	}
	return b
}
