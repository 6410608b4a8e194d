package client

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// call is one method of a kind's service: "Create" + "Network". The request's fields are set by name; those with a zero
// value are left out. It panics when the API has no such method, which a test of every kind and verb excludes.
type call struct {
	kind *kind.Kind
	verb string
	// plural calls the method for many: "List" + "Networks".
	plural bool
}

func (c call) method() protoreflect.MethodDescriptor {
	noun := c.kind.Title()
	if c.plural {
		noun = c.kind.Titles()
	}
	service := protoreflect.FullName("weft.v1." + c.kind.Title() + "Service")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(service.Append(protoreflect.Name(c.verb + noun)))
	if err != nil {
		panic(fmt.Sprintf("the API has no %s%s of %s", c.verb, noun, service))
	}
	return d.(protoreflect.MethodDescriptor)
}

// blank makes an empty message out of its description.
func blank(d protoreflect.MessageDescriptor) protoreflect.Message {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(fmt.Sprintf("no Go type for %s: %v", d.FullName(), err))
	}
	return t.New()
}

// invoke calls the method. Fields of the request that are Go strings, booleans or messages are taken as they are.
func (c *Client) invoke(ctx context.Context, call call, fields map[string]any) (protoreflect.Message, error) {
	m := call.method()
	req, resp := blank(m.Input()), blank(m.Output())
	for name, v := range fields {
		fd := req.Descriptor().Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			panic(fmt.Sprintf("%s has no field %s", m.Input().FullName(), name))
		}
		if msg, ok := v.(proto.Message); ok {
			req.Set(fd, protoreflect.ValueOfMessage(msg.ProtoReflect()))
		} else {
			req.Set(fd, protoreflect.ValueOf(v))
		}
	}
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	path := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	return resp, c.conn.Invoke(ctx, path, req.Interface(), resp.Interface())
}

// object calls a method that answers with one object.
func (c *Client) object(ctx context.Context, k *kind.Kind, verb, ref string, fields map[string]any) (kind.Message, error) {
	resp, err := c.invoke(ctx, call{kind: k, verb: verb}, fields)
	if err != nil {
		return nil, c.Fail(err, exit.At(k.Subject(ref)))
	}
	return resp.Interface().(kind.Message), nil
}

// Get reads the object of an id, unique id prefix or unique name.
func (c *Client) Get(ctx context.Context, k *kind.Kind, ref string) (kind.Message, error) {
	return c.object(ctx, k, "Get", ref, map[string]any{"id": k.Ref(ref)})
}

// Create adds an object. Empty are the paths of fields that the server is not to choose although they are empty; only kinds
// with a kind.Field that is Told have such. With dry, everything is checked and nothing written.
func (c *Client) Create(ctx context.Context, k *kind.Kind, m kind.Message, empty []string, dry bool) (kind.Message, error) {
	fields := map[string]any{k.Name: m, "validate_only": dry}
	if len(empty) > 0 {
		fields["create_mask"] = &fieldmaskpb.FieldMask{Paths: empty}
	}
	return c.object(ctx, k, "Create", kind.Ref(m), fields)
}

// Update changes the fields of the paths in the object whose metadata.id is a reference as for Get.
func (c *Client) Update(ctx context.Context, k *kind.Kind, m kind.Message, paths []string, dry bool) (kind.Message, error) {
	return c.object(ctx, k, "Update", m.GetMetadata().GetId(), map[string]any{
		k.Name: m, "update_mask": &fieldmaskpb.FieldMask{Paths: paths}, "validate_only": dry})
}

// Delete removes the object of an id, unique id prefix or unique name. An etag, when not empty, must be current.
func (c *Client) Delete(ctx context.Context, k *kind.Kind, ref, etag string, dry bool) error {
	_, err := c.invoke(ctx, call{kind: k, verb: "Delete"}, map[string]any{"id": k.Ref(ref), "etag": etag, "validate_only": dry})
	if err != nil {
		return c.Fail(err, exit.At(k.Subject(ref)))
	}
	return nil
}

// List reads all objects that the filters (fields of the kind's list request) let through, page by page, and the store
// revision of the first page: changes after it are not all in the list.
func (c *Client) List(ctx context.Context, k *kind.Kind, filters map[string]string) ([]kind.Message, int64, error) {
	var out []kind.Message
	var revision int64
	fields := map[string]any{}
	for name, v := range filters {
		fields[name] = v
	}
	for {
		resp, err := c.invoke(ctx, call{kind: k, verb: "List", plural: true}, fields)
		if err != nil {
			return nil, 0, c.Fail(err, exit.At(""))
		}
		get := func(name string) protoreflect.Value {
			return resp.Get(resp.Descriptor().Fields().ByName(protoreflect.Name(name)))
		}
		list := get(k.Plural).List()
		for i := range list.Len() {
			out = append(out, list.Get(i).Message().Interface().(kind.Message))
		}
		if revision == 0 {
			revision = get("revision").Int()
		}
		token := get("next_page_token").String()
		if token == "" {
			return out, revision, nil
		}
		fields["page_token"] = token
	}
}

// Revision is the newest revision of the store.
func (c *Client) Revision(ctx context.Context) (int64, error) {
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	s, err := c.Diagnostics.GetStatus(ctx, &weftv1.GetStatusRequest{})
	if err != nil {
		return 0, c.Fail(err, exit.At("status"))
	}
	return s.GetRevision(), nil
}
