package plan

import (
	"net/netip"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// Resource is one resource of the node protocol that asks for something in namespaces, checked: a Router, Snat,
// FipNamespace, FloatingIP, PortForwarding, DHCP or Endpoint.
type Resource interface {
	// Resource is its name in the node protocol: router/<router id>, floatingip/<id> ….
	Resource() string
}

// FieldError says which field of a resource cannot be used, and why.
type FieldError struct {
	// Field is the field's name in the node protocol; parts of lists have their index: interfaces[1].addresses[0].
	Field string
	// Message says what is wrong and what would be right.
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// Read checks a resource of one of those kinds, as strictly as if anyone could have sent it. The error is a *FieldError.
// Of a resource of another kind it is one for the field "spec".
func Read(r *nodev1.Resource) (Resource, error) {
	return read(r)
}

// Line is one thing that is, or should be, in a namespace.
type Line struct {
	// Section is link, address, route, rule, neighbour, sysctl, iptables or process.
	Section string
	// Text is the thing as the tool prints it: "10.0.1.1/24 dev qr-0123…".
	Text string
	// State is OK, Missing or Foreign.
	State string
}

// States of a Line.
const (
	OK      = "ok"
	Missing = "missing" // desired and not there
	Foreign = "foreign" // there and not desired
)

// Device is a port of ours in a namespace.
type Device struct {
	PortID    string
	NetworkID string
	// MAC is in lower case with colons.
	MAC string
	// MTU in bytes, 68..65535.
	MTU uint32
	// Addresses with the prefix length of their subnet, sorted.
	Addresses []netip.Prefix
}
