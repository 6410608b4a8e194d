package ovsdb

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestChecks(t *testing.T) {
	b := threeBridges().Bridges[0]
	tun := threeBridges().Tunnels[0]
	bind := Binding{PortID: "1f0c1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b", Interface: "tap1f0c1a2b-3c", MAC: "fa:16:3e:00:00:01", VLAN: 1}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"bridge", b.Check(), ""},
		{"tunnel", tun.Check(), ""},
		{"binding", bind.Check(), ""},
		{"bridge with a command in its name", with(b, func(b *Bridge) { b.Name = "br-ex;reboot" }).Check(),
			`name: "br-ex;reboot" is no name for a network device: 1 to 15 letters, digits, "_", ".", "-" are`},
		{"option as a name", with(b, func(b *Bridge) { b.Name = "--help" }).Check(),
			`name: "--help" is no name for a network device: 1 to 15 letters, digits, "_", ".", "-" are`},
		{"bridge of 12 characters", with(b, func(b *Bridge) { b.Name = "br-provider1" }).Check(),
			`name: "br-provider1" is longer than 11 characters, which leaves no room for the patch ports int-… and phy-…`},
		{"role", with(b, func(b *Bridge) { b.Role = "" }).Check(), `role: "" is none of integration, tunnel, physical`},
		{"datapath id", with(b, func(b *Bridge) { b.DatapathID = "0000000000000000" }).Check(),
			`datapath_id: "0000000000000000" is not 16 lower-case hex digits that are not all zero`},
		{"listener", with(b, func(b *Bridge) { b.Controllers = []string{"ptcp:6653"} }).Check(),
			`controllers: "ptcp:6653" is not tcp:<address>:<port> or ssl:<address>:<port>`},
		{"port 0", with(b, func(b *Bridge) { b.Controllers = []string{"tcp:10.0.0.1:0"} }).Check(),
			`controllers: "tcp:10.0.0.1:0" is not tcp:<address>:<port> or ssl:<address>:<port>`},
		{"twice", with(b, func(b *Bridge) { b.Controllers = []string{"tcp:[::1]:6653", "tcp:[::1]:6653"} }).Check(),
			`controllers: "tcp:[::1]:6653" is named twice`},
		{"tunnel type", with(tun, func(t *TunnelPort) { t.Type = "stt" }).Check(), `type: "stt" is none of vxlan, gre, geneve`},
		{"tunnel name", with(tun, func(t *TunnelPort) { t.Type = "gre" }).Check(), `name: "vxlan-0a5b0015" does not begin with "gre-"`},
		{"no address", with(tun, func(t *TunnelPort) { t.RemoteIP = netip.Addr{} }).Check(), `remote_ip: invalid IP is not the address of a host`},
		{"zone", with(tun, func(t *TunnelPort) { t.RemoteIP = addr("fe80::1%eth0") }).Check(), `remote_ip: fe80::1%eth0 is not the address of a host`},
		{"families", with(tun, func(t *TunnelPort) { t.RemoteIP = addr("fd00::1") }).Check(), `remote_ip: fd00::1 is of another family than the local 10.91.0.20`},
		{"to itself", with(tun, func(t *TunnelPort) { t.RemoteIP = t.LocalIP }).Check(), `remote_ip: 10.91.0.20 is this host's own`},
		{"vlan 0", with(bind, func(b *Binding) { b.VLAN = 0 }).Check(), `vlan: 0 is not in 1..4095`},
		{"vlan 4096", with(bind, func(b *Binding) { b.VLAN = 4096 }).Check(), `vlan: 4096 is not in 1..4095`},
		{"interface", with(bind, func(b *Binding) { b.Interface = "tap with blanks" }).Check(),
			`interface: "tap with blanks" is no name for a network device: 1 to 15 letters, digits, "_", ".", "-" are`},
		{"id", with(bind, func(b *Binding) { b.PortID = "a=b" }).Check(), `port_id: "a=b" is no id: 1 to 128 letters, digits, "_", ".", ":", "-" are`},
		{"mac", with(bind, func(b *Binding) { b.MAC = "fa:16" }).Check(), `mac_address: "fa:16" is not an Ethernet address`},
		{"revision", with(bind, func(b *Binding) { b.Installed = -1 }).Check(), `installed_revision: -1 is negative`},
	} {
		if got := fmt.Sprint(c.err); got != c.want && !(c.err == nil && c.want == "") {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}
