package state

import (
	"iter"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
)

// PortsWithMember iterates over the secured ports, of all networks, which have exactly that address or block among those
// with which they are members of security groups.
func (s Snapshot) PortsWithMember(address netip.Prefix) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "member", address.String())
}

// PortsAtStation iterates over the secured ports of a network to which frames with that destination may go.
func (s Snapshot) PortsAtStation(network string, mac model.MAC) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "station", network, mac.String())
}

// AddressGroupsWith iterates over the address groups that have exactly that block.
func (s Snapshot) AddressGroupsWith(address netip.Prefix) iter.Seq[*model.AddressGroup] {
	return all[model.AddressGroup](s, AddressGroups, "address", address.String())
}

// memberKeys, stationKeys and addressKeys are the indexes of what is above.
func memberKeys(o *model.Port) (keys [][]string) {
	if !o.Secured() || len(o.SecurityGroups) == 0 {
		return nil
	}
	for _, m := range o.Members() {
		keys = append(keys, []string{m.String()})
	}
	return keys
}

func stationKeys(o *model.Port) (keys [][]string) {
	if !o.Secured() {
		return nil
	}
	for _, m := range o.Stations() {
		keys = append(keys, []string{o.NetworkID, m.String()})
	}
	return keys
}

func addressKeys(o *model.AddressGroup) (keys [][]string) {
	seen := map[netip.Prefix]bool{}
	for _, a := range o.Addresses {
		if a = a.Masked(); !seen[a] {
			seen[a] = true
			keys = append(keys, []string{a.String()})
		}
	}
	return keys
}
