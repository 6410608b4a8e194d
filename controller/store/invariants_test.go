package store

import (
	"fmt"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

type failer interface {
	Helper()
	Errorf(string, ...any)
}

var _ failer = (*testing.T)(nil)

// invariants are what must be true of every state, whatever happened before. They are written down here once more, from
// the design, without the code that keeps them.
func invariants(t failer, s state.Snapshot) {
	t.Helper()
	once := map[string]string{}
	unique := func(owner, format string, args ...any) {
		key := fmt.Sprintf(format, args...)
		if by, ok := once[key]; ok {
			t.Errorf("%s of %s is also %s's", key, owner, by)
		}
		once[key] = owner
	}
	for n := range s.Networks() {
		unique(n.ID, "segment %s %s %d", n.Type, n.PhysicalNetwork, n.SegmentID)
		if n.MTU < model.MinMTU || n.Type != model.Flat && n.SegmentID == 0 {
			t.Errorf("network %s: MTU %d, segment %d", n.ID, n.MTU, n.SegmentID)
		}
	}
	for sn := range s.Subnets() {
		if s.Network(sn.NetworkID) == nil {
			t.Errorf("subnet %s: no network %s", sn.ID, sn.NetworkID)
		}
		for other := range s.SubnetsOf(sn.NetworkID) {
			if other.ID != sn.ID && other.CIDR.Overlaps(sn.CIDR) {
				t.Errorf("subnets %s and %s overlap", sn.CIDR, other.CIDR)
			}
		}
	}
	for h := range s.Hosts() {
		unique(h.ID, "host number %d", h.Number)
		unique(h.ID, "DVR MAC %s", h.DVRMAC)
		if h.Number == 0 || h.DVRMAC.IsZero() {
			t.Errorf("host %s: number %d, MAC %s", h.ID, h.Number, h.DVRMAC)
		}
	}
	macs, claimed := map[model.MAC]int{}, map[string][]*model.Interface{}
	for p := range s.Ports() {
		macs[p.MAC]++
	}
	for i := range s.Interfaces() {
		claimed[i.IfaceID] = append(claimed[i.IfaceID], i)
		if s.Port(i.IfaceID) == nil {
			claimed[i.AttachedMAC] = append(claimed[i.AttachedMAC], i)
		}
	}
	for p := range s.Ports() {
		if s.Network(p.NetworkID) == nil {
			t.Errorf("port %s: no network %s", p.ID, p.NetworkID)
		}
		unique(p.ID, "MAC %s %s", p.NetworkID, p.MAC)
		for _, f := range p.FixedIPs {
			unique(p.ID, "address %s %s", p.NetworkID, f.IP)
			if sn := s.Subnet(f.SubnetID); sn == nil || sn.NetworkID != p.NetworkID || !sn.CIDR.Contains(f.IP) {
				t.Errorf("port %s: address %s is not of subnet %s", p.ID, f.IP, f.SubnetID)
			}
		}
		madeItself(t, s, p)
		var byMAC []*model.Interface
		if macs[p.MAC] == 1 {
			byMAC = claimed[p.MAC.String()]
		}
		boundRight(t, s, p, claimed[p.ID], byMAC)
	}
	for obj := range s.ByIDPrefix(state.Bindings, "") {
		b := obj.(*model.Binding)
		if s.Port(b.PortID) == nil {
			t.Errorf("binding of port %s, which does not exist", b.PortID)
		}
		if s.LocalVLAN(b.Host, b.NetworkID) == nil {
			t.Errorf("port %s is bound to %s, where network %s has no VLAN", b.PortID, b.Host, b.NetworkID)
		}
		unique(b.PortID, "interface %s %s", b.Host, b.Interface)
	}
	for obj := range s.ByIDPrefix(state.LocalVLANs, "") {
		v := obj.(*model.LocalVLAN)
		unique(v.NetworkID, "VLAN %s %d", v.Host, v.VLAN)
		bound := routedOn(s, v.Host, v.NetworkID)
		for range s.BindingsAt(v.Host, v.NetworkID) {
			bound = true
		}
		if !bound || v.VLAN < 1 || v.VLAN > model.MaxVLAN {
			t.Errorf("VLAN %d of network %s on %s has no port", v.VLAN, v.NetworkID, v.Host)
		}
	}
	routersRight(t, s, unique)
	floatingRight(t, s, unique)
	servedRight(t, s)
	securedRight(t, s, unique)
	for obj := range s.ByIDPrefix(state.PortStates, "") {
		st := obj.(*model.PortState)
		if b := s.Binding(st.PortID); st.Reason != NoLocalVLAN && (b == nil || b.Host != st.Host) {
			t.Errorf("port %s has state %s of host %s, but its binding is %v", st.PortID, st.Status, st.Host, b)
		}
	}
}

// boundRight decides where a port belongs, by the interfaces that claim it in one way and in the other.
func boundRight(t failer, s state.Snapshot, p *model.Port, byID, byMAC []*model.Interface) {
	t.Helper()
	var best *model.Interface
	boundBy := ""
	for _, way := range []struct {
		name string
		is   []*model.Interface
	}{{model.BoundByIfaceID, byID}, {model.BoundByMAC, byMAC}} {
		for _, i := range way.is {
			if i.OFPort == 0 || s.HostFacts(i.Host) == nil || p.BindingHostID != "" && p.BindingHostID != i.Host {
				continue
			}
			switch p.DeviceOwner {
			case "":
			case model.OwnerDistributedInterface, model.OwnerFloatingIP:
				continue
			default:
				if p.BindingHostID == "" || way.name == model.BoundByMAC {
					continue
				}
			}
			newer := best == nil || i.Seen > best.Seen || i.Seen == best.Seen && i.Host+"\x00"+i.Name > best.Host+"\x00"+best.Name
			if boundBy == "" || boundBy == way.name && newer {
				best, boundBy = i, way.name
			}
		}
	}
	b := s.Binding(p.ID)
	if st := s.PortState(p.ID); b == nil && st != nil && st.Reason == NoLocalVLAN {
		return
	}
	switch {
	case best == nil && b != nil:
		t.Errorf("port %s is bound to %s/%s, which does not claim it", p.ID, b.Host, b.Interface)
	case best != nil && b == nil:
		t.Errorf("port %s is not bound, but %s/%s claims it", p.ID, best.Host, best.Name)
	case best != nil:
		if b.Host != best.Host || b.Interface != best.Name || b.OFPort != best.OFPort || b.NetworkID != p.NetworkID || b.BoundBy != boundBy {
			t.Errorf("port %s is bound %+v, want to %+v", p.ID, *b, *best)
		}
	}
}
