// Package ovsdb makes a host's Open vSwitch configuration what Weft wants it to be: bridges, patch ports, tunnels, and
// the VLANs of the ports of VMs. It is the only importer of libovsdb.
//
// There is one verb. Desired says what must be true; Session.Apply reads the database, computes the difference, and
// commits it as one transaction. When nothing differs, nothing is sent. What is foreign stays: a bridge or port is
// taken over when it bears a name that Desired wants, everything else is left alone, and only what carries the mark
// external_ids:weft-owned=true is ever removed. So it is with the switch's SSL row. An interface that waits on the
// integration bridge to be bound – it has an iface-id and no VLAN – is kept apart from all VLANs by the tag 4095.
//
// Two things are never done because Open vSwitch answers them by flushing all flows of a bridge: taking the last
// controller away, and replacing the controllers in two steps.
package ovsdb
