package openflow

import (
	"fmt"
	"strings"
)

// Classes and experimenters of OXM codes (ovs-fields(7), "OXM/NXM").
const (
	classNXM0         = 0x0000
	classNXM1         = 0x0001
	classEricsson     = 0x1000
	classBasic        = 0x8000
	classPacketRegs   = 0x8001
	classExperimenter = 0xffff

	experimenterNicira = 0x00002320
	experimenterONF    = 0x4f4e4600
	experimenterNSH    = 0x005ad650
)

// maxTunMetadata is how long a tunnel metadata field can be, in bytes.
const maxTunMetadata = 124

// wireCode is one of a field's codes on the wire.
type wireCode struct {
	name string
	// header is the class and the number, without the mask bit and the length.
	header uint32
	// experimenter follows the header if the class says so.
	experimenter uint32
	// only15 says that switches speak it only from OpenFlow 1.5 on.
	only15 bool
}

func (c *wireCode) experimental() bool { return c.header>>16 == classExperimenter }

// place is where a field is named: it decides between the codes that a field has.
type place uint8

const (
	// inMatch is a match, and a set-field or copy-field action.
	inMatch place = iota
	// inNicira is an argument of a Nicira action: NXM codes go before OXM codes.
	inNicira
	// inMatch15 is like inMatch, in OpenFlow 1.5.
	inMatch15
)

var codePrefixes = []struct {
	prefix       string
	class        uint32
	experimenter uint32
}{
	{"NXM_OF_", classNXM0, 0},
	{"NXM_NX_", classNXM1, 0},
	{"ERICOXM_OF_", classEricsson, 0},
	{"OXM_OF_PKT_REG", classPacketRegs, 0},
	{"OXM_OF_", classBasic, 0},
	{"NXOXM_ET_", classExperimenter, experimenterNicira},
	{"NXOXM_NSH_", classExperimenter, experimenterNSH},
	{"ONFOXM_ET_", classExperimenter, experimenterONF},
}

// The fields by class and number, each as it is spelled there (see spellingShift); zero where there is none.
var codesNXM0, codesNXM1, codesEricsson, codesBasic, codesPacketRegs, codesNicira, codesONF, codesNSH [128]Field

// codeTable returns nil for a class or experimenter that has no fields here.
func codeTable(class, experimenter uint32) *[128]Field {
	switch class {
	case classNXM0:
		return &codesNXM0
	case classNXM1:
		return &codesNXM1
	case classEricsson:
		return &codesEricsson
	case classBasic:
		return &codesBasic
	case classPacketRegs:
		return &codesPacketRegs
	case classExperimenter:
		switch experimenter {
		case experimenterNicira:
			return &codesNicira
		case experimenterONF:
			return &codesONF
		case experimenterNSH:
			return &codesNSH
		}
	}
	return nil
}

// fieldOfCode finds the field that a header names; zero if there is none. The result is plain if the code is the one
// that p expects.
func fieldOfCode(header, experimenter uint32, p place) Field {
	t := codeTable(header>>16, experimenter)
	if t == nil {
		return 0
	}
	f := t[header>>9&0x7f]
	if f != 0 && f.code(p) == f.Plain().code(p) {
		return f.Plain()
	}
	return f
}

// code returns nil for UnknownField and for what is no field.
func (f Field) code(p place) *wireCode {
	info := f.info()
	if len(info.wire) == 0 {
		return nil
	}
	if s := int(f >> spellingShift); s > 0 && s <= len(info.wire) {
		return &info.wire[s-1]
	}
	switch p {
	case inNicira:
		return &info.wire[0]
	case inMatch15:
		return &info.wire[len(info.wire)-1]
	}
	return &info.wire[info.plain]
}

// addCode takes a code in the table's notation: NXM_NX_REG0(0), or OXM_OF_TCP_FLAGS(42)@1.5.
func (info *fieldInfo) addCode(f Field, text string) {
	c := wireCode{}
	text, c.only15 = strings.CutSuffix(text, "@1.5")
	c.name, _, _ = strings.Cut(text, "(")
	var n uint32
	if _, err := fmt.Sscanf(text[len(c.name):], "(%d)", &n); err != nil || n > 127 {
		panic("openflow: field table: " + text)
	}
	for _, p := range codePrefixes {
		if strings.HasPrefix(c.name, p.prefix) {
			c.header, c.experimenter = p.class<<16|n<<9, p.experimenter
			break
		}
	}
	info.wire = append(info.wire, c)
	if !c.only15 {
		info.plain = len(info.wire) - 1
	}
	fieldsByName[c.name] = f
	spelled := f | Field(len(info.wire))<<spellingShift
	codeTable(c.header>>16, c.experimenter)[n] = spelled
}
