package exit

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Place says what a field that the server complains about belongs to: a subject ("subnet \"db-v4\"", with the file and
// line in front where there is one) and the field's own path.
type Place func(field string) (subject, path string)

// At is the place of every field of a request about one object.
func At(subject string) Place { return func(field string) (string, string) { return subject, field } }

// FromRPC makes the error of a gRPC call the end of a command. Every violation that the server lists (google.rpc
// BadRequest, else PreconditionFailure) is a message by itself, closed by the code and field in brackets:
//
//	subnet "db-v4": cidr: 10.0.1.0/24 overlaps subnet "web-v4" (10.0.0.0/16) [INVALID_ARGUMENT field:cidr]
//
// It returns err itself when that is an *Error already.
func FromRPC(err error, place Place) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	st, _ := status.FromError(err)
	var info errdetails.ErrorInfo
	var fields []*errdetails.BadRequest_FieldViolation
	var users []*errdetails.PreconditionFailure_Violation
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			fields = append(fields, d.FieldViolations...)
		case *errdetails.PreconditionFailure:
			users = append(users, d.Violations...)
		case *errdetails.ErrorInfo:
			info.Reason, info.Metadata = d.Reason, d.Metadata
		}
	}
	e := &Error{Code: codeOf(st, info.Reason)}
	code := CodeName(st.Code())
	subject, _ := place("")
	switch {
	case len(fields) > 0:
		for _, v := range fields {
			subject, path := place(v.Field)
			tag := code
			if path != "" {
				tag += " field:" + path
				e.Fields = append(e.Fields, path)
			}
			text := about(strings.TrimPrefix(path, "metadata."), v.Description)
			e.Messages = append(e.Messages, fmt.Sprintf("%s [%s]", about(subject, text), tag))
		}
		e.more(info.Metadata["violations"], len(fields), "fields are wrong in all")
	case len(users) > 0:
		for _, v := range users {
			e.Messages = append(e.Messages, fmt.Sprintf("%s [%s %s]", about(subject, v.Description), code, v.Type))
		}
		e.more(info.Metadata["users"], len(users), "objects use it in all")
	default:
		tag := code
		if info.Reason != "" && info.Reason != code {
			tag += " " + info.Reason
		}
		e.Messages = []string{fmt.Sprintf("%s [%s]", about(subject, st.Message()), tag)}
	}
	switch st.Code() {
	case codes.Aborted:
		e.Try = "read the object again (weft get ... -o yaml) and repeat the change with its new etag"
	case codes.DeadlineExceeded:
		e.Try = "a longer --timeout; and look whether the change was made before repeating it"
	case codes.Unimplemented:
		e.Try = "a controller of the same version as this command (weft version, weft status)"
	}
	return e
}

// more notes that a list in an error is not complete.
func (e *Error) more(total string, told int, what string) {
	if n, err := strconv.Atoi(total); err == nil && n > told {
		e.Notes = append(e.Notes, fmt.Sprintf("%d %s", n, what))
	}
}

// about puts a subject in front of a text which does not begin with it already.
func about(subject, text string) string {
	if subject == "" || strings.HasPrefix(text, subject) {
		return text
	}
	return subject + ": " + text
}

// codeOf is the exit code of a status and the reason that the server gave.
func codeOf(st *status.Status, reason string) int {
	switch st.Code() {
	case codes.NotFound:
		return NotFound
	case codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition, codes.Aborted, codes.ResourceExhausted,
		codes.PermissionDenied, codes.Unauthenticated:
		if reason == "AMBIGUOUS" {
			return NotFound
		}
		return Refused
	}
	return Unknown
}

// CodeName is the code as google.rpc.Code and the API's documentation spell it.
func CodeName(c codes.Code) string {
	names := [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
	if int(c) < len(names) {
		return names[c]
	}
	return c.String()
}
