// Package metadata is the metadata service of virtual machines: what answers at http://169.254.169.254 in the namespaces
// of routers and DHCP servers.
//
// It listens inside a namespace and knows the ports that may ask there. Who asks is told by the source address alone:
// a machine gets what is its own port's, whatever it says of itself, and an address that is no port's gets 404. Each
// port may ask so often, and have so many connections; more is answered by 429, or not at all.
//
// With Config.URL the questions go to a Nova-compatible service, with the headers that Neutron's metadata agent adds and
// none of those that a guest could claim to be somebody else with. Without, the package answers itself, in Amazon's and
// in OpenStack's words, what curl and cloud-init ask for, with Amazon's session tokens or without; it takes no data from
// guests.
//
// User data and the secret are never logged.
package metadata
