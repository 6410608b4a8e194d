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

// releaseTimeout is how long dnsmasq may take to let a lease go.
const releaseTimeout = time.Second

// lease is a line of dnsmasq's lease file: expiry, MAC, address, name, client id.
type lease struct {
	expiry, mac, name, client string
	ip                        netip.Addr
}

func (l lease) String() string {
	return strings.Join([]string{l.expiry, l.mac, l.ip.String(), l.name, l.client}, " ")
}

// leases reads a lease file. Lines that are no leases of IPv4 addresses are passed over.
func leases(text string) (out []lease) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue
		}
		if ip, err := netip.ParseAddr(f[2]); err == nil && ip.Is4() {
			out = append(out, lease{expiry: f[0], mac: strings.ToLower(f[1]), ip: ip, name: f[3], client: f[4]})
		}
	}
	return out
}

// owners are the MACs by address.
func owners(s plan.Server) map[netip.Addr]plan.ServerHost {
	out := map[netip.Addr]plan.ServerHost{}
	for _, h := range s.Hosts {
		for _, a := range h.Addresses {
			if a.IP.Is4() && checkHost(h) == nil {
				out[a.IP] = h
			}
		}
	}
	return out
}

// settleLeases writes the lease file of a server that does not run. Leases of ports that have gone are left out. Ports
// without one get one: they may have it from the server that the network had on another host, and one that did not know
// of it would not answer when they renew it.
func settleLeases(dir string, s plan.Server, until time.Time) error {
	wanted := owners(s)
	held := map[netip.Addr]bool{}
	var out strings.Builder
	for _, l := range leases(daemon.Read(dir, leaseFile)) {
		if wanted[l.ip].MAC == l.mac {
			held[l.ip] = true
			fmt.Fprintln(&out, l)
		}
	}
	for _, h := range s.Hosts {
		for _, a := range h.Addresses {
			if wanted[a.IP].PortID == h.PortID && !held[a.IP] {
				fmt.Fprintln(&out, lease{expiry: fmt.Sprint(until.Unix()), mac: h.MAC, ip: a.IP, name: h.Hostname, client: "*"})
			}
		}
	}
	_, err := daemon.Write(dir, leaseFile, out.String())
	return err
}

// stale are the leases on disk that no port has any more, or not with that address.
func stale(s plan.Server, dir string) (out []lease) {
	wanted := owners(s)
	for _, l := range leases(daemon.Read(dir, leaseFile)) {
		if wanted[l.ip].MAC != l.mac {
			out = append(out, l)
		}
	}
	return out
}

// release lets the leases go that no port has any more, while the server runs. before are those that were found before it was
// told to read its files again: it then empties the file of leases, and writes them anew.
func (v *Servers) release(ctx context.Context, in daemon.Space, s plan.Server, dir string, before []lease) (released bool, err error) {
	gone := stale(s, dir)
	for _, l := range before {
		if !slices.ContainsFunc(gone, func(o lease) bool { return o.ip == l.ip && o.mac == l.mac }) {
			gone = append(gone, l)
		}
	}
	if len(gone) == 0 {
		return false, nil
	}
	program, err := daemon.Find("dhcp_release", "dnsmasq-utils")
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	var errs []error
	for _, l := range gone {
		if err := daemon.Run(ctx, in, []string{program, s.Device, l.ip.String(), l.mac, l.client}); err != nil {
			errs = append(errs, err)
			continue
		}
		v.releases.Inc()
	}
	// The program sends a message and does not wait for what becomes of it.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(errs) == 0 {
		left := stale(s, dir)
		if len(left) == 0 {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return true, fmt.Errorf("the lease of %s by %s is not released (%s)", left[0].ip, left[0].mac, filepath.Join(dir, leaseFile))
		case <-tick.C:
		}
	}
	return true, errors.Join(errs...)
}
