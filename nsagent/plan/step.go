package plan

import (
	"fmt"
	"net/netip"
	"strings"
)

// Step is one thing to do in a namespace: one of the types below. Its text is the command that would do the same.
type Step interface{ String() string }

// SetSysctl writes a value below /proc/sys.
type SetSysctl struct{ Key, Value string }

// MakeLink makes a device and its other end, or takes it from another namespace of ours when it is there.
type MakeLink struct{ Link }

// ChangeLink sets what differs: MAC, MTU, up or down, offload, and MTU and state of its tap.
type ChangeLink struct{ Link }

// StopLink takes down a device that cannot be deleted yet.
type StopLink struct{ Link }

// DeleteLink deletes a device, and with it its other end.
type DeleteLink struct{ Link }

// AddAddress adds an address. IPv6 ones are in force at once, without a check for duplicates.
type AddAddress struct{ Address }

// DeleteAddress deletes an address.
type DeleteAddress struct{ Address }

// PutRoute adds a route, or replaces the one to the same destination in the same table.
type PutRoute struct{ TableRoute }

// DeleteRoute deletes a route.
type DeleteRoute struct{ TableRoute }

// AddRule adds a rule.
type AddRule struct{ Rule }

// DeleteRule deletes one rule.
type DeleteRule struct{ Rule }

// PutNeighbour adds a PERMANENT neighbour, or changes it.
type PutNeighbour struct{ Neighbour }

// DeleteNeighbour deletes a neighbour.
type DeleteNeighbour struct{ Neighbour }

// Restore changes iptables by one "iptables-restore --noflush", or ip6tables-restore.
type Restore struct {
	IPv6 bool
	Text string
}

// Forget deletes entries of conntrack.
type Forget struct{ Flows []Flow }

// RestoreEthernet changes ebtables by one "ebtables-restore --noflush".
type RestoreEthernet struct{ Text string }

// RestoreSets changes sets of addresses by one "ipset restore".
type RestoreSets struct{ Text string }

// DestroySets takes sets away that no rule names any more.
type DestroySets struct{ Names []string }

// ForgetZones deletes all entries of conntrack in some zones. It is one step for all of them: the kernel walks all of its table
// for each time that somebody asks.
type ForgetZones struct{ Zones []uint16 }

// MakeBridge makes a firewall bridge, and the pair between it and br-int.
type MakeBridge struct{ Bridge }

// ChangeBridge puts settings, pair and MTU of a firewall bridge right.
type ChangeBridge struct{ Bridge }

// DeleteBridge deletes a firewall bridge with its pair.
type DeleteBridge struct{ Bridge }

// CopyConnections takes the connections of a port over that br-int has tracked.
type CopyConnections struct{ Bridge }

// TeachConnections makes br-int learn of the connections of ports that it is to judge, which their firewall bridges have tracked.
// It is one step for all of them, because machines are asked, and their answers waited for.
type TeachConnections struct{ Bridges []Bridge }

// TakeTap puts the machine's device into its firewall bridge.
type TakeTap struct{ Bridge, Tap, For string }

// ReleaseTap takes the machine's device out of its firewall bridge.
type ReleaseTap struct{ Bridge, Tap string }

// Announce tells the link who has an address now: by gratuitous ARP, or an unsolicited neighbour advertisement.
type Announce struct {
	Dev       string
	Addresses []netip.Addr
}

func (s SetSysctl) String() string {
	return fmt.Sprintf("sysctl -w %s=%s", strings.ReplaceAll(s.Key, "/", "."), s.Value)
}

func (s MakeLink) String() string {
	other := s.Tap.Name
	if other == "" {
		other = s.Peer.Name + " netns " + s.Peer.Namespace
	}
	return fmt.Sprintf("ip link add %s address %s mtu %d type veth peer %s", s.Name, s.MAC, s.MTU, other)
}

func (s ChangeLink) String() string {
	text := "ip link set " + s.Name
	if s.MAC != "" {
		text += " address " + s.MAC
	}
	if s.MTU != 0 {
		text += fmt.Sprintf(" mtu %d", s.MTU)
	}
	if l := s.Link; l.Tap.Name != "" {
		return fmt.Sprintf("%s up; ethtool -K %s tx off; ip link set %s mtu %d up", text, l.Name, l.Tap.Name, l.Tap.MTU)
	}
	return text + " up"
}

func (s StopLink) String() string        { return "ip link set " + s.Name + " down" }
func (s DeleteLink) String() string      { return "ip link del " + s.Name }
func (s AddAddress) String() string      { return "ip addr add " + s.Address.String() }
func (s DeleteAddress) String() string   { return "ip addr del " + s.Address.String() }
func (s PutRoute) String() string        { return "ip route replace " + s.TableRoute.String() }
func (s DeleteRoute) String() string     { return "ip route del " + s.TableRoute.String() }
func (s AddRule) String() string         { return "ip rule add " + s.Rule.String() }
func (s DeleteRule) String() string      { return "ip rule del " + s.Rule.String() }
func (s PutNeighbour) String() string    { return "ip neigh replace " + s.Neighbour.String() }
func (s DeleteNeighbour) String() string { return "ip neigh del " + s.Neighbour.String() }

func (s RestoreEthernet) String() string { return "ebtables-restore --noflush: " + oneLine(s.Text) }
func (s RestoreSets) String() string     { return "ipset restore: " + oneLine(s.Text) }
func (s DestroySets) String() string     { return "ipset destroy " + strings.Join(s.Names, " ") }
func (s ForgetZones) String() string {
	var zones []string
	for _, z := range s.Zones {
		zones = append(zones, fmt.Sprintf("conntrack -D -w %d", z))
	}
	return strings.Join(zones, "; ")
}
func (s MakeBridge) String() string {
	return fmt.Sprintf("ip link add %s mtu %d type bridge; ip link add %s type veth peer %s", s.Name, s.MTU, InnerOfBridge(s.Name), OuterOfBridge(s.Name))
}
func (s ChangeBridge) String() string { return fmt.Sprintf("ip link set %s mtu %d up", s.Name, s.MTU) }
func (s DeleteBridge) String() string { return "ip link del " + s.Name }
func (s CopyConnections) String() string {
	return fmt.Sprintf("conntrack -I -w %d, what br-int tracks of port %s", s.Zone, s.PortID)
}
func (s TeachConnections) String() string {
	var zones []string
	for _, b := range s.Bridges {
		zones = append(zones, fmt.Sprintf("%d of port %s", b.Zone, b.PortID))
	}
	return "ovs-ofctl packet-out br-int, for each connection in zone " + strings.Join(zones, ", ")
}
func (s TakeTap) String() string    { return "ip link set " + s.Tap + " master " + s.Bridge }
func (s ReleaseTap) String() string { return "ip link set " + s.Tap + " nomaster" }

func oneLine(text string) string {
	return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "; ")
}

func (s Restore) String() string {
	tool := "iptables-restore"
	if s.IPv6 {
		tool = "ip6tables-restore"
	}
	return tool + " --noflush: " + oneLine(s.Text)
}

func (s Forget) String() string {
	var flows []string
	for _, f := range s.Flows {
		flows = append(flows, f.String())
	}
	return "conntrack -D " + strings.Join(flows, ", ")
}

func (s Announce) String() string { return fmt.Sprintf("arping -U -I %s %v", s.Dev, s.Addresses) }

// For is the resource that a step is for, or "" when it is for the whole namespace.
func For(s Step) string {
	switch s := s.(type) {
	case AddAddress:
		return s.For
	case PutRoute:
		return s.For
	case AddRule:
		return s.For
	case PutNeighbour:
		return s.For
	case MakeBridge:
		return s.Bridge.For
	case ChangeBridge:
		return s.Bridge.For
	case CopyConnections:
		return s.Bridge.For
	case TakeTap:
		return s.For
	}
	return ""
}
