package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

var (
	// A label of a name (RFC 1123, section 2.1).
	labelPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	// An option by the name that dnsmasq knows it by; numbers are looked at apart.
	optionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

const (
	// maxUserData is the most that a port's user data may be, in bytes.
	maxUserData = 64 << 10
	// maxOption is the longest value of an extra option: an option of DHCP holds 255 bytes (RFC 2132, section 2).
	maxOption = 255
	// minPrefix6 is the shortest prefix of an IPv6 subnet that dnsmasq takes for a range.
	minPrefix6 = 64
)

func (r *reader) dhcp(n *nodev1.Dhcp) *DHCP {
	out := &DHCP{NetworkID: r.uuid("network_id", n.GetNetworkId()), Device: r.device("device", n.GetDevice()), Domain: r.domain("domain", n.GetDomain()), Metadata: n.GetMetadata()}
	if len(n.GetSubnets()) == 0 {
		r.fail("subnets", "there is none, so there is nothing to serve")
	}
	seen := map[string]bool{}
	for i, s := range n.GetSubnets() {
		f := fmt.Sprintf("subnets[%d]", i)
		sub := r.dhcpSubnet(f, s)
		if seen[sub.ID] && r.err == nil {
			r.fail(f+".subnet_id", "%s is there twice", sub.ID)
		}
		seen[sub.ID] = true
		out.Subnets = append(out.Subnets, sub)
	}
	return out
}

func (r *reader) dhcpSubnet(f string, s *nodev1.DhcpSubnet) ServerSubnet {
	out := ServerSubnet{ID: r.uuid(f+".subnet_id", s.GetSubnetId()), CIDR: r.block(f+".cidr", s.GetCidr()), Stateless: s.GetStateless()}
	if out.CIDR.Addr().Is6() {
		r.dhcp6Subnet(f, s, out.CIDR)
	} else if out.Stateless {
		r.fail(f+".stateless", "%v is not IPv6, and only DHCPv6 can be stateless", out.CIDR)
	}
	out.Routes = r.routes(f+".host_routes", s.GetHostRoutes())
	for i, t := range out.Routes {
		if t.Destination.IsValid() && !t.Destination.Addr().Is4() {
			r.fail(fmt.Sprintf("%s.host_routes[%d].destination", f, i), "%v is not IPv4", t.Destination)
		}
	}
	if s.GetGatewayIp() != "" {
		out.Gateway = r.addr4(f+".gateway_ip", s.GetGatewayIp())
	}
	if s.GetMetadataVia() != "" {
		out.MetadataVia = r.addr4(f+".metadata_via", s.GetMetadataVia())
	}
	switch dns := s.GetDnsNameservers(); {
	case len(dns) == 1 && (dns[0] == "0.0.0.0" || dns[0] == "::"):
		out.NoDNS = true
	case len(dns) == 0:
		out.DNS = r.nameServers(f+".dhcp_addresses", s.GetDhcpAddresses(), out.CIDR)
	default:
		out.DNS = r.nameServers(f+".dns_nameservers", dns, out.CIDR)
	}
	return out
}

// dhcp6Subnet refuses what DHCPv6 cannot tell, or dnsmasq cannot serve.
func (r *reader) dhcp6Subnet(f string, s *nodev1.DhcpSubnet, cidr netip.Prefix) {
	switch {
	case s.GetStateless() && cidr.Bits() != 64:
		r.fail(f+".cidr", "%v has not the 64 bits that a subnet must have of which machines make their addresses (stateless)", cidr)
	case cidr.Bits() < minPrefix6:
		r.fail(f+".cidr", "%v has less than the %d bits that dnsmasq can serve", cidr, minPrefix6)
	}
	if s.GetGatewayIp() != "" {
		r.fail(f+".gateway_ip", "DHCPv6 has no router option: routers tell of themselves by router advertisements")
	}
	if len(s.GetHostRoutes()) > 0 {
		r.fail(f+".host_routes", "DHCPv6 has no option for routes")
	}
	if s.GetMetadataVia() != "" {
		r.fail(f+".metadata_via", "the metadata service has an IPv4 address, and DHCPv6 no option for routes")
	}
}

// nameServers reads addresses of name servers of a subnet's family.
func (r *reader) nameServers(field string, list []string, subnet netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for i, s := range list {
		f := fmt.Sprintf("%s[%d]", field, i)
		a := r.addr(f, s)
		if a.IsValid() && a.Is4() != subnet.Addr().Is4() {
			r.fail(f, "%v is of another family than %v", a, subnet)
		}
		out = append(out, a)
	}
	return out
}

func (r *reader) domain(field, s string) string {
	if s == "" {
		return ""
	}
	if len(s) > 189 { // a host's label and a dot must fit into 253 with it
		r.fail(field, "it has %d characters; at most 189 leave room for names in it", len(s))
	}
	for _, l := range strings.Split(s, ".") {
		if !labelPattern.MatchString(l) {
			r.fail(field, "%q is not a domain name: %q is no label of one", s, l)
		}
	}
	return s
}

func (r *reader) endpoint(n *nodev1.Endpoint) *Endpoint {
	out := &Endpoint{PortID: r.uuid("port_id", n.GetPortId()), NetworkID: r.uuid("network_id", n.GetNetworkId()), MAC: r.mac("mac_address", n.GetMacAddress()),
		Neighbour: n.GetNeighbour(), DHCP: n.GetDhcp(), Metadata: n.GetMetadata(), Hostname: n.GetHostname()}
	seen := map[netip.Addr]bool{}
	for i, a := range n.GetAddresses() {
		f := fmt.Sprintf("addresses[%d]", i)
		s := SubnetAddress{SubnetID: r.uuid(f+".subnet_id", a.GetSubnetId()), IP: r.addr(f+".ip_address", a.GetIpAddress())}
		if seen[s.IP] && s.IP.IsValid() {
			r.fail(f+".ip_address", "%v is there twice", s.IP)
		}
		seen[s.IP] = true
		out.Addresses = append(out.Addresses, s)
	}
	if out.Hostname == "" && len(out.Addresses) > 0 && r.err == nil {
		out.Hostname = hostname(out.Addresses[0].IP)
	}
	if out.Hostname != "" && !labelPattern.MatchString(out.Hostname) {
		r.fail("hostname", "%q is not a hostname without domain: up to 63 letters, digits and hyphens are", out.Hostname)
	}
	for i, o := range n.GetDhcpOptions() {
		out.Options = append(out.Options, r.option(fmt.Sprintf("dhcp_options[%d]", i), o))
	}
	if out.Metadata {
		out.Caller = r.caller(n, out)
	}
	return out
}

// hostname is the name of a machine that was given none: host-10-0-1-5.
func hostname(a netip.Addr) string {
	return "host-" + strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(a.String()), "-")
}

// option lets nothing through that dnsmasq would read as anything but one value of one option.
func (r *reader) option(f string, o *nodev1.DhcpOption) Option {
	out := Option{Name: o.GetName(), Value: o.GetValue()}
	if code, err := strconv.Atoi(out.Name); err == nil && (code < 1 || code > 254) {
		r.fail(f+".name", "%s is not in 1..254", out.Name)
	}
	if !optionPattern.MatchString(out.Name) || len(out.Name) > 64 {
		r.fail(f+".name", "%q is neither the number of an option nor a name that dnsmasq gives one", out.Name)
	}
	if len(out.Value) > maxOption {
		r.fail(f+".value", "it has %d bytes; at most %d are possible", len(out.Value), maxOption)
	}
	if strings.ContainsFunc(out.Value, func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError }) {
		r.fail(f+".value", "%q has characters that are not printed", out.Value)
	}
	return out
}

func (r *reader) caller(n *nodev1.Endpoint, e *Endpoint) *Caller {
	in := n.GetInstance()
	out := &Caller{PortID: e.PortID, NetworkID: e.NetworkID, ProjectID: n.GetProjectId(), InstanceID: n.GetDeviceId(), Hostname: e.Hostname, MAC: e.MAC,
		UserData: in.GetUserData(), PublicKeys: maps.Clone(in.GetPublicKeys()), Meta: maps.Clone(in.GetMeta())}
	if out.InstanceID == "" {
		out.InstanceID = e.PortID
	}
	for _, a := range e.Addresses {
		out.Addresses = append(out.Addresses, a.IP)
	}
	if len(out.UserData) > maxUserData {
		r.fail("instance.user_data", "it has %d bytes; at most %d are possible", len(out.UserData), maxUserData)
	}
	// They become headers of HTTP requests.
	for _, h := range []struct{ field, value string }{{"project_id", out.ProjectID}, {"device_id", out.InstanceID}} {
		if len(h.value) > 255 || strings.ContainsFunc(h.value, func(c rune) bool { return c <= ' ' || c > '~' }) {
			r.fail(h.field, "%q has spaces, or characters that are not printed, or more than 255", h.value)
		}
	}
	return out
}
