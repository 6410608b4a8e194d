package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Lease6 is what a DHCPv6 client was told.
type Lease6 struct {
	// Address is the zero Addr when the client asked for other configuration only.
	Address netip.Addr
	DNS     []netip.Addr
	// Search are the domains to search.
	Search string
}

const dhclient6Conf = `also request dhcp6.name-servers, dhcp6.domain-search;
timeout 8; retry 1; reboot 1; select-timeout 0; initial-interval 1; backoff-cutoff 1;
`

// Lease6 lets dhclient ask for an address on eth0, with more arguments: "-S" asks for other configuration only, "-D", "LL" makes the
// DUID of the MAC alone, and "-D", "LLT" another one each time. The VM has a link-local address; it is not changed, but for that
// UseLease6 adds what came. An error says that there was no answer within some seconds.
func (vm *VM) Lease6(ctx context.Context, arguments ...string) (l Lease6, err error) {
	script := filepath.Join(vm.lab.Dir, "vm", vm.Name+".dhclient6")
	for name, text := range map[string]string{script: leaseScript, script + ".conf": dhclient6Conf} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			return l, fmt.Errorf("DHCPv6 client of %s: %w", vm.Name, err)
		}
	}
	if err := os.RemoveAll(script + ".lease"); err != nil {
		return l, fmt.Errorf("DHCPv6 client of %s: %w", vm.Name, err)
	}
	// It asks for ever: what ends it is the timeout.
	argv := []string{"sh", "-c", `timeout 8 dhclient -6 -1 "$@" -cf "$0.conf" -sf "$0" -lf /run/dhclient6.leases -pf /run/dhclient6.pid eth0
code=$?
[ ! -f /run/dhclient6.pid ] || kill $(cat /run/dhclient6.pid)
rm -f /run/dhclient6.*
exit $code`, script}
	argv = append(argv, arguments...)
	out, err := vm.Box.Run(ctx, nsbox.Once{Argv: argv, Timeout: 20 * time.Second})
	if err != nil {
		return l, err
	}
	text, err := os.ReadFile(script + ".lease")
	if err != nil || out.Code != 0 {
		return l, fmt.Errorf("no answer by DHCPv6: %w", &nsbox.ExitError{Box: vm.Name, Argv: []string{"dhclient", "-6"}, Output: out})
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	if a := env["new_ip6_address"]; a != "" {
		if l.Address, err = netip.ParseAddr(a); err != nil {
			return l, fmt.Errorf("lease of %s: %w", vm.Name, err)
		}
	}
	for _, f := range strings.Fields(env["new_dhcp6_name_servers"]) {
		a, err := netip.ParseAddr(f)
		if err != nil {
			return l, fmt.Errorf("lease of %s: DNS server: %w", vm.Name, err)
		}
		l.DNS = append(l.DNS, a)
	}
	l.Search = env["new_dhcp6_domain_search"]
	return l, nil
}

// UseLease6 gives eth0 the address of a lease, of a subnet of 64 bits; how to leave that the kernel hears of routers.
func (vm *VM) UseLease6(ctx context.Context, l Lease6) error {
	vm.Addresses = []netip.Prefix{netip.PrefixFrom(l.Address, 128)}
	if _, err := vm.Box.Exec(ctx, "ip", "addr", "replace", vm.Addresses[0].String(), "dev", "eth0", "nodad"); err != nil {
		return err
	}
	return vm.write()
}
