package manifest

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// Wanted is an object as Read takes it: the fields that people set. Where names knows one for an id that a field holds,
// it stands behind the id as a comment.
func Wanted(m kind.Message, names kind.Names) *yaml.Node {
	return wanted(m, names, people, func(f *kind.Field) bool { return f.Told })
}

// Given is an object with the fields that its file has.
func (o *Object) Given() *yaml.Node {
	return wanted(o.Message, nil, people, func(f *kind.Field) bool { return o.lines[f.Name] > 0 })
}

// extent is how much of a message is written.
type extent int

const (
	// people: the fields that people set, as far as they are set.
	people extent = iota
	// isSet: every field that is set.
	isSet
	// every field, set or not.
	every
)

// wanted is an object with the fields that are set, and those empty ones that are to be shown all the same.
func wanted(m kind.Message, names kind.Names, much extent, empty func(*kind.Field) bool) *yaml.Node {
	k := kind.Of(m.ProtoReflect().Descriptor())
	top := Mapping("kind", k.Name)
	blocks := map[string]*yaml.Node{}
	for i := range k.Fields {
		f := &k.Fields[i]
		holder, fd := k.Lookup(m, f.Name)
		if !holder.Has(fd) && !empty(f) {
			continue
		}
		block, name := f.Block()
		out := top
		if block != "" {
			if blocks[block] == nil {
				blocks[block] = Mapping()
				add(top, block, blocks[block])
			}
			out = blocks[block]
		}
		v := value(fd, holder.Get(fd), much)
		if f.None != "" && v.Value == "" {
			v = text(f.None)
		}
		if names != nil {
			comment(f, fd, v, names)
		}
		add(out, name, v)
	}
	if much != people {
		toldInBlocks(k, m, blocks)
	}
	return top
}

// toldInBlocks adds what the server sets in the blocks that people set the rest of.
func toldInBlocks(k *kind.Kind, m kind.Message, blocks map[string]*yaml.Node) {
	for block, out := range blocks {
		in := m.ProtoReflect().Get(k.Descriptor().Fields().ByName(protoreflect.Name(block))).Message()
		for i := range in.Descriptor().Fields().Len() {
			if fd := in.Descriptor().Fields().Get(i); in.Has(fd) && kind.ServerSets(fd) {
				add(out, string(fd.Name()), value(fd, in.Get(fd), every))
			}
		}
	}
}

// comment puts names behind ids.
func comment(f *kind.Field, fd protoreflect.FieldDescriptor, v *yaml.Node, names kind.Names) {
	if f.Ref != "" && fd.IsList() {
		for _, e := range v.Content {
			if name := names(f.Ref, e.Value); name != e.Value {
				e.LineComment = screen.Line(name)
			}
		}
		return
	}
	if f.Ref != "" {
		if name := names(f.Ref, v.Value); name != v.Value {
			v.LineComment = screen.Line(name)
		}
	}
	if fd.Message() == nil || !fd.IsList() {
		return
	}
	for _, e := range v.Content {
		for i := 0; i+1 < len(e.Content); i += 2 {
			ref, isRef := strings.CutSuffix(e.Content[i].Value, "_id")
			if isRef && kind.Find(ref) != nil {
				e.Content[i+1].LineComment = screen.Line(names(ref, e.Content[i+1].Value))
			}
		}
	}
}

// Whole is an object with all that the server tells about it, flat as in Wanted.
func Whole(m kind.Message) *yaml.Node {
	k := kind.Of(m.ProtoReflect().Descriptor())
	out := wanted(m, nil, isSet, func(f *kind.Field) bool { return f.Told })
	for _, name := range k.ReadOnly() {
		if holder, fd := k.Lookup(m, name); holder.Has(fd) {
			add(out, name, value(fd, holder.Get(fd), every))
		}
	}
	return out
}

// Answer is any message of the API with every field, set or not; objects in it are as Whole has them.
func Answer(m proto.Message) *yaml.Node { return message(m.ProtoReflect(), every) }

func message(m protoreflect.Message, much extent) *yaml.Node {
	switch v := m.Interface().(type) {
	case *timestamppb.Timestamp:
		return text(v.AsTime().UTC().Format(time.RFC3339Nano))
	case *durationpb.Duration:
		return text(v.AsDuration().String())
	case kind.Message:
		return Whole(v)
	}
	out := Mapping()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if much == people && kind.ServerSets(fd) {
			continue
		}
		// A message that is not there has no empty form.
		if m.Has(fd) || much == every && (fd.Message() == nil || fd.IsList() || fd.IsMap()) {
			add(out, string(fd.Name()), value(fd, m.Get(fd), much))
		}
	}
	return out
}

// value is a field's value.
func value(fd protoreflect.FieldDescriptor, v protoreflect.Value, much extent) *yaml.Node {
	switch {
	case fd.IsMap():
		out := Mapping()
		keys := map[string]protoreflect.Value{}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			keys[k.String()] = v
			return true
		})
		for _, k := range sorted(keys) {
			add(out, k, single(fd.MapValue(), keys[k], much))
		}
		return out
	case fd.IsList():
		out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.List().Len() {
			out.Content = append(out.Content, single(fd, v.List().Get(i), much))
		}
		return out
	}
	return single(fd, v, much)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func single(fd protoreflect.FieldDescriptor, v protoreflect.Value, much extent) *yaml.Node {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return message(v.Message(), much)
	case protoreflect.StringKind:
		return text(v.String())
	case protoreflect.BytesKind:
		return lines(kind.BytesText(v.Bytes()))
	case protoreflect.BoolKind:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case protoreflect.Uint64Kind:
		if fd.Name() == "cookie" {
			// As ovs-ofctl prints it; and JSON readers lose digits of numbers beyond 2^53.
			return text(fmt.Sprintf("%#x", v.Uint()))
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: v.String()}
}

// other is what readers of YAML 1.1 take for a truth value or a number in base 60, as the MAC 52:54:00:12:34:56.
var other = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)$`)

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if screen.Line(s) != s || other.MatchString(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// lines is a text in which every line of a file that somebody wrote stays one.
func lines(s string) *yaml.Node {
	n := text(s)
	if isBlock(s) {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// isBlock says whether a text of several lines can be written as they are: YAML's block has no place for what does not
// print, and yaml.v3 none for empty lines and spaces at the ends.
func isBlock(s string) bool {
	body := strings.TrimSuffix(s, "\n")
	if !strings.Contains(body, "\n") || strings.TrimSpace(body) != body {
		return false
	}
	for line := range strings.SplitSeq(body, "\n") {
		if screen.Line(line) != line || strings.HasSuffix(line, " ") {
			return false
		}
	}
	return true
}

// Mapping makes a mapping of keys and values in turn; values are strings or nodes.
func Mapping(kv ...any) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(kv); i += 2 {
		v, ok := kv[i+1].(*yaml.Node)
		if !ok {
			v = text(kv[i+1].(string))
		}
		add(out, kv[i].(string), v)
	}
	return out
}

func add(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, text(key), value)
}

// List makes one node of several.
func List(nodes []*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: nodes}
}

// WriteYAML writes documents, with "---" between them.
func WriteYAML(w io.Writer, docs ...*yaml.Node) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	for _, d := range docs {
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return enc.Close()
}
