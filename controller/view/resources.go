package view

import (
	"hash/fnv"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Roles of bridges, as the node protocol spells them.
const (
	RoleIntegration = "integration"
	RoleTunnel      = "tunnel"
	RolePhysical    = "physical"
)

// DeadVLAN is the tag of a port that may not talk. No network has it: local VLANs go up to 4094.
const DeadVLAN = 4095

// Bridge is a bridge that a host must have.
type Bridge struct {
	Name       string
	DatapathID uint64
	// Role is integration, tunnel or physical.
	Role string
}

// PortBinding ties an interface of br-int to a port.
type PortBinding struct {
	PortID    string
	NetworkID string
	Interface string
	// VLAN is the network's local VLAN, or DeadVLAN for a port that is not up.
	VLAN uint16
	MAC  model.MAC
}

// Resources is what the agent of a host must make true.
type Resources struct {
	Bridges []Bridge
	Tunnels []Tunnel
	Ports   []PortBinding
}

// HostResources lists all resources of a host: those of all its parts.
func HostResources(s state.Snapshot, host string) Resources {
	var all Resources
	for p := range Parts(s, host) {
		r := PartResources(s, host, p)
		all.Bridges = append(all.Bridges, r.Bridges...)
		all.Tunnels = append(all.Tunnels, r.Tunnels...)
		all.Ports = append(all.Ports, r.Ports...)
	}
	return all
}

// PartResources lists the resources that come from one part of a host: its bridges from the HostPart, a tunnel from
// each TunnelPart, a binding from the PortPart of each local port.
func PartResources(s state.Snapshot, host string, p Part) Resources {
	h, ok := ForHost(s, host)
	if !ok {
		return Resources{}
	}
	switch p.Kind {
	case HostPart:
		return Resources{Bridges: bridges(s.Host(host).Number, h)}
	case TunnelPart:
		if t, ok := ForTunnel(s, h, p.ID); ok {
			return Resources{Tunnels: []Tunnel{t}}
		}
	case PortPart:
		n, lp, _ := ForPort(s, h, p.ID)
		if lp == nil {
			break
		}
		b := PortBinding{PortID: lp.ID, NetworkID: n.ID, Interface: lp.Interface, VLAN: n.VLAN, MAC: lp.MAC}
		if !lp.Up {
			b.VLAN = DeadVLAN
		}
		return Resources{Ports: []PortBinding{b}}
	}
	return Resources{}
}

func bridges(number uint16, h Host) []Bridge {
	bs := []Bridge{
		{BrInt, DatapathID(number, BrInt), RoleIntegration},
		{BrTun, DatapathID(number, BrTun), RoleTunnel},
	}
	for _, p := range h.Physical {
		bs = append(bs, Bridge{p.Bridge, DatapathID(number, p.Bridge), RolePhysical})
	}
	return bs
}

// datapathMark begins every datapath id of ours: "weft" in ASCII.
const datapathMark uint64 = 0x77656674

// DatapathID tells the bridges of all hosts apart: "weft", the host's number, and a 16-bit fold of the FNV-1a hash of
// the bridge's name.
func DatapathID(number uint16, bridge string) uint64 {
	f := fnv.New32a()
	f.Write([]byte(bridge))
	sum := f.Sum32()
	return datapathMark<<32 | uint64(number)<<16 | uint64(uint16(sum>>16)^uint16(sum))
}

// Datapath finds the host and the bridge that a datapath id stands for. False means that it is not one of ours, or that
// two bridges share it, which 16 bits of a hash cannot rule out: the switch that presents it must be refused, because its
// rows would be another's. The cost is the number of hosts.
func Datapath(s state.Snapshot, dpid uint64) (host, bridge string, ok bool) {
	if dpid>>32 != datapathMark {
		return "", "", false
	}
	for o := range s.Hosts() {
		if o.Number == 0 || uint64(o.Number) != dpid>>16&0xffff {
			continue
		}
		h, _ := ForHost(s, o.ID)
		for _, b := range bridges(o.Number, h) {
			if b.DatapathID != dpid {
				continue
			}
			if ok {
				return "", "", false
			}
			host, bridge, ok = o.ID, b.Name, true
		}
	}
	return host, bridge, ok
}
