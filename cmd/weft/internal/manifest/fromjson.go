package manifest

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// fromJSON makes YAML of JSON, which it is but for two escapes (RFC 8259 section 7): characters beyond U+FFFF are
// surrogate pairs, where YAML has \U0001f600; and \/, which yaml.v3 does not know. Other text, and the lines of all, stay.
func fromJSON(b []byte) []byte {
	if t := bytes.TrimSpace(b); len(t) == 0 || t[0] != '{' && t[0] != '[' || !bytes.Contains(b, []byte(`\`)) {
		return b
	}
	out := make([]byte, 0, len(b))
	inString := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			inString = !inString
		case b[i] == '\\' && inString:
			if r := utf16.DecodeRune(unit(b[i:]), unit(b[min(len(b), i+6):])); r != '\uFFFD' {
				out = fmt.Appendf(out, `\U%08x`, r)
				i += 11
				continue
			}
			if i++; i < len(b) && b[i] != '/' {
				out = append(out, '\\')
			}
			if i == len(b) {
				return append(out, '\\')
			}
		}
		out = append(out, b[i])
	}
	return out
}

// unit reads "\ud83d" at the beginning of b; 0 when there is no such escape.
func unit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}
