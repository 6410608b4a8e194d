package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Autoconf is what a VM's kernel has made of router advertisements (RFC 4862). What it has heard nothing of is zero.
type Autoconf struct {
	// Address is the one that it has made itself.
	Address netip.Prefix
	// Router is its default router, by link-local address.
	Router netip.Addr
	// MTU of IPv6 in bytes.
	MTU int
}

// Solicit turns eth0 off and on: the kernel forgets what it has heard, and asks for routers at once (RFC 4861, section 6.3.7).
func (vm *VM) Solicit(ctx context.Context) error {
	const batch = `set -e
ip link set dev eth0 down
echo 0 >/proc/sys/net/ipv6/conf/eth0/dad_transmits
echo 0 >/proc/sys/net/ipv6/conf/eth0/router_solicitation_delay
ip link set dev eth0 up`
	_, err := vm.Box.Exec(ctx, "sh", "-c", batch)
	return err
}

// Autoconf asks the VM's kernel what it has heard.
func (vm *VM) Autoconf(ctx context.Context) (a Autoconf, err error) {
	var links []struct {
		Info []struct {
			Local     netip.Addr `json:"local"`
			PrefixLen int        `json:"prefixlen"`
			Dynamic   bool       `json:"dynamic"`
			Tentative bool       `json:"tentative"`
			Protocol  string     `json:"protocol"`
		} `json:"addr_info"`
	}
	if err := vm.ask(ctx, &links, "ip", "-6", "-json", "addr", "show", "dev", "eth0", "scope", "global"); err != nil {
		return a, err
	}
	for _, l := range links {
		for _, i := range l.Info {
			if i.Dynamic && !i.Tentative {
				a.Address = netip.PrefixFrom(i.Local, i.PrefixLen)
			}
		}
	}
	var routes []struct {
		Gateway  netip.Addr `json:"gateway"`
		Protocol string     `json:"protocol"`
	}
	if err := vm.ask(ctx, &routes, "ip", "-6", "-json", "route", "show", "default"); err != nil {
		return a, err
	}
	for _, r := range routes {
		if r.Protocol == "ra" {
			a.Router = r.Gateway
		}
	}
	mtu, err := vm.Box.Exec(ctx, "cat", "/proc/sys/net/ipv6/conf/eth0/mtu")
	if err != nil {
		return a, err
	}
	a.MTU, err = strconv.Atoi(strings.TrimSpace(mtu))
	return a, err
}

func (vm *VM) ask(ctx context.Context, into any, argv ...string) error {
	text, err := vm.Box.Exec(ctx, argv...)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s in %s: %w", strings.Join(argv, " "), vm.Name, err)
	}
	return nil
}

// Configured solicits, and waits until the kernel has a default router, and an address if wantsAddress. The VM has that address then.
func (vm *VM) Configured(ctx context.Context, wantsAddress bool) (a Autoconf, took time.Duration, err error) {
	start := time.Now()
	if err := vm.Solicit(ctx); err != nil {
		return a, 0, err
	}
	err = Poll(ctx, 15*time.Second, func() (err error) {
		if a, err = vm.Autoconf(ctx); err != nil {
			return err
		}
		if !a.Router.IsValid() || wantsAddress && !a.Address.IsValid() {
			return errors.New("heard no router: it has " + fmt.Sprint(a))
		}
		return nil
	})
	if err != nil {
		return a, 0, fmt.Errorf("%s: %w", vm.Name, err)
	}
	if wantsAddress {
		vm.Addresses = []netip.Prefix{a.Address}
		err = vm.write()
	}
	return a, time.Since(start), err
}
