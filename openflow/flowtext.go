package openflow

import (
	"fmt"
	"strings"
)

// Flow is a row of a flow table, as ovs-ofctl writes it in one line.
type Flow struct {
	Table    uint8
	Priority uint16
	Cookie   uint64
	// IdleTimeout and HardTimeout are in seconds; 0 is for ever.
	IdleTimeout, HardTimeout uint16
	Importance               uint16
	// Flags are FlagSendFlowRem and its like.
	Flags   uint16
	Match   Match
	Actions []Action
}

// String writes the flow as ovs-ofctl -O OpenFlow13 --no-stats dump-flows does, without the space before it:
// "table=20, priority=2,dl_vlan=3 actions=pop_vlan,output:2".
func (f Flow) String() string { return string(f.AppendText(nil)) }

var flowFlagNames = [...]string{"send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts"}

// AppendText appends what String returns.
func (f Flow) AppendText(b []byte) []byte {
	if f.Cookie != 0 {
		b = append(appendHex(append(b, "cookie="...), f.Cookie), ", "...)
	}
	if f.Table != 0 {
		b = append(appendArg(b, "table=", uint64(f.Table)), ", "...)
	}
	if f.IdleTimeout != 0 {
		b = append(appendArg(b, "idle_timeout=", uint64(f.IdleTimeout)), ", "...)
	}
	if f.HardTimeout != 0 {
		b = append(appendArg(b, "hard_timeout=", uint64(f.HardTimeout)), ", "...)
	}
	for i, name := range flowFlagNames {
		if f.Flags>>i&1 != 0 {
			b = append(append(b, name...), ' ')
		}
	}
	if f.Importance != 0 {
		b = append(appendArg(b, "importance=", uint64(f.Importance)), ", "...)
	}
	start := len(b)
	if f.Priority != defaultPriority {
		b = appendArg(b, "priority=", uint64(f.Priority))
	}
	if n := len(b); n > start {
		if b = f.Match.appendText(append(b, ',')); len(b) == n+1 {
			b = b[:n]
		}
	} else {
		b = f.Match.appendText(b)
	}
	if len(b) > start {
		b = append(b, ' ')
	}
	return appendActionList(append(b, "actions="...), f.Actions)
}

// ParseFlow reads a line as ovs-ofctl add-flow takes it, and as dump-flows prints it, statistics or not: those are passed
// over. What it returns is canonical.
func ParseFlow(s string) (Flow, error) {
	f := Flow{Priority: defaultPriority}
	at := strings.Index(s, "action")
	if at < 0 {
		return f, fmt.Errorf("flow %q has no actions", s)
	}
	_, actions, ok := strings.Cut(s[at:], "=")
	if !ok {
		return f, fmt.Errorf("flow %q has no actions", s)
	}
	var r matchReader
	if err := eachPart(s[:at], func(key, value string) error { return f.part(&r, key, value) }); err != nil {
		return f, fmt.Errorf("flow %q: %w", s, err)
	}
	var err error
	if f.Match, err = r.match(); err != nil {
		return f, fmt.Errorf("flow %q: %w", s, err)
	}
	if f.Actions, err = parseActionsText(actions, f.Match, 0); err != nil {
		return f, fmt.Errorf("flow %q: %w", s, err)
	}
	return f, nil
}

func (f *Flow) part(r *matchReader, key, value string) error {
	for i, name := range flowFlagNames {
		if key == name && value == "" {
			f.Flags |= 1 << i
			return nil
		}
	}
	switch key {
	case "table":
		return parseInto(&f.Table, value)
	case "priority":
		return parseInto(&f.Priority, value)
	case "cookie":
		return parseInto(&f.Cookie, value)
	case "idle_timeout":
		return parseInto(&f.IdleTimeout, value)
	case "hard_timeout":
		return parseInto(&f.HardTimeout, value)
	case "importance":
		return parseInto(&f.Importance, value)
	case "duration", "n_packets", "n_bytes", "idle_age", "hard_age":
		return nil
	}
	known, err := r.part(key, value)
	if err == nil && !known {
		err = errUnknownPart
	}
	return err
}
