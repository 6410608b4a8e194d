package openflow

import "fmt"

// Experimenters whose messages, errors and properties this package knows.
const (
	ExperimenterNicira uint32 = 0x00002320
	ExperimenterONF    uint32 = 0x4f4e4600
)

// Error types that callers branch on (OpenFlow 1.5.1, 7.5.4).
const (
	ErrorHelloFailed       uint16 = 0
	ErrorBadRequest        uint16 = 1
	ErrorBadAction         uint16 = 2
	ErrorBadInstruction    uint16 = 3
	ErrorBadMatch          uint16 = 4
	ErrorFlowModFailed     uint16 = 5
	ErrorGroupModFailed    uint16 = 6
	ErrorRoleRequestFailed uint16 = 11
	ErrorMeterModFailed    uint16 = 12
	ErrorBundleFailed      uint16 = 17
	ErrorExperimenter      uint16 = 0xffff
)

// Error is a refusal. It is a Message, and as a Go error it reads as ovs-ofctl prints it: "OFPFMFC_TABLE_FULL".
type Error struct {
	// Type is the class of the error; ErrorExperimenter means that Experimenter defines Code.
	Type uint16
	// Code is what went wrong, within Type (or, for experimenter errors, the experimenter's type).
	Code uint16
	// Experimenter is set for Type ErrorExperimenter only.
	Experimenter uint32
	// Data are at least the first 64 bytes of the message that was refused; for ErrorHelloFailed it is text.
	Data []byte
}

// Name is the name of the error as in ovs-ofctl's output, or "" for one that we do not know.
func (m *Error) Name() string {
	return errorNames[errorKey{m.Experimenter, m.Type, m.Code}]
}

// Error implements error.
func (m *Error) Error() string {
	if n := m.Name(); n != "" {
		if m.Type == ErrorHelloFailed && len(m.Data) > 0 {
			return fmt.Sprintf("%s: %q", n, m.Data)
		}
		return n
	}
	if m.Type == ErrorExperimenter {
		return fmt.Sprintf("error of experimenter 0x%08x, type %d", m.Experimenter, m.Code)
	}
	return fmt.Sprintf("error of type %d, code %d", m.Type, m.Code)
}

// Append implements Message.
func (m *Error) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU16(appendU16(appendHeader(b, v, TypeError, xid), m.Type), m.Code)
	if m.Type == ErrorExperimenter {
		b = appendU32(b, m.Experimenter)
	}
	return finish(append(b, m.Data...), start)
}

func parseError(b []byte) (*Error, error) {
	c := body(b)
	m := &Error{Type: c.u16(), Code: c.u16()}
	if m.Type == ErrorExperimenter {
		m.Experimenter = c.u32()
	}
	m.Data = c.rest()
	return m, c.err()
}

type errorKey struct {
	experimenter uint32
	typ, code    uint16
}
