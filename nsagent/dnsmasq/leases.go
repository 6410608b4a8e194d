package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

const (
	// releaseTimeout is how long dnsmasq may take to let a lease go.
	releaseTimeout = time.Second
	// writeTimeout is how long it may take to write its leases.
	writeTimeout = 500 * time.Millisecond
)

// lease is a line of dnsmasq's lease file: expiry, MAC, address, name, client id. For an IPv6 address the second is the IAID,
// after a "T" when the address is a temporary one, and the last is the client's DUID.
type lease struct {
	expiry, id, name, client string
	ip                       netip.Addr
	// server is the server's DUID, from a line of its own.
	server string
}

func (l lease) String() string {
	return strings.Join([]string{l.expiry, l.id, l.ip.String(), l.name, l.client}, " ")
}

// same says whether two lines are of one lease, which may have been renewed between them.
func (l lease) same(o lease) bool { return l.ip == o.ip && l.id == o.id && l.client == o.client }

// duidWord begins the line with the server's own DUID, which is between the leases of IPv4 and of IPv6 addresses.
const duidWord = "duid"

// leases reads a lease file. Lines that are no leases are passed over.
func leases(text string) (out []lease) {
	server := serverDUID(text)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue
		}
		ip, err := netip.ParseAddr(f[2])
		if err != nil || ip.Zone() != "" || ip.Is4In6() {
			continue
		}
		l := lease{expiry: f[0], id: f[1], ip: ip, name: f[3], client: f[4]}
		if ip.Is4() {
			l.id = strings.ToLower(l.id)
		} else if l.client == "*" {
			// What dnsmasq made for a stranger's Rebind, and forgets with the next message that it gets.
			continue
		} else if _, _, err := l.association(); err != nil {
			continue
		} else {
			l.server = server
		}
		out = append(out, l)
	}
	return out
}

// serverDUID is the server's DUID as a lease file has it, "" when it has none.
func serverDUID(text string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == duidWord {
			if _, err := parseDUID(f[1]); err == nil {
				return f[1]
			}
		}
	}
	return ""
}

// owners are the ports by the addresses that they are given.
func owners(s plan.Server) map[netip.Addr]plan.ServerHost {
	out := map[netip.Addr]plan.ServerHost{}
	for _, h := range s.Hosts {
		for _, a := range h.Addresses {
			if leased(s, a.IP) && checkHost(h) == nil {
				out[a.IP] = h
			}
		}
	}
	return out
}

// settleLeases writes the lease file of a server that does not run. Leases of ports that have gone are left out. Ports
// without one of their IPv4 address get one: they may have it from the server that the network had on another host, and one
// that did not know of it would not answer when they renew it. One of an IPv6 address needs the DUID of its machine, which
// nobody here knows; there the machine asks all servers when the one that it knows does not answer, and dnsmasq makes a lease
// of that (RFC 8415, section 18.3.5). The server keeps its own DUID, or machines would have to do so after each start.
func settleLeases(dir string, s plan.Server, until time.Time) error {
	wanted, held := owners(s), holders(dir)
	have := map[netip.Addr]bool{}
	var v4, v6 strings.Builder
	text := daemon.Read(dir, leaseFile)
	for _, l := range leases(text) {
		if !rightful(l, wanted, held) {
			continue
		}
		have[l.ip] = true
		if l.ip.Is4() {
			fmt.Fprintln(&v4, l)
		} else {
			fmt.Fprintln(&v6, l)
		}
	}
	for _, h := range s.Hosts {
		for _, a := range h.Addresses {
			if a.IP.Is4() && wanted[a.IP].PortID == h.PortID && !have[a.IP] {
				fmt.Fprintln(&v4, lease{expiry: fmt.Sprint(until.Unix()), id: h.MAC, ip: a.IP, name: h.Hostname, client: "*"})
			}
		}
	}
	if duid := serverDUID(text); duid != "" {
		fmt.Fprintln(&v4, duidWord, duid)
	}
	if _, err := daemon.Write(dir, leaseFile, v4.String()+v6.String()); err != nil {
		return err
	}
	return writeHolders(dir, s)
}

// rightful says whether a lease is that of the port that has its address now.
func rightful(l lease, wanted map[netip.Addr]plan.ServerHost, held map[netip.Addr]string) bool {
	h, ok := wanted[l.ip]
	if l.ip.Is4() {
		return ok && h.MAC == l.id
	}
	was, known := held[l.ip]
	return ok && (!known || was == holder(h))
}

// stale are the leases on disk that no port has any more, or not with that address. With an error some may be missing.
func stale(s plan.Server, dir string) (out []lease, err error) {
	wanted, held := owners(s), holders(dir)
	text := daemon.Read(dir, leaseFile)
	for ip, was := range held {
		if h, ok := wanted[ip]; !ok || was != holder(h) {
			// After this time nobody looks for that one's lease any more.
			text, err = wholeLeases(dir)
			break
		}
	}
	for _, l := range leases(text) {
		if !rightful(l, wanted, held) {
			out = append(out, l)
		}
	}
	return out, err
}

// wholeLeases is the content of the lease file of a running server with IPv6 subnets, when it is not just being written: dnsmasq
// empties the file and writes it anew, and what it has written is there in parts.
func wholeLeases(dir string) (string, error) {
	last := ""
	for end := time.Now().Add(writeTimeout); ; time.Sleep(time.Millisecond) {
		text := daemon.Read(dir, leaseFile)
		if text == last && serverDUID(text) != "" {
			return text, nil
		}
		if time.Now().After(end) {
			return text, fmt.Errorf("%s holds no DUID of the server, or changes all the time", filepath.Join(dir, leaseFile))
		}
		last = text
	}
}

// release lets the leases go that no port has any more, while the server runs. before are those that were found before it was
// told to read its files again: it then empties the file of leases, and writes them anew.
func (v *Servers) release(ctx context.Context, in daemon.Space, s plan.Server, dir string, before []lease) (released bool, err error) {
	gone, err := stale(s, dir)
	for _, l := range before {
		if !slices.ContainsFunc(gone, l.same) {
			gone = append(gone, l)
		}
	}
	var v4, v6 []lease
	for _, l := range gone {
		if l.ip.Is4() {
			v4 = append(v4, l)
		} else if _, ok := subnet6(s, l.ip); ok {
			v6 = append(v6, l)
		} // else its subnet is served no more, so that the server is another one, started without the lease
	}
	err = errors.Join(err, v.release4(ctx, in, s, dir, v4), v.release6(ctx, in, s, v6))
	if err == nil {
		err = writeHolders(dir, s)
	}
	return len(v4)+len(v6) > 0, err
}

// release4 releases leases of IPv4 addresses.
func (v *Servers) release4(ctx context.Context, in daemon.Space, s plan.Server, dir string, gone []lease) error {
	if len(gone) == 0 {
		return nil
	}
	program, err := daemon.Find("dhcp_release", "dnsmasq-utils")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	var errs []error
	for _, l := range gone {
		if err := daemon.Run(ctx, in, []string{program, s.Device, l.ip.String(), l.id, l.client}); err != nil {
			errs = append(errs, err)
			continue
		}
		v.releases.Inc()
	}
	// The program sends a message and does not wait for what becomes of it.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(errs) == 0 {
		left, _ := stale(s, dir)
		left = slices.DeleteFunc(left, func(l lease) bool { return !l.ip.Is4() })
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the lease of %s by %s is not released (%s)", left[0].ip, left[0].id, filepath.Join(dir, leaseFile))
		case <-tick.C:
		}
	}
	return errors.Join(errs...)
}
