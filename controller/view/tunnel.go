package view

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Tunnel is a tunnel from a host to another.
type Tunnel struct {
	// Type is vxlan, gre or geneve.
	Type string
	// Remote is the other host.
	Remote string
	// Name is the port's name on br-tun, as TunnelName makes it.
	Name     string
	LocalIP  netip.Addr
	RemoteIP netip.Addr
	// OFPort is the port's number, 0 while it is unknown.
	OFPort uint32
	// Open says that the other end is there too: the other host has reported the port that leads back. Nothing is sent
	// into a tunnel before: Open vSwitch's userspace datapath was seen to go on dropping what came by a tunnel that it did
	// not have at first (docs/decisions/0041).
	Open bool
}

// out is the port that packets to the other host leave by, or 0 as long as nothing may.
func (t Tunnel) out() uint32 {
	if !t.Open {
		return 0
	}
	return t.OFPort
}

// ForTunnel looks up a tunnel part. False means that the host wants no such tunnel: the two share no network of that
// type, or one of them has no tunnel address, or their addresses are of different families.
//
// The cost is that of finding one network that both carry, at worst the number of networks on the host.
func ForTunnel(s state.Snapshot, h Host, id string) (Tunnel, bool) {
	networkType, remote, _ := strings.Cut(id, "/")
	if remote == h.Name || !wanted(s, h.Name, remote, networkType) {
		return Tunnel{}, false
	}
	return tunnel(s, h, networkType, remote)
}

// tunnel describes the tunnel to a host without asking whether it is wanted.
func tunnel(s state.Snapshot, h Host, networkType, remote string) (Tunnel, bool) {
	ip := tunnelIP(s.Host(remote), s.HostFacts(remote))
	if !ip.IsValid() || !h.TunnelIP.IsValid() || ip.Unmap().Is4() != h.TunnelIP.Unmap().Is4() || ip == h.TunnelIP {
		return Tunnel{}, false
	}
	name := TunnelName(networkType, ip)
	t := Tunnel{
		Type: networkType, Remote: remote, Name: name,
		LocalIP: h.TunnelIP.Unmap(), RemoteIP: ip.Unmap(), OFPort: h.ports[name],
	}
	if f := s.HostFacts(remote); f != nil && t.OFPort != 0 {
		t.Open = f.Ports[TunnelName(networkType, h.TunnelIP)] != 0
	}
	return t, true
}

// wanted says whether a host needs a tunnel of that type to another: for a network that both carry, or for one that
// the host carries and floods to everybody.
func wanted(s state.Snapshot, host, remote, networkType string) bool {
	for v := range s.LocalVLANsOn(host) {
		n := s.Network(v.NetworkID)
		if n == nil || !model.Tunnelled(n.Type) || n.Type != networkType {
			continue
		}
		if !n.L2Population || s.LocalVLAN(remote, n.ID) != nil {
			return true
		}
	}
	return false
}

// tunnelHash spells 40 bits in 8 lower-case characters.
var tunnelHash = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// HasTunnelPort says whether a port of br-tun is a tunnel of that type.
func (h Host) HasTunnelPort(networkType string, port uint32) bool {
	for name, p := range h.ports {
		if p == port && strings.HasPrefix(name, networkType+"-") {
			return true
		}
	}
	return false
}

// TunnelName is the name of the port of a tunnel to an address: vxlan-0a5b0015 to 10.91.0.21, and for IPv6 8 characters
// of a hash, because the name of a network device has at most 15 characters and geneve- takes 7 of them.
func TunnelName(networkType string, remote netip.Addr) string {
	remote = remote.Unmap()
	if remote.Is4() {
		b := remote.As4()
		return networkType + "-" + hex.EncodeToString(b[:])
	}
	b := remote.As16()
	sum := sha256.Sum256(b[:])
	return networkType + "-" + tunnelHash.EncodeToString(sum[:5])
}
