package view

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Names of the bridges and patch ports that every host has, as operators know them (seed 003, "the integration
// bridge").
const (
	BrInt    = "br-int"
	BrTun    = "br-tun"
	PatchTun = "patch-tun"
	PatchInt = "patch-int"
)

// IntPort is the name of the patch port on br-int that leads to a physical bridge: int-br-ex.
func IntPort(bridge string) string { return "int-" + bridge }

// PhyPort is the name of the patch port on a physical bridge that leads to br-int: phy-br-ex.
func PhyPort(bridge string) string { return "phy-" + bridge }

// Host is what a host knows about itself. OpenFlow port numbers are 0 while the host has not reported them.
type Host struct {
	Name string
	// DVRMAC is the address that stands for this host's distributed routers on the wire; zero when there is none yet.
	DVRMAC model.MAC
	// TunnelIP is where tunnels of this host end; the zero Addr when it has none.
	TunnelIP netip.Addr
	// Userspace says that br-int has Open vSwitch's userspace datapath (netdev).
	Userspace bool
	// AnswersND says whether the host's datapath can turn a neighbour solicitation into its answer. Open vSwitch's
	// userspace datapath (netdev) can; the kernel's cannot set the fields of ND's options, and Open vSwitch refuses
	// every row that tries (ofproto-dpif.c, check_actions).
	AnswersND bool
	// Meters says what br-int's switch can limit.
	Meters Meters
	// PatchTun is the port of br-int that leads to br-tun.
	PatchTun uint32
	// PatchInt is the port of br-tun that leads to br-int.
	PatchInt uint32
	// Physical are the bridges of physical networks, sorted by name.
	Physical []Physical

	mappings map[string]string
	ports    map[string]uint32
}

// Meters is what a switch can limit: bits, and packets.
type Meters struct{ Kbps, Pktps bool }

// Physical is a bridge that leads to a physical network. Its port numbers are 0 while they are unknown.
type Physical struct {
	// Bridge is its name, e.g. br-ex. Empty means none.
	Bridge string
	// Int is the port of br-int that leads to the bridge.
	Int uint32
	// Phy is the port of the bridge that leads to br-int.
	Phy uint32
}

// ForHost looks a host up. False means that there is no such host. The cost does not depend on the cloud's size.
func ForHost(s state.Snapshot, name string) (Host, bool) {
	o := s.Host(name)
	if o == nil {
		return Host{}, false
	}
	h := Host{Name: name, DVRMAC: o.DVRMAC, TunnelIP: o.TunnelIP, mappings: o.BridgeMappings, Meters: meters(s.SwitchFacts(name))}
	if f := s.HostFacts(name); f != nil {
		h.TunnelIP = tunnelIP(o, f)
		h.mappings = bridgeMappings(o, f)
		h.ports = f.Ports
		h.Userspace = f.DatapathType == model.DatapathNetdev
		h.AnswersND = h.Userspace
	}
	h.PatchTun = h.ports[PatchTun]
	h.PatchInt = h.ports[PatchInt]
	for _, br := range physicalBridges(h.mappings) {
		h.Physical = append(h.Physical, h.physical(br))
	}
	return h, true
}

// meters are what a switch can do as far as is known: one that has not been asked is taken to be able to do everything.
func meters(f *model.SwitchFacts) Meters {
	if f == nil {
		return Meters{Kbps: true, Pktps: true}
	}
	return Meters{Kbps: f.MeterKbps, Pktps: f.MeterPktps}
}

func (h Host) physical(bridge string) Physical {
	return Physical{Bridge: bridge, Int: h.ports[IntPort(bridge)], Phy: h.ports[PhyPort(bridge)]}
}

// Peer is another host as its DVR MAC is known to this one.
type Peer struct {
	Name   string
	DVRMAC model.MAC
}

// Peers lists all other hosts that have a DVR MAC, sorted by name. It depends on nothing but the hosts that exist,
// whatever the order in which their agents started: an agent that came up unheard of cannot be missing from it.
func Peers(s state.Snapshot, host string) []Peer {
	var peers []Peer
	for o := range s.Hosts() {
		if o.ID != host && o.DVRMAC != (model.MAC{}) {
			peers = append(peers, Peer{o.ID, o.DVRMAC})
		}
	}
	return peers
}

// tunnelIP is the address in force: what an operator set wins over what the agent reported. Either may be nil.
func tunnelIP(o *model.Host, f *model.HostFacts) netip.Addr {
	switch {
	case o == nil:
		return netip.Addr{}
	case o.TunnelIP.IsValid():
		return o.TunnelIP
	case f != nil:
		return f.TunnelIP
	}
	return netip.Addr{}
}

// bridgeMappings is physical network → bridge as it is in force. An override replaces the whole map, so that an operator
// can take a mapping away.
func bridgeMappings(o *model.Host, f *model.HostFacts) map[string]string {
	switch {
	case o == nil:
		return nil
	case len(o.BridgeMappings) > 0:
		return o.BridgeMappings
	case f != nil:
		return f.BridgeMappings
	}
	return nil
}

// physicalBridges lists the bridges that are mapped to, sorted, each once. br-int and br-tun cannot lead to a physical
// network: mapping one to them is a mistake that must not give them a second pipeline.
func physicalBridges(mappings map[string]string) []string {
	set := map[string]struct{}{}
	for _, br := range mappings {
		if physical(br) {
			set[br] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func physical(bridge string) bool { return bridge != "" && bridge != BrInt && bridge != BrTun }
