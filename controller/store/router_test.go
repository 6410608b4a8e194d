package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func ref(obj any) string { return refTo(kindOf(obj), obj).String() }

func TestRouterPorts(t *testing.T) {
	w := newWorld(t)
	w.host(t, "net1", model.RoleNetwork)
	r := w.router(t, "r1", true, w.blueNet)
	w.owns(t, "distributed", r.ID,
		"router_gateway ext 203.0.113.2 net1",
		"router_interface_distributed blue 10.0.1.1",
		"router_centralized_snat blue 10.0.1.2 net1")
	if d := cmp.Diff([]model.FixedIP{{SubnetID: w.extNet.ID, IP: netip.MustParseAddr("203.0.113.2")}}, r.Gateway.FixedIPs, addrs); d != "" {
		t.Errorf("gateway (-want +got):\n%s", d)
	}
	if s := w.now().Schedule(r.ID); s == nil || s.Host != "net1" || s.Reason != "the only network host that is fit" {
		t.Errorf("schedule %+v", s)
	}

	blueMAC := w.now().Port(r.Interfaces[0].PortID).MAC
	r = made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.AddRouterInterface(r.ID, model.RouterInterface{SubnetID: w.redNet.ID})
	})
	r = w.change(t, r, func(r *model.Router) { r.Distributed = false })
	w.owns(t, "centralised", r.ID,
		"router_gateway ext 203.0.113.2 net1",
		"router_interface blue 10.0.1.1 net1",
		"router_interface red 10.0.2.1 net1")
	if w.now().Port(r.Interfaces[0].PortID).MAC != blueMAC {
		t.Error("the interface has another MAC now")
	}
	r = w.change(t, r, func(r *model.Router) { r.Distributed = true })
	w.owns(t, "distributed again", r.ID,
		"router_gateway ext 203.0.113.2 net1",
		"router_interface_distributed blue 10.0.1.1",
		"router_interface_distributed red 10.0.2.1",
		"router_centralized_snat blue 10.0.1.3 net1",
		"router_centralized_snat red 10.0.2.3 net1")
	gateway := r.Gateway.PortID
	r = w.change(t, r, func(r *model.Router) { r.Gateway.FixedIPs = fixed("203.0.113.77") })
	if r.Gateway.PortID != gateway {
		t.Error("another address made another gateway port")
	}
	before := r
	r = w.change(t, r, func(r *model.Router) { r.Gateway = &model.ExternalGateway{NetworkID: w.ext.ID, EnableSNAT: true} })
	if r.Generation != before.Generation {
		t.Errorf("the gateway without addresses changed it: %+v", r.Gateway)
	}
	r = w.change(t, r, func(r *model.Router) { r.Gateway = nil })
	w.owns(t, "without gateway", r.ID, "router_interface_distributed blue 10.0.1.1", "router_interface_distributed red 10.0.2.1")
	if s := w.now().Schedule(r.ID); s != nil {
		t.Errorf("schedule %+v of a router that has nothing centralised", s)
	}
	r = made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.RemoveRouterInterface(r.ID, model.RouterInterface{PortID: r.Interfaces[0].PortID})
	})
	w.owns(t, "one interface", r.ID, "router_interface_distributed red 10.0.2.1")
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeleteRouter(r.ID, 0) },
		fmt.Sprintf("router %s is in use by %s; disconnect it first: weft router remove-subnet", r.ID, ref(w.redNet)))
	update(t, w.Store, func(tx *Tx) error {
		if _, err := tx.RemoveRouterInterface(r.ID, model.RouterInterface{SubnetID: w.redNet.ID}); err != nil {
			return err
		}
		return tx.DeleteRouter(r.ID, 0)
	})
	w.owns(t, "deleted", r.ID)
}

func TestRouterInterfaceOfAPort(t *testing.T) {
	w := newWorld(t)
	w.host(t, "net1", model.RoleNetwork)
	r := w.router(t, "r1", false)
	six := w.subnet(t, w.blue, "six", "fd00:1::/64")
	p := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "leg"}, NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.254", "fd00:1::fe")})
	r = made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.AddRouterInterface(r.ID, model.RouterInterface{PortID: p.ID})
	})
	if want := (model.RouterInterface{SubnetID: w.blueNet.ID, PortID: p.ID}); r.Interfaces[0] != want {
		t.Errorf("interface %+v, want %+v", r.Interfaces[0], want)
	}
	w.owns(t, "by port", r.ID, "router_gateway ext 203.0.113.2 net1", "router_interface blue 10.0.1.254,fd00:1::fe net1")
	w.change(t, r, func(r *model.Router) { r.Distributed = true })
	w.owns(t, "distributed: one snat port with an address of each subnet", r.ID,
		"router_gateway ext 203.0.113.2 net1", "router_interface_distributed blue 10.0.1.254,fd00:1::fe",
		"router_centralized_snat blue 10.0.1.2,fd00:1::2 net1")
	inUse := refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeletePort(p.ID, 0) },
		fmt.Sprintf("port %s is in use by %s", p.ID, ref(r)))
	if inUse.By[0].Kind != state.Routers || inUse.By[0].ID != r.ID {
		t.Errorf("%+v", inUse)
	}
	c := *w.now().Port(p.ID)
	c.Name, c.Description, c.Labels = "door", "of blue", map[string]string{"a": "b"}
	update(t, w.Store, replace((*Tx).UpdatePort, &c, 0))
	c.FixedIPs, c.DeviceOwner, c.BindingHostID, c.AdminStateUp = nil, "", "net1", !c.AdminStateUp
	by := "cannot be changed: Weft made the port for " + ref(r)
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdatePort, &c, 0),
		"fixed_ips: "+by, "device_owner: "+by, "admin_state_up: "+by, "binding_host_id: "+by)
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeleteSubnet(six.ID, 0) },
		fmt.Sprintf("subnet %s is in use by %s", six.ID, ref(r)))
	update(t, w.Store, func(tx *Tx) error {
		_, err := tx.RemoveRouterInterface(r.ID, model.RouterInterface{SubnetID: six.ID})
		return err
	})
	if w.now().Port(p.ID) != nil {
		t.Error("the port is still there")
	}
	w.owns(t, "removed by its second subnet", r.ID, "router_gateway ext 203.0.113.2")
}

// A change may name interfaces by subnet or by port; those that it knows stay, whatever it leaves out.
func TestUpdateRouterKeepsWhatItCan(t *testing.T) {
	w := newWorld(t)
	r := w.router(t, "r1", false, w.blueNet, w.redNet)
	same := w.change(t, r, func(r *model.Router) {
		r.Interfaces = []model.RouterInterface{{SubnetID: w.blueNet.ID}, {PortID: r.Interfaces[1].PortID}}
		r.Gateway.FixedIPs, r.Gateway.PortID = []model.FixedIP{{SubnetID: w.extNet.ID}}, "ignored"
	})
	if d := cmp.Diff(r, same, addrs); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
	// The subnet gets another port in one step.
	p := port(t, w.Store, &model.Port{NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.254")})
	w.change(t, r, func(r *model.Router) { r.Interfaces[0] = model.RouterInterface{PortID: p.ID} })
	w.owns(t, "another port", r.ID, "router_gateway ext 203.0.113.2", "router_interface blue 10.0.1.254", "router_interface red 10.0.2.1")
}

func TestRouterRefusals(t *testing.T) {
	w := newWorld(t)
	bare := network(t, w.Store, "bare")
	noGateway := made(t, w.Store, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{Meta: model.Meta{Name: "nogw"}, NetworkID: bare.ID, CIDR: netip.MustParsePrefix("10.9.0.0/24")})
	})
	wide := w.subnet(t, bare, "wide", "10.0.0.0/21")
	clash := w.subnet(t, bare, "clash", "203.0.112.0/20")
	taken := w.subnet(t, bare, "taken", "10.8.0.0/24")
	holder := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "holder"}, NetworkID: bare.ID, FixedIPs: fixed("10.8.0.1")})
	empty := made(t, w.Store, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "empty"}, Type: model.Flat, PhysicalNetwork: "physnet2", RouterExternal: true})
	})
	two := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "two"}, NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.20", "10.0.1.21")})
	none := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "none"}, NetworkID: w.blue.ID, FixedIPs: []model.FixedIP{}})
	used := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "used"}, NetworkID: w.blue.ID, DeviceID: "server", DeviceOwner: "compute:nova"})
	outer := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "outer"}, NetworkID: w.ext.ID})
	host(t, w.Store, "h1")
	plugged := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "plugged"}, NetworkID: w.blue.ID})
	report(t, w.Store, "h1", true, nil, tap("tap1", 5, plugged.ID))
	r := w.router(t, "r1", true, w.blueNet)
	f := w.floating(t, w.vm)
	snat := ""
	for p := range w.now().PortsOwned(w.blue.ID, model.OwnerCentralizedSNAT) {
		snat = p.ID
	}

	with := func(change func(*model.Router)) func(*Tx) error {
		return replace((*Tx).UpdateRouter, changed(r, change), 0)
	}
	also := func(is ...model.RouterInterface) func(*Tx) error {
		return with(func(r *model.Router) { r.Interfaces = append(r.Interfaces, is...) })
	}
	subnet := func(s *model.Subnet) model.RouterInterface { return model.RouterInterface{SubnetID: s.ID} }
	byPort := func(id string) model.RouterInterface { return model.RouterInterface{PortID: id} }
	gateway := func(network string, ips ...model.FixedIP) func(*Tx) error {
		return create((*Tx).CreateRouter, &model.Router{Gateway: &model.ExternalGateway{NetworkID: network, FixedIPs: ips}})
	}
	routes := func(pairs ...string) func(*Tx) error {
		return with(func(r *model.Router) {
			for i := 0; i < len(pairs); i += 2 {
				r.Routes = append(r.Routes, model.Route{Destination: netip.MustParsePrefix(pairs[i]), NextHop: netip.MustParseAddr(pairs[i+1])})
			}
		})
	}
	for name, c := range map[string]struct {
		do   func(*Tx) error
		want []string
	}{
		"interfaces that cannot be": {
			also(model.RouterInterface{}, subnet(&model.Subnet{Meta: model.Meta{ID: uid(9)}}), byPort(uid(8)), subnet(noGateway), subnet(taken), subnet(w.extNet)),
			[]string{
				"interfaces[1]: is empty; give subnet_id or port_id",
				fmt.Sprintf("interfaces[2].subnet_id: subnet %q does not exist", uid(9)),
				fmt.Sprintf("interfaces[3].port_id: port %q does not exist", uid(8)),
				fmt.Sprintf("interfaces[4].subnet_id: %s has no gateway_ip for the router to take: set one, or give a port instead", ref(noGateway)),
				fmt.Sprintf("interfaces[5].subnet_id: gateway_ip 10.8.0.1 of %s is taken by %s: give a port with another address instead", ref(taken), ref(holder)),
				fmt.Sprintf("interfaces[6].subnet_id: %s is external: routers have their gateway there, and no interfaces", ref(w.ext)),
			},
		},
		"subnet twice": {
			also(subnet(w.blueNet)),
			[]string{fmt.Sprintf("interfaces[1].subnet_id: %s is also in interfaces[0]", w.blueNet.ID)},
		},
		"interface twice": {
			with(func(r *model.Router) {
				r.Interfaces = []model.RouterInterface{{SubnetID: w.blueNet.ID}, {PortID: r.Interfaces[0].PortID}}
			}),
			[]string{"interfaces[1]: is the same as interfaces[0]"},
		},
		"subnets that overlap": {
			also(subnet(wide), subnet(w.redNet), subnet(clash)),
			[]string{
				fmt.Sprintf("interfaces[1].subnet_id: 10.0.0.0/21 of %s overlaps 10.0.1.0/24 of %s, which is on the router too", ref(wide), ref(w.blueNet)),
				fmt.Sprintf("interfaces[2].subnet_id: 10.0.2.0/24 of %s overlaps 10.0.0.0/21 of %s, which is on the router too", ref(w.redNet), ref(wide)),
				fmt.Sprintf("interfaces[3].subnet_id: 203.0.112.0/20 of %s overlaps 203.0.113.0/24 of %s, which is on the router too", ref(clash), ref(w.extNet)),
			},
		},
		"gateway that overlaps": {
			create((*Tx).CreateRouter, &model.Router{Interfaces: []model.RouterInterface{subnet(clash)}, Gateway: &model.ExternalGateway{NetworkID: w.ext.ID}}),
			[]string{fmt.Sprintf("external_gateway_info: 203.0.113.0/24 of %s overlaps 203.0.112.0/20 of %s, which is on the router too", ref(w.extNet), ref(clash))},
		},
		"ports that cannot be": {
			also(byPort(two.ID), byPort(none.ID), byPort(used.ID), byPort(outer.ID), byPort(plugged.ID), byPort(snat), byPort(w.vm.ID), model.RouterInterface{SubnetID: w.redNet.ID, PortID: holder.ID}),
			[]string{
				fmt.Sprintf("interfaces[1].port_id: %s has 2 IPv4 addresses; an interface has one: give each its own port", ref(two)),
				fmt.Sprintf("interfaces[2].port_id: %s has no address; give it one of the subnet first", ref(none)),
				fmt.Sprintf("interfaces[3].port_id: %s belongs to device \"server\" (compute:nova); give one that belongs to nothing yet", ref(used)),
				fmt.Sprintf("interfaces[4].port_id: %s is external: routers have their gateway there, and no interfaces", ref(w.ext)),
				fmt.Sprintf("interfaces[5].port_id: %s is plugged in: interface tap1 of host h1", ref(plugged)),
				fmt.Sprintf("interfaces[6].port_id: port %s was made for %s; give one that belongs to nothing yet", snat, ref(r)),
				fmt.Sprintf("interfaces[7].port_id: %s has %s: disassociate it first", ref(w.vm), ref(f)),
				fmt.Sprintf("interfaces[8].subnet_id: %s has no address of subnet %q; leave it out, or give another port", ref(holder), w.redNet.ID),
			},
		},
		"a port of a subnet that is on the router": {
			also(byPort(port(t, w.Store, &model.Port{NetworkID: w.blue.ID}).ID)),
			[]string{fmt.Sprintf("interfaces[1].port_id: %s is on the router already, by interfaces[0]", ref(w.blueNet))},
		},
		"gateway nowhere":           {gateway(""), []string{"external_gateway_info.network_id: is missing; name an external network"}},
		"gateway unknown":           {gateway(uid(9)), []string{fmt.Sprintf("external_gateway_info.network_id: network %q does not exist", uid(9))}},
		"gateway inside":            {gateway(w.blue.ID), []string{fmt.Sprintf("external_gateway_info.network_id: %s is not external: set router_external on it, or choose another", ref(w.blue))}},
		"gateway without addresses": {gateway(empty.ID), []string{fmt.Sprintf("external_gateway_info.network_id: %s has no subnet to take addresses from: create one first", ref(empty))}},
		"gateway's addresses": {
			gateway(w.ext.ID, fixed("203.0.113.1", "198.51.100.1", "203.0.113.0")...),
			[]string{
				"external_gateway_info.external_fixed_ips[1].ip_address: 198.51.100.1 is in no subnet of the network (203.0.113.0/24)",
				"external_gateway_info.external_fixed_ips[2].ip_address: 203.0.113.0 is the network address of 203.0.113.0/24; choose one of 203.0.113.1-203.0.113.254",
				fmt.Sprintf("external_gateway_info.external_fixed_ips[0].ip_address: 203.0.113.1 is the gateway_ip of %s, which is the next router's; choose another", ref(w.extNet)),
			},
		},
		"gateway's address is taken": {
			gateway(w.ext.ID, r.Gateway.FixedIPs...),
			[]string{fmt.Sprintf("external_gateway_info.external_fixed_ips[0].ip_address: %s is taken by %s", r.Gateway.FixedIPs[0].IP, ref(r))},
		},
		"routes": {
			routes("172.16.0.0/12", "10.0.2.9", "172.16.0.0/12", "10.0.1.1", "172.17.0.0/16", "203.0.113.9"),
			[]string{
				"routes[0].nexthop: 10.0.2.9 is in none of the router's subnets (10.0.1.0/24, 203.0.113.0/24)",
				"routes[1].nexthop: 10.0.1.1 is the router's own address",
			},
		},
		"routes by themselves": {
			func(tx *Tx) error {
				_, err := tx.CreateRouter(&model.Router{Routes: []model.Route{
					{}, {Destination: netip.MustParsePrefix("10.0.0.9/8"), NextHop: netip.MustParseAddr("224.0.0.1")},
					{Destination: netip.MustParsePrefix("fd00::/8"), NextHop: netip.MustParseAddr("10.0.1.9")},
					{Destination: netip.MustParsePrefix("127.0.0.0/8"), NextHop: netip.MustParseAddr("10.0.1.9")},
					{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.0.1.9")},
					{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.0.1.9")},
				}})
				return err
			},
			[]string{
				"routes[0].destination: is missing: write e.g. 192.168.0.0/16 or fd00:9::/64",
				"routes[0].nexthop: is missing: give the address of the next router",
				`routes[1].destination: "10.0.0.9/8" has host bits; did you mean 10.0.0.0/8?`,
				"routes[1].nexthop: 224.0.0.1 is in 224.0.0.0/4, which is multicast",
				"routes[2].nexthop: 10.0.1.9 is of another IP version than fd00::/8",
				"routes[3].destination: 127.0.0.0/8 is in 127.0.0.0/8, which is loopback",
				"routes[5]: 0.0.0.0/0 via 10.0.1.9 is also in routes[4]",
			},
		},
	} {
		t.Run(name, func(t *testing.T) { tryRefused(t, w.Store, c.do, c.want...) })
	}

	add := func(in model.RouterInterface) func(*Tx) error {
		return func(tx *Tx) error { _, err := tx.AddRouterInterface(r.ID, in); return err }
	}
	remove := func(in model.RouterInterface) func(*Tx) error {
		return func(tx *Tx) error { _, err := tx.RemoveRouterInterface(r.ID, in); return err }
	}
	// Of one interface, its own fields are spoken of.
	refused[*ErrAlreadyExists](t, w.Store, add(subnet(w.blueNet)), fmt.Sprintf("subnet_id: %s is taken by %s", ref(w.blueNet), ref(r)))
	// A bug: the refusal of a port that is connected already ended the controller.
	connected := Ref{Kind: state.Ports, ID: r.Interfaces[0].PortID}
	refused[*ErrAlreadyExists](t, w.Store, add(byPort(r.Interfaces[0].PortID)), fmt.Sprintf("port_id: %s is taken by %s", connected, ref(r)))
	refused[*model.Invalid](t, w.Store, add(model.RouterInterface{}), "subnet_id: is empty; give subnet_id or port_id")
	refused[*model.Invalid](t, w.Store, add(byPort(none.ID)), fmt.Sprintf("port_id: %s has no address; give it one of the subnet first", ref(none)))
	refused[*model.Invalid](t, w.Store, remove(model.RouterInterface{}), "subnet_id: is missing; give subnet_id or port_id of the interface")
	refused[*model.Invalid](t, w.Store, remove(subnet(w.redNet)), fmt.Sprintf("subnet_id: %s has no such interface", ref(r)))
	refused[*model.Invalid](t, w.Store, remove(byPort(w.vm.ID)), fmt.Sprintf("port_id: %s has no such interface", ref(r)))
	refused[*ErrNotFound](t, w.Store, func(tx *Tx) error { _, err := tx.AddRouterInterface(uid(9), subnet(w.redNet)); return err }, fmt.Sprintf("router %q does not exist", uid(9)))
	refused[*ErrNotFound](t, w.Store, func(tx *Tx) error { return tx.DeleteRouter(uid(9), 0) }, fmt.Sprintf("router %q does not exist", uid(9)))
	refused[*ErrConflict](t, w.Store, func(tx *Tx) error { return tx.DeleteRouter(r.ID, 1) }, fmt.Sprintf("router %s: was changed since revision 1; read it again", r.ID))
}

// tryRefused is refused, for errors of any type.
func tryRefused(t *testing.T, s *Store, do func(*Tx) error, want ...string) {
	t.Helper()
	refused[error](t, s, do, want...)
}

// What translations and routes need stays, and they are named.
func TestRouterKeepsWhatIsNeeded(t *testing.T) {
	w := newWorld(t)
	r := w.router(t, "r1", false, w.blueNet, w.redNet)
	f := w.floating(t, w.vm)
	shared := w.floating(t, nil)
	pf := w.forward(t, shared, 8080, w.vm2)
	r = w.change(t, r, func(r *model.Router) {
		r.Routes = []model.Route{
			{Destination: netip.MustParsePrefix("172.16.0.0/16"), NextHop: netip.MustParseAddr("10.0.2.9")},
			{Destination: netip.MustParsePrefix("172.17.0.0/16"), NextHop: netip.MustParseAddr("203.0.113.9")},
		}
	})
	without := func(s *model.Subnet) func(*Tx) error {
		return func(tx *Tx) error {
			_, err := tx.RemoveRouterInterface(r.ID, model.RouterInterface{SubnetID: s.ID})
			return err
		}
	}
	e := refused[*ErrInUse](t, w.Store, without(w.blueNet), fmt.Sprintf("the interface of %s on %s is in use by %s", ref(r), ref(w.blueNet), ref(f)))
	if e.Kind != state.Routers || e.ID != r.ID || e.By[0].ID != f.ID {
		t.Errorf("%+v", e)
	}
	refused[*ErrInUse](t, w.Store, without(w.redNet),
		fmt.Sprintf("the interface of %s on %s is in use by route 172.16.0.0/16 via 10.0.2.9, %s", ref(r), ref(w.redNet), ref(pf)))
	refused[*ErrInUse](t, w.Store, replace((*Tx).UpdateRouter, changed(r, func(r *model.Router) { r.Gateway = nil }), 0),
		fmt.Sprintf("the gateway of %s to %s is in use by route 172.17.0.0/16 via 203.0.113.9, %s", ref(r), ref(w.ext), inOrder(ref, f, shared)))
	// With another mistake in the same request they are mistakes too.
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdateRouter, changed(r, func(r *model.Router) { r.Interfaces, r.Name = r.Interfaces[1:], "\x00" }), 0),
		"metadata.name: contains the unprintable character U+0000; remove it",
		fmt.Sprintf("interfaces: the interface of %s on %s is in use by %s", ref(changed(r, func(r *model.Router) {})), ref(w.blueNet), ref(f)))
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeleteSubnet(w.extNet.ID, 0) },
		fmt.Sprintf("subnet %s is in use by %s", w.extNet.ID, usersOf(w, w.ext)))
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeleteNetwork(w.ext.ID, 0) },
		fmt.Sprintf("network %s is in use by %s, %s", w.ext.ID, usersOf(w, w.ext), ref(w.extNet)))
	inside := *w.ext
	inside.RouterExternal = false
	refused[*ErrInUse](t, w.Store, replace((*Tx).UpdateNetwork, &inside, 0),
		fmt.Sprintf("router_external of %s is in use by %s, %s", ref(w.ext), ref(r), inOrder(ref, f, shared)))
	moved := *w.blueNet
	moved.GatewayIP, moved.AllocationPools = netip.MustParseAddr("10.0.1.9"), nil
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdateSubnet, &moved, 0), fmt.Sprintf("gateway_ip: 10.0.1.1 is the address of %s: remove its interface first", ref(r)))
	upstream := *w.extNet
	upstream.GatewayIP, upstream.AllocationPools = f.Address, nil
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdateSubnet, &upstream, 0), fmt.Sprintf("gateway_ip: %s is the address of %s; choose another", f.Address, ref(f)))

	update(t, w.Store, func(tx *Tx) error {
		for _, id := range []string{f.ID, shared.ID} {
			if err := tx.DeleteFloatingIP(id, 0); err != nil {
				return err
			}
		}
		_, err := tx.UpdateRouter(changed(r, func(r *model.Router) { r.Gateway, r.Interfaces, r.Routes = nil, nil, nil }), 0)
		return err
	})
	w.owns(t, "nothing left", r.ID)
	if w.now().PortForwarding(pf.ID) != nil {
		t.Error("the port forwarding is left of its floating IP")
	}
	update(t, w.Store, replace((*Tx).UpdateNetwork, &inside, 0))
}

// inOrder lists objects in the order of their ids, in which they are told.
func inOrder(spell func(any) string, objs ...any) string {
	slices.SortFunc(objs, func(a, b any) int { return strings.Compare(state.Key(a), state.Key(b)) })
	var out []string
	for _, o := range objs {
		out = append(out, spell(o))
	}
	return strings.Join(out, ", ")
}

// usersOf lists the routers and floating IPs that have ports on a network, in the order of the ports.
func usersOf(w *world, n *model.Network) string {
	var out []string
	for p := range w.now().PortsOf(n.ID) {
		if r := w.now().Router(p.DeviceID); r != nil {
			out = append(out, ref(r))
		} else if f := w.now().FloatingIP(p.DeviceID); f != nil {
			out = append(out, ref(f))
		}
	}
	return strings.Join(out, ", ")
}
