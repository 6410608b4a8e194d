package dnsmasq

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
)

var (
	// An id becomes the name of a directory and part of a tag.
	idPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	devicePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)
	labelPattern  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	// An option is known by its number or by the name that "dnsmasq --help dhcp" lists.
	optionPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+-]{0,31}$`)
)

const (
	// maxLine is the longest line of a file: dnsmasq reads 1,024 characters, and takes what follows for another line.
	maxLine = 1000
	// maxOption is the longest value of a DHCP option in bytes (RFC 2132, section 2).
	maxOption = 255
	// maxDomain is the longest name of a domain (RFC 1035, section 3.1), less a host's.
	maxDomain = 253 - 64
	// minPrefix6 is the shortest prefix of a range of IPv6 addresses: dnsmasq does not start with one that is shorter.
	minPrefix6 = 64
)

// checkServer says why nothing at all can be served; host by host is another matter.
func checkServer(s plan.Server) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !idPattern.MatchString(s.NetworkID) {
		wrong("network_id %q is no id: 1 to 64 letters, digits, \"_\", \"-\" are", s.NetworkID)
	}
	if !devicePattern.MatchString(s.Device) {
		wrong("device %q is no name of a network device", s.Device)
	}
	if err := checkDomain(s.Domain); err != nil {
		wrong("domain: %w", err)
	}
	if s.MTU != 0 && (s.MTU < 68 || s.MTU > 65535) {
		wrong("mtu %d is not in 68..65535", s.MTU)
	}
	if len(s.Subnets) == 0 {
		wrong("subnets: there is none")
	}
	for _, n := range s.Subnets {
		if !idPattern.MatchString(n.ID) {
			wrong("subnet id %q is no id: 1 to 64 letters, digits, \"_\", \"-\" are", n.ID)
		}
		switch {
		case !n.CIDR.IsValid():
			wrong("subnet %s: there is no cidr", n.ID)
		case n.CIDR.Addr().Is4() && n.Stateless:
			wrong("subnet %s: cidr %v is not IPv6, and only DHCPv6 can be stateless", n.ID, n.CIDR)
		case n.CIDR.Addr().Is6() && n.CIDR.Bits() < minPrefix6:
			wrong("subnet %s: cidr %v has less than the %d bits that dnsmasq can serve", n.ID, n.CIDR, minPrefix6)
		}
	}
	return errors.Join(errs...)
}

func checkDomain(domain string) error {
	if domain == "" {
		return nil
	}
	if len(domain) > maxDomain {
		return fmt.Errorf("%q is longer than %d characters", domain, maxDomain)
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !labelPattern.MatchString(label) {
			return fmt.Errorf("%q is no domain: labels of 1 to 63 letters, digits and \"-\" are, with dots between", domain)
		}
	}
	return nil
}

// checkHost says why a port cannot be served.
func checkHost(h plan.ServerHost) error {
	if !idPattern.MatchString(h.PortID) {
		return fmt.Errorf("port %q: that is no id", h.PortID)
	}
	if mac, err := net.ParseMAC(h.MAC); err != nil || len(mac) != 6 || mac.String() != h.MAC {
		return fmt.Errorf("port %s: mac_address %q is not six bytes in lower case, with colons", h.PortID, h.MAC)
	}
	if !labelPattern.MatchString(h.Hostname) {
		return fmt.Errorf("port %s: hostname %q is no name: 1 to 63 letters, digits and \"-\" are", h.PortID, h.Hostname)
	}
	return nil
}

// checkOption says why an extra option cannot be given.
func checkOption(o plan.Option) error {
	if n, err := strconv.Atoi(o.Name); err == nil {
		if n < 1 || n > 254 || strconv.Itoa(n) != o.Name {
			return fmt.Errorf("option %q: numbers are 1..254", o.Name)
		}
	} else if !optionPattern.MatchString(o.Name) {
		return fmt.Errorf("option %q is neither a number nor a name that dnsmasq knows", o.Name)
	}
	if len(o.Value) > maxOption {
		return fmt.Errorf("option %s: a value of %d bytes is longer than %d", o.Name, len(o.Value), maxOption)
	}
	for i := range len(o.Value) {
		c := o.Value[i]
		// A quote and a backslash change what follows; "#" after a space begins a comment.
		if c < ' ' || c > '~' || c == '"' || c == '\\' || (c == '#' && (i == 0 || o.Value[i-1] == ' ')) {
			return fmt.Errorf("option %s: its value holds %q, which dnsmasq would not take as it is", o.Name, string(c))
		}
	}
	if strings.TrimSpace(o.Value) != o.Value {
		return fmt.Errorf("option %s: its value begins or ends with a space", o.Name)
	}
	return nil
}

// routeBytes is how long a route is in option 121 (RFC 3442).
func routeBytes(p netip.Prefix) int { return 1 + (p.Bits()+7)/8 + 4 }
