package view

import "github.com/weft-sdn/weft/controller/state"

// securitySight is what a part comes to that firewalls are made of; nil is nothing.
type securitySight struct {
	GroupSet    *GroupSet
	RemoteGroup *RemoteGroup
	Remote      *Remote
	Station     *Station
	Multicast   *Multicast
}

func (s securitySight) nothing() bool { return s == securitySight{} }

func lookSecurity(s state.Snapshot, h Host, p Part) (out securitySight) {
	switch p.Kind {
	case GroupSetPart:
		if o, ok := ForGroupSet(s, h, p.ID); ok {
			out.GroupSet = &o
		}
	case RemoteGroupPart:
		if o, ok := ForRemoteGroup(s, h, p.ID); ok {
			out.RemoteGroup = &o
		}
	case RemotePart:
		if o, ok := ForRemote(s, h, p.ID); ok {
			out.Remote = &o
		}
	case StationPart:
		if o, ok := ForStation(s, h, p.ID); ok {
			out.Station = &o
		}
	case MulticastPart:
		if o, ok := ForMulticast(s, h, p.ID); ok {
			out.Multicast = &o
		}
	}
	return out
}
