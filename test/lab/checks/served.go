package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// served is DHCP and metadata. The scene has two networks with DHCP: private[0] with a router, private[1] without.
func served() []Check {
	k := kind{&scene{"served", buildServed}, "served"}
	return []Check{
		k.check("leases by udhcpc and dhclient", leases),
		k.check("strangers get no lease", strangers),
		k.check("changed port, same dnsmasq", changedLease),
		k.check("dnsmasq killed", dnsmasqDies),
		k.check("metadata", metadata),
		k.check("metadata by Nova", metadataByNova),
		k.check("ovs-vswitchd killed", servedAfterCrash),
		k.check("dnsmasq is missing", lacksDnsmasq),
		k.check("nothing is left", nothingLeft),
	}
}

// webID is the id of the instance behind a VM of the scene.
const webID = "5e0c3a36-3c0b-4e4e-9f4e-6a3a7a4b1d01"

// buildServed makes VMs without addresses: web and plain in the network with a router, alone in the one without.
func buildServed(ctx context.Context, s *cloud.Scope) (*site, error) {
	t := &site{vm: map[string]*lab.VM{}, fip: map[string]*cloud.FloatingIP{}, scope: s}
	var err error
	if t.before, err = before(ctx, s.Cloud); err != nil {
		return nil, err
	}
	if t.ext, err = s.External(ctx, "ext", "172.24.4.0/24", 0); err != nil {
		return nil, err
	}
	if t.private[0], err = s.NetworkWith(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, &weftv1.Subnet{
		Cidr: "10.0.11.0/24", DnsNameservers: []string{"192.0.2.53", "192.0.2.54"},
		HostRoutes: []*weftv1.Route{{Destination: "10.99.0.0/16", Nexthop: "10.0.11.9"}},
	}); err != nil {
		return nil, err
	}
	if t.private[1], err = s.NetworkWith(ctx, "alone", &weftv1.Network{ProviderNetworkType: "vxlan"}, &weftv1.Subnet{
		Cidr: "10.0.12.0/24", GatewayIp: proto.String(""),
	}); err != nil {
		return nil, err
	}
	if t.router, err = s.Router(ctx, "router", cloud.RouterOf(true, t.ext, t.private[0])); err != nil {
		return nil, err
	}
	if t.gateway, err = cloud.GatewayAddress(t.router); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		net  int
		host int
		port *weftv1.Port
	}{
		{"web", 0, 0, &weftv1.Port{
			FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.11.20"}}, DeviceId: webID,
			ExtraDhcpOpts: []*weftv1.DHCPOption{{OptName: "bootfile-name", OptValue: "pxelinux.0"}, {OptName: "42", OptValue: "192.0.2.123"}},
			Instance: &weftv1.Instance{
				Hostname: "web", UserData: []byte("#!/bin/sh\necho web\n"), PublicKeys: map[string]string{"ops": "ssh-ed25519 AAAA ops"},
				Meta: map[string]string{"role": "web"},
			},
		}},
		{"plain", 0, 1, &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.11.21"}}}},
		{"alone", 1, 0, &weftv1.Port{Instance: &weftv1.Instance{UserData: []byte("alone")}}},
	} {
		if t.vm[v.name], _, err = s.BareVM(ctx, t.private[v.net], v.name, s.Lab.Hosts[v.host].Name, v.port); err != nil {
			return nil, err
		}
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	if t.network, err = centralHost(ctx, s.Cloud, t.router); err != nil {
		return nil, err
	}
	for _, name := range []string{"plain", "alone"} {
		lease, err := t.vm[name].Lease(ctx, "udhcpc")
		if err != nil {
			return nil, err
		}
		if err := t.vm[name].UseLease(ctx, lease); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// leases compares what both clients get with what was asked for, and uses it.
func leases(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	vm := t.vm["web"]
	var took []string
	for _, client := range lab.Clients {
		start := time.Now()
		l, err := vm.Lease(ctx, client)
		if err != nil {
			return "", fmt.Errorf("%s: %w", client, err)
		}
		took = append(took, fmt.Sprintf("%s %s", client, ms(time.Since(start))))
		gateway := t.private[0].Gateway().String()
		wrong := func(what string, got, want any) error {
			return fmt.Errorf("%s: %s: got %v, want %v", client, what, got, want)
		}
		switch {
		case l.Address.String() != "10.0.11.20/24":
			return "", wrong("address", l.Address, "10.0.11.20/24")
		case l.Gateway.String() != gateway:
			return "", wrong("gateway", l.Gateway, gateway)
		case fmt.Sprint(l.DNS) != "[192.0.2.53 192.0.2.54]":
			return "", wrong("DNS", l.DNS, "[192.0.2.53 192.0.2.54]")
		case l.MTU != int(t.private[0].GetMtu()):
			return "", wrong("MTU", l.MTU, t.private[0].GetMtu())
		case l.Hostname != "web":
			return "", wrong("hostname", l.Hostname, "web")
		case l.Bootfile != "pxelinux.0" || l.NTP != "192.0.2.123":
			return "", wrong("extra options", l.Bootfile+" "+l.NTP, "pxelinux.0 192.0.2.123")
		}
		for _, route := range []string{"10.99.0.0/16 10.0.11.9", "0.0.0.0/0 " + gateway, "169.254.169.254/32 " + gateway} {
			if !slices.Contains(l.Routes, route) {
				return "", wrong("routes", l.Routes, route)
			}
		}
		if err := vm.UseLease(ctx, l); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", t.gateway); err != nil {
			return "", err
		}
		if _, err := mustPing(ctx, vm.Box, addr(t.vm["plain"]), lab.Pings{Size: l.MTU}); err != nil {
			return "", err
		}
	}
	return strings.Join(took, ", ") + "; address, gateway, DNS, routes, MTU, extra options", nil
}

// strangers asks with a MAC that no port has, and in a network without DHCP.
func strangers(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	silent, err := s.Network(ctx, "silent", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.11.0/24")
	if err != nil {
		return "", err
	}
	outsider, _, err := s.BareVM(ctx, silent, "outsider", s.Lab.Hosts[0].Name, &weftv1.Port{})
	if err != nil {
		return "", err
	}
	masked, _, err := s.BareVM(ctx, t.private[0], "masked", s.Lab.Hosts[0].Name, &weftv1.Port{})
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if _, err := masked.Lease(ctx, "udhcpc"); err != nil {
		return "", fmt.Errorf("by its own MAC: %w", err)
	}
	if _, err := masked.Box.Exec(ctx, "ip", "link", "set", "dev", "eth0", "address", "fa:16:3e:66:66:66"); err != nil {
		return "", err
	}
	var g errgroup.Group
	for _, vm := range []*lab.VM{outsider, masked} {
		g.Go(func() error {
			if l, err := vm.LeaseInVain(ctx, "udhcpc"); err == nil {
				return fmt.Errorf("%s was given %s", vm.Name, l.Address)
			}
			return nil
		})
	}
	return "a foreign MAC and a foreign network: no lease", g.Wait()
}

// servers are the dnsmasqs of a network: host and process id.
func servers(ctx context.Context, s *cloud.Scope, n *cloud.Network) (map[string]int, error) {
	return daemons(ctx, s, "dnsmasq", n.ID())
}

// daemons are the processes of a program that have an id among their arguments: host and process id.
func daemons(ctx context.Context, s *cloud.Scope, program, id string) (map[string]int, error) {
	found := map[string]int{}
	for _, h := range s.Lab.Hosts {
		if h.Box == nil {
			continue
		}
		all, err := h.Processes(ctx, program)
		if err != nil {
			return nil, err
		}
		for pid, args := range all {
			if strings.Contains(args, id) {
				found[h.Name] = pid
			}
		}
	}
	return found, nil
}

// changedLease changes a port's address and options under a running dnsmasq.
func changedLease(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	if len(before) == 0 {
		return "", errors.New("no dnsmasq serves the network")
	}
	change := func(vm *lab.VM, address string, options ...*weftv1.DHCPOption) error {
		if _, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
			Port: &weftv1.Port{
				Metadata: &weftv1.Metadata{Id: vm.PortID}, FixedIps: []*weftv1.FixedIP{{IpAddress: address}}, ExtraDhcpOpts: options,
			},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"fixed_ips", "extra_dhcp_opts"}},
		}); err != nil {
			return fmt.Errorf("change %s: %w", vm.Name, err)
		}
		if err := s.Settle(ctx); err != nil {
			return err
		}
		l, err := vm.Lease(ctx, "udhcpc")
		if err != nil {
			return err
		}
		if l.Address.Addr().String() != address || len(options) > 0 && l.Bootfile != options[0].GetOptValue() {
			return fmt.Errorf("%s was given %s and boot file %q, not %s and %v", vm.Name, l.Address, l.Bootfile, address, options)
		}
		return vm.UseLease(ctx, l)
	}
	for _, last := range []string{"77", "78", "21"} {
		if err := change(t.vm["plain"], "10.0.11."+last); err != nil {
			return "", err
		}
	}
	ntp := &weftv1.DHCPOption{OptName: "42", OptValue: "192.0.2.123"}
	for _, c := range [][2]string{{"79", "first.0"}, {"20", "pxelinux.0"}} {
		if err := change(t.vm["web"], "10.0.11."+c[0], &weftv1.DHCPOption{OptName: "bootfile-name", OptValue: c[1]}, ntp); err != nil {
			return "", err
		}
	}
	after, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	if fmt.Sprint(after) != fmt.Sprint(before) {
		return "", fmt.Errorf("dnsmasq was started again: %v, before %v", after, before)
	}
	return "5 changes of addresses and options, by the same process", nil
}

// dnsmasqDies kills the dnsmasqs of a network.
func dnsmasqDies(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := servers(ctx, s, t.private[0])
	if err != nil {
		return "", err
	}
	if len(before) == 0 {
		return "", errors.New("no dnsmasq serves the network")
	}
	took, err := succeeded(ctx, s, before, func() (map[string]int, error) { return servers(ctx, s, t.private[0]) })
	if err != nil {
		return "", err
	}
	_, err = t.vm["plain"].Lease(ctx, "udhcpc")
	return "back after " + ms(took), err
}

// succeeded kills processes, by host, and waits until others have come in their place.
func succeeded(ctx context.Context, s *cloud.Scope, before map[string]int, now func() (map[string]int, error)) (took time.Duration, err error) {
	start := time.Now()
	for host, pid := range before {
		h, err := s.Lab.Host(host)
		if err != nil {
			return 0, err
		}
		if _, err := h.Exec(ctx, "kill", "-9", fmt.Sprint(pid)); err != nil {
			return 0, err
		}
	}
	err = lab.Poll(ctx, 30*time.Second, func() error {
		after, err := now()
		if err != nil {
			return err
		}
		for host, pid := range before {
			if after[host] == 0 || after[host] == pid {
				return fmt.Errorf("%s: process %d has no successor", host, pid)
			}
		}
		return nil
	})
	return time.Since(start), err
}

// metadataAt is where every cloud answers.
var metadataAt = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// fetch asks the metadata service from a VM.
func fetch(ctx context.Context, vm *lab.VM, path string, headers ...string) (string, error) {
	argv := []string{"curl", "-sS", "-f", "-m", "3"}
	for _, h := range headers {
		argv = append(argv, "-H", h)
	}
	return vm.Box.Exec(ctx, append(argv, "http://"+metadataAt.String()+path)...)
}

// metadata is what the built-in source tells: by the router, and by the DHCP server of a network that has none.
func metadata(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	lease, err := t.vm["web"].Lease(ctx, "udhcpc")
	if err != nil {
		return "", err
	}
	if err := t.vm["web"].UseLease(ctx, lease); err != nil {
		return "", err
	}
	plain := t.vm["plain"]
	forged := []string{"X-Forwarded-For: " + addr(plain).String(), "X-Instance-ID: " + plain.PortID, "X-Real-IP: " + addr(plain).String()}
	for _, ask := range []struct {
		vm, path, want string
		headers        []string
	}{
		{"web", "/latest/meta-data/instance-id", webID, nil},
		{"web", "/latest/meta-data/instance-id", webID, forged},
		{"web", "/latest/meta-data/local-ipv4", "10.0.11.20", nil},
		{"web", "/latest/user-data", "#!/bin/sh\necho web\n", nil},
		{"web", "/openstack/latest/user_data", "#!/bin/sh\necho web\n", nil},
		{"plain", "/latest/meta-data/instance-id", plain.PortID, nil},
		{"plain", "/latest/meta-data/local-ipv4", addr(plain).String(), nil},
		{"alone", "/latest/user-data", "alone", nil},
		{"alone", "/latest/meta-data/local-ipv4", addr(t.vm["alone"]).String(), nil},
	} {
		got, err := fetch(ctx, t.vm[ask.vm], ask.path, ask.headers...)
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(got) != strings.TrimSpace(ask.want) {
			return "", fmt.Errorf("%s asks for %s with %q: got %q, want %q", ask.vm, ask.path, ask.headers, got, ask.want)
		}
	}
	token, err := plain.Box.Exec(ctx, "curl", "-sS", "-f", "-m", "3", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60",
		"http://"+metadataAt.String()+"/latest/api/token")
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	if got, err := fetch(ctx, plain, "/latest/meta-data/instance-id", "X-aws-ec2-metadata-token: "+token); err != nil || strings.TrimSpace(got) != plain.PortID {
		return "", errors.Join(fmt.Errorf("with a session token: got %q, want %q", got, plain.PortID), err)
	}
	if got, err := fetch(ctx, t.vm["web"], "/latest/meta-data/instance-id", "X-aws-ec2-metadata-token: "+token); err == nil {
		return "", fmt.Errorf("with the session token of another machine: got %q", got)
	}
	got, err := fetch(ctx, t.vm["web"], "/openstack/latest/meta_data.json")
	if err != nil {
		return "", err
	}
	var doc struct {
		UUID     string            `json:"uuid"`
		Hostname string            `json:"hostname"`
		Meta     map[string]string `json:"meta"`
		Keys     map[string]string `json:"public_keys"`
	}
	if err := json.Unmarshal([]byte(got), &doc); err != nil {
		return "", fmt.Errorf("meta_data.json: %w", err)
	}
	if doc.UUID != webID || !strings.HasPrefix(doc.Hostname, "web") || doc.Meta["role"] != "web" || !strings.HasPrefix(doc.Keys["ops"], "ssh-ed25519") {
		return "", fmt.Errorf("meta_data.json: %s", got)
	}
	if _, err := fetch(ctx, plain, "/latest/user-data"); err == nil {
		return "", errors.New("plain has no user-data, and got some")
	}
	return "EC2 (with session tokens) and OpenStack trees, by router and by DHCP; forged headers useless", nil
}

// metadataByNova restarts the agents with a Nova to ask.
func metadataByNova(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	nova, err := s.Lab.StartNova(ctx, "correct horse")
	if err != nil {
		return "", err
	}
	s.Defer(nova.Stop)
	restart := func(ctx context.Context, extra ...string) error {
		for _, h := range s.Lab.Hosts {
			if err := h.KillAgent(ctx); err != nil {
				return err
			}
			if err := h.StartAgent(ctx, extra...); err != nil {
				return err
			}
		}
		if err := s.WaitReady(ctx); err != nil {
			return err
		}
		return s.Settle(ctx)
	}
	s.Defer(func(ctx context.Context) error { return restart(ctx) })
	if err := restart(ctx, "--metadata-url", nova.URL, "--metadata-secret-file", nova.SecretFile); err != nil {
		return "", err
	}
	vm := t.vm["plain"]
	forged := []string{"X-Instance-ID: " + webID, "X-Forwarded-For: 10.0.11.20", "X-Tenant-ID: evil", "X-Instance-ID-Signature: 00"}
	for name, headers := range map[string][]string{"plain": forged, "alone": nil} {
		want := "nova: " + t.vm[name].PortID
		// A listener is back a moment after its agent.
		var got string
		if err := lab.Poll(ctx, 10*time.Second, func() (err error) {
			got, err = fetch(ctx, t.vm[name], "/latest/meta-data/", headers...)
			return err
		}); err != nil {
			return "", err
		}
		if strings.TrimSpace(got) != want {
			return "", fmt.Errorf("%s is answered %q, want %q", name, got, want)
		}
	}
	all, err := nova.Requests()
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if !r.Signed {
			return "", fmt.Errorf("wrong signature: %+v", r)
		}
		if v := r.Header.Values("X-Instance-ID"); len(v) != 1 {
			return "", fmt.Errorf("X-Instance-ID: %q", v)
		}
		if r.Header.Get("X-Instance-ID") != vm.PortID {
			continue
		}
		if got := r.Header.Get("X-Forwarded-For"); got != addr(vm).String() {
			return "", fmt.Errorf("X-Forwarded-For %q, want %s", got, addr(vm))
		}
		if got := r.Header.Get("X-Tenant-ID"); got != "default" {
			return "", fmt.Errorf("X-Tenant-ID %q, want default", got)
		}
	}
	return fmt.Sprintf("%d requests, all signed; forged headers dropped", len(all)), nil
}
