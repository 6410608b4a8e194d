package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Lease is what a DHCP client was given.
type Lease struct {
	Address netip.Prefix
	// Gateway is option 3.
	Gateway netip.Addr
	// Server is the identifier of the server, option 54.
	Server netip.Addr
	DNS    []netip.Addr
	// MTU in bytes, option 26.
	MTU int
	// Hostname and Domain are options 12 and 15.
	Hostname, Domain string
	// Routes are those of option 121, "169.254.169.254/32 10.0.1.1" each.
	Routes []string
	// TFTP and Bootfile are options 66 and 67; NTP is option 42.
	TFTP, Bootfile, NTP string
	// Duration of the lease.
	Duration time.Duration
}

// leaseScript is what the clients run on every change: it keeps what they know, and leaves the interface as it is, but
// up. The file is beside the script, so that both clients, who hand on different parts of the environment, find it.
const leaseScript = `#!/bin/sh
case "${1:-$reason}" in
bound | renew | BOUND | RENEW | REBIND | REBOOT | BOUND6 | RENEW6 | REBIND6) env >"$0.lease" ;;
PREINIT | deconfig) ip link set dev "$interface" up ;;
esac
exit 0
`

// dhclientConf asks for what clouds give out.
const dhclientConf = `option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
option ms-classless-static-routes code 249 = array of unsigned integer 8;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, host-name, interface-mtu, ntp-servers,
	tftp-server-name, bootfile-name, rfc3442-classless-static-routes, ms-classless-static-routes;
timeout 8; retry 1; reboot 1; select-timeout 0; initial-interval 1; backoff-cutoff 1;
`

// Clients are the DHCP clients that Lease knows.
var Clients = []string{"udhcpc", "dhclient"}

// Lease lets a real DHCP client, one of Clients, ask for a lease on eth0. It does not change the VM; UseLease does. An
// error says that there was no lease within some seconds.
func (vm *VM) Lease(ctx context.Context, client string) (Lease, error) {
	return vm.lease(ctx, client, 3)
}

// LeaseInVain is Lease for a VM that must get none: the client asks once.
func (vm *VM) LeaseInVain(ctx context.Context, client string) (Lease, error) {
	return vm.lease(ctx, client, 1)
}

// lease asks that many times, a second apart, if the client is udhcpc.
func (vm *VM) lease(ctx context.Context, client string, tries int) (Lease, error) {
	script := filepath.Join(vm.lab.Dir, "vm", vm.Name+"."+client)
	for name, text := range map[string]string{script: leaseScript, script + ".conf": dhclientConf} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			return Lease{}, fmt.Errorf("DHCP client of %s: %w", vm.Name, err)
		}
	}
	if err := os.RemoveAll(script + ".lease"); err != nil {
		return Lease{}, fmt.Errorf("DHCP client of %s: %w", vm.Name, err)
	}
	var argv []string
	switch client {
	case "udhcpc":
		argv = []string{"udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", strconv.Itoa(tries), "-T", "1", "-A", "1", "-s", script,
			"-O", "mtu", "-O", "staticroutes", "-O", "msstaticroutes", "-O", "ntpsrv", "-O", "tftp", "-O", "bootfile"}
	case "dhclient":
		argv = []string{"sh", "-c", `dhclient -1 -cf "$0.conf" -sf "$0" -lf /run/dhclient.leases -pf /run/dhclient.pid eth0
code=$?
kill $(cat /run/dhclient.pid); rm -f /run/dhclient.leases
exit $code`, script}
	default:
		return Lease{}, fmt.Errorf("DHCP client %q: know %v", client, Clients)
	}
	out, err := vm.Box.Run(ctx, nsbox.Once{Argv: argv, Timeout: 20 * time.Second})
	if err != nil {
		return Lease{}, err
	}
	text, err := os.ReadFile(script + ".lease")
	if err != nil || out.Code != 0 {
		return Lease{}, fmt.Errorf("no lease: %w", &nsbox.ExitError{Box: vm.Name, Argv: argv[:1], Output: out})
	}
	return readLease(string(text))
}

// readLease reads the environment that a client gave its script.
func readLease(environment string) (l Lease, err error) {
	env := map[string]string{}
	for line := range strings.Lines(environment) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	get := func(udhcpc, dhclient string) string {
		if v, ok := env["new_"+dhclient]; ok {
			return v
		}
		return env[udhcpc]
	}
	address, err := netip.ParseAddr(get("ip", "ip_address"))
	if err != nil {
		return l, fmt.Errorf("lease: %w", err)
	}
	mask := net.IPMask(net.ParseIP(get("subnet", "subnet_mask")).To4())
	bits, _ := mask.Size()
	l.Address = netip.PrefixFrom(address, bits)
	// What is not given stays zero.
	l.Gateway, _ = netip.ParseAddr(first(get("router", "routers")))
	l.Server, _ = netip.ParseAddr(get("serverid", "dhcp_server_identifier"))
	for _, f := range strings.Fields(get("dns", "domain_name_servers")) {
		a, err := netip.ParseAddr(f)
		if err != nil {
			return l, fmt.Errorf("lease: DNS server: %w", err)
		}
		l.DNS = append(l.DNS, a)
	}
	for name, n := range map[string]*int{get("mtu", "interface_mtu"): &l.MTU} {
		if name == "" {
			continue
		}
		if *n, err = strconv.Atoi(name); err != nil {
			return l, fmt.Errorf("lease: MTU: %w", err)
		}
	}
	if s := get("lease", "dhcp_lease_time"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return l, fmt.Errorf("lease: duration: %w", err)
		}
		l.Duration = time.Duration(n) * time.Second
	}
	l.Hostname, l.Domain = get("hostname", "host_name"), get("domain", "domain_name")
	l.TFTP, l.Bootfile, l.NTP = get("tftp", "tftp_server_name"), get("bootfile", "bootfile_name"), get("ntpsrv", "ntp_servers")
	l.Routes, err = routes(env["staticroutes"], env["new_rfc3442_classless_static_routes"])
	return l, err
}

func first(list string) string {
	f, _, _ := strings.Cut(list, " ")
	return f
}

// routes reads option 121 as udhcpc tells it ("10.9.0.0/16 10.0.1.9 …") or as dhclient does, which gives its bytes.
func routes(pairs, raw string) ([]string, error) {
	var all []string
	f := strings.Fields(pairs)
	for i := 0; i+1 < len(f); i += 2 {
		all = append(all, f[i]+" "+f[i+1])
	}
	var b []byte
	for _, n := range strings.Fields(raw) {
		v, err := strconv.ParseUint(n, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("lease: option 121: %w", err)
		}
		b = append(b, byte(v))
	}
	// RFC 3442: the prefix length, as many bytes of the destination as it needs, the router.
	for len(b) > 0 {
		bits := int(b[0])
		n := (bits + 7) / 8
		if bits > 32 || len(b) < 1+n+4 {
			return nil, fmt.Errorf("lease: option 121: %q", raw)
		}
		var to [4]byte
		copy(to[:], b[1:1+n])
		via, _ := netip.AddrFromSlice(b[1+n : 5+n])
		all = append(all, fmt.Sprintf("%s %s", netip.PrefixFrom(netip.AddrFrom4(to), bits), via))
		b = b[5+n:]
	}
	return all, nil
}

// UseLease configures eth0 as the lease says: address, MTU and routes. With option 121 a client ignores the gateway of
// option 3 (RFC 3442).
func (vm *VM) UseLease(ctx context.Context, l Lease) error {
	var batch strings.Builder
	fmt.Fprintf(&batch, "addr flush dev eth0 scope global\naddr add %s dev eth0\n", l.Address)
	if l.MTU != 0 {
		fmt.Fprintf(&batch, "link set dev eth0 mtu %d\n", l.MTU)
	}
	for _, r := range l.Routes {
		to, via, _ := strings.Cut(r, " ")
		if via == "0.0.0.0" {
			fmt.Fprintf(&batch, "route replace %s dev eth0 scope link\n", to)
			continue
		}
		fmt.Fprintf(&batch, "route replace %s via %s dev eth0\n", to, via)
	}
	if len(l.Routes) == 0 && l.Gateway.IsValid() {
		fmt.Fprintf(&batch, "route replace default via %s dev eth0\n", l.Gateway)
	}
	if err := ip(ctx, vm.Box, batch.String()); err != nil {
		return err
	}
	vm.Addresses, vm.Gateway = []netip.Prefix{l.Address}, l.Gateway
	return vm.write()
}
