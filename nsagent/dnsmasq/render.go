package dnsmasq

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Names of the files in a network's directory, as Neutron's are named.
const (
	pidFile   = "pid"
	hostFile  = "host"
	addnFile  = "addn_hosts"
	optsFile  = "opts"
	leaseFile = "leases"
	// holderFile says which ports have which IPv6 addresses, since leases of those do not.
	holderFile = "holders"
)

// texts are the contents of the files that dnsmasq reads again on SIGHUP.
type texts struct{ host, addn, opts string }

// metadataPrefix is where the metadata service is found (RFC 3927; the address is Amazon's choice).
var (
	metadataPrefix = netip.MustParsePrefix("169.254.169.254/32")
	defaultPrefix  = netip.MustParsePrefix("0.0.0.0/0")
)

// arguments is dnsmasq's command line, without the program, for a server whose files are in dir. The order and the words
// are those of Neutron, so that what operators look for is there.
func arguments(s plan.Server, dir string, lease time.Duration) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	args := []string{
		"--no-hosts", "--no-resolv",
		"--pid-file=" + in(pidFile),
		"--dhcp-hostsfile=" + in(hostFile),
		"--addn-hosts=" + in(addnFile),
		"--dhcp-optsfile=" + in(optsFile),
		"--dhcp-leasefile=" + in(leaseFile),
		"--dhcp-match=set:ipxe,175",
		"--dhcp-ignore=tag:!known",
		"--local-service", "--bind-dynamic",
		"--interface=" + s.Device, "--except-interface=lo",
	}
	addresses := 0
	for _, n := range s.Subnets {
		args = append(args, "--dhcp-range="+dhcpRange(n, int(lease.Seconds())))
		addresses += 1 << min(n.CIDR.Addr().BitLen()-n.CIDR.Bits(), 24)
	}
	if s.MTU != 0 {
		args = append(args, fmt.Sprintf("--dhcp-option-force=option:mtu,%d", s.MTU))
	}
	args = append(args, fmt.Sprintf("--dhcp-lease-max=%d", min(addresses, 1<<24)), "--conf-file=/dev/null")
	if s.Domain != "" {
		args = append(args, "--domain="+s.Domain)
	}
	// Neutron has these tags in the hosts file. dnsmasq 2.90 dies when it reads that again after a line with a tag was used
	// for a lease: what it frees then is not its own.
	for _, h := range s.Hosts {
		if checkHost(h) == nil && slices.ContainsFunc(h.Options, func(o plan.Option) bool { return checkOption(o) == nil }) {
			args = append(args, "--dhcp-mac=set:port-"+h.PortID+","+h.MAC)
		}
	}
	return args
}

// dhcpRange is a subnet of which only ports are given addresses, each its own.
func dhcpRange(n plan.ServerSubnet, lease int) string {
	tag, net := "set:subnet-"+n.ID, n.CIDR.Masked().Addr()
	if net.Is4() {
		return fmt.Sprintf("%s,%s,static,%s,%ds", tag, net, mask(n.CIDR), lease)
	}
	// dnsmasq heeds --dhcp-ignore when a machine asks for an address, but not when it rebinds one. Who is not known, for him the
	// range is not there then.
	return fmt.Sprintf("tag:known,%s,%s,static,%d,%ds", tag, net, n.CIDR.Bits(), lease)
}

// mask is a netmask as text.
func mask(p netip.Prefix) netip.Addr {
	bits := ^uint32(0) << (32 - p.Bits())
	if p.Bits() == 0 {
		bits = 0
	}
	return netip.AddrFrom4([4]byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)})
}

// render writes the files. What cannot be served is left out, and is in the error.
func render(s plan.Server) (texts, error) {
	var host, addn, opts strings.Builder
	var errs []error
	line := func(b *strings.Builder, of, text string) {
		if len(text) > maxLine {
			errs = append(errs, fmt.Errorf("%s: a line of %d characters is longer than the %d that dnsmasq reads", of, len(text), maxLine))
			return
		}
		b.WriteString(text + "\n")
	}
	for _, n := range s.Subnets {
		lines, err := subnetOptions(n)
		if n.CIDR.Addr().Is6() {
			lines = subnetOptions6(n, s.Domain)
		}
		if err != nil {
			errs = append(errs, err)
		}
		for _, l := range lines {
			line(&opts, "subnet "+n.ID, "tag:subnet-"+n.ID+","+l)
		}
	}
	for _, l := range statelessOptions(s) {
		line(&opts, "stateless subnets", l)
	}
	for _, h := range s.Hosts {
		if err := checkHost(h); err != nil {
			errs = append(errs, err)
			continue
		}
		of := "port " + h.PortID
		name := h.Hostname
		if s.Domain != "" {
			name += "." + s.Domain
		}
		for _, o := range h.Options {
			if err := checkOption(o); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", of, err))
				continue
			}
			// Of two lines for one option dnsmasq takes the later: the port's wins over the subnet's.
			line(&opts, of, "tag:port-"+h.PortID+","+optionLine(o))
		}
		for _, l := range hostLines(s, h, name) {
			line(&host, of, l)
		}
		for _, a := range h.Addresses {
			if l := addnLine(s, h, name, a.IP); l != "" {
				line(&addn, of, l)
			}
		}
	}
	return texts{host.String(), addn.String(), opts.String()}, errors.Join(errs...)
}

func optionLine(o plan.Option) string {
	name := o.Name
	if name[0] < '0' || name[0] > '9' {
		name = "option:" + name
	}
	if o.Value == "" {
		return name
	}
	return name + "," + o.Value
}

// subnetOptions are the options of a subnet. One without a value keeps dnsmasq from naming itself.
func subnetOptions(n plan.ServerSubnet) (lines []string, err error) {
	var dns []string
	for _, a := range n.DNS {
		if a.Is4() {
			dns = append(dns, a.String())
		}
	}
	switch {
	case len(dns) > 0 && !n.NoDNS:
		lines = append(lines, "option:dns-server,"+strings.Join(dns, ","))
	case n.NoDNS || len(n.DNS) > 0:
		lines = append(lines, "option:dns-server")
	}
	routes, size := classlessRoutes(n)
	if size > maxOption {
		err = fmt.Errorf("subnet %s: host_routes: %d routes take %d bytes, and a DHCP option has %d; they are not announced", n.ID, len(routes), size, maxOption)
		n.Routes = nil
		routes, _ = classlessRoutes(n)
	}
	if len(routes) > 0 {
		// 249 is what Windows before 7 asks for.
		list := strings.Join(routes, ",")
		lines = append(lines, "option:classless-static-route,"+list, "249,"+list)
	}
	if n.Gateway.Is4() {
		lines = append(lines, "option:router,"+n.Gateway.String())
	} else {
		lines = append(lines, "option:router")
	}
	return lines, err
}

// classlessRoutes are the routes of option 121, and its length in bytes. A client that gets it ignores option 3 (RFC 3442),
// so the default route is in both.
func classlessRoutes(n plan.ServerSubnet) (routes []string, size int) {
	var seen []netip.Prefix
	add := func(to netip.Prefix, via netip.Addr) {
		if to.Addr().Is4() && via.Is4() && !slices.Contains(seen, to) {
			seen = append(seen, to)
			routes = append(routes, to.String()+","+via.String())
			size += routeBytes(to)
		}
	}
	for _, r := range n.Routes {
		add(r.Destination.Masked(), r.NextHop)
	}
	add(metadataPrefix, n.MetadataVia)
	if len(routes) > 0 {
		add(defaultPrefix, n.Gateway)
	}
	return routes, size
}
