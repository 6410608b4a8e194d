package plan

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/google/uuid"
)

// FieldError says which field of a resource cannot be used, and why.
type FieldError struct {
	// Field is the field's name in the node protocol; parts of lists have their index: interfaces[1].device.addresses[0].
	Field string
	// Message says what is wrong and what would be right.
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// reader reads the fields of a resource and keeps the first error.
type reader struct{ err *FieldError }

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = &FieldError{field, fmt.Sprintf(format, args...)}
	}
}

// uuid lets only ids in their canonical form through: they become parts of names of devices, namespaces and files.
func (r *reader) uuid(field, s string) string {
	if id, err := uuid.Parse(s); err != nil || id.String() != s {
		r.fail(field, "%q is not a UUID in lower case with hyphens", s)
		return uuid.Nil.String()
	}
	return s
}

func (r *reader) mac(field, s string) string {
	m, err := net.ParseMAC(s)
	if err != nil || len(m) != 6 {
		r.fail(field, "%q is not an Ethernet address", s)
		return ""
	}
	if m[0]&1 != 0 || m.String() == "00:00:00:00:00:00" {
		r.fail(field, "%q is not the address of one interface", s)
	}
	return m.String()
}

func (r *reader) addr(field, s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		r.fail(field, "%q is not an IP address", s)
		return netip.Addr{}
	}
	if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		r.fail(field, "%v is not the address of one interface", a)
	}
	return a
}

func (r *reader) addr4(field, s string) netip.Addr {
	a := r.addr(field, s)
	if a.IsValid() && !a.Is4() {
		r.fail(field, "%v is not an IPv4 address", a)
	}
	return a
}

func (r *reader) addrs(field string, list []string) []netip.Addr {
	out := make([]netip.Addr, 0, len(list))
	for i, s := range list {
		out = append(out, r.addr(fmt.Sprintf("%s[%d]", field, i), s))
	}
	return out
}

// prefix reads an address with the length of its subnet.
func (r *reader) prefix(field, s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Bits() == 0 || p.Addr().Is4In6() {
		r.fail(field, "%q is not an IP address with the prefix length of its subnet", s)
		return netip.Prefix{}
	}
	r.addr(field, p.Addr().String())
	return p
}

// block reads a block of addresses.
func (r *reader) block(field, s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		r.fail(field, "%q is not a block of addresses", s)
		return netip.Prefix{}
	}
	if p != p.Masked() {
		r.fail(field, "%q has bits set beyond its prefix length; %v has not", s, p.Masked())
	}
	return p
}

func (r *reader) oneOf(field, s string, values ...string) string {
	for _, v := range values {
		if s == v {
			return s
		}
	}
	r.fail(field, "%q is none of %v", s, values)
	return s
}
