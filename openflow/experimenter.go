package openflow

import "fmt"

// Experimenter is a message of an experimenter that this package knows no more of.
type Experimenter struct {
	// Experimenter is who defines Type: ExperimenterNicira, ExperimenterONF …
	Experimenter uint32
	Type         uint32
	Body         []byte
}

// Append implements Message.
func (m *Experimenter) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendU32(appendHeader(b, v, TypeExperimenter, xid), m.Experimenter), m.Type)
	return finish(append(b, m.Body...), start)
}

func parseExperimenter(b []byte, v Version) (Message, error) {
	c := body(b)
	m := &Experimenter{Experimenter: c.u32(), Type: c.u32(), Body: c.b}
	if err := c.err(); err != nil {
		return nil, err
	}
	out, err := parseKnownExperimenter(m, c, v)
	if err != nil {
		return nil, fmt.Errorf("of 0x%08x, type %d: %w", m.Experimenter, m.Type, err)
	}
	return out, nil
}

func parseKnownExperimenter(m *Experimenter, c cursor, v Version) (Message, error) {
	switch {
	case m.Experimenter == ExperimenterNicira && m.Type == nxtPacketIn2:
		return parsePacketIn2(c)
	case m.Experimenter != ExperimenterONF || v != V13:
		return m, nil
	}
	switch m.Type {
	case onfBundleControl:
		return parseBundleControl(c)
	case onfBundleAdd:
		return parseBundleAdd(c)
	case onfRoleStatus:
		return parseRoleStatus(c)
	case onfRequestForward:
		return parseRequestForward(c)
	case onfFlowMonitor:
		m := &FlowMonitorCancel{ID: c.u32()}
		return m, c.end()
	case onfMonitorPaused:
		return &FlowMonitorPaused{}, c.end()
	case onfMonitorResumed:
		return &FlowMonitorResumed{}, c.end()
	}
	return m, nil
}

// RequestForward tells a controller of a group-mod or meter-mod that another controller made.
type RequestForward struct {
	// Request is the whole message, header included.
	Request []byte
}

// Append implements Message.
func (m *RequestForward) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	return finish(append(nativeHeader(b, v, TypeRequestForward, onfRequestForward, xid), m.Request...), start)
}

func parseRequestForward(c cursor) (*RequestForward, error) {
	if _, err := ParseHeader(c.b); err != nil {
		return nil, err
	}
	return &RequestForward{Request: c.rest()}, nil
}
