package ovsdb

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// MaxName is the longest name of a network device, IFNAMSIZ less the terminating zero (linux/if.h).
const MaxName = 15

// maxPhysical leaves room for the "int-" and "phy-" of the patch ports.
const maxPhysical = MaxName - len("int-")

var (
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	portIDPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$`)
	datapathPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// FieldError says which field of a resource cannot be used, and why.
type FieldError struct {
	// Field is the field's name in the node protocol.
	Field string
	// Message says what is wrong and what would be right.
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// CheckName says whether a name can be that of a bridge or port of ours: 1 to 15 letters, digits, "_", "." and "-", of
// which the first is a letter or digit.
func CheckName(field, name string) error {
	if len(name) > MaxName || !namePattern.MatchString(name) {
		return fieldErrorf(field, "%q is no name for a network device: 1 to %d letters, digits, \"_\", \".\", \"-\" are", name, MaxName)
	}
	return nil
}

// Check says what of a bridge cannot be used; its error is a *FieldError.
func (b Bridge) Check() error {
	if err := CheckName("name", b.Name); err != nil {
		return err
	}
	if !slices.Contains([]Role{Integration, Tunnel, Physical}, b.Role) {
		return fieldErrorf("role", "%q is none of integration, tunnel, physical", b.Role)
	}
	if b.Role == Physical && len(b.Name) > maxPhysical {
		return fieldErrorf("name", "%q is longer than %d characters, which leaves no room for the patch ports int-… and phy-…", b.Name, maxPhysical)
	}
	if !datapathPattern.MatchString(b.DatapathID) || strings.Trim(b.DatapathID, "0") == "" {
		return fieldErrorf("datapath_id", "%q is not 16 lower-case hex digits that are not all zero", b.DatapathID)
	}
	for i, c := range b.Controllers {
		if err := checkTarget(c); err != nil {
			return fieldErrorf("controllers", "%v", err)
		}
		if slices.Contains(b.Controllers[:i], c) {
			return fieldErrorf("controllers", "%q is named twice", c)
		}
	}
	return nil
}

// checkTarget lets only connections to an address through: ptcp: and pssl: would open a port on the host.
func checkTarget(target string) error {
	scheme, rest, _ := strings.Cut(target, ":")
	ap, err := netip.ParseAddrPort(rest)
	if (scheme != "tcp" && scheme != "ssl") || err != nil || ap.Port() == 0 {
		return fmt.Errorf("%q is not tcp:<address>:<port> or ssl:<address>:<port>", target)
	}
	return nil
}

// Check says what of a tunnel cannot be used; its error is a *FieldError.
func (t TunnelPort) Check() error {
	if err := CheckName("name", t.Name); err != nil {
		return err
	}
	if !slices.Contains([]string{"vxlan", "gre", "geneve"}, t.Type) {
		return fieldErrorf("type", "%q is none of vxlan, gre, geneve", t.Type)
	}
	if !strings.HasPrefix(t.Name, t.Type+"-") {
		return fieldErrorf("name", "%q does not begin with %q", t.Name, t.Type+"-")
	}
	for _, a := range []struct {
		field string
		ip    netip.Addr
	}{{"local_ip", t.LocalIP}, {"remote_ip", t.RemoteIP}} {
		if !a.ip.IsValid() || a.ip.Zone() != "" || a.ip.IsUnspecified() || a.ip.IsMulticast() {
			return fieldErrorf(a.field, "%v is not the address of a host", a.ip)
		}
	}
	if t.LocalIP.Is4() != t.RemoteIP.Is4() {
		return fieldErrorf("remote_ip", "%v is of another family than the local %v", t.RemoteIP, t.LocalIP)
	}
	if t.LocalIP == t.RemoteIP {
		return fieldErrorf("remote_ip", "%v is this host's own", t.RemoteIP)
	}
	return nil
}

// Check says what of a binding cannot be used; its error is a *FieldError.
func (b Binding) Check() error {
	if !portIDPattern.MatchString(b.PortID) {
		return fieldErrorf("port_id", "%q is no id: 1 to 128 letters, digits, \"_\", \".\", \":\", \"-\" are", b.PortID)
	}
	if err := CheckName("interface", b.Interface); err != nil {
		return err
	}
	if b.VLAN < 1 || b.VLAN > DeadVLAN {
		return fieldErrorf("vlan", "%d is not in 1..4095", b.VLAN)
	}
	if mac, err := net.ParseMAC(b.MAC); err != nil || len(mac) != 6 {
		return fieldErrorf("mac_address", "%q is not an Ethernet address", b.MAC)
	}
	if b.Installed < 0 {
		return fieldErrorf("installed_revision", "%d is negative", b.Installed)
	}
	return nil
}
