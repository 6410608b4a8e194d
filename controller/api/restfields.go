package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-sdn/weft/controller/model"
)

// strictJSON is the gateway's JSON, but that it tells all unknown fields of a body at once, each by its path and with what
// could have been meant. protojson stops at the first, and tells it without the path.
type strictJSON struct{ *runtime.JSONPb }

func (j strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var parsed any
		if md := descriptorOf(v); md != nil && json.Unmarshal(body, &parsed) == nil {
			if bad := unknownFields(md, "", parsed); len(bad) > 0 {
				return unknownError(bad)
			}
		}
		return j.JSONPb.NewDecoder(bytes.NewReader(body)).Decode(v)
	})
}

// descriptorOf is that of the message which v points to, by one pointer or two; nil for anything else.
func descriptorOf(v any) protoreflect.MessageDescriptor {
	if m, ok := v.(proto.Message); ok {
		return m.ProtoReflect().Descriptor()
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return nil
	}
	if m, ok := reflect.Zero(t.Elem()).Interface().(proto.Message); ok {
		return m.ProtoReflect().Descriptor()
	}
	return nil
}

// unknownFields are the fields of a JSON value that its message does not have. What is not the kind of value that the
// message wants is left to protojson.
func unknownFields(md protoreflect.MessageDescriptor, at string, v any) (bad []model.Violation) {
	object, ok := v.(map[string]any)
	if !ok || md.FullName().Parent() == "google.protobuf" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			fd = md.Fields().ByJSONName(name)
		}
		if fd == nil {
			bad = append(bad, model.Violation{Field: within(at, name), Message: "is no field of a " + strings.ToLower(string(md.Name())) + didYouMean(name, fieldNames(md))})
			continue
		}
		path := within(at, string(fd.Name()))
		switch {
		case fd.IsMap():
			if values, ok := object[name].(map[string]any); ok && fd.MapValue().Message() != nil {
				for _, key := range slices.Sorted(maps.Keys(values)) {
					bad = append(bad, unknownFields(fd.MapValue().Message(), fmt.Sprintf("%s[%q]", path, key), values[key])...)
				}
			}
		case fd.Message() == nil:
		case fd.IsList():
			if items, ok := object[name].([]any); ok {
				for i, item := range items {
					bad = append(bad, unknownFields(fd.Message(), fmt.Sprintf("%s[%d]", path, i), item)...)
				}
			}
		default:
			bad = append(bad, unknownFields(fd.Message(), path, object[name])...)
		}
	}
	return bad
}

func fieldNames(md protoreflect.MessageDescriptor) (names []string) {
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	return names
}

// unknownError are violations on their way through the gateway, which makes of every error of a decoder a status that has its
// text, and nothing else. refuseREST makes violations of the text again.
type unknownError []model.Violation

// mark begins the text of unknownError.
const mark = "\x00weft violations "

func (u unknownError) Error() string {
	text, err := json.Marshal([]model.Violation(u))
	if err != nil {
		return err.Error() // strings can always be marshalled
	}
	return mark + string(text)
}

// refuseREST answers with an error.
func refuseREST(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if text, ok := strings.CutPrefix(status.Convert(err).Message(), mark); ok {
		var bad []model.Violation
		if json.Unmarshal([]byte(text), &bad) == nil {
			err = statusOf(&model.Invalid{Violations: bad}).Err()
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}
