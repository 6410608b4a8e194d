package openflow

import "fmt"

// MultipartType says what a multipart message is about.
type MultipartType uint16

// Multipart types (OpenFlow 1.5.1, 7.3.5). The comments say what one part's body holds.
const (
	MultipartDesc          MultipartType = 0  // SwitchDesc
	MultipartFlow          MultipartType = 1  // FlowStatsRequest; FlowStats …
	MultipartAggregate     MultipartType = 2  // FlowStatsRequest; Counters
	MultipartTable         MultipartType = 3  // TableStats …
	MultipartPort          MultipartType = 4  // port number; PortStats …
	MultipartQueue         MultipartType = 5  // QueueStatsRequest; QueueStats …
	MultipartGroup         MultipartType = 6  // group id; GroupStats …
	MultipartGroupDesc     MultipartType = 7  // GroupDesc …
	MultipartGroupFeatures MultipartType = 8  // GroupFeatures
	MultipartMeter         MultipartType = 9  // meter id; MeterStats …
	MultipartMeterConfig   MultipartType = 10 // meter id; MeterConfig …
	MultipartMeterFeatures MultipartType = 11 // MeterFeatures
	MultipartTableFeatures MultipartType = 12 // TableFeatures …
	MultipartPortDesc      MultipartType = 13 // Port …
	MultipartTableDesc     MultipartType = 14 // TableDesc … (1.4)
	MultipartQueueDesc     MultipartType = 15 // (1.4)
	// MultipartFlowMonitor is native since 1.4. In 1.3 it is the ONF extension, and is encoded and recognised as such.
	// FlowMonitorRequest …; FlowUpdate …
	MultipartFlowMonitor  MultipartType = 16
	MultipartExperimenter MultipartType = 0xffff
)

var multipartNames = map[MultipartType]string{
	MultipartDesc: "desc", MultipartFlow: "flow", MultipartAggregate: "aggregate", MultipartTable: "table", MultipartPort: "port",
	MultipartQueue: "queue", MultipartGroup: "group", MultipartGroupDesc: "group desc", MultipartGroupFeatures: "group features",
	MultipartMeter: "meter", MultipartMeterConfig: "meter config", MultipartMeterFeatures: "meter features",
	MultipartTableFeatures: "table features", MultipartPortDesc: "port desc", MultipartTableDesc: "table desc",
	MultipartQueueDesc: "queue desc", MultipartFlowMonitor: "flow monitor", MultipartExperimenter: "experimenter",
}

// String is the type in words, e.g. "port desc".
func (t MultipartType) String() string {
	if s := multipartNames[t]; s != "" {
		return s
	}
	return fmt.Sprintf("multipart type %d", uint16(t))
}

// MultipartMore in the flags says that more parts follow.
const MultipartMore uint16 = 1 << 0

// Multipart is what multipart requests and replies share. The body is kept in wire form; its elements have decoders of
// their own (ParsePort, ParseTableStats …; EachFlowStats for what comes by the hundred thousand).
type Multipart struct {
	Type  MultipartType
	Flags uint16
	// Experimenter and ExperimenterType are set for MultipartExperimenter only.
	Experimenter, ExperimenterType uint32
	Body                           []byte
}

// More says that more parts follow.
func (m *Multipart) More() bool { return m.Flags&MultipartMore != 0 }

func (m *Multipart) append(b []byte, v Version, t Type, xid uint32) []byte {
	start := len(b)
	b = appendHeader(b, v, t, xid)
	typ, experimenter, expType := m.Type, m.Experimenter, m.ExperimenterType
	if typ == MultipartFlowMonitor && v == V13 {
		typ, experimenter, expType = MultipartExperimenter, ExperimenterONF, onfFlowMonitor
	}
	b = appendZeros(appendU16(appendU16(b, uint16(typ)), m.Flags), 4)
	if typ == MultipartExperimenter {
		b = appendU32(appendU32(b, experimenter), expType)
	}
	return finish(append(b, m.Body...), start)
}

func parseMultipart(b []byte, v Version) (Multipart, error) {
	c := body(b)
	m := Multipart{Type: MultipartType(c.u16()), Flags: c.u16()}
	c.skip(4)
	if m.Type == MultipartExperimenter {
		m.Experimenter, m.ExperimenterType = c.u32(), c.u32()
		if v == V13 && m.Experimenter == ExperimenterONF && m.ExperimenterType == onfFlowMonitor {
			m.Type, m.Experimenter, m.ExperimenterType = MultipartFlowMonitor, 0, 0
		}
	}
	m.Body = c.rest()
	return m, c.err()
}

// MultipartRequest asks for something whose answer may be long.
type MultipartRequest struct{ Multipart }

// Append implements Message.
func (m *MultipartRequest) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeMultipartReq, xid)
}

func parseMultipartRequest(b []byte, v Version) (*MultipartRequest, error) {
	m, err := parseMultipart(b, v)
	return &MultipartRequest{m}, err
}

// MultipartReply is one part of the answer.
type MultipartReply struct{ Multipart }

// Append implements Message.
func (m *MultipartReply) Append(b []byte, v Version, xid uint32) []byte {
	return m.append(b, v, TypeMultipartReply, xid)
}

func parseMultipartReply(b []byte, v Version) (*MultipartReply, error) {
	m, err := parseMultipart(b, v)
	return &MultipartReply{m}, err
}

// ParseAll decodes all elements of a body, e.g. ParseAll(reply.Body, v, ParsePort).
func ParseAll[T any](b []byte, v Version, parse func([]byte, Version) (T, int, error)) ([]T, error) {
	var out []T
	for at := 0; at < len(b); {
		e, n, err := parse(b[at:], v)
		if err != nil {
			return nil, fmt.Errorf("element at byte %d of the body: %w", at, err)
		}
		if n <= 0 {
			return nil, fmt.Errorf("element at byte %d of the body takes no bytes", at)
		}
		out = append(out, e)
		at += n
	}
	return out, nil
}
