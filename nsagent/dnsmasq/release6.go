package dnsmasq

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Numbers of DHCPv6 (RFC 8415, sections 7 and 21).
const (
	serverPort6 = 547

	messageSolicit   = 1
	messageRelease   = 8
	messageRelayForw = 12

	optionClientID = 1
	optionServerID = 2
	optionNA       = 3
	optionTA       = 4
	optionAddress  = 5
	optionRelayed  = 9
)

// maxDUID is the longest DUID in bytes: its type, and 128 of the rest (RFC 8415, section 11.1).
const maxDUID = 2 + 128

// allServers is All_DHCP_Relay_Agents_and_Servers (RFC 8415, section 7.1).
var allServers = netip.MustParseAddr("ff02::1:2")

// parseDUID reads a DUID as the lease file has it: bytes in hexadecimal digits, with colons between.
func parseDUID(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err == nil && (len(b) == 0 || len(b) > maxDUID) {
		err = fmt.Errorf("%d bytes", len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no DUID: %w", s, err)
	}
	return b, nil
}

// association is the IAID of a lease of an IPv6 address, and the option that carries it.
func (l lease) association() (iaid uint32, option uint16, err error) {
	digits, temporary := strings.CutPrefix(l.id, "T")
	n, err := strconv.ParseUint(digits, 10, 32)
	if temporary {
		return uint32(n), optionTA, err
	}
	return uint32(n), optionNA, err
}

// release6 releases leases of IPv6 addresses. Where a network has a listener, its mu is held.
//
// It does what dhcp_release6 does, but as a relay on this host would: dnsmasq looks for the MAC of whom it hears without a relay,
// does not find that of its own host, and is deaf for half a second each time, to DNS as well; and that program waits a second.
func (v *Servers) release6(ctx context.Context, in daemon.Space, s plan.Server, gone []lease) error {
	if len(gone) == 0 {
		return nil
	}
	var conn releaseConn
	if err := in.Do(func() (err error) { conn, err = dialRelease(s.Device); return err }); err != nil {
		return fmt.Errorf("the lease of %s is not released: %w", gone[0].ip, err)
	}
	defer unix.Close(conn.fd)
	var errs []error
	for i, l := range gone {
		if err := ctx.Err(); err != nil {
			return err
		}
		message, err := releaseMessage(l, uint32(i))
		if err == nil {
			err = conn.exchange(message)
		}
		if errors.Is(err, unix.EAGAIN) {
			// Who does not answer this once will not answer the others.
			return fmt.Errorf("the lease of %s by %s is not released: dnsmasq does not answer", l.ip, l.client)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the lease of %s by %s is not released: %w", l.ip, l.client, err))
			continue
		}
		v.releases.Inc()
	}
	return errors.Join(errs...)
}

// releaseMessage is a client's Release of one address, relayed. The relay's link is the address itself: it tells dnsmasq the subnet.
func releaseMessage(l lease, transaction uint32) ([]byte, error) {
	client, err := parseDUID(l.client)
	if err != nil {
		return nil, err
	}
	server, err := parseDUID(l.server)
	if err != nil {
		return nil, fmt.Errorf("the server's: %w", err)
	}
	iaid, option, err := l.association()
	if err != nil {
		return nil, err
	}
	ip := l.ip.As16()
	association := binary.BigEndian.AppendUint32(nil, iaid)
	if option == optionNA {
		association = append(association, make([]byte, 8)...) // T1 and T2
	}
	association = appendOption(association, optionAddress, slices.Concat(ip[:], make([]byte, 8))) // preferred and valid lifetime
	release := binary.BigEndian.AppendUint32(nil, messageRelease<<24|transaction&0xffffff)
	release = appendOption(release, optionClientID, client)
	release = appendOption(release, optionServerID, server)
	release = appendOption(release, option, association)
	return appendOption(slices.Concat([]byte{messageRelayForw, 0}, ip[:], ip[:]), optionRelayed, release), nil
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// releaseConn is a relay's socket on the server's own device.
type releaseConn struct {
	fd int
	to unix.SockaddrInet6
}

// dialRelease makes the socket. dnsmasq answers relays at the port that it listens on itself; a socket that is bound to the
// address gets what is for that. What it sends does not leave the host, where other servers of the network would hear it.
func dialRelease(device string) (c releaseConn, err error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return c, err
	}
	own, err := linkLocal(i)
	if err != nil {
		return c, err
	}
	c.to = unix.SockaddrInet6{Port: serverPort6, Addr: allServers.As16(), ZoneId: uint32(i.Index)}
	c.fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return c, err
	}
	timeout := unix.NsecToTimeval(releaseTimeout.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.SetsockoptInt(c.fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 0),
		unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	if err == nil {
		err = unix.Bind(c.fd, &unix.SockaddrInet6{Port: serverPort6, Addr: own.As16(), ZoneId: uint32(i.Index)})
	}
	if err != nil {
		unix.Close(c.fd)
		return c, fmt.Errorf("a socket on %s: %w", device, err)
	}
	return c, nil
}

// linkLocal is a device's own address that dnsmasq answers to.
func linkLocal(i *net.Interface) (netip.Addr, error) {
	addresses, err := i.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no link-local IPv6 address", i.Name)
}

// exchange sends a message and waits for the answer, which dnsmasq gives whether it knows the lease or not. unix.EAGAIN: none came.
func (c releaseConn) exchange(message []byte) error {
	if err := unix.Sendto(c.fd, message, 0, &c.to); err != nil {
		return err
	}
	var answer [1]byte
	for {
		_, _, err := unix.Recvfrom(c.fd, answer[:], 0)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
