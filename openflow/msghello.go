package openflow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Hello opens a connection from both sides (OpenFlow 1.5.1, 7.5.1). The version in its header is the highest offered.
type Hello struct {
	// Bitmap has bit v set for each wire version v below 32 that is offered. 0 means that the peer sent no bitmap and
	// accepts every version up to the one in its header.
	Bitmap uint32
	// Elements are the elements as received. When nil, Append makes them from Bitmap.
	Elements []byte
}

const helloVersionBitmap = 1 // OFPHET_VERSIONBITMAP

// NewHello offers versions.
func NewHello(versions ...Version) *Hello {
	h := &Hello{}
	for _, v := range versions {
		h.Bitmap |= 1 << (v & 31)
	}
	return h
}

// Append implements Message. v should be the highest version offered.
func (m *Hello) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendHeader(b, v, TypeHello, xid)
	switch {
	case m.Elements != nil:
		b = append(b, m.Elements...)
	case m.Bitmap != 0:
		b = appendU32(appendU16(appendU16(b, helloVersionBitmap), 8), m.Bitmap)
	}
	return finish(b, start)
}

func parseHello(b []byte) (*Hello, error) {
	c := body(b)
	m := &Hello{Elements: c.b}
	for len(c.b) > 0 && !c.short {
		at := c.off
		typ, n := c.u16(), int(c.u16())
		if n < 4 && !c.short {
			return nil, fmt.Errorf("element at byte %d says that it is %d bytes long", at, n)
		}
		value := c.take(n - 4)
		if typ == helloVersionBitmap && len(value) >= 4 {
			m.Bitmap = binary.BigEndian.Uint32(value)
		}
		c.skip(min(pad8(n), len(c.b)))
	}
	return m, c.err()
}

// Negotiate finds the version to speak after both hellos: the highest that both offer, or, when the peer sent no
// bitmap, the highest of ours that is not above the version in its header. The error says who offers what.
func Negotiate(ours []Version, h Header, peer *Hello) (Version, error) {
	best := Version(0)
	for _, v := range ours {
		if v > best && (peer.Bitmap>>(v&31)&1 != 0 || (peer.Bitmap == 0 && v <= h.Version)) {
			best = v
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("no common OpenFlow version: we offer %s, the peer offers %s", versions(NewHello(ours...).Bitmap), peerVersions(h, peer))
	}
	return best, nil
}

func peerVersions(h Header, peer *Hello) string {
	if peer.Bitmap == 0 {
		return "up to " + h.Version.String()
	}
	return versions(peer.Bitmap)
}

func versions(bitmap uint32) string {
	var out []string
	for ; bitmap != 0; bitmap &= bitmap - 1 {
		out = append(out, Version(bits.TrailingZeros32(bitmap)).String())
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
