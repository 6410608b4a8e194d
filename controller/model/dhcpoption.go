package model

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// MaxDHCPOptions is how many extra options a port may have.
const MaxDHCPOptions = 64

// kinds of values of DHCP options, as dnsmasq reads them.
type optionKind int

const (
	anyValue optionKind = iota
	addresses
	// number8 and the like are decimal numbers of that many bits; seconds is one of 32 bits, or e.g. 12h.
	number8
	number16
	number32
	seconds
)

// dhcpOptions are the options that dnsmasq knows by name (dnsmasq --help dhcp, version 2.90). 255 stands for a field of
// the header, the address of the next server.
var dhcpOptions = map[string]struct {
	number int
	kind   optionKind
}{
	"netmask": {1, addresses}, "time-offset": {2, number32}, "router": {3, addresses}, "dns-server": {6, addresses},
	"log-server": {7, addresses}, "lpr-server": {9, addresses}, "boot-file-size": {13, number16}, "domain-name": {15, anyValue},
	"swap-server": {16, addresses}, "root-path": {17, anyValue}, "extension-path": {18, anyValue}, "ip-forward-enable": {19, number8},
	"non-local-source-routing": {20, number8}, "policy-filter": {21, addresses}, "max-datagram-reassembly": {22, number16},
	"default-ttl": {23, number8}, "mtu": {26, number16}, "all-subnets-local": {27, number8}, "router-discovery": {31, number8},
	"router-solicitation": {32, addresses}, "static-route": {33, addresses}, "trailer-encapsulation": {34, number8},
	"arp-timeout": {35, number32}, "ethernet-encap": {36, number8}, "tcp-ttl": {37, number8}, "tcp-keepalive": {38, number32},
	"nis-domain": {40, anyValue}, "nis-server": {41, addresses}, "ntp-server": {42, addresses}, "netbios-ns": {44, addresses},
	"netbios-dd": {45, addresses}, "netbios-nodetype": {46, number8}, "netbios-scope": {47, anyValue}, "x-windows-fs": {48, addresses},
	"x-windows-dm": {49, addresses}, "T1": {58, seconds}, "T2": {59, seconds}, "vendor-class": {60, anyValue}, "nis+-domain": {64, anyValue},
	"nis+-server": {65, addresses}, "tftp-server": {66, anyValue}, "bootfile-name": {67, anyValue}, "mobile-ip-home": {68, addresses},
	"smtp-server": {69, addresses}, "pop3-server": {70, addresses}, "nntp-server": {71, addresses}, "irc-server": {74, addresses},
	"user-class": {77, anyValue}, "rapid-commit": {80, anyValue}, "client-arch": {93, anyValue}, "client-interface-id": {94, anyValue},
	"client-machine-id": {97, anyValue}, "posix-timezone": {100, anyValue}, "tzdb-timezone": {101, anyValue}, "ipv6-only": {108, number32},
	"domain-search": {119, anyValue}, "sip-server": {120, anyValue}, "classless-static-route": {121, anyValue},
	"vendor-id-encap": {125, anyValue}, "tftp-server-address": {150, addresses}, "server-ip-address": {255, addresses},
}

var dhcpOptionByNumber = func() map[int]string {
	names := map[int]string{}
	for name, o := range dhcpOptions {
		names[o.number] = name
	}
	return names
}()

// protocolOptions carry the protocol itself (RFC 2132 9, RFC 3046): who gives them by hand breaks the lease.
var protocolOptions = map[int]string{
	50: "requested address", 51: "lease time", 52: "option overload", 53: "message type", 54: "server identifier",
	55: "parameter request list", 56: "message", 57: "maximum message size", 61: "client identifier", 82: "relay agent information",
}

// Number is the number of the option in the protocol (1..254; 255 for dnsmasq's server-ip-address), or 0 when there is no
// such option.
func (o DHCPOption) Number() int {
	if known, ok := dhcpOptions[o.Name]; ok {
		return known.number
	}
	if n, err := strconv.ParseUint(o.Name, 10, 8); err == nil && strconv.FormatUint(n, 10) == o.Name && n < 255 {
		return int(n)
	}
	return 0
}

func (v *violations) dhcpOptions(options []DHCPOption) {
	if len(options) > MaxDHCPOptions {
		v.add("extra_dhcp_opts", "there are %d; at most %d are allowed", len(options), MaxDHCPOptions)
		return
	}
	seen := map[int]int{}
	for i, o := range options {
		field := fmt.Sprintf("extra_dhcp_opts[%d]", i)
		if o.IPVersion != 4 {
			v.add(field+".ip_version", "%d is not served; only 4 is", o.IPVersion)
		}
		n := o.Number()
		if n == 0 {
			v.add(field+".opt_name", "%q is not a DHCP option; give one of dnsmasq's names (dnsmasq --help dhcp), or a number 1..254", o.Name)
			continue
		}
		if what := protocolOptions[n]; what != "" {
			v.add(field+".opt_name", "%q is the %s, which the DHCP server alone decides", o.Name, what)
			continue
		}
		if first, ok := seen[n]; ok {
			v.add(field+".opt_name", "option %d is also in extra_dhcp_opts[%d]", n, first)
			continue
		}
		seen[n] = i
		v.dhcpValue(field+".opt_value", o, dhcpOptions[dhcpOptionByNumber[n]].kind)
	}
}

// dhcpValue refuses what dnsmasq would, which serves a network without the option then. A value is also one line in a file.
func (v *violations) dhcpValue(field string, o DHCPOption, kind optionKind) {
	before := len(*v)
	v.text(field, o.Value)
	if len(*v) != before {
		return
	}
	if o.Value == "" {
		// The option without a value: it is sent empty, or, when the server would send it by itself, not at all.
		return
	}
	bits := map[optionKind]int{number8: 8, number16: 16, number32: 32}[kind]
	switch {
	case kind == addresses:
		for part := range strings.SplitSeq(o.Value, ",") {
			if a, err := netip.ParseAddr(strings.TrimSpace(part)); err != nil || !a.Is4() {
				v.add(field, "%q is not what %s has: IPv4 addresses with commas between them", o.Value, o.Name)
				return
			}
		}
	case kind == seconds:
		digits := strings.TrimRight(o.Value, "smhdw")
		if _, err := strconv.ParseUint(digits, 10, 32); err != nil || len(o.Value)-len(digits) > 1 {
			v.add(field, "%q is not what %s has: seconds, or e.g. 12h", o.Value, o.Name)
		}
	case bits > 0:
		if _, err := strconv.ParseUint(o.Value, 10, bits); err != nil {
			v.add(field, "%q is not what %s has: a number 0..%d", o.Value, o.Name, uint64(1)<<bits-1)
		}
	}
}
