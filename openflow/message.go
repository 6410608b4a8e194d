package openflow

import "fmt"

// Message is any message in decoded form.
type Message interface {
	// Append appends the whole message in wire form, header included. It does not fail: what version v cannot say is
	// left out, and whoever sends compares the length with MaxMessageLen.
	Append(b []byte, v Version, xid uint32) []byte
}

// Raw is a message that this package does not know, or knows no more of than its frame. It re-encodes identically.
type Raw struct {
	Type Type
	// Body is what follows the header.
	Body []byte
}

// Append implements Message.
func (m *Raw) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	return finish(append(appendHeader(b, v, m.Type, xid), m.Body...), start)
}

// Parse decodes the first message of b, which must hold all of it. What is returned aliases b. Messages of other
// versions than 1.3, 1.4 and 1.5 decode into Raw, but for hello, error and echo, which are the same in all. The errors
// name the message and the place in it.
func Parse(b []byte) (Header, Message, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, nil, err
	}
	if len(b) < int(h.Length) {
		return h, nil, fmt.Errorf("%v: %d bytes of %d", h.Type, len(b), h.Length)
	}
	b = b[:h.Length:h.Length]
	m, err := parseBody(h, b)
	if err != nil {
		return h, nil, fmt.Errorf("%v: %w", h.Type, err)
	}
	return h, m, nil
}

func parseBody(h Header, b []byte) (Message, error) {
	switch h.Type {
	case TypeHello:
		return parseHello(b)
	case TypeError:
		return parseError(b)
	case TypeEchoRequest:
		return &EchoRequest{Data: b[HeaderLen:]}, nil
	case TypeEchoReply:
		return &EchoReply{Data: b[HeaderLen:]}, nil
	}
	if h.Version < V13 || h.Version > V15 {
		return &Raw{Type: h.Type, Body: b[HeaderLen:]}, nil
	}
	if h.Type >= TypeRoleStatus && h.Version == V13 {
		return &Raw{Type: h.Type, Body: b[HeaderLen:]}, nil
	}
	switch h.Type {
	case TypeExperimenter:
		return parseExperimenter(b, h.Version)
	case TypeFeaturesRequest:
		return empty(b, &FeaturesRequest{})
	case TypeFeaturesReply:
		return parseFeaturesReply(b)
	case TypeGetConfigReq:
		return empty(b, &GetConfigRequest{})
	case TypeGetConfigReply:
		c, err := parseSwitchConfig(b)
		return &GetConfigReply{c}, err
	case TypeSetConfig:
		c, err := parseSwitchConfig(b)
		return &SetConfig{c}, err
	case TypePacketIn:
		return parsePacketIn(b)
	case TypeFlowRemoved:
		return parseFlowRemoved(b, h.Version)
	case TypePortStatus:
		return parsePortStatus(b, h.Version)
	case TypePacketOut:
		return parsePacketOut(b, h.Version)
	case TypeFlowMod:
		return ParseFlowMod(b, h.Version)
	case TypeGroupMod:
		return parseGroupMod(b, h.Version)
	case TypeMultipartReq:
		return parseMultipartRequest(b, h.Version)
	case TypeMultipartReply:
		return parseMultipartReply(b, h.Version)
	case TypeBarrierRequest:
		return empty(b, &BarrierRequest{})
	case TypeBarrierReply:
		return empty(b, &BarrierReply{})
	case TypeRoleRequest:
		r, err := parseRoleBody(b, h.Version)
		return &RoleRequest{r}, err
	case TypeRoleReply:
		r, err := parseRoleBody(b, h.Version)
		return &RoleReply{r}, err
	case TypeGetAsyncRequest:
		return empty(b, &GetAsyncRequest{})
	case TypeGetAsyncReply:
		c, err := parseAsyncConfig(b, h.Version)
		return &GetAsyncReply{c}, err
	case TypeSetAsync:
		c, err := parseAsyncConfig(b, h.Version)
		return &SetAsync{c}, err
	case TypeMeterMod:
		return parseMeterMod(b)
	case TypeRoleStatus:
		return parseRoleStatus(body(b))
	case TypeTableStatus:
		return parseTableStatus(b)
	case TypeRequestForward:
		return parseRequestForward(body(b))
	case TypeBundleControl:
		return parseBundleControl(body(b))
	case TypeBundleAdd:
		return parseBundleAdd(body(b))
	}
	return &Raw{Type: h.Type, Body: b[HeaderLen:]}, nil
}

// empty is the decoder of messages that are nothing but a header.
func empty(b []byte, m Message) (Message, error) {
	c := body(b)
	return m, c.end()
}

// appendEmpty appends a message that is nothing but a header.
func appendEmpty(b []byte, v Version, t Type, xid uint32) []byte {
	return finish(appendHeader(b, v, t, xid), len(b))
}
