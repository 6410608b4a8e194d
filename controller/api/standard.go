package api

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
)

// maxPage is how many objects a page holds at most, and when nothing else is asked for.
const maxPage = 1000

// invalid is an error about one field.
func invalid(field, format string, args ...any) error {
	return &model.Invalid{Violations: []model.Violation{{Field: field, Message: fmt.Sprintf(format, args...)}}}
}

func create[M any, P object](ctx context.Context, s *Server, r *resource[M, P], in P, dry bool) (P, error) {
	return createMasked(ctx, s, r, in, nil, dry)
}

// createMasked is create for a kind whose request says by a create_mask which of its empty fields are not to be chosen.
func createMasked[M any, P object](ctx context.Context, s *Server, r *resource[M, P], in P, mask []string, dry bool) (P, error) {
	var none P
	if !in.ProtoReflect().IsValid() {
		return none, s.refuse(invalid(r.word(), "is missing"))
	}
	fields, bad := r.fields.masked("create_mask", mask)
	if len(bad) > 0 {
		return none, s.refuse(&model.Invalid{Violations: bad})
	}
	var m *M
	rev, err := s.write(ctx, dry, func(tx *store.Tx) (err error) {
		rd := newReading(tx.Snapshot)
		if len(mask) > 0 {
			rd.named = paths(fields)
		}
		m, err = r.insert(tx, rd, in)
		return err
	})
	if err != nil {
		return none, s.refuse(err)
	}
	p := r.answer(s.sight(), m, rev)
	if dry && in.GetMetadata().GetId() == "" {
		// The next try would be given another one.
		p.GetMetadata().Id = ""
	}
	return p, nil
}

func get[M any, P object](s *Server, r *resource[M, P], ref string) (P, error) {
	var none P
	sight := s.sight()
	obj, err := named(sight.Snapshot, r.kind, "id", ref)
	if err != nil {
		return none, s.refuse(err)
	}
	return r.answer(sight, obj.(*M), 0), nil
}

// named finds the object that a request is about.
func named(snap state.Snapshot, k state.Kind, field, ref string) (any, error) {
	if ref == "" {
		return nil, invalid(field, "is missing; give an id, the beginning of one, or a name")
	}
	return find(snap, k, ref, nil)
}

type updateRequest interface {
	GetUpdateMask() *fieldmaskpb.FieldMask
	GetAllowMissing() bool
	GetValidateOnly() bool
}

func update[M any, P object](ctx context.Context, s *Server, r *resource[M, P], in P, req updateRequest) (P, error) {
	var none P
	if !in.ProtoReflect().IsValid() {
		return none, s.refuse(invalid(r.word(), "is missing"))
	}
	fields, bad := r.masked(in, req.GetUpdateMask().GetPaths())
	if len(bad) > 0 {
		return none, s.refuse(&model.Invalid{Violations: bad})
	}
	ref := in.GetMetadata().GetId()
	var m *M
	rev, err := s.write(ctx, req.GetValidateOnly(), func(tx *store.Tx) error {
		rd := newReading(tx.Snapshot)
		rd.named = paths(fields)
		obj, err := named(tx.Snapshot, r.kind, "metadata.id", ref)
		var missing *errNoSuch
		switch {
		case err == nil:
			m, err = r.change(tx, rd, obj.(*M), in, fields)
		case errors.As(err, &missing) && req.GetAllowMissing() && in.GetMetadata().GetEtag() == "":
			m, err = r.insert(tx, rd, r.upsert(in))
		}
		return err
	})
	if err != nil {
		return none, s.refuse(err)
	}
	return r.answer(s.sight(), m, rev), nil
}

// upsert is the object to create when there is none yet that is called as metadata.id says, which may be a name.
func (r *resource[M, P]) upsert(in P) P {
	md := in.GetMetadata()
	if _, err := uuid.Parse(md.Id); err == nil || r.kind == state.Hosts || md.Name != "" && md.Name != md.Id {
		return in
	}
	in = proto.CloneOf(in)
	in.GetMetadata().Id, in.GetMetadata().Name = "", md.Id
	return in
}

type deleteRequest interface {
	GetId() string
	GetEtag() string
	GetValidateOnly() bool
}

func remove[M any, P object](ctx context.Context, s *Server, r *resource[M, P], req deleteRequest) (*emptypb.Empty, error) {
	_, err := s.write(ctx, req.GetValidateOnly(), func(tx *store.Tx) error {
		obj, err := named(tx.Snapshot, r.kind, "id", req.GetId())
		if err != nil {
			return err
		}
		rd := newReading(tx.Snapshot)
		rev := rd.expected("etag", req.GetEtag())
		return rd.join(r.remove(tx, state.Key(obj), rev))
	})
	if err != nil {
		return nil, s.refuse(err)
	}
	return &emptypb.Empty{}, nil
}

type listRequest interface {
	proto.Message
	GetProjectId() string
	GetName() string
	GetPageSize() int32
	GetPageToken() string
}

// list answers with one page of the objects that from yields, which must be in order of id.
func list[M any, P object, R any](s *Server, r *resource[M, P], req listRequest,
	from func(state.Snapshot) (iter.Seq[*M], error), page func([]P, string, int64) R) (R, error) {
	var none R
	size := int(req.GetPageSize())
	if size < 0 {
		return none, s.refuse(invalid("page_size", "%d is negative; at most %d are given, also for 0", size, maxPage))
	}
	if size == 0 || size > maxPage {
		size = maxPage
	}
	after, err := readToken(req)
	if err != nil {
		return none, s.refuse(err)
	}
	sight := s.sight()
	all, err := from(sight.Snapshot)
	if err != nil {
		return none, s.refuse(err)
	}
	var out []P
	last := ""
	for m := range all {
		meta := metaOf(m)
		if meta.ID <= after || req.GetName() != "" && meta.Name != req.GetName() ||
			req.GetProjectId() != "" && projectOf(m) != req.GetProjectId() {
			continue
		}
		if len(out) == size {
			return page(out, writeToken(req, last), sight.revision), nil
		}
		out, last = append(out, r.answer(sight, m, 0)), meta.ID
	}
	return page(out, "", sight.revision), nil
}

// writeToken says where the next page begins: after an id. It only goes with the same filters.
func writeToken(req listRequest, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(filters(req) + last))
}

func readToken(req listRequest) (after string, err error) {
	if req.GetPageToken() == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(req.GetPageToken())
	after, ok := strings.CutPrefix(string(b), filters(req))
	if err != nil || !ok || after == "" {
		return "", invalid("page_token", "is not from a former page of the same list; leave it out to begin anew")
	}
	return after, nil
}

// filters is a digest of what a list is of: 16 hex digits.
func filters(req listRequest) string {
	m := proto.CloneOf[proto.Message](req).ProtoReflect()
	fields := m.Descriptor().Fields()
	m.Clear(fields.ByName("page_size"))
	m.Clear(fields.ByName("page_token"))
	// A message of plain strings can always be marshalled.
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	h := fnv.New64a()
	h.Write([]byte(m.Descriptor().FullName()))
	h.Write(b)
	return fmt.Sprintf("%016x", h.Sum64())
}
