package openflow

import (
	"fmt"
	"strings"
)

// ParseActionsText reads actions as ovs-ofctl takes and prints them behind "actions=". Words of OpenFlow 1.0 that
// OpenFlow 1.3 says otherwise (mod_dl_src, set_tunnel, strip_vlan …) come as what OpenFlow 1.3 says.
func ParseActionsText(s string) ([]Action, error) { return parseActionsText(s, nil, 0) }

// parseActionsText knows the flow's match, which some words of OpenFlow 1.0 depend on.
func parseActionsText(s string, m Match, depth int) ([]Action, error) {
	if depth > maxActionDepth {
		return nil, fmt.Errorf("actions: more than %d levels deep", maxActionDepth)
	}
	r := actionReader{match: m, depth: depth}
	c := scanner{s}
	drop := false
	for {
		key, value, ok := c.next()
		if !ok {
			break
		}
		if strings.EqualFold(key, "drop") {
			drop = true
			continue
		}
		if err := r.action(strings.ToLower(key), value, key); err != nil {
			return nil, err
		}
	}
	if drop && len(r.acts) > 0 {
		return nil, fmt.Errorf("actions %q: drop stands alone", s)
	}
	return r.acts, nil
}

// actionReader collects actions in text form.
type actionReader struct {
	acts  []Action
	match Match
	depth int
}

func (r *actionReader) add(a Action, err error) error {
	if err == nil {
		r.acts = append(r.acts, a)
	}
	return err
}

// action reads one action; original is the word before it was made small.
func (r *actionReader) action(word, value, original string) error {
	if a := plainActions[word]; a != nil && (value == "" || word != "dec_ttl") {
		return r.add(a, nil)
	}
	if parse := numberActions[word]; parse.make != nil {
		v, err := parseUint(value, parse.bits)
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
		return r.add(parse.make(v), nil)
	}
	var a Action
	var err error
	switch word {
	case "output":
		a, err = parseOutputText(value)
	case "set_field":
		a, err = parseSetFieldText(value)
	case "load":
		a, err = parseLoadText(value)
	case "move":
		a, err = parseMoveText(value)
	case "push", "pop":
		a, err = parseStackText(word, value)
	case "resubmit":
		a, err = parseResubmitText(value)
	case "controller":
		a, err = parseControllerText(value)
	case "conjunction":
		a, err = parseConjunctionText(value)
	case "note":
		data, hexErr := parseDotted(value)
		// The action has room for 6 bytes more than a multiple of 8, and it is read back with all of it.
		a, err = Note{Data: data + string(make([]byte, pad8(len(data)+2)))}, hexErr
	case "fin_timeout":
		a, err = parseFinTimeoutText(value)
	case "dec_ttl":
		a, err = parseDecTTLIDsText(value)
	case "check_pkt_larger":
		a, err = parseCheckPktLargerText(value)
	case "delete_field":
		a, err = parseDeleteFieldText(value)
	case "multipath":
		a, err = parseMultipathText(value)
	case "learn":
		a, err = parseLearnText(value)
	case "nat":
		a, err = parseNATText(value)
	case "ct":
		a, err = r.ct(value)
	case "clone", "write_actions":
		a, err = r.nested(word, value)
	case "write_metadata":
		a, err = parseWriteMetadataText(value)
	case "unknown", "instruction":
		a, err = parseUnknownText(word, value)
	default:
		if known, err := r.legacy(word, value); known {
			return err
		}
		port, portErr := PortNamed(original)
		if portErr != nil {
			return fmt.Errorf("%q is no action", original)
		}
		a = Output{Port: port}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	return r.add(a, nil)
}

// plainActions are the actions without arguments.
var plainActions = map[string]Action{
	"pop_vlan": PopVLAN{}, "strip_vlan": PopVLAN{}, "dec_ttl": DecTTL{}, "dec_mpls_ttl": DecMPLSTTL{},
	"pop_queue": PopQueue{}, "exit": Exit{}, "ct_clear": CTClear{}, "clear_actions": ClearActions{},
}

// numberActions are the actions with one number.
var numberActions = map[string]struct {
	bits int
	make func(uint64) Action
}{
	"group":          {32, func(v uint64) Action { return Group{ID: uint32(v)} }},
	"set_queue":      {32, func(v uint64) Action { return SetQueue{Queue: uint32(v)} }},
	"meter":          {32, func(v uint64) Action { return Meter{ID: uint32(v)} }},
	"goto_table":     {8, func(v uint64) Action { return GotoTable{Table: uint8(v)} }},
	"push_vlan":      {16, func(v uint64) Action { return PushVLAN{EthType: uint16(v)} }},
	"push_mpls":      {16, func(v uint64) Action { return PushMPLS{EthType: uint16(v)} }},
	"pop_mpls":       {16, func(v uint64) Action { return PopMPLS{EthType: uint16(v)} }},
	"mod_nw_ttl":     {8, func(v uint64) Action { return SetTTL{TTL: uint8(v)} }},
	"set_nw_ttl":     {8, func(v uint64) Action { return SetTTL{TTL: uint8(v)} }},
	"set_mpls_ttl":   {8, func(v uint64) Action { return SetMPLSTTL{TTL: uint8(v)} }},
	"set_tunnel":     {64, func(v uint64) Action { return SetField{U64(TunID, v)} }},
	"set_tunnel64":   {64, func(v uint64) Action { return SetField{U64(TunID, v)} }},
	"set_mpls_label": {20, func(v uint64) Action { return SetField{U64(MPLSLabel, v)} }},
	"set_mpls_tc":    {3, func(v uint64) Action { return SetField{U64(MPLSTC, v)} }},
	"mod_nw_ecn":     {2, func(v uint64) Action { return SetField{U64(IPECN, v)} }},
	"mod_nw_tos":     {8, func(v uint64) Action { return SetField{U64(IPDSCP, v>>2)} }},
}

// legacy reads the words of OpenFlow 1.0 that set a field.
func (r *actionReader) legacy(word, value string) (known bool, err error) {
	field, ok := map[string]Field{
		"mod_dl_src": EthSrc, "mod_dl_dst": EthDst, "mod_nw_src": IPv4Src, "mod_nw_dst": IPv4Dst,
		"mod_tp_src": TCPSrc, "mod_tp_dst": TCPDst, "mod_vlan_vid": VlanVID, "set_vlan_vid": VlanVID,
		"mod_vlan_pcp": VlanPCP, "set_vlan_pcp": VlanPCP,
	}[word]
	if !ok {
		return false, nil
	}
	o, err := parseValue(field, value)
	if err != nil {
		return true, err
	}
	var w matchWriter
	w.index(r.match)
	switch field {
	case VlanVID:
		o = U16(VlanVID, uint16(o.Uint())|VLANPresent)
		fallthrough
	case VlanPCP:
		if strings.HasPrefix(word, "mod_") && !r.tagged(&w) {
			r.acts = append(r.acts, PushVLAN{EthType: 0x8100})
		}
	case TCPSrc, TCPDst:
		ethType, _ := w.exact(EthType)
		proto, said := w.exact(IPProto)
		if !said {
			return true, fmt.Errorf("%s: the match does not say tcp, udp or sctp", word)
		}
		o = inContext(o, ethType, proto)
	}
	return true, r.add(SetField{o}, nil)
}

// tagged says that packets have an 802.1Q tag at this point of the actions.
func (r *actionReader) tagged(w *matchWriter) bool {
	o := w.get(VlanVID)
	has := o != nil && o.Uint()&VLANPresent != 0
	for _, a := range r.acts {
		switch a.(type) {
		case PushVLAN:
			has = true
		case PopVLAN:
			has = false
		}
	}
	return has
}

// nested reads the actions that hold actions.
func (r *actionReader) nested(word, value string) (Action, error) {
	acts, err := r.inner(value)
	if word == "clone" {
		return Clone{Actions: acts}, err
	}
	return WriteActions{Actions: acts}, err
}

// inner reads a list that has no place for instructions.
func (r *actionReader) inner(s string) ([]Action, error) {
	acts, err := parseActionsText(s, r.match, r.depth+1)
	for _, a := range acts {
		if instructionType(a, V13) != 0 {
			return nil, fmt.Errorf("%v has no place in other actions", a)
		}
	}
	return acts, err
}

func parseOutputText(s string) (Action, error) {
	if strings.Contains(s, "port") && strings.Contains(s, "max_len") {
		return parseOutputTruncText(s)
	}
	if port, err := PortNamed(s); err == nil {
		if port == PortController {
			return Output{Port: port, MaxLen: 0xffff}, nil
		}
		return Output{Port: port}, nil
	}
	src, err := parseSubfield(s)
	if err != nil {
		return nil, fmt.Errorf("%q is neither a port nor a field", s)
	}
	return OutputReg{Src: src, MaxLen: 0xffff}, nil
}

func parseOutputTruncText(s string) (Action, error) {
	a := OutputTrunc{}
	err := eachPart(s, func(key, value string) (err error) {
		switch key {
		case "port":
			a.Port, err = PortNamed(value)
		case "max_len":
			err = parseInto(&a.MaxLen, value)
		default:
			err = errUnknownPart
		}
		return err
	})
	return a, err
}

func parseSetFieldText(s string) (Action, error) {
	value, name, ok := strings.Cut(s, "->")
	if !ok {
		return nil, fmt.Errorf("%q has no ->", s)
	}
	f, ok := FieldNamed(name)
	if !ok {
		return nil, fmt.Errorf("%q is no field", name)
	}
	if !f.Writable() {
		return nil, fmt.Errorf("%v is read-only", f)
	}
	o, err := parseValue(f, value)
	return SetField{o}, err
}

func parseLoadText(s string) (Action, error) {
	value, name, ok := strings.Cut(s, "->")
	if !ok {
		return nil, fmt.Errorf("%q has no ->", s)
	}
	dst, err := parseSubfield(name)
	if err != nil {
		return nil, err
	}
	if !dst.Field.Writable() {
		return nil, fmt.Errorf("%v is read-only", dst.Field)
	}
	v, err := bitsOf(value, dst)
	if err != nil {
		return nil, err
	}
	if dst.Bits > 64 {
		return nil, fmt.Errorf("%q: more than 64 bits; use set_field", s)
	}
	return Load{Value: stringUint(v), Dst: dst}, nil
}

func parseMoveText(s string) (Action, error) {
	a, b, ok := strings.Cut(s, "->")
	if !ok {
		return nil, fmt.Errorf("%q has no ->", s)
	}
	src, err := parseSubfield(a)
	if err != nil {
		return nil, err
	}
	dst, err := parseSubfield(b)
	if err != nil {
		return nil, err
	}
	if src.Bits != dst.Bits {
		return nil, fmt.Errorf("%q: %d bits go into %d", s, src.Bits, dst.Bits)
	}
	return Move{Src: src, Dst: dst}, nil
}

func parseWriteMetadataText(s string) (Action, error) {
	a := WriteMetadata{Mask: 1<<64 - 1}
	value, mask, masked := strings.Cut(s, "/")
	err := parseInto(&a.Value, value)
	if err == nil && masked {
		err = parseInto(&a.Mask, mask)
	}
	return a, err
}
