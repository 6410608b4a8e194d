package model

import "fmt"

// Protocols that can be forwarded by port.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Validate judges the port forwarding by itself. InternalIP may be left to the store when the port has one IPv4 address.
func (f *PortForwarding) Validate() []Violation {
	var v violations
	v.id(&f.Meta)
	v.meta(&f.Meta)
	if f.FloatingIPID == "" {
		v.add("floatingip_id", "is missing")
	}
	if f.Protocol != TCP && f.Protocol != UDP {
		v.add("protocol", "%q cannot be forwarded; choose tcp or udp", f.Protocol)
	}
	if f.InternalPortID == "" {
		v.add("internal_port_id", "is missing")
	}
	v.ipv4("internal_ip_address", f.InternalIP)
	external := v.portRange("external_port", f.External)
	internal := v.portRange("internal_port", f.Internal)
	if external && internal && f.Internal.Len() != 1 && f.Internal.Len() != f.External.Len() {
		v.add("internal_port_range", "%s has %d ports, but %s has %d; give one port, or as many", f.Internal, f.Internal.Len(), f.External, f.External.Len())
	}
	return v
}

func (v *violations) portRange(field string, r PortRange) (good bool) {
	switch {
	case r == PortRange{}:
		v.add(field, "is missing; give 1..65535")
	case r.First == 0:
		v.add(field+"_range", "%s begins with port 0; give 1..65535", r)
	case r.Last < r.First:
		v.add(field+"_range", "%s is reversed; write %s", r, PortRange{r.Last, r.First})
	default:
		return true
	}
	return false
}

// Len is how many ports are in the range.
func (r PortRange) Len() int { return int(r.Last) - int(r.First) + 1 }

// Overlaps says whether the ranges have a port in common.
func (r PortRange) Overlaps(o PortRange) bool { return r.First <= o.Last && o.First <= r.Last }

// String is like 8080 or 8000:8010.
func (r PortRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d:%d", r.First, r.Last)
}
