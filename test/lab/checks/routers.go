package checks

import (
	"context"

	"github.com/weft-sdn/weft/test/lab/cloud"
)

// kind is a scene with one kind of router, and how its checks are called.
type kind struct {
	*scene
	called string
}

func kindOf(name, called string, distributed bool) kind {
	return kind{&scene{name, func(ctx context.Context, s *cloud.Scope) (*site, error) { return build(ctx, s, distributed) }}, called}
}

// check is a check of the scene.
func (k kind) check(name string, look func(context.Context, *cloud.Scope, *site) (string, error)) Check {
	return Check{Name: k.called + ": " + name, Hosts: 3, scene: k.scene, look: look}
}

// distributed is what a distributed router must do: the three cases of the seed's document, and what else one builds with it.
func distributed() []Check {
	k := kindOf("dvr", "distributed", true)
	return []Check{
		k.check("east-west by VXLAN", eastWest),
		k.check("east-west by VLAN", eastWestVLAN),
		k.check("floating IP and the world", floating),
		k.check("world without floating IP", masqueraded),
		k.check("between floating IPs", betweenFloatingIPs),
		k.check("port forwarding", forwarding),
		k.check("extra routes, ECMP", extraRoutes),
		k.check("two kinds in one subnet", twoKinds),
		k.check("tenants overlap", behindOne),
		k.check("two external networks", twoExternal),
		k.check("two routers in a row", inARow),
		k.check("VIP of two VMs moves", vipMoves),
		k.check("host without mapping", withoutMapping),
		k.check("on demand, gone with the last VM", onDemand),
		k.check("floating IP of one of two addresses", oneOfTwo),
		k.check("floating IP moves", floatingMoves),
		k.check("VM moves with floating IP", vmMoves),
		k.check("floating IP removed cuts", cuts),
		k.check("sessions outlive changes", sessionsLive),
		k.check("becomes centralised and back", changesKind),
		k.check("enable_snat=false", withoutSNAT),
		k.check("admin_state_up=false", routerDown),
		k.check("drift of namespaces repaired", namespaceDrift),
		k.check("ovs-vswitchd killed", switchDies),
		k.check("what is known is not flooded", notFlooded),
		k.check("name of a namespace is taken", nameTaken),
		k.check("a host lacks iptables, permission", lacksSomething),
		k.check("rebuilt from disk, no controller", rebuilt),
		k.check("nothing is left", nothingLeft),
	}
}

// centralised is what a centralised router must do.
func centralised() []Check {
	k := kindOf("cvr", "centralised", false)
	return []Check{
		k.check("east-west by VXLAN", eastWest),
		k.check("east-west by VLAN", eastWestVLAN),
		k.check("floating IP and the world", floating),
		k.check("world without floating IP", masqueraded),
		k.check("between floating IPs", betweenFloatingIPs),
		k.check("port forwarding", forwarding),
		k.check("extra routes, ECMP", extraRoutes),
		k.check("floating IP of one of two addresses", oneOfTwo),
		k.check("floating IP moves", floatingMoves),
		k.check("VM moves with floating IP", vmMoves),
		k.check("floating IP removed cuts", cuts),
		k.check("sessions outlive changes", sessionsLive),
		k.check("enable_snat=false", withoutSNAT),
		k.check("admin_state_up=false", routerDown),
		k.check("ovs-vswitchd killed", switchDies),
		k.check("rebuilt from disk, no controller", rebuilt),
		k.check("nothing is left", nothingLeft),
	}
}
