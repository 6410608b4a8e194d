package exit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

func rpc(t *testing.T, code codes.Code, text string, details ...protoadapt.MessageV1) error {
	t.Helper()
	st, err := status.New(code, text).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

func TestFromRPC(t *testing.T) {
	fields := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "cidr", Description: `10.0.1.0/24 overlaps subnet "web-v4" (10.0.0.0/16)`},
		{Field: "metadata.name", Description: "is too long"},
		{Field: "", Description: "the request is odd"}}}
	users := &errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
		{Type: "IN_USE", Subject: "port/1", Description: `port "a" (1) uses network 2`}}}
	for name, c := range map[string]struct {
		err  error
		want *Error
	}{
		"all violations": {rpc(t, codes.InvalidArgument, "x", fields, &errdetails.ErrorInfo{Reason: "INVALID_FIELDS", Metadata: map[string]string{"violations": "120"}}),
			&Error{Code: Refused, Messages: []string{
				`subnet "db": cidr: 10.0.1.0/24 overlaps subnet "web-v4" (10.0.0.0/16) [INVALID_ARGUMENT field:cidr]`,
				`subnet "db": name: is too long [INVALID_ARGUMENT field:metadata.name]`,
				`subnet "db": the request is odd [INVALID_ARGUMENT]`}, Fields: []string{"cidr", "metadata.name"}, Notes: []string{"120 fields are wrong in all"}}},
		"in use": {rpc(t, codes.FailedPrecondition, "x", users, &errdetails.ErrorInfo{Reason: "IN_USE", Metadata: map[string]string{"users": "12", "id": "2"}}),
			&Error{Code: Refused, Messages: []string{`subnet "db": port "a" (1) uses network 2 [FAILED_PRECONDITION IN_USE]`}, Notes: []string{"12 objects use it in all"}}},
		"ambiguous": {rpc(t, codes.InvalidArgument, `"db" could be 1, 2; give the id`, &errdetails.ErrorInfo{Reason: "AMBIGUOUS"}),
			&Error{Code: NotFound, Messages: []string{`subnet "db": "db" could be 1, 2; give the id [INVALID_ARGUMENT AMBIGUOUS]`}}},
		"not found; the subject is not said twice": {rpc(t, codes.NotFound, `subnet "db" does not exist`, &errdetails.ErrorInfo{Reason: "NOT_FOUND"}),
			&Error{Code: NotFound, Messages: []string{`subnet "db" does not exist [NOT_FOUND]`}}},
		"taken":     {rpc(t, codes.AlreadyExists, "x"), &Error{Code: Refused, Messages: []string{`subnet "db": x [ALREADY_EXISTS]`}}},
		"exhausted": {rpc(t, codes.ResourceExhausted, "x"), &Error{Code: Refused, Messages: []string{`subnet "db": x [RESOURCE_EXHAUSTED]`}}},
		"aborted": {rpc(t, codes.Aborted, "x"), &Error{Code: Refused, Messages: []string{`subnet "db": x [ABORTED]`},
			Try: "read the object again (weft get ... -o yaml) and repeat the change with its new etag"}},
		"no certificate": {rpc(t, codes.Unauthenticated, "x"), &Error{Code: Refused, Messages: []string{`subnet "db": x [UNAUTHENTICATED]`}}},
		"timeout": {rpc(t, codes.DeadlineExceeded, "x"), &Error{Code: Unknown, Messages: []string{`subnet "db": x [DEADLINE_EXCEEDED]`},
			Try: "a longer --timeout; and look whether the change was made before repeating it"}},
		"internal":      {rpc(t, codes.Internal, "x"), &Error{Code: Unknown, Messages: []string{`subnet "db": x [INTERNAL]`}}},
		"history gone":  {rpc(t, codes.OutOfRange, "x"), &Error{Code: Unknown, Messages: []string{`subnet "db": x [OUT_OF_RANGE]`}}},
		"an older door": {rpc(t, codes.Unimplemented, "x"), &Error{Code: Unknown, Messages: []string{`subnet "db": x [UNIMPLEMENTED]`}, Try: "a controller of the same version as this command (weft version, weft status)"}},
		"our own":       {New(Usage, "y"), New(Usage, "y")},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, FromRPC(c.err, At(`subnet "db"`))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestCodeNamesAreGoogleRPCs(t *testing.T) {
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		var back codes.Code
		if err := back.UnmarshalJSON([]byte(`"` + CodeName(c) + `"`)); err != nil || back != c {
			t.Errorf("%v is called %s: %v", c, CodeName(c), err)
		}
	}
	if got := CodeName(99); got != "Code(99)" {
		t.Errorf("an unknown code is %s", got)
	}
}

func TestJoin(t *testing.T) {
	if err := Join(nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	got := Join([]error{New(NotFound, "a").WithTry("1"), fmt.Errorf("wrapped: %w", New(Refused, "b").WithTry("2")), New(No, "c")})
	want := &Error{Code: Refused, Messages: []string{"a", "b", "c"}, Try: "1"}
	if d := cmp.Diff(error(want), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if e := From(errors.New("disk on fire")); e.Code != Unknown || e.Error() != "disk on fire" {
		t.Errorf("From: %+v", e)
	}
	if Answer().Error() == "" {
		t.Error("an answer has no text")
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	e := &Error{Messages: []string{"a", "b\nc"}, Notes: []string{"note"}, Try: "weft status"}
	e.Print(screen.New(&b, true))
	want := "\x1b[31merror:\x1b[0m a\n\x1b[31merror:\x1b[0m " + `b\nc` + "\nnote\ntry: weft status\n"
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
	b.Reset()
	Answer().(*Error).Print(screen.New(&b, false))
	if b.String() != "" {
		t.Errorf("an answer prints %q", b.String())
	}
}

// Every code is explained in "weft help exit-codes".
func TestHelpHasEveryCode(t *testing.T) {
	for _, code := range []int{Done, No, Usage, NotFound, Refused, Unknown} {
		if !strings.Contains(Help, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("%d is not explained", code)
		}
	}
}
