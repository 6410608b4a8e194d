package kind

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// SetFlag takes the text of one flag into the object. Lists and maps grow by one entry; the word "none" empties them, and
// clears a number that may be missing.
func (k *Kind) SetFlag(m Message, f *Field, text string) error {
	holder, fd := k.Locate(m, f.Name)
	switch {
	case (fd.IsMap() || fd.IsList()) && text == "none":
		holder.Clear(fd)
		return nil
	case MayMiss(fd) && (text == "none" || text == ""):
		holder.Clear(fd)
		return nil
	case fd.IsMap():
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return fmt.Errorf("%q is not KEY=VALUE", text)
		}
		holder.Mutable(fd).Map().Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(value))
		return nil
	case fd.IsList() && fd.Message() != nil:
		list := holder.Mutable(fd).List()
		e := list.NewElement()
		if err := f.setPairs(e.Message(), text); err != nil {
			return err
		}
		list.Append(e)
		return nil
	case fd.IsList():
		v, err := Scalar(fd, text)
		if err != nil {
			return err
		}
		holder.Mutable(fd).List().Append(v)
		return nil
	}
	v, err := Scalar(fd, text)
	if err != nil {
		return err
	}
	holder.Set(fd, v)
	return nil
}

// MayMiss says whether a field is a number that is not there unless it is set: 0 is another value than none.
func MayMiss(fd protoreflect.FieldDescriptor) bool {
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return fd.HasPresence()
	}
	return false
}

// setPairs reads "start=10.0.0.5,end=10.0.0.9" into a message whose fields are the keys.
func (f *Field) setPairs(m protoreflect.Message, text string) error {
	if f.Main != "" && !strings.Contains(text, "=") {
		text = f.Main + "=" + text
	}
	for _, pair := range f.split(text) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q is not %s", pair, PairForm(m.Descriptor()))
		}
		fd := pairField(m.Descriptor(), key)
		switch {
		case fd == nil:
			return fmt.Errorf("%q is unknown: write %s", key, PairForm(m.Descriptor()))
		case m.Has(fd):
			return fmt.Errorf("%q is given twice", key)
		case value == "":
			return fmt.Errorf("%q has no value", key)
		}
		v, err := Scalar(fd, value)
		if err != nil {
			return err
		}
		m.Set(fd, v)
	}
	return nil
}

// split takes pairs apart; commas of the part that may have them stay.
func (f *Field) split(text string) []string {
	var pairs []string
	for _, piece := range strings.Split(text, ",") {
		last := len(pairs) - 1
		if f.Commas != "" && last >= 0 && !strings.Contains(piece, "=") && short(before(pairs[last], "=")) == short(f.Commas) {
			pairs[last] += "," + piece
			continue
		}
		pairs = append(pairs, piece)
	}
	return pairs
}

func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}

// short is how a part of a pair may be called: subnet, subnet-id and subnet_id are the same, and so are name and opt_name.
func short(name string) string {
	return strings.TrimPrefix(strings.TrimSuffix(dashes(name), "-id"), "opt-")
}

// pairField finds a key's field.
func pairField(d protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	for i := range d.Fields().Len() {
		if fd := d.Fields().Get(i); short(key) == short(string(fd.Name())) && !ServerSets(fd) {
			return fd
		}
	}
	return nil
}

// PairForm shows how an entry of a list of pairs is written: subnet=...,ip-address=...
func PairForm(d protoreflect.MessageDescriptor) string {
	var parts []string
	for i := range d.Fields().Len() {
		if fd := d.Fields().Get(i); !ServerSets(fd) {
			parts = append(parts, short(string(fd.Name()))+"=...")
		}
	}
	return strings.Join(parts, ",")
}

// Scalar reads one value of a field's type.
func Scalar(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		b, err := bytesOf(text)
		return protoreflect.ValueOfBytes(b), err
	case protoreflect.BoolKind:
		switch text {
		case "true":
			return protoreflect.ValueOfBool(true), nil
		case "false":
			return protoreflect.ValueOfBool(false), nil
		}
		return protoreflect.Value{}, fmt.Errorf("%q is neither true nor false", text)
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 0, bits(fd))
		if err != nil {
			return protoreflect.Value{}, notANumber(text, fmt.Sprintf("%d..%d", int64(-1)<<(bits(fd)-1), int64(uint64(1)<<(bits(fd)-1)-1)))
		}
		if bits(fd) == 32 {
			return protoreflect.ValueOfInt32(int32(n)), nil
		}
		return protoreflect.ValueOfInt64(n), nil
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(text, 0, bits(fd))
		if err != nil {
			return protoreflect.Value{}, notANumber(text, fmt.Sprintf("0..%d", ^uint64(0)>>(64-bits(fd))))
		}
		if bits(fd) == 32 {
			return protoreflect.ValueOfUint32(uint32(n)), nil
		}
		return protoreflect.ValueOfUint64(n), nil
	}
	return protoreflect.Value{}, fmt.Errorf("a field of type %s cannot be set", fd.Kind())
}

// inBase64 begins the text of bytes that are no text, in base64.
const inBase64 = "base64:"

func bytesOf(text string) ([]byte, error) {
	code, ok := strings.CutPrefix(text, inBase64)
	if !ok {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		return nil, fmt.Errorf("what follows %q is not base64: %w", inBase64, err)
	}
	return b, nil
}

// BytesText is bytes as files have them: the text that they are, or "base64:" and the code of what is no text.
func BytesText(b []byte) string {
	if s := string(b); utf8.ValidString(s) && !strings.HasPrefix(s, inBase64) {
		return s
	}
	return inBase64 + base64.StdEncoding.EncodeToString(b)
}

func notANumber(text, span string) error {
	return fmt.Errorf("%q is not a whole number in %s", text, span)
}

func bits(fd protoreflect.FieldDescriptor) int {
	switch fd.Kind() {
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return 64
	}
	return 32
}

// Text is a value for people to read: lists with commas, maps as key=value, times as RFC 3339 in UTC.
func Text(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case fd.IsMap():
		var parts []string
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			parts = append(parts, k.String()+"="+Text(fd.MapValue(), v))
			return true
		})
		slices.Sort(parts)
		return strings.Join(parts, ",")
	case fd.IsList():
		var parts []string
		for i := range v.List().Len() {
			parts = append(parts, one(fd, v.List().Get(i)))
		}
		if fd.Message() != nil {
			return strings.Join(parts, "; ")
		}
		return strings.Join(parts, ",")
	}
	return one(fd, v)
}

func one(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if fd.Kind() == protoreflect.BytesKind {
		return BytesText(v.Bytes())
	}
	if fd.Message() == nil {
		return v.String()
	}
	switch m := v.Message().Interface().(type) {
	case *timestamppb.Timestamp:
		return m.AsTime().UTC().Format(time.RFC3339)
	case *durationpb.Duration:
		return m.AsDuration().String()
	}
	parts := map[int]string{}
	v.Message().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		parts[fd.Index()] = string(fd.Name()) + "=" + Text(fd, v)
		return true
	})
	var out []string
	for _, i := range slices.Sorted(maps.Keys(parts)) {
		out = append(out, parts[i])
	}
	return strings.Join(out, ",")
}
