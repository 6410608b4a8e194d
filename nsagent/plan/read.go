package plan

import (
	"fmt"
	"net/netip"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// Read checks a resource of one of the kinds that ask for something in namespaces, as strictly as if anyone could have
// sent it: what it gives holds nothing but numbers, addresses and names that are safe in rules, paths and commands. The
// error is a *FieldError; for a resource of another kind it is one of the field "spec".
func Read(res *nodev1.Resource) (Resource, error) {
	var r reader
	var out Resource
	switch s := res.GetSpec().(type) {
	case *nodev1.Resource_Router:
		out = r.router(s.Router)
	case *nodev1.Resource_Snat:
		out = r.snat(s.Snat)
	case *nodev1.Resource_FipNamespace:
		out = r.fipNamespace(s.FipNamespace)
	case *nodev1.Resource_FloatingIp:
		out = r.floatingIP(s.FloatingIp)
	case *nodev1.Resource_PortForwarding:
		out = r.portForwarding(s.PortForwarding)
	case *nodev1.Resource_Dhcp:
		out = r.dhcp(s.Dhcp)
	case *nodev1.Resource_Endpoint:
		out = r.endpoint(s.Endpoint)
	case *nodev1.Resource_Firewall:
		out = r.portFirewall(s.Firewall)
	case *nodev1.Resource_GroupSet:
		out = r.groupSet(s.GroupSet)
	case *nodev1.Resource_RemoteGroup:
		out = r.remoteGroup(s.RemoteGroup)
	case *nodev1.Resource_RemoteAddress:
		out = r.remoteAddress(s.RemoteAddress)
	default:
		r.fail("spec", "it asks for nothing in a namespace")
	}
	if r.err == nil && res.GetName() != out.Resource() {
		r.fail("name", "%q is the name of a resource whose own name would be %q", res.GetName(), out.Resource())
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}

func (r *reader) device(field string, d *nodev1.Device) Device {
	if d == nil {
		r.fail(field, "it is not there")
		return Device{PortID: r.uuid(field, ""), NetworkID: ""}
	}
	out := Device{PortID: r.uuid(field+".port_id", d.GetPortId()), NetworkID: r.uuid(field+".network_id", d.GetNetworkId()),
		MAC: r.mac(field+".mac_address", d.GetMacAddress()), MTU: d.GetMtu()}
	if out.MTU < 68 || out.MTU > 65535 {
		r.fail(field+".mtu", "%d is not in 68..65535", out.MTU)
	}
	seen := map[netip.Addr]bool{}
	for i, s := range d.GetAddresses() {
		f := fmt.Sprintf("%s.addresses[%d]", field, i)
		p := r.prefix(f, s)
		if seen[p.Addr()] && p.IsValid() {
			r.fail(f, "%v is named twice", p.Addr())
		}
		if p.Addr().Is6() && out.MTU < 1280 {
			r.fail(field+".mtu", "%d is less than the 1280 that IPv6 needs", out.MTU)
		}
		seen[p.Addr()] = true
		out.Addresses = append(out.Addresses, p)
	}
	return out
}

func (r *reader) routes(field string, list []*nodev1.Route) []Route {
	var out []Route
	seen := map[Route]bool{}
	for i, n := range list {
		f := fmt.Sprintf("%s[%d]", field, i)
		t := Route{r.block(f+".destination", n.GetDestination()), r.addr(f+".nexthop", n.GetNexthop())}
		if t.Destination.IsValid() && t.NextHop.IsValid() && t.Destination.Addr().Is4() != t.NextHop.Is4() {
			r.fail(f+".nexthop", "%v is of another family than %v", t.NextHop, t.Destination)
		}
		if seen[t] {
			r.fail(f, "it is there twice")
		}
		seen[t] = true
		out = append(out, t)
	}
	return out
}

// gatewayIPs reads next hops of default routes: one of each family at most.
func (r *reader) gatewayIPs(field string, list []string) []netip.Addr {
	out := r.addrs(field, list)
	families := map[bool]bool{}
	for i, a := range out {
		if families[a.Is4()] {
			r.fail(fmt.Sprintf("%s[%d]", field, i), "there is another gateway of the same family")
		}
		families[a.Is4()] = true
	}
	return out
}

func (r *reader) gateway(field string, g *nodev1.Gateway) Gateway {
	return Gateway{Device: r.device(field+".device", g.GetDevice()), GatewayIPs: r.gatewayIPs(field+".gateway_ips", g.GetGatewayIps()), EnableSNAT: g.GetEnableSnat()}
}

// distinct refuses ports that would have devices of the same name in one namespace.
func (r *reader) distinct(field string, devices ...Device) {
	seen := map[string]string{}
	for _, d := range devices {
		if other, ok := seen[Tap(d.PortID)]; ok && r.err == nil {
			r.fail(field, "ports %s and %s have the same first %d characters, from which devices are named", other, d.PortID, portPart)
		}
		seen[Tap(d.PortID)] = d.PortID
	}
}
