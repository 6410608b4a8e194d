// Package e2e proves Weft by traffic: a controller and node agents as they are shipped, on three virtual hosts with a real
// Open vSwitch each. A scenario says who must reach whom and who must not; after each, no row of any bridge may name a
// port that does not exist.
package e2e
