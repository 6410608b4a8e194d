package checks

import (
	"context"

	"github.com/weft-sdn/weft/test/lab/cloud"
)

// kind is a scene, and how its checks are called.
type kind struct {
	*scene
	called string
}

// kindOf is a scene with one kind of router.
func kindOf(distributed bool) kind {
	name := "cvr"
	if distributed {
		name = "dvr"
	}
	return kind{&scene{name, func(ctx context.Context, s *cloud.Scope) (*site, error) { return build(ctx, s, distributed) }}, kindWord(distributed)}
}

// kindWord is what people call a kind of router.
func kindWord(distributed bool) string {
	if distributed {
		return "distributed"
	}
	return "centralised"
}

// check is a check of the scene.
func (k kind) check(name string, look func(context.Context, *cloud.Scope, *site) (string, error)) Check {
	return Check{Name: k.called + ": " + name, Hosts: 3, scene: k.scene, look: look}
}

// routers is what routers must do: the three cases of the seed's document, and what else one builds with them; first a
// distributed one, then a centralised one.
func routers() []Check {
	var all []Check
	for _, distributed := range []bool{true, false} {
		k := kindOf(distributed)
		for _, c := range []struct {
			name string
			look func(context.Context, *cloud.Scope, *site) (string, error)
			// distributedOnly: it is about what only such a router has, or one kind shows it for both.
			distributedOnly bool
		}{
			{name: "east-west by VXLAN", look: eastWest},
			{name: "east-west by VLAN", look: eastWestVLAN},
			{name: "floating IP and the world", look: floating},
			{name: "world without floating IP", look: masqueraded},
			{name: "between floating IPs", look: betweenFloatingIPs},
			{name: "port forwarding", look: forwarding},
			{name: "extra routes, ECMP", look: extraRoutes},
			{name: "a trace says what packets do", look: tracedSite},
			{name: "two kinds in one subnet", look: twoKinds},
			{name: "tenants overlap", look: behindOne},
			{name: "two external networks", look: twoExternal},
			{name: "two routers in a row", look: inARow},
			{name: "VIP of two VMs moves", look: vipMoves},
			{name: "host without mapping", look: withoutMapping, distributedOnly: true},
			{name: "on demand, gone with the last VM", look: onDemand, distributedOnly: true},
			{name: "floating IP of one of two addresses", look: oneOfTwo},
			{name: "floating IP moves", look: floatingMoves},
			{name: "VM moves with floating IP", look: vmMoves},
			{name: "floating IP removed cuts", look: cuts},
			{name: "sessions outlive changes", look: sessionsLive},
			{name: "becomes " + kindWord(!distributed) + " and back", look: changesKind},
			{name: "enable_snat=false", look: withoutSNAT},
			{name: "admin_state_up=false", look: routerDown},
			{name: "drift of namespaces repaired", look: namespaceDrift, distributedOnly: true},
			{name: "ovs-vswitchd killed", look: switchDies},
			{name: "what is known is not flooded", look: notFlooded, distributedOnly: true},
			{name: "name of a namespace is taken", look: nameTaken, distributedOnly: true},
			{name: "a host lacks iptables, permission", look: lacksSomething, distributedOnly: true},
			{name: "rebuilt from disk, no controller", look: rebuilt},
			{name: "nothing is left", look: nothingLeft},
		} {
			if distributed || !c.distributedOnly {
				all = append(all, k.check(c.name, c.look))
			}
		}
	}
	return all
}
