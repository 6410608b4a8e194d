package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"gopkg.in/yaml.v3"
)

// WriteJSON writes one value and a line feed.
func WriteJSON(w io.Writer, n *yaml.Node, indent string) error {
	var b strings.Builder
	writeJSON(&b, n, indent, "")
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJSON(b *strings.Builder, n *yaml.Node, step, indent string) {
	open, end, inner := "{", "}", indent+step
	if n.Kind == yaml.SequenceNode {
		open, end = "[", "]"
	}
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		if len(n.Content) == 0 {
			b.WriteString(open + end)
			return
		}
		b.WriteString(open)
		for i, e := range n.Content {
			isKey, isValue := n.Kind == yaml.MappingNode && i%2 == 0, n.Kind == yaml.MappingNode && i%2 == 1
			switch {
			case isValue && step == "":
				b.WriteString(":")
			case isValue:
				b.WriteString(": ")
			default:
				if i > 0 {
					b.WriteString(",")
				}
				if step != "" {
					b.WriteString("\n" + inner)
				}
			}
			if isKey {
				b.WriteString(quote(e.Value))
			} else {
				writeJSON(b, e, step, inner)
			}
		}
		if step != "" {
			b.WriteString("\n" + indent)
		}
		b.WriteString(end)
	default:
		if n.Tag == "!!str" {
			b.WriteString(quote(n.Value))
		} else {
			b.WriteString(n.Value)
		}
	}
}

// quote makes a JSON string in which everything prints.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// A string always has a JSON form.
	_ = enc.Encode(s)
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case strconv.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
