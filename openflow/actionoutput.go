package openflow

import "strconv"

// Output sends the packet out of a port.
type Output struct {
	// Port is a port number or a reserved one.
	Port uint32
	// MaxLen is how many bytes of the packet the controller gets, at most; 0xffff is all. It only matters for
	// PortController.
	MaxLen uint16
}

func (a Output) String() string { return string(a.appendText(nil)) }

func (a Output) appendText(b []byte) []byte {
	switch {
	case a.Port == PortController:
		return strconv.AppendUint(append(b, "CONTROLLER:"...), uint64(a.MaxLen), 10)
	case a.Port < PortMax:
		b = append(b, "output:"...)
	}
	return appendPort(b, a.Port)
}

func (a Output) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeOutput, 0, 16,
		byte(a.Port>>24), byte(a.Port>>16), byte(a.Port>>8), byte(a.Port), byte(a.MaxLen>>8), byte(a.MaxLen), 0, 0, 0, 0, 0, 0)
}

// Group hands the packet to a group.
type Group struct{ ID uint32 }

func (a Group) String() string { return string(a.appendText(nil)) }

func (a Group) appendText(b []byte) []byte { return appendArg(b, "group:", uint64(a.ID)) }

func (a Group) appendWire(b []byte, _ Version) []byte {
	return appendU32(append(b, 0, typeGroup, 0, 8), a.ID)
}

// SetQueue chooses the queue that the packet waits in at its port.
type SetQueue struct{ Queue uint32 }

func (a SetQueue) String() string { return string(a.appendText(nil)) }

func (a SetQueue) appendText(b []byte) []byte { return appendArg(b, "set_queue:", uint64(a.Queue)) }

func (a SetQueue) appendWire(b []byte, _ Version) []byte {
	return appendU32(append(b, 0, typeSetQueue, 0, 8), a.Queue)
}

func appendArg(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(append(b, name...), n, 10)
}
