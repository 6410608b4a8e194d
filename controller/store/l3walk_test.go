package store

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// routed begins with what random steps seldom come to: an external network, two networks of machines that are plugged in,
// and a router with its gateway between them.
func (w walker) routed(t *rapid.T) {
	distributed, dhcp := rapid.Bool().Draw(t, "distributed"), rapid.Bool().Draw(t, "dhcp")
	w.do(t, func(tx *Tx) error {
		for _, h := range walkHosts {
			if _, err := tx.EnsureHost(h); err != nil {
				return err
			}
			facts := &model.HostFacts{Host: h, BridgeMappings: map[string]string{"physnet1": "br-ex"}}
			if h != "h3" {
				facts.Roles = []string{model.RoleCompute, model.RoleNetwork}
			}
			if err := tx.ReportHost(facts); err != nil {
				return err
			}
		}
		r := &model.Router{AdminStateUp: true, Distributed: distributed}
		for n, cidr := range []string{"192.0.2.0/28", "10.0.0.0/29", "10.0.1.0/29"} {
			network := &model.Network{}
			if n == 0 {
				network = &model.Network{Type: model.Flat, PhysicalNetwork: "physnet1", RouterExternal: true}
			}
			network, err := tx.CreateNetwork(network)
			if err != nil {
				return err
			}
			p := netip.MustParsePrefix(cidr)
			s, err := tx.CreateSubnet(&model.Subnet{NetworkID: network.ID, CIDR: p, GatewayIP: model.DefaultGateway(p), EnableDHCP: dhcp && n > 0})
			if err != nil {
				return err
			}
			if n == 0 {
				r.Gateway = &model.ExternalGateway{NetworkID: network.ID, EnableSNAT: true}
				continue
			}
			r.Interfaces = append(r.Interfaces, model.RouterInterface{SubnetID: s.ID})
			for _, h := range walkHosts[n-1:] {
				vm, err := tx.CreatePort(&model.Port{NetworkID: network.ID})
				if err != nil {
					return err
				}
				if err := tx.ReportInterfaces(h, false, []model.Interface{tap("vm"+vm.ID[:8], 1, vm.ID)}, nil); err != nil {
					return err
				}
			}
		}
		_, err := tx.CreateRouter(r)
		return err
	})
}

// plug makes a port appear where it is to be, as an agent does.
func (w walker) plug(t *rapid.T) {
	id := w.id(t, state.Ports)
	host := pick(t, "host", walkHosts...)
	w.do(t, func(tx *Tx) error {
		if p := tx.Port(id); p != nil && p.BindingHostID != "" {
			host = p.BindingHostID
		}
		return tx.ReportInterfaces(host, false, []model.Interface{tap("tap"+id[:8], 7, id)}, nil)
	})
}

func (w walker) down(t *rapid.T) {
	host, down := pick(t, "host", walkHosts...), rapid.Bool().Draw(t, "down")
	w.do(t, func(tx *Tx) error { return tx.SetHostDown(host, down) })
}

func (w walker) prepared(t *rapid.T) {
	host := pick(t, "host", walkHosts...)
	w.do(t, func(tx *Tx) error {
		var ids []string
		for at := range tx.SchedulesOn(host) {
			ids = append(ids, at.RouterID)
		}
		tx.Prepared(host, ids)
		return nil
	})
}

func (w walker) drain(t *rapid.T) {
	host, draining := pick(t, "host", walkHosts...), rapid.Bool().Draw(t, "draining")
	roles := pick(t, "roles", nil, []string{model.RoleCompute}, []string{model.RoleNetwork})
	w.do(t, func(tx *Tx) error {
		_, err := tx.UpdateHost(&model.Host{Meta: model.Meta{ID: host}, Draining: draining, Roles: roles}, 0)
		return err
	})
}

func (w walker) gateway(t *rapid.T) *model.ExternalGateway {
	if rapid.Bool().Draw(t, "gateway") {
		return nil
	}
	g := &model.ExternalGateway{NetworkID: w.id(t, state.Networks)}
	if ip := pick(t, "external", "", "", "192.0.2.3", "10.0.0.4"); ip != "" {
		g.FixedIPs = []model.FixedIP{{IP: netip.MustParseAddr(ip)}}
	}
	return g
}

func (w walker) router(t *rapid.T) {
	r := &model.Router{AdminStateUp: rapid.Bool().Draw(t, "up"), Distributed: rapid.Bool().Draw(t, "distributed"), Gateway: w.gateway(t)}
	if rapid.Bool().Draw(t, "interface") {
		r.Interfaces = []model.RouterInterface{{SubnetID: w.id(t, state.Subnets)}}
	}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateRouter(r); return err })
}

// reroute changes one thing of a router.
func (w walker) reroute(t *rapid.T) {
	id, what := w.id(t, state.Routers), pick(t, "what", "up", "distributed", "gateway", "routes")
	gateway, hop := w.gateway(t), netip.MustParseAddr(pick(t, "hop", "10.0.0.5", "10.0.1.2", "192.0.2.6"))
	w.do(t, func(tx *Tx) error {
		r := &model.Router{Meta: model.Meta{ID: id}}
		if old := tx.Router(id); old != nil {
			r = cloneRouter(old)
		}
		switch what {
		case "up":
			r.AdminStateUp = !r.AdminStateUp
		case "distributed":
			r.Distributed = !r.Distributed
		case "gateway":
			r.Gateway = gateway
		case "routes":
			if len(r.Routes) > 0 {
				r.Routes = nil
			} else {
				r.Routes = []model.Route{{Destination: netip.MustParsePrefix("172.16.0.0/16"), NextHop: hop}}
			}
		}
		_, err := tx.UpdateRouter(r, 0)
		return err
	})
}

func (w walker) connect(t *rapid.T) {
	router, in := w.id(t, state.Routers), model.RouterInterface{SubnetID: w.id(t, state.Subnets)}
	if rapid.Bool().Draw(t, "by port") {
		in = model.RouterInterface{PortID: w.id(t, state.Ports)}
	}
	w.do(t, func(tx *Tx) error { _, err := tx.AddRouterInterface(router, in); return err })
}

func (w walker) disconnect(t *rapid.T) {
	router, n := w.id(t, state.Routers), rapid.IntRange(0, 2).Draw(t, "n")
	w.do(t, func(tx *Tx) error {
		in := model.RouterInterface{SubnetID: "gone"}
		if r := tx.Router(router); r != nil && n < len(r.Interfaces) {
			in = r.Interfaces[n]
		}
		_, err := tx.RemoveRouterInterface(router, in)
		return err
	})
}

// external picks an external network, mostly.
func (w walker) external(t *rapid.T) string {
	id := w.id(t, state.Networks)
	snap, _ := w.s.Snapshot()
	for n := range snap.Networks() {
		if n.RouterExternal && rapid.Bool().Draw(t, "this") {
			return n.ID
		}
	}
	return id
}

// machine picks a port, and perhaps one of its addresses.
func (w walker) machine(t *rapid.T) (id string, ip netip.Addr) {
	id = w.id(t, state.Ports)
	snap, _ := w.s.Snapshot()
	if p := snap.Port(id); p != nil && len(p.FixedIPs) > 0 && rapid.Bool().Draw(t, "address") {
		ip = p.FixedIPs[0].IP
	}
	return id, ip
}

func (w walker) floating(t *rapid.T) {
	f := &model.FloatingIP{FloatingNetworkID: w.external(t)}
	if ip := pick(t, "ip", "", "", "192.0.2.3", "192.0.2.4"); ip != "" {
		f.Address = netip.MustParseAddr(ip)
	}
	if rapid.Bool().Draw(t, "associated") {
		f.PortID, f.FixedIP = w.machine(t)
	}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateFloatingIP(f); return err })
}

func (w walker) associate(t *rapid.T) {
	f := &model.FloatingIP{Meta: model.Meta{ID: w.id(t, state.FloatingIPs)}}
	if rapid.IntRange(0, 3).Draw(t, "port") > 0 {
		f.PortID, f.FixedIP = w.machine(t)
	}
	w.do(t, func(tx *Tx) error {
		if old := tx.FloatingIP(f.ID); old != nil {
			f.FloatingNetworkID = old.FloatingNetworkID
		}
		_, err := tx.UpdateFloatingIP(f, 0)
		return err
	})
}

func (w walker) forward(t *rapid.T) {
	f := &model.PortForwarding{FloatingIPID: w.id(t, state.FloatingIPs), Protocol: pick(t, "protocol", model.TCP, model.UDP)}
	f.InternalPortID, f.InternalIP = w.machine(t)
	first := uint16(rapid.IntRange(80, 83).Draw(t, "external"))
	f.External, f.Internal = model.PortRange{First: first, Last: first + uint16(rapid.IntRange(0, 1).Draw(t, "more"))}, model.PortRange{First: 8080, Last: 8080}
	f.ID = w.id(t, state.PortForwardings)
	w.do(t, func(tx *Tx) error {
		if old := tx.PortForwarding(f.ID); old != nil {
			f.FloatingIPID = old.FloatingIPID
			_, err := tx.UpdatePortForwarding(f, 0)
			return err
		}
		f.ID = ""
		_, err := tx.CreatePortForwarding(f)
		return err
	})
}

// resubnet changes one thing of a subnet.
func (w walker) resubnet(t *rapid.T) {
	id, what := w.id(t, state.Subnets), pick(t, "what", "dhcp", "gateway", "pools")
	on, n := rapid.Bool().Draw(t, "on"), rapid.IntRange(0, 4).Draw(t, "n")
	w.do(t, func(tx *Tx) error {
		s := &model.Subnet{Meta: model.Meta{ID: id}}
		if old := tx.Subnet(id); old != nil {
			s = cloneSubnet(old)
		}
		addr := s.CIDR.Addr()
		for range n {
			addr = addr.Next()
		}
		switch what {
		case "dhcp":
			s.EnableDHCP = on
		case "gateway":
			s.GatewayIP, s.AllocationPools = addr, nil
		case "pools":
			s.AllocationPools = []model.Range{{Start: addr, End: addr.Next()}}
		}
		_, err := tx.UpdateSubnet(s, 0)
		return err
	})
}

// turn makes a network external, or no longer external.
func (w walker) turn(t *rapid.T) {
	id := w.id(t, state.Networks)
	w.do(t, func(tx *Tx) error {
		n := &model.Network{Meta: model.Meta{ID: id}}
		if old := tx.Network(id); old != nil {
			n = cloneNetwork(old)
			n.RouterExternal = !old.RouterExternal
		}
		_, err := tx.UpdateNetwork(n, 0)
		return err
	})
}

// end deletes all that people asked for, in one transaction, after which nothing may be left.
func (w walker) end(t *rapid.T) {
	_, err := w.s.Update(t.Context(), func(tx *Tx) error {
		for r := range tx.Routers() {
			c := cloneRouter(r)
			c.Routes = nil
			if _, err := tx.UpdateRouter(c, 0); err != nil {
				return err
			}
		}
		for _, k := range []state.Kind{state.PortForwardings, state.FloatingIPs, state.Routers, state.Ports, state.Subnets, state.Networks, state.Hosts,
			state.SecurityGroupRules, state.SecurityGroups, state.AddressGroups} {
			objs := slices.Collect(tx.ByIDPrefix(k, ""))
			if k == state.SecurityGroups {
				objs = lastDefault(objs)
			}
			for _, obj := range objs {
				switch o := obj.(type) {
				case *model.Port:
					if strings.HasPrefix(o.DeviceOwner, "network:") {
						continue
					}
				case *model.Router:
					c := cloneRouter(o)
					c.Interfaces = nil
					if _, err := tx.UpdateRouter(c, 0); err != nil {
						return err
					}
				}
				if err := erase(tx, k, state.Key(obj)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	snap, _ := w.s.Snapshot()
	if d := cmp.Diff(map[string]any{}, dump(snap), addrs); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}
