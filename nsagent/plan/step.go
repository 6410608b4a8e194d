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

func (s Restore) String() string {
	tool := "iptables-restore"
	if s.IPv6 {
		tool = "ip6tables-restore"
	}
	return tool + " --noflush: " + strings.ReplaceAll(strings.TrimSuffix(s.Text, "\n"), "\n", "; ")
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
	}
	return ""
}
