package openflow

// appendActionList writes actions with commas between them; none is drop.
func appendActionList(b []byte, acts []Action) []byte {
	if len(acts) == 0 {
		return append(b, "drop"...)
	}
	for i, a := range acts {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.appendText(b)
	}
	return b
}

// FormatActions writes actions as dump-flows does behind "actions=".
func FormatActions(acts []Action) string { return string(appendActionList(nil, acts)) }

func (a Learn) appendText(b []byte) []byte {
	b = appendArg(b, "learn(table=", uint64(a.Table))
	for _, n := range [...]struct {
		name   string
		v, def uint64
	}{
		{",idle_timeout=", uint64(a.IdleTimeout), 0},
		{",hard_timeout=", uint64(a.HardTimeout), 0},
		{",fin_idle_timeout=", uint64(a.FinIdleTimeout), 0},
		{",fin_hard_timeout=", uint64(a.FinHardTimeout), 0},
		{",priority=", uint64(a.Priority), defaultPriority},
	} {
		if n.v != n.def {
			b = appendArg(b, n.name, n.v)
		}
	}
	if a.Flags&LearnSendFlowRem != 0 {
		b = append(b, ",send_flow_rem"...)
	}
	if a.Flags&LearnDeleteLearned != 0 {
		b = append(b, ",delete_learned"...)
	}
	if a.Cookie != 0 {
		b = appendHex(append(b, ",cookie="...), a.Cookie)
	}
	if a.Limit != 0 {
		b = appendArg(b, ",limit=", uint64(a.Limit))
	}
	if a.Flags&LearnWriteResult != 0 {
		b = appendSubfield(append(b, ",result_dst="...), a.ResultDst)
	}
	for i := range a.Specs {
		b = a.Specs[i].appendText(append(b, ','))
	}
	return append(b, ')')
}

func (s *LearnSpec) appendText(b []byte) []byte {
	value := s.Src.Field == 0
	switch s.Kind {
	case LearnOutput:
		return appendSubfield(append(b, "output:"...), s.Src)
	case LearnLoad:
		b = append(b, "load:"...)
		if value {
			b = appendHexBytes(b, s.Value)
		} else {
			b = appendSubfield(b, s.Src)
		}
		return appendSubfield(append(b, "->"...), s.Dst)
	}
	switch {
	case value && s.Dst.Ofs == 0 && int(s.Dst.Bits) == s.Dst.fieldBits():
		b = append(append(b, s.Dst.Field.info().name...), '=')
		v := s.Value
		if n := s.Dst.width() - len(v); n > 0 {
			v = string(make([]byte, n)) + v
		}
		return appendValue(b, s.Dst.Field, v, "")
	case value:
		return appendHexBytes(append(appendSubfield(b, s.Dst), '='), s.Value)
	case s.Src.Field == s.Dst.Field && s.Src.Ofs == s.Dst.Ofs:
		return appendSubfield(b, s.Dst)
	}
	return appendSubfield(append(appendSubfield(b, s.Dst), '='), s.Src)
}

// defaultPriority is the priority of a flow that says none, and that is not printed (Open vSwitch, OFP_DEFAULT_PRIORITY).
const defaultPriority = 0x8000
