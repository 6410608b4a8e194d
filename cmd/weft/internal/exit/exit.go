// Package exit is how the weft command ends: with which code, and with which words.
package exit

import (
	"errors"
	"strings"

	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// Exit codes. A script can tell "the answer is no" from "there is no answer".
const (
	Done     = 0 // yes, or done
	No       = 1 // answered, and the answer is no
	Usage    = 2 // the command line or a file is not understood
	NotFound = 3 // no such object, or a name that several have
	Refused  = 4 // invalid, conflict, in use, exhausted, not allowed
	Unknown  = 5 // could not find out: timeout, unavailable, internal error
)

// Help is the text of "weft help exit-codes".
const Help = `Every weft command ends with one of these codes:

  0  yes, or done
  1  answered, and the answer is no: not everything is ready (status), not applied
     in time (wait, apply --wait), files and server differ (diff), drift was found
     (drift), no object wants the row (explain), the packet does not arrive (trace)
  2  usage: the command line, or a file given with -f, is not understood
  3  not found, or a name or id prefix that more than one object has
  4  refused: invalid, already taken, in use, exhausted, changed by somebody else
     in between (etag), or not allowed
  5  could not find out: no controller answers, timeout, internal error

There is no "0 with a warning": when anything asked for was not done, or is not
known, the code is not 0. Where several things went wrong, the code is the highest.
Messages go to stderr, answers to stdout.

What was refused (4) changed nothing. After 5 the change may have been made or not:
look before trying again.`

// Error is an end that is not Done.
type Error struct {
	Code int
	// Messages are sentences for people, one per thing that is wrong, lower case. None: the answer, which was printed,
	// says it all.
	Messages []string
	// Fields are the paths of the fields that the server complains about.
	Fields []string
	// Notes follow them: what was or was not done, what was tried.
	Notes []string
	// Try is a command to type next, or what else to do.
	Try string
}

func (e *Error) Error() string {
	if len(e.Messages) == 0 {
		return "the answer is no"
	}
	return strings.Join(e.Messages, "; ")
}

// Answer is the end of a command that printed its answer, and the answer is no.
func Answer() error { return &Error{Code: No} }

// New is an end with one message.
func New(code int, message string) *Error { return &Error{Code: code, Messages: []string{message}} }

// WithTry adds what to do next, and returns the error.
func (e *Error) WithTry(try string) *Error {
	e.Try = try
	return e
}

// From makes any error the end of a command. What no command explained could not be found out.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(Unknown, err.Error())
}

// Join makes one end of several: all their messages, and the highest code. It is nil when there are none.
func Join(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	out := &Error{}
	for _, err := range errs {
		e := From(err)
		out.Code = max(out.Code, e.Code)
		out.Messages = append(out.Messages, e.Messages...)
		out.Notes = append(out.Notes, e.Notes...)
		if out.Try == "" {
			out.Try = e.Try
		}
	}
	return out
}

// Print tells people how it ended.
func (e *Error) Print(w *screen.Writer) {
	for _, m := range e.Messages {
		w.Paint(screen.Bad, "error:")
		w.Printf(" %s\n", m)
	}
	for _, n := range e.Notes {
		w.Printf("%s\n", n)
	}
	if e.Try != "" {
		w.Printf("try: %s\n", e.Try)
	}
}
