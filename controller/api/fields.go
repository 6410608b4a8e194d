package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-sdn/weft/controller/model"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// field is a field of an object that clients may write, e.g. "cidr" or "metadata.name". Lists and maps are one field:
// they are written as a whole.
type field struct {
	path string
	// steps lead to the field, from the object on.
	steps     []protoreflect.FieldDescriptor
	immutable bool
}

// fieldSet is all fields of a kind of object that clients may write, in the order of the .proto file.
type fieldSet struct {
	word string
	md   protoreflect.MessageDescriptor
	all  []field
}

// writable reads the fields off a message's description: all but those that are output only, the id, which names the
// object, and the etag, which is a condition.
func writable(word string, md protoreflect.MessageDescriptor) *fieldSet {
	s := &fieldSet{word: word, md: md}
	s.walk(md, nil)
	return s
}

func (s *fieldSet) walk(md protoreflect.MessageDescriptor, parents []protoreflect.FieldDescriptor) {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		steps := append(slices.Clone(parents), fd)
		b := behaviour(fd)
		switch {
		case slices.Contains(b, annotations.FieldBehavior_OUTPUT_ONLY), slices.Contains(b, annotations.FieldBehavior_IDENTIFIER):
		case pathOf(steps) == "metadata.etag":
		case fd.Message() != nil && !fd.IsList() && !fd.IsMap():
			s.walk(fd.Message(), steps)
		default:
			s.all = append(s.all, field{pathOf(steps), steps, slices.Contains(b, annotations.FieldBehavior_IMMUTABLE)})
		}
	}
}

func behaviour(fd protoreflect.FieldDescriptor) []annotations.FieldBehavior {
	b, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return b
}

func pathOf(steps []protoreflect.FieldDescriptor) string {
	names := make([]string, len(steps))
	for i, fd := range steps {
		names[i] = string(fd.Name())
	}
	return strings.Join(names, ".")
}

// masked are the fields that a mask, called as the request calls it, names. "*" is all of them, and "metadata" all in it. Fields that are output only are
// passed over, so that what was read can be written back.
func (s *fieldSet) masked(mask string, paths []string) (fields []field, bad []model.Violation) {
	chosen := map[string]bool{}
	for _, path := range paths {
		known := path == "*"
		for _, f := range s.all {
			if path == "*" || f.path == path || strings.HasPrefix(f.path, path+".") {
				known, chosen[f.path] = true, true
			}
		}
		if !known {
			if why := s.unknown(path); why != "" {
				bad = append(bad, model.Violation{Field: mask, Message: why})
			}
		}
	}
	for _, f := range s.all {
		if chosen[f.path] {
			fields = append(fields, f)
		}
	}
	return fields, bad
}

// unknown says what is wrong with a path that names nothing that can be written; "" when it is only not writable.
func (s *fieldSet) unknown(path string) string {
	md := s.md
	for i, name := range strings.Split(path, ".") {
		if md == nil {
			whole := strings.Join(strings.Split(path, ".")[:i], ".")
			return fmt.Sprintf("%q is a part of %q, which is written as a whole", path, whole)
		}
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			valid := paths(s.all)
			return fmt.Sprintf("%q is no field of a %s%s; valid are %s", path, s.word, didYouMean(path, valid), strings.Join(valid, ", "))
		}
		md = fd.Message()
		if fd.IsList() || fd.IsMap() {
			md = nil
		}
	}
	return ""
}

// given are the fields that are set in a message.
func (s *fieldSet) given(m proto.Message) []field {
	var fields []field
	for _, f := range s.all {
		if f.in(m) {
			fields = append(fields, f)
		}
	}
	return fields
}

// paths are the paths of fields.
func paths(fields []field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.path
	}
	return all
}

// in says whether the field is set in the message.
func (f field) in(m proto.Message) bool {
	at := m.ProtoReflect()
	for _, fd := range f.steps {
		if !at.Has(fd) {
			return false
		}
		if fd != f.steps[len(f.steps)-1] {
			at = at.Get(fd).Message()
		}
	}
	return true
}

// overwrite gives dst the fields of src. What src does not set becomes unset, which has the server choose; but what
// cannot be changed anyway stays as it is.
func overwrite(dst, src proto.Message, fields []field) {
	for _, f := range fields {
		given := f.in(src)
		if f.immutable && !given {
			continue
		}
		to, from := dst.ProtoReflect(), src.ProtoReflect()
		last := len(f.steps) - 1
		for _, fd := range f.steps[:last] {
			to, from = to.Mutable(fd).Message(), from.Get(fd).Message()
		}
		if given {
			to.Set(f.steps[last], from.Get(f.steps[last]))
		} else {
			to.Clear(f.steps[last])
		}
	}
}

// changes lists the fields in which two objects of the kind differ. Values are text as it is, and JSON for all else.
func (s *fieldSet) changes(old, new proto.Message) ([]*weftv1.FieldChange, error) {
	was, err := tree(old)
	if err != nil {
		return nil, err
	}
	is, err := tree(new)
	if err != nil {
		return nil, err
	}
	var cs []*weftv1.FieldChange
	for _, f := range s.all {
		if o, n := valueAt(was, f.path), valueAt(is, f.path); o != n {
			if f.steps[len(f.steps)-1].Kind() == protoreflect.BytesKind {
				o, n = sized(o), sized(n)
			}
			cs = append(cs, &weftv1.FieldChange{Path: f.path, OldValue: o, NewValue: n})
		}
	}
	return cs, nil
}

// sized tells bytes apart, of which there may be too many to show.
func sized(code string) string {
	// What came from JSON is base64.
	b, _ := base64.StdEncoding.DecodeString(code)
	if len(b) == 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes, sha256 %.12x…", len(b), sha256.Sum256(b))
}

// tree is a message as JSON has it.
func tree(m proto.Message) (t any, err error) {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %T as JSON: %w", m, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return t, d.Decode(&t)
}

func valueAt(t any, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := t.(map[string]any)
		t = m[name]
	}
	switch v := t.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	// What came from JSON can always go back.
	b, _ := json.Marshal(t)
	return string(b)
}
