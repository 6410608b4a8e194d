package dnsmasq

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/space"
)

// newSite6 is a network of both families: vm1 has an address of each, vm2 one of IPv6.
func newSite6(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.in.Run("ip", "addr", "add", "fd00:1::2/64", "dev", "ns-48089424-79")
	s.net.Subnets = append(s.net.Subnets, plan.ServerSubnet{ID: "sub6", CIDR: cidr("fd00:1::/64"), DNS: []netip.Addr{ip("fd00:1::2"), ip("2001:db8::53")}})
	s.net.Hosts = []plan.ServerHost{hostAt("vm1", "fa:16:3e:00:00:11", "vm1", "10.0.2.11", "fd00:1::11"), hostAt("vm2", "fa:16:3e:00:00:12", "vm2", "fd00:1::12")}
	return s
}

// machine6 is a machine as DHCPv6 sees it. Its DUID has nothing to do with its MAC.
type machine6 struct {
	*space.Space
	t    testing.TB
	duid dhcpv6.DUID
	iaid [4]byte
	// server is who gave it its address.
	server dhcpv6.DUID
}

// held6 are the leases of IPv6 addresses on disk.
func (s *site) held6() []string {
	return slices.DeleteFunc(s.held(), func(l string) bool { return !strings.Contains(l, " fd") })
}

// machine6 is a machine with a DUID of its own.
func (s *site) machine6(mac string) *machine6 {
	s.t.Helper()
	m := &machine6{Space: s.machine(mac), t: s.t, iaid: [4]byte{0xff, 0, 0, 1}}
	s.await("a link-local address", func() bool {
		return strings.Contains(m.Run("ip", "-6", "addr", "show", "dev", "eth0", "-tentative"), "fe80:")
	})
	m.duid = &dhcpv6.DUIDUUID{UUID: [16]byte{15: byte(s.n)}}
	return m
}

// ask sends a message until it is answered; nil when it is not.
func (m *machine6) ask(kind dhcpv6.MessageType, options ...dhcpv6.Modifier) *dhcpv6.Message {
	m.t.Helper()
	message, err := dhcpv6.NewMessage(append([]dhcpv6.Modifier{dhcpv6.WithClientID(m.duid),
		dhcpv6.WithRequestedOptions(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList)}, options...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	message.MessageType = kind
	var conn *net.UDPConn
	var zone string
	if err := m.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		own, err := linkLocal(i)
		if err != nil {
			return err
		}
		// A number: package net remembers names of devices for all namespaces.
		zone = fmt.Sprint(i.Index)
		conn, err = net.ListenUDP("udp6", &net.UDPAddr{IP: own.AsSlice(), Port: dhcpv6.DefaultClientPort, Zone: zone})
		return err
	}); err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	for range 4 {
		if _, err := conn.WriteToUDP(message.ToBytes(), &net.UDPAddr{IP: dhcpv6.AllDHCPRelayAgentsAndServers, Port: dhcpv6.DefaultServerPort, Zone: zone}); err != nil {
			m.t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(700 * time.Millisecond)); err != nil {
			m.t.Fatal(err)
		}
		b := make([]byte, 1500)
		for {
			n, err := conn.Read(b)
			if err != nil {
				break
			}
			if answer, err := dhcpv6.MessageFromBytes(b[:n]); err == nil && answer.TransactionID == message.TransactionID {
				return answer
			}
		}
	}
	return nil
}

// association is an IA_NA with addresses.
func (m *machine6) association(addresses ...string) dhcpv6.Modifier {
	ia := &dhcpv6.OptIANA{IaId: m.iaid}
	for _, a := range addresses {
		ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(a)})
	}
	return dhcpv6.WithOption(ia)
}

// told is the gist of an answer: addresses of IA_NAs with their valid lifetime, status codes, name servers, domains, name.
func told(answer *dhcpv6.Message) string {
	if answer == nil {
		return "nothing"
	}
	var out []string
	for _, ia := range answer.Options.IANA() {
		for _, a := range ia.Options.Addresses() {
			out = append(out, fmt.Sprintf("%s for %s", a.IPv6Addr, a.ValidLifetime))
		}
		if st := ia.Options.Status(); st != nil {
			out = append(out, st.StatusCode.String())
		}
	}
	if st := answer.Options.Status(); st != nil && st.StatusCode != 0 {
		out = append(out, st.StatusCode.String())
	}
	if dns := answer.Options.DNS(); len(dns) > 0 {
		out = append(out, "dns "+join(dns))
	}
	if l := answer.Options.DomainSearchList(); l != nil {
		out = append(out, "search "+strings.Join(l.Labels, " "))
	}
	if f := answer.Options.FQDN(); f != nil {
		out = append(out, "name "+strings.Join(f.DomainName.Labels, " "))
	}
	return strings.Join(out, ", ")
}

// solicit is the way to an address: Solicit, Request.
func (m *machine6) solicit() string {
	m.t.Helper()
	offer := m.ask(dhcpv6.MessageTypeSolicit, m.association())
	if offer == nil || len(offer.Options.IANA()) == 0 {
		return told(offer)
	}
	m.server = offer.Options.ServerID()
	return told(m.ask(dhcpv6.MessageTypeRequest, dhcpv6.WithServerID(m.server), dhcpv6.WithOption(offer.Options.OneIANA())))
}

func (m *machine6) renew(address string) string {
	m.t.Helper()
	return told(m.ask(dhcpv6.MessageTypeRenew, dhcpv6.WithServerID(m.server), m.association(address)))
}

func (m *machine6) rebind(address string) string {
	m.t.Helper()
	return told(m.ask(dhcpv6.MessageTypeRebind, m.association(address)))
}

func (m *machine6) inform() string {
	m.t.Helper()
	return told(m.ask(dhcpv6.MessageTypeInformationRequest))
}

// iaidText is the IAID as the lease file has it.
func (m *machine6) iaidText() string { return fmt.Sprint(binary.BigEndian.Uint32(m.iaid[:])) }
