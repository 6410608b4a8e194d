package manifest

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

// field takes one "name: value" of an object.
func (r *reader) field(o *Object, e entry) {
	name := e.key.Value
	f := o.Kind.Field(name)
	if f == nil {
		if name == "etag" {
			r.scalar(o.Message, o, e)
		} else if !slices.Contains(o.Kind.ReadOnly(), name) {
			r.wrong(e.key, "%s has no field %s%s", o.Kind.Name, name, suggest(name, fieldNames(o.Kind)))
		}
		return
	}
	o.Fields = append(o.Fields, o.Kind.Path(f))
	holder, fd := o.Kind.Locate(o.Message, name)
	switch {
	case fd.IsMap():
		r.stringMap(holder.Mutable(fd).Map(), e)
	case fd.IsList():
		r.list(holder.Mutable(fd).List(), fd, o, e)
	case f.None != "" && (e.value.Tag == "!!null" || e.value.Value == ""):
		r.wrong(e.value, "%s is empty; if there is to be none, write %q", name, f.None)
	default:
		r.scalar(o.Message, o, e)
	}
}

// scalar takes a value that is not a list or map.
func (r *reader) scalar(m kind.Message, o *Object, e entry) {
	holder, fd := o.Kind.Locate(m, e.key.Value)
	v, ok := r.value(fd, e)
	if !ok {
		return
	}
	holder.Set(fd, v)
	if f := o.Kind.Field(e.key.Value); f != nil && !holder.Has(fd) && o.Kind.Immutable(f) {
		r.wrong(e.value, "an empty %s has no effect: leave it out", f.Name)
	}
}

// value reads a scalar as the field's type wants it.
func (r *reader) value(fd protoreflect.FieldDescriptor, e entry) (protoreflect.Value, bool) {
	switch {
	case e.value.Kind != yaml.ScalarNode:
		r.wrong(e.value, "%s should be one value, not a %s", e.key.Value, shape(e.value))
	case e.value.Tag == "!!null":
		r.wrong(e.key, "%s has no value: leave it out, or give one", e.key.Value)
	case fd.Kind() != protoreflect.StringKind && e.value.Tag == "!!str" && e.value.Style != 0:
		r.wrong(e.value, "%s should be a %s: take away the quotes", e.key.Value, typeName(fd))
	default:
		v, err := kind.Scalar(fd, e.value.Value)
		if err == nil {
			return v, true
		}
		r.wrong(e.value, "%s: %s", e.key.Value, err)
	}
	return protoreflect.Value{}, false
}

func typeName(fd protoreflect.FieldDescriptor) string {
	if fd.Kind() == protoreflect.BoolKind {
		return "true or false"
	}
	return "number"
}

func shape(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "list"
	}
	return "mapping"
}

// stringMap takes a mapping of texts.
func (r *reader) stringMap(m protoreflect.Map, e entry) {
	if e.value.Kind != yaml.MappingNode {
		r.wrong(e.value, "%s should be a mapping: one \"key: value\" per line", e.key.Value)
		return
	}
	for _, kv := range r.entries(e.value) {
		if kv.value.Kind != yaml.ScalarNode || kv.value.Tag == "!!null" {
			r.wrong(kv.key, "%s of %s should be one value", kv.key.Value, e.key.Value)
			continue
		}
		m.Set(protoreflect.ValueOfString(kv.key.Value).MapKey(), protoreflect.ValueOfString(kv.value.Value))
	}
}

// list takes a list of values, or of mappings.
func (r *reader) list(list protoreflect.List, fd protoreflect.FieldDescriptor, o *Object, e entry) {
	if e.value.Kind != yaml.SequenceNode {
		r.wrong(e.value, "%s should be a list: one \"- …\" per line", e.key.Value)
		return
	}
	for i, n := range e.value.Content {
		n = resolve(n)
		path := fmt.Sprintf("%s[%d]", e.key.Value, i)
		o.lines[path] = n.Line
		element := list.NewElement()
		if fd.Message() == nil {
			v, ok := r.value(fd, entry{&yaml.Node{Value: path, Line: n.Line}, n})
			if !ok {
				continue
			}
			element = v
		} else if !r.pairs(element.Message(), o, path, n) {
			continue
		}
		list.Append(element)
	}
}

// pairs takes a mapping into a message of a list, as {subnet_id: …, ip_address: …}.
func (r *reader) pairs(m protoreflect.Message, o *Object, path string, n *yaml.Node) bool {
	var names []string
	for i := range m.Descriptor().Fields().Len() {
		names = append(names, string(m.Descriptor().Fields().Get(i).Name()))
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "%s should be a mapping of %s", path, strings.Join(names, " and "))
		return false
	}
	before := len(r.problems)
	for _, kv := range r.entries(n) {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(kv.key.Value))
		if fd == nil {
			r.wrong(kv.key, "%s has no field %s%s", path, kv.key.Value, suggest(kv.key.Value, names))
			continue
		}
		o.lines[path+"."+kv.key.Value] = kv.key.Line
		if v, ok := r.value(fd, kv); ok {
			m.Set(fd, v)
		}
	}
	return len(r.problems) == before
}

func fieldNames(k *kind.Kind) []string {
	names := []string{"kind"}
	for _, f := range k.Fields {
		names = append(names, f.Name)
	}
	return names
}
