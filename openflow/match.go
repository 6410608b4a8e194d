package openflow

import (
	"encoding/binary"
	"fmt"
)

// matchOXM is the only type of match that OpenFlow 1.2 and later use (OpenFlow 1.3.5, 7.2.3.1, OFPMT_OXM).
const matchOXM = 1

// AppendMatch appends m in wire form (ofp_match): header, elements in their order, and zeros up to a multiple of 8 bytes.
func AppendMatch(b []byte, m Match) []byte {
	start := len(b)
	b = append(b, 0, matchOXM, 0, 0)
	for i := range m {
		b = appendOXM(b, &m[i], inMatch)
	}
	n := len(b) - start
	binary.BigEndian.PutUint16(b[start+2:], uint16(n))
	return pad(b, start)
}

// matchLen checks the frame of the match at the beginning of b: n is its length without padding, padded with it.
func matchLen(b []byte) (n, padded int, err error) {
	if len(b) < 8 {
		return 0, 0, fmt.Errorf("match: %d bytes are too few", len(b))
	}
	if t := binary.BigEndian.Uint16(b); t != matchOXM {
		return 0, 0, fmt.Errorf("match: type %d where %d (OXM) is known", t, matchOXM)
	}
	n = int(binary.BigEndian.Uint16(b[2:]))
	padded = n + pad8(n)
	if n < 4 || padded > len(b) {
		return 0, 0, fmt.Errorf("match: length %d, with %d bytes there", n, len(b))
	}
	return n, padded, nil
}

// ParseMatch decodes the match at the beginning of b. n is how many bytes it takes, padding included. Elements that this
// package does not know come as UnknownField. An error means that lengths are wrong.
func ParseMatch(b []byte) (m Match, n int, err error) {
	end, padded, err := matchLen(b)
	if err != nil {
		return nil, 0, err
	}
	m, err = parseOXMs(b[4:end])
	return m, padded, err
}

// parseOXMs decodes elements without a frame.
func parseOXMs(b []byte) (Match, error) {
	count, err := countOXMs(b)
	if err != nil || count == 0 {
		return nil, err
	}
	m := make(Match, 0, count)
	// All values are parts of one string: one allocation instead of one for each.
	s := string(b)
	for len(s) > 0 {
		h, err := readOXMHead(b, inMatch)
		if err != nil {
			return nil, err
		}
		m = append(m, h.oxm(s))
		b, s = b[h.head+h.payload:], s[h.head+h.payload:]
	}
	return m, nil
}

func countOXMs(b []byte) (int, error) {
	count := 0
	for len(b) > 0 {
		h, err := readOXMHead(b, inMatch)
		if err != nil {
			return 0, err
		}
		b = b[h.head+h.payload:]
		count++
	}
	return count, nil
}

// RawMatch is a match in wire form, padding included, as AppendMatch writes it.
type RawMatch []byte

// Decode decodes the match. What it returns does not alias r.
func (r RawMatch) Decode() (Match, error) {
	m, _, err := ParseMatch(r)
	return m, err
}

// ValidateMatch checks the lengths in the match at the beginning of b without decoding it, and returns how many bytes it
// takes, padding included.
func ValidateMatch(b []byte) (n int, err error) {
	end, padded, err := matchLen(b)
	if err != nil {
		return 0, err
	}
	_, err = countOXMs(b[4:end])
	return padded, err
}
