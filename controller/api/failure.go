package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
)

// errorDomain is the domain of every ErrorInfo.
const errorDomain = "weft"

// Limits of an error: it travels in HTTP/2 headers, and proxies do not take large ones.
const (
	maxViolations = 100
	maxTold       = 10
	maxText       = 1000 // bytes
)

// problem is something that is wrong with a part of a request.
type problem struct {
	// at is the part, e.g. "objects[3].subnet"; empty for the whole.
	at  string
	err error
}

// problems is an error about several parts of a request.
type problems []problem

func (ps problems) Error() string {
	told := make([]string, 0, maxTold)
	for _, p := range ps[:min(len(ps), maxTold)] {
		told = append(told, p.at+": "+p.err.Error())
	}
	return strings.Join(told, "; ")
}

// refuse makes the error that a caller gets. What is not the caller's fault, and not known to happen, is logged too:
// the caller cannot do anything about it.
func (s *Server) refuse(err error) error {
	s.hint(err)
	st := statusOf(err)
	var p *errPanic
	if errors.As(err, &p) {
		s.log.Error("panic", "err", p.value, "stack", string(p.stack))
	} else if st.Code() == codes.Internal {
		s.log.Error("request failed", "err", err)
	}
	return st.Err()
}

// hint adds to names that do not exist which ones could have been meant. It is done here, and not where the name was
// looked up, because that may have been in a transaction, which others wait for.
func (s *Server) hint(err error) {
	snap, budget := s.sight().Snapshot, maxHints
	var ps problems
	if !errors.As(err, &ps) {
		ps = problems{{"", err}}
	}
	for _, p := range ps {
		suggest(snap, p.err, nil, &budget)
	}
}

// statusOf makes a gRPC status of an error of the store, of the model, or of this package.
func statusOf(err error) *status.Status {
	// Not status.FromError, which would also find a status that etcd's client gave.
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return st.GRPCStatus()
	}
	var ps problems
	if !errors.As(err, &ps) {
		ps = problems{{"", err}}
	}
	var v verdict
	for _, p := range ps {
		v.add(p)
	}
	return v.status()
}

// verdict collects what an answer to a request with problems says.
type verdict struct {
	code   codes.Code
	reason string
	info   map[string]string
	// fields and told are all problems, for programs and for people.
	fields   []*errdetails.BadRequest_FieldViolation
	told     []string
	users    []*errdetails.PreconditionFailure_Violation
	resource *errdetails.ResourceInfo
}

// precedence orders codes: what must be mended first comes first.
var precedence = []codes.Code{codes.Internal, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.InvalidArgument,
	codes.OutOfRange, codes.NotFound, codes.Aborted, codes.AlreadyExists, codes.FailedPrecondition, codes.ResourceExhausted}

// judge takes a problem's code, reason and metadata when it is the first one that must be mended.
func (v *verdict) judge(c codes.Code, reason string, info ...string) (first bool) {
	for _, p := range precedence {
		switch p {
		case v.code:
			return false
		case c:
			v.code, v.reason, v.info, v.resource = c, reason, map[string]string{}, nil
			for i := 0; i+1 < len(info); i += 2 {
				if info[i+1] != "" {
					v.info[info[i]] = clip(info[i+1])
				}
			}
			return true
		}
	}
	return false
}

func (v *verdict) add(p problem) {
	var (
		bad       *model.Invalid
		missing   *store.ErrNotFound
		noSuch    *errNoSuch
		nowhere   *errNowhere
		ambiguous *errAmbiguous
		inUse     *store.ErrInUse
		exhausted *store.ErrExhausted
		conflict  *store.ErrConflict
		stale     *errStale
		readOnly  *store.ErrReadOnly
		tooLarge  *store.ErrTooLarge
		away      *store.ErrUnavailable
	)
	err := p.err
	taken := takenIn(err)
	switch {
	case errors.As(err, &bad):
		v.judge(codes.InvalidArgument, "INVALID_FIELDS")
		for _, f := range bad.Violations {
			v.field(p.at, f.Field, f.Message)
		}
		return
	case len(taken) > 0:
		t := taken[0]
		if v.judge(codes.AlreadyExists, "ALREADY_EXISTS", "field", within(p.at, t.Field), "value", t.Value, "kind", store.Singular(t.By.Kind), "id", t.By.ID) {
			v.resource = &errdetails.ResourceInfo{ResourceType: store.Singular(t.By.Kind), ResourceName: t.By.ID, Description: "has the value"}
		}
		for _, t := range taken {
			v.field(p.at, t.Field, takenMessage(t))
		}
		return
	case errors.As(err, &ambiguous):
		v.judge(codes.InvalidArgument, "AMBIGUOUS", "kind", store.Singular(ambiguous.kind), "name", ambiguous.ref, "candidates", candidates(ambiguous.candidates))
	case errors.As(err, &noSuch):
		v.notFound(noSuch.kind, noSuch.ref)
	case errors.As(err, &missing):
		v.notFound(missing.Kind, missing.ID)
	case errors.As(err, &nowhere):
		v.judge(codes.NotFound, "NOT_FOUND", "name", nowhere.ref)
	case errors.As(err, &inUse):
		v.judge(codes.FailedPrecondition, "IN_USE", "kind", store.Singular(inUse.Kind), "id", inUse.ID, "users", fmt.Sprint(inUse.Total))
		for _, by := range inUse.By {
			text := fmt.Sprintf("%s uses %s %s", by, store.Singular(inUse.Kind), inUse.ID)
			if inUse.Remedy != "" {
				text += "; " + inUse.Remedy
			}
			v.users = append(v.users, &errdetails.PreconditionFailure_Violation{
				Type: "IN_USE", Subject: store.Singular(by.Kind) + "/" + by.ID, Description: text})
		}
	case errors.As(err, &exhausted):
		v.judge(codes.ResourceExhausted, "EXHAUSTED")
		if exhausted.Field != "" {
			v.field(p.at, exhausted.Field, exhausted.What)
			return
		}
	case errors.As(err, &conflict):
		v.judge(codes.Aborted, "CONFLICT", "kind", store.Singular(conflict.Kind), "id", conflict.ID)
		if errors.As(err, &stale) {
			v.field(p.at, stale.field, err.Error())
			return
		}
	case errors.As(err, &readOnly):
		v.judge(codes.Unavailable, "READ_ONLY")
	case errors.As(err, &tooLarge):
		v.judge(codes.InvalidArgument, "TOO_LARGE", "operations", fmt.Sprint(tooLarge.Ops), "max_operations", fmt.Sprint(tooLarge.MaxOps),
			"bytes", fmt.Sprint(tooLarge.Bytes), "max_bytes", fmt.Sprint(tooLarge.MaxBytes))
	case errors.As(err, &away):
		v.judge(codes.Unavailable, "STORE_UNAVAILABLE")
	case errors.Is(err, store.ErrClosed):
		v.judge(codes.Unavailable, "SHUTTING_DOWN")
	case errors.Is(err, store.ErrCompacted):
		v.judge(codes.OutOfRange, "COMPACTED")
	case errors.Is(err, context.DeadlineExceeded):
		v.judge(codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
	case errors.Is(err, context.Canceled):
		v.judge(codes.Canceled, "CANCELED")
	default:
		v.judge(codes.Internal, "INTERNAL")
	}
	v.field(p.at, "", err.Error())
}

func (v *verdict) notFound(k state.Kind, ref string) {
	if v.judge(codes.NotFound, "NOT_FOUND", "kind", store.Singular(k), "name", ref) {
		v.resource = &errdetails.ResourceInfo{ResourceType: store.Singular(k), ResourceName: clip(ref), Description: "does not exist"}
	}
}

// field adds a problem of a field; without field, of the part itself.
func (v *verdict) field(at, field, message string) {
	path, message := clip(within(at, field)), clip(message)
	if path == "" {
		v.told = append(v.told, message)
		return
	}
	v.told = append(v.told, path+": "+message)
	v.fields = append(v.fields, &errdetails.BadRequest_FieldViolation{Field: path, Description: message})
}

// clip keeps a text short enough to be read, whatever was in the request that it quotes.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

func within(at, field string) string {
	if at == "" || field == "" {
		return at + field
	}
	return at + "." + field
}

func (v *verdict) status() *status.Status {
	message := strings.Join(v.told[:min(len(v.told), maxTold)], "; ")
	if n := len(v.told) - maxTold; n > 0 {
		message += fmt.Sprintf("; and %d more", n)
	}
	if len(v.fields) > maxViolations {
		v.info["violations"] = fmt.Sprint(len(v.fields))
		v.fields = v.fields[:maxViolations]
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: v.reason, Domain: errorDomain, Metadata: v.info}}
	if len(v.fields) > 0 {
		details = append(details, &errdetails.BadRequest{FieldViolations: v.fields})
	}
	if len(v.users) > 0 {
		details = append(details, &errdetails.PreconditionFailure{Violations: v.users[:min(len(v.users), maxViolations)]})
	}
	if v.resource != nil {
		details = append(details, v.resource)
	}
	st := status.New(v.code, message)
	full, err := st.WithDetails(details...)
	if err != nil {
		// Only text that is not UTF-8 can fail.
		return st
	}
	return full
}

func candidates(refs []store.Ref) string {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	return strings.Join(ids, ",")
}

// takenIn are the values in an error that others have; the store joins them when they are several.
func takenIn(err error) []*store.ErrAlreadyExists {
	var one *store.ErrAlreadyExists
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*store.ErrAlreadyExists
		for _, e := range joined.Unwrap() {
			if errors.As(e, &one) {
				all = append(all, one)
			}
		}
		return all
	}
	if errors.As(err, &one) {
		return []*store.ErrAlreadyExists{one}
	}
	return nil
}

func takenMessage(t *store.ErrAlreadyExists) string {
	return fmt.Sprintf("%s is taken by %s", t.Value, t.By)
}
