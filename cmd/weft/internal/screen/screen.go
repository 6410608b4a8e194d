// Package screen writes to a terminal that trusts us: nothing that came from a server, a switch or a file can move the
// cursor, change colours or set the title, and colour is used only where a person looks.
package screen

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Writer escapes whatever is written to it. Only Paint gets colour through.
type Writer struct {
	w      io.Writer
	colour bool
}

// New wraps w. Colour says whether Paint may colour; see Colour.
func New(w io.Writer, colour bool) *Writer { return &Writer{w: w, colour: colour} }

// Colour says whether output to a terminal (or not) may have colour, as https://no-color.org has it: NO_COLOR set to
// anything forbids it, and so does TERM=dumb.
func Colour(terminal bool, getenv func(string) string) bool {
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Write writes text with everything escaped that does not print, but for line feeds and tabs.
func (s *Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.w, escape(string(p), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Printf formats and writes. Strings and errors among the arguments are made fit for one line, as by Line: only the
// format breaks lines. An error of the underlying writer (a closed pipe) is not told: nobody reads any more.
func (s *Writer) Printf(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = Line(a)
		case error:
			args[i] = Line(a.Error())
		}
	}
	fmt.Fprintf(s, format, args...)
}

// Tone is how a word feels.
type Tone uint8

// Tones.
const (
	Plain Tone = iota
	Good
	Busy
	Bad
	Faint
)

// ToneOf is the tone of a state's name.
func ToneOf(word string) Tone {
	switch word {
	case "ACTIVE", "Ready", "True", "created", "ok":
		return Good
	case "BUILD", "Unknown", "updated", "changed":
		return Busy
	case "ERROR", "NotReady", "False", "deleted", "missing", "foreign":
		return Bad
	case "unchanged":
		return Faint
	}
	return Plain
}

// Select Graphic Rendition parameters (ECMA-48 8.3.117).
var sgr = [...]string{Good: "32", Busy: "33", Bad: "31", Faint: "2"}

// Paint writes text in the colour of a tone, or as it is where colour is not wanted.
func (s *Writer) Paint(t Tone, text string) {
	if !s.colour || t == Plain || strings.TrimSpace(text) == "" {
		s.Printf("%s", text)
		return
	}
	io.WriteString(s.w, "\x1b["+sgr[t]+"m"+escape(text, "")+"\x1b[0m")
}

// Line makes text that came from elsewhere fit for one line: whatever does not print is escaped as in Go, \x1b or
// \u202e, including line feeds and the marks that turn the direction of text.
func Line(s string) string { return escape(s, "") }

func escape(s, keep string) string {
	clean := true
	for _, r := range s {
		if !printable(r) && !strings.ContainsRune(keep, r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case printable(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[i : i+n])
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// printable is what Go prints without escaping: letters, marks, numbers, punctuation, symbols and the ASCII space. It
// has neither C0 and C1 controls nor format characters such as U+202E, which shows what follows it from right to left.
func printable(r rune) bool { return strconv.IsPrint(r) }
