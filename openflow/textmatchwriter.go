package openflow

import "strconv"

// matchWriter writes one match; every part ends in a comma.
type matchWriter struct {
	b []byte
	m Match
	// at is the place of each field in m, from 1.
	at [numFields]uint8
}

func (w *matchWriter) index(m Match) {
	w.m = m[:min(len(m), 255)]
	for i := range w.m {
		if f := w.m[i].Field.Plain(); f < numFields {
			w.at[f] = uint8(i + 1)
		}
	}
}

func (w *matchWriter) get(f Field) *OXM {
	if i := w.at[f]; i != 0 {
		return &w.m[i-1]
	}
	return nil
}

func (w *matchWriter) exact(f Field) (uint64, bool) {
	if o := w.get(f); o != nil {
		return o.Uint(), true
	}
	return 0, false
}

func (w *matchWriter) name(s string) { w.b = append(append(w.b, s...), '=') }

func (w *matchWriter) end() { w.b = append(w.b, ',') }

func (w *matchWriter) word(s string) { w.b = append(append(w.b, s...), ',') }

// dec writes a number in decimal, masked in hexadecimal with at least width digits.
func (w *matchWriter) dec(name string, f Field, width int) {
	o := w.get(f)
	if o == nil {
		return
	}
	w.name(name)
	if o.Mask == "" {
		w.b = strconv.AppendUint(w.b, o.Uint(), 10)
	} else {
		w.b = appendHexPadded(w.b, o.Uint(), width)
		w.b = appendHexPadded(append(w.b, '/'), o.MaskUint(), width)
	}
	w.end()
}

// hex writes a number in hexadecimal, zero as 0.
func (w *matchWriter) hex(name string, f Field) {
	o := w.get(f)
	if o == nil {
		return
	}
	w.name(name)
	w.b = appendHexBytes(w.b, o.Value)
	if o.Mask != "" {
		w.b = appendHexBytes(append(w.b, '/'), o.Mask)
	}
	w.end()
}

func (w *matchWriter) addr(name string, f Field) {
	if o := w.get(f); o != nil {
		w.name(name)
		w.b = appendMaskedAddr(w.b, o.Value, o.Mask)
		w.end()
	}
}

func (w *matchWriter) mac(name string, f Field) {
	if o := w.get(f); o != nil {
		w.name(name)
		w.b = appendMaskedMAC(w.b, o.Value, o.Mask)
		w.end()
	}
}

func (w *matchWriter) flags(name string, f Field, names []string, full uint64) {
	if o := w.get(f); o != nil {
		w.name(name)
		w.b = appendFlags(w.b, names, o.Uint(), o.MaskUint()&full, full)
		w.end()
	}
}

func (w *matchWriter) port(name string, f Field) {
	if o := w.get(f); o != nil {
		w.name(name)
		w.b = appendPort(w.b, uint32(o.Uint()))
		w.end()
	}
}
