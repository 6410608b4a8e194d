package openflow

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

var errUnknownPart = errors.New("unknown here")

// eachPart gives each part of a list to take.
func eachPart(s string, take func(key, value string) error) error {
	c := scanner{s}
	for {
		key, value, ok := c.next()
		if !ok {
			return nil
		}
		if err := take(key, value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
}

// parseInto reads a number into a variable of any width.
func parseInto[T uint8 | uint16 | uint32 | uint64](to *T, s string) error {
	bits := 0
	for v := ^T(0); v != 0; v >>= 4 {
		bits += 4
	}
	v, err := parseUint(s, bits)
	*to = T(v)
	return err
}

// parseDotted reads 01.02.ff, with or without the dots.
func parseDotted(s string) (string, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ".", ""))
	if err != nil {
		return "", fmt.Errorf("%q is no row of hexadecimal digits", s)
	}
	return string(b), nil
}

func parseUnknownText(word, s string) (Action, error) {
	raw, err := hex.DecodeString(s)
	if err != nil {
		return nil, err
	}
	frame := actionLen
	if word == "instruction" {
		frame = instructionLen
	}
	if n, err := frame(raw); err != nil || n != len(raw) {
		return nil, fmt.Errorf("%q is not one %s", s, word)
	}
	if word == "instruction" {
		return UnknownInstruction{Raw: string(raw)}, nil
	}
	return UnknownAction{Raw: string(raw)}, nil
}

func parseStackText(word, s string) (Action, error) {
	sub, err := parseSubfield(s)
	if word == "push" {
		return StackPush{Src: sub}, err
	}
	return StackPop{Dst: sub}, err
}

// parseResubmitText reads "PORT", ",TABLE", "PORT,TABLE" and "PORT,TABLE,ct".
func parseResubmitText(s string) (Action, error) {
	a := Resubmit{Port: PortInPort, Table: AllTables}
	parts := strings.Split(s, ",")
	if len(parts) > 3 {
		return nil, fmt.Errorf("%q has more than a port, a table and ct", s)
	}
	for i, p := range parts {
		var err error
		switch p = strings.Trim(p, blanks); {
		case p == "":
		case i == 0:
			a.Port, err = PortNamed(p)
		case i == 1:
			err = parseInto(&a.Table, p)
		case p == "ct":
			a.CT = true
		default:
			err = fmt.Errorf("%q is not ct", p)
		}
		if err != nil {
			return nil, err
		}
	}
	if a.Port == PortInPort && a.Table == AllTables {
		return nil, errors.New("neither a port nor a table")
	}
	return a, nil
}

func parseControllerText(s string) (Action, error) {
	a := Controller{MaxLen: 0xffff, Reason: reasonAction}
	if s != "" && strings.Trim(s, "0123456789") == "" {
		err := parseInto(&a.MaxLen, s)
		return Output{Port: PortController, MaxLen: a.MaxLen}, err
	}
	err := eachPart(s, func(key, value string) (err error) {
		switch key {
		case "reason":
			a.Reason, err = parseReason(value)
		case "max_len":
			err = parseInto(&a.MaxLen, value)
		case "id":
			err = parseInto(&a.ID, value)
		case "userdata":
			a.UserData, err = parseDotted(value)
		case "pause":
			a.Pause = true
		case "meter_id":
			err = parseInto(&a.Meter, value)
		default:
			err = errUnknownPart
		}
		return err
	})
	if a.Reason == reasonAction && a.ID == 0 && !a.second() {
		return Output{Port: PortController, MaxLen: a.MaxLen}, err
	}
	return a, err
}

func parseReason(s string) (uint8, error) {
	for i, name := range packetInReasons {
		if s == name {
			return uint8(i), nil
		}
	}
	v, err := parseUint(s, 8)
	return uint8(v), err
}

// parseConjunctionText reads "ID,CLAUSE/N".
func parseConjunctionText(s string) (Action, error) {
	a := Conjunction{}
	id, rest, _ := strings.Cut(s, ",")
	clause, n, ok := strings.Cut(rest, "/")
	if !ok {
		return nil, fmt.Errorf("%q is not ID,CLAUSE/NUMBER", s)
	}
	if err := errors.Join(parseInto(&a.ID, strings.Trim(id, blanks)), parseInto(&a.Clause, strings.Trim(clause, blanks)),
		parseInto(&a.N, strings.Trim(n, blanks))); err != nil {
		return nil, err
	}
	if a.N < 2 || a.N > 64 || a.Clause < 1 || a.Clause > a.N {
		return nil, fmt.Errorf("%q: clauses are 1 to 64, and at least 2", s)
	}
	return a, nil
}

func parseFinTimeoutText(s string) (Action, error) {
	a := FinTimeout{}
	err := eachPart(s, func(key, value string) error {
		switch key {
		case "idle_timeout":
			return parseInto(&a.Idle, value)
		case "hard_timeout":
			return parseInto(&a.Hard, value)
		}
		return errUnknownPart
	})
	return a, err
}

func parseDecTTLIDsText(s string) (Action, error) {
	var ids []byte
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		v, err := parseUint(p, 16)
		if err != nil {
			return nil, err
		}
		ids = appendU16(ids, uint16(v))
	}
	if len(ids) == 0 {
		return nil, errors.New("no controller id")
	}
	return DecTTLIDs{IDs: string(ids)}, nil
}

// parseCheckPktLargerText reads "LEN)->FIELD", what is left of check_pkt_larger(LEN)->FIELD.
func parseCheckPktLargerText(s string) (Action, error) {
	length, name, ok := strings.Cut(s, "->")
	if !ok {
		return nil, fmt.Errorf("%q has no ->", s)
	}
	dst, err := parseSubfield(name)
	if err != nil {
		return nil, err
	}
	if dst.Bits != 1 {
		return nil, fmt.Errorf("%q: the result is one bit", s)
	}
	a := CheckPktLarger{Dst: dst}
	err = parseInto(&a.Len, strings.TrimSuffix(length, ")"))
	return a, err
}

func parseDeleteFieldText(s string) (Action, error) {
	f, ok := FieldNamed(s)
	if !ok || !f.variable() {
		return nil, fmt.Errorf("%q is no tunnel metadata field", s)
	}
	return DeleteField{Field: f.Whole()}, nil
}
