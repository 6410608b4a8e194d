// Package checks is what must hold in a cloud with Weft, each as a scenario with real packets that says what it
// measured. "weft demo check" runs them on the demo, and test/e2e on a lab of its own.
//
// A check says who must reach whom and who must not. It makes its own networks and VMs and takes them away. After every
// check, and again when its things are gone, no row of any bridge may name a port that does not exist.
package checks
