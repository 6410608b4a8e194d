package flow

import (
	"fmt"
	"hash/fnv"

	"github.com/google/uuid"
)

// CookieKind is the kind of object that wanted a row.
type CookieKind uint8

// Kinds of owners. They are part of what stands in switches: never give a number another meaning.
const (
	NetworkCookie CookieKind = 1
	SubnetCookie  CookieKind = 2
	PortCookie    CookieKind = 3
	HostCookie    CookieKind = 4
	RouterCookie  CookieKind = 5
	// SecurityGroupCookie and AddressGroupCookie are on the rows of groups as the other side of rules.
	SecurityGroupCookie     CookieKind = 8
	SecurityGroupRuleCookie CookieKind = 9
	AddressGroupCookie      CookieKind = 0x0a
	// QoSPolicyCookie is on the rows that limit and mark what a port sends or hears.
	QoSPolicyCookie CookieKind = 0x0b
	// PipelineCookie is on the rows that every bridge of a role begins with. Their id is the role.
	PipelineCookie CookieKind = 0x0f
	// LearnedCookie is on the rows that the switch itself learned. Their id is the network's.
	LearnedCookie CookieKind = 0x1f
)

// String is the kind as the API spells it.
func (k CookieKind) String() string {
	switch k {
	case NetworkCookie:
		return "network"
	case SubnetCookie:
		return "subnet"
	case PortCookie:
		return "port"
	case HostCookie:
		return "host"
	case RouterCookie:
		return "router"
	case SecurityGroupCookie:
		return "securitygroup"
	case SecurityGroupRuleCookie:
		return "securitygrouprule"
	case AddressGroupCookie:
		return "addressgroup"
	case QoSPolicyCookie:
		return "qospolicy"
	case PipelineCookie:
		return "pipeline"
	case LearnedCookie:
		return "learned"
	}
	return fmt.Sprintf("kind 0x%02x", uint8(k))
}

// cookieMark is the first byte of each cookie of ours: "W".
const cookieMark = 0x57

// cookieID are the bits of a cookie that hold the id.
const cookieID = 1<<48 - 1

// Cookie is what leads from a row back to the object that wanted it: the byte 0x57, the kind, and the first 48 bits of
// the object's UUID, which are the 12 hex digits that it begins with. Of an id that is no UUID it holds the low 48 bits
// of the FNV-1a-64 hash.
func Cookie(k CookieKind, id string) uint64 {
	return cookieMark<<56 | uint64(k)<<48 | cookieBits(id)
}

func cookieBits(id string) uint64 {
	// 8-4-4-4-12 hex digits (RFC 9562, section 4). The library knows other spellings, too, of other lengths.
	if len(id) == 36 {
		if u, err := uuid.Parse(id); err == nil {
			return uint64(u[0])<<40 | uint64(u[1])<<32 | uint64(u[2])<<24 | uint64(u[3])<<16 | uint64(u[4])<<8 | uint64(u[5])
		}
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64() & cookieID
}

// ParseCookie takes a cookie apart: the kind, and what the id of its owner begins with when that is a UUID, spelled as a
// UUID is ("1f0c1a2b-3c4d"). For owners that are no UUID, compare with Cookie of each candidate. False means that the
// cookie is not one of ours.
func ParseCookie(cookie uint64) (k CookieKind, prefix string, ok bool) {
	if cookie>>56 != cookieMark {
		return 0, "", false
	}
	id := cookie & cookieID
	return CookieKind(cookie >> 48), fmt.Sprintf("%08x-%04x", id>>16, id&0xffff), true
}

// PlainSwitch is the cookie of the rows by which an agent lets the bridge of a physical network forward until a controller
// comes. They are ours and wanted by nobody: to take them away is no repair.
var PlainSwitch = Cookie(PipelineCookie, "plain switch")
