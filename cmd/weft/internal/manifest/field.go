package manifest

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

// field takes one "name: value" of an object.
func (r *reader) field(o *Object, e entry) {
	name := e.key.Value
	f := o.Kind.Field(name)
	switch {
	case o.Kind.IsBlock(name):
		r.block(o, e)
		return
	case f == nil && name == "etag":
		r.scalar(o.Message, o, "etag", e)
		return
	case f == nil:
		if !slices.Contains(o.Kind.ReadOnly(), name) {
			r.wrong(e.key, "%s has no field %s%s", o.Kind.Name, name, suggest(name, fieldNames(o.Kind)))
		}
		return
	}
	o.Fields = append(o.Fields, o.Kind.Path(f))
	r.take(o, f, e)
}

// block takes a mapping with fields of an object. It stands for all of them: those that are not in it are emptied.
func (r *reader) block(o *Object, e entry) {
	block := e.key.Value
	o.Fields = append(o.Fields, block)
	if e.value.Kind != yaml.MappingNode {
		r.wrong(e.value, "%s should be a mapping: one \"field: value\" per line", block)
		return
	}
	fd := o.Kind.Descriptor().Fields().ByName(protoreflect.Name(block))
	for _, in := range r.entries(e.value) {
		name := in.key.Value
		o.lines[block+"."+name] = in.key.Line
		if f := o.Kind.Field(block + "." + name); f != nil {
			r.take(o, f, in)
		} else if sub := fd.Message().Fields().ByName(protoreflect.Name(name)); sub == nil || !kind.ServerSets(sub) {
			r.wrong(in.key, "%s has no field %s%s", block, name, suggest(name, setNames(fd.Message())))
		}
	}
	// A block of empty fields is as one that is not there.
	if m := o.Message.ProtoReflect(); proto.Size(m.Get(fd).Message().Interface()) == 0 {
		m.Clear(fd)
	}
}

// setNames are the names of the fields of a message that people set.
func setNames(md protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range md.Fields().Len() {
		if fd := md.Fields().Get(i); !kind.ServerSets(fd) {
			names = append(names, string(fd.Name()))
		}
	}
	return names
}

// take takes the value of a field that people set.
func (r *reader) take(o *Object, f *kind.Field, e entry) {
	name := f.Name
	holder, fd := o.Kind.Locate(o.Message, name)
	switch {
	case fd.IsMap():
		r.stringMap(holder.Mutable(fd).Map(), e)
	case fd.IsList():
		r.list(holder.Mutable(fd).List(), fd, o, f, e)
	case f.None != "" && (e.value.Tag == "!!null" || e.value.Value == ""):
		r.wrong(e.value, "%s is empty; if there is to be none, write %q", name, f.None)
	default:
		r.scalar(o.Message, o, name, e)
	}
}

// scalar takes a value that is not a list or map.
func (r *reader) scalar(m kind.Message, o *Object, name string, e entry) {
	holder, fd := o.Kind.Locate(m, name)
	v, ok := r.value(fd, e)
	if !ok {
		return
	}
	holder.Set(fd, v)
	if f := o.Kind.Field(name); f != nil && !holder.Has(fd) && o.Kind.Immutable(f) {
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
	case fd.Kind() != protoreflect.StringKind && fd.Kind() != protoreflect.BytesKind && e.value.Tag == "!!str" && e.value.Style != 0:
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
func (r *reader) list(list protoreflect.List, fd protoreflect.FieldDescriptor, o *Object, f *kind.Field, e entry) {
	if e.value.Kind != yaml.SequenceNode {
		r.wrong(e.value, "%s should be a list: one \"- …\" per line", e.key.Value)
		return
	}
	for i, n := range e.value.Content {
		n = resolve(n)
		path := fmt.Sprintf("%s[%d]", f.Name, i)
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
	names := setNames(m.Descriptor())
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
		if kind.ServerSets(fd) {
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
		if block, name := f.Block(); block == "" {
			names = append(names, name)
		} else if !slices.Contains(names, block) {
			names = append(names, block)
		}
	}
	return names
}
