package plan

import "strings"

// Prefixes of namespaces. What follows is the id of a router or network.
const (
	QRouter = "qrouter-"
	SNAT    = "snat-"
	FIP     = "fip-"
	QDHCP   = "qdhcp-"
)

// Ours says whether a namespace has a name of ours.
func Ours(namespace string) bool {
	for _, p := range []string{QRouter, SNAT, FIP, QDHCP} {
		if strings.HasPrefix(namespace, p) {
			return true
		}
	}
	return false
}

// Prefixes of the devices inside.
const (
	devRouter   = "qr-" // a subnet of a router
	devGateway  = "qg-" // a router's external network
	devSnat     = "sg-" // a subnet, in snat-
	devExternal = "fg-" // the external network, in fip-
	devToFip    = "rfp-"
	devToRouter = "fpr-"
	devDHCP     = "ns-"
	tap         = "tap"
)

// OurDevice says whether a device inside one of our namespaces has a name of ours.
func OurDevice(name string) bool {
	for _, p := range []string{devRouter, devGateway, devSnat, devExternal, devToFip, devToRouter, devDHCP} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// Lengths of the parts of ids in names: Neutron's, so that names fit in IFNAMSIZ (linux/if.h).
const (
	portPart   = 11
	routerPart = 10
)

// Tap is the name of the end of a port's veth pair that is on br-int.
func Tap(portID string) string { return tap + portID[:portPart] }

func portDevice(prefix, portID string) string { return prefix + portID[:portPart] }

func routerDevice(prefix, routerID string) string { return prefix + routerID[:routerPart] }

// metadataIP is where clouds serve metadata (EC2).
const metadataIP = "169.254.169.254"

// metadataPort is where the metadata service listens in a router's namespace, as Neutron's does.
const metadataPort = "9697"
