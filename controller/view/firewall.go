package view

import "github.com/weft-sdn/weft/controller/model"

// Firewall is the firewall bridge of a port: a Linux bridge between the port and br-int, on a host whose firewall driver is, or
// has just been, iptables_hybrid.
type Firewall struct {
	PortID    string
	NetworkID string
	// Interface is the port's on br-int: that of the machine itself until the bridge is between them.
	Interface string
	MAC       model.MAC
	// MTU is the network's, in bytes.
	MTU int
	// VLAN is the local VLAN of the network, by which br-int knew the port's connections.
	VLAN     uint16
	Security Security
	// Leaving: br-int is to judge the port, as soon as it knows its connections.
	Leaving bool
}

// firewall is the firewall bridge of a port that is bound here, if it is to have one.
func (l *Lookup) firewall(n Network, lp *LocalPort) []Firewall {
	b := l.s.Binding(lp.ID)
	p := byBridge(l.s, b)
	if p == nil {
		return nil
	}
	return []Firewall{{PortID: p.ID, NetworkID: n.ID, Interface: b.Interface, MAC: p.MAC, MTU: l.s.Network(n.ID).MTU, VLAN: n.VLAN,
		Security: *securityOf(l.s, p), Leaving: leaving(l.s, b)}}
}
