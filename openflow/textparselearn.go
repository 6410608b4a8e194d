package openflow

import (
	"errors"
	"fmt"
	"strings"
)

func parseLearnText(s string) (Action, error) {
	a := Learn{Priority: defaultPriority, Table: 1}
	err := eachPart(s, func(key, value string) (err error) {
		switch key {
		case "table":
			if err = parseInto(&a.Table, value); err == nil && a.Table == NoTable {
				err = errors.New("there is no table 255")
			}
		case "priority":
			err = parseInto(&a.Priority, value)
		case "idle_timeout":
			err = parseInto(&a.IdleTimeout, value)
		case "hard_timeout":
			err = parseInto(&a.HardTimeout, value)
		case "fin_idle_timeout":
			err = parseInto(&a.FinIdleTimeout, value)
		case "fin_hard_timeout":
			err = parseInto(&a.FinHardTimeout, value)
		case "cookie":
			err = parseInto(&a.Cookie, value)
		case "send_flow_rem":
			a.Flags |= LearnSendFlowRem
		case "delete_learned":
			a.Flags |= LearnDeleteLearned
		case "limit":
			err = parseInto(&a.Limit, value)
		case "result_dst":
			a.Flags |= LearnWriteResult
			if a.ResultDst, err = parseSubfield(value); err == nil && a.ResultDst.Bits != 1 {
				err = errors.New("the result is one bit")
			}
		default:
			var spec LearnSpec
			spec, err = parseLearnSpecText(key, value)
			a.Specs = append(a.Specs, spec)
		}
		return err
	})
	return a, err
}

func parseLearnSpecText(key, value string) (LearnSpec, error) {
	switch key {
	case "output":
		src, err := parseSubfield(value)
		return OutputField(src), err
	case "load":
		from, to, ok := strings.Cut(value, "->")
		if !ok {
			return LearnSpec{}, fmt.Errorf("%q has no ->", value)
		}
		dst, err := parseSubfield(to)
		if err != nil {
			return LearnSpec{}, err
		}
		if src, err := parseSubfield(from); err == nil {
			return LearnSpec{Kind: LearnLoad, Src: src, Dst: dst}, sameWidth(src, dst)
		}
		v, err := bitsOf(from, dst)
		return LearnSpec{Kind: LearnLoad, Value: v, Dst: dst}, err
	}
	dst, err := parseSubfield(key)
	if err != nil {
		return LearnSpec{}, errUnknownPart
	}
	if value == "" {
		return MatchField(dst, dst), nil
	}
	if src, err := parseSubfield(value); err == nil {
		return MatchField(dst, src), sameWidth(src, dst)
	}
	spec := LearnSpec{Kind: LearnMatch, Dst: dst}
	if dst != dst.Field.Whole() {
		spec.Value, err = bitsOf(value, dst)
		return spec, err
	}
	o, err := parseValue(dst.Field, value)
	if err != nil {
		return spec, err
	}
	// A field of fewer bits than its bytes hold is learned by those bits only.
	spec.Value = o.Value[len(o.Value)-(int(dst.Bits)+7)/8:]
	return spec, nil
}

func sameWidth(src, dst Subfield) error {
	if src.Bits != dst.Bits {
		return fmt.Errorf("%v has %d bits and %v has %d", src, src.Bits, dst, dst.Bits)
	}
	return nil
}
