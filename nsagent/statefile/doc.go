// Package statefile keeps a node agent's desired state on disk, so that a host heals without a controller. One process
// at a time may have it.
//
// The file is replaced as a whole, atomically and synced, and carries a format number and a checksum. A file that does
// not prove right is set aside, never half-believed.
package statefile
