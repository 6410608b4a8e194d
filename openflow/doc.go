// Package openflow is a codec for the OpenFlow switch protocol as Open vSwitch speaks it: versions 1.3 (wire 0x04),
// 1.4 (0x05) and 1.5 (0x06), with the Nicira and ONF extensions that a cloud pipeline needs, on the wire and as
// ovs-ofctl text.
//
// The package does no I/O. Encoders append to a byte slice and do not allocate. Decoders check every length and return
// errors; they never panic, and what they return may alias the bytes that they were given.
package openflow
