package model

import (
	"fmt"
	"net"
	"strings"
)

// ParseMAC reads a 48-bit MAC in one of the usual forms: fa:16:3e:00:00:01, fa-16-3e-00-00-01 or fa16.3e00.0001. All
// zeros is refused: it is no interface's address, and stands for "none given" in this package.
func ParseMAC(s string) (MAC, error) {
	m, err := parseMAC(s)
	if err == nil && m.IsZero() {
		return MAC{}, fmt.Errorf("%q is no interface's address; leave it out to have one chosen", s)
	}
	return m, err
}

func parseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != len(MAC{}) {
		return MAC{}, fmt.Errorf("%q is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01", s)
	}
	return MAC(hw), nil
}

// String is like fa:16:3e:00:00:01.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// IsZero says whether the address is 00:00:00:00:00:00.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast says whether the address has the group bit (IEEE 802 8.2); broadcast has it too.
func (m MAC) IsMulticast() bool { return m[0]&1 == 1 }

// MarshalText makes the address a string in JSON.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMAC reads, and zero.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	*m, err = parseMAC(string(b))
	return err
}

// NormalMAC is a MAC as people wrote it in the form that MAC.String prints, or in lower case when it is none.
func NormalMAC(s string) string {
	if m, err := ParseMAC(s); err == nil {
		return m.String()
	}
	return strings.ToLower(s)
}
