package screen

import (
	"errors"
	"strings"
	"testing"
)

func TestEscapes(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text stays":          {"port naïve 端口\tx\n", "port naïve 端口\tx\n"},
		"escape sequence":     {"a\x1b[31mred", `a\x1b[31mred`},
		"title":               {"\x1b]0;owned\a", `\x1b]0;owned\a`},
		"C1 control":          {"\u009b31m", `\u009b31m`},
		"carriage return":     {"good\rbad", `good\rbad`},
		"right to left":       {"abc\u202edcba", `abc\u202edcba`},
		"not UTF-8":           {"a\xffb", `a\xffb`},
		"replacement is text": {"a\ufffdb", "a\ufffdb"},
		"zero width":          {"a\u200bb", `a\u200bb`},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if n, err := New(&b, true).Write([]byte(c.in)); n != len(c.in) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if b.String() != c.want {
				t.Errorf("wrote %q, want %q", b.String(), c.want)
			}
		})
	}
}

func TestPrintfArgumentsStayInTheirLine(t *testing.T) {
	var b strings.Builder
	New(&b, false).Printf("%s\n%v %d\n", "a\nb", errors.New("c\td"), 7)
	if got, want := b.String(), "a\\nb\nc\\td 7\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestLineHasOneLine(t *testing.T) {
	if got, want := Line("a\nb\tc"), `a\nb\tc`; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
}

func TestColourOnlyForPeople(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		env      map[string]string
		want     string
	}{
		"a terminal":                  {true, nil, "\x1b[32mACTIVE\x1b[0m"},
		"a pipe":                      {false, nil, "ACTIVE"},
		"NO_COLOR on a terminal":      {true, map[string]string{"NO_COLOR": "1"}, "ACTIVE"},
		"NO_COLOR empty, a terminal":  {true, map[string]string{"NO_COLOR": ""}, "\x1b[32mACTIVE\x1b[0m"},
		"TERM=dumb":                   {true, map[string]string{"TERM": "dumb"}, "ACTIVE"},
		"TERM=xterm but not terminal": {false, map[string]string{"TERM": "xterm"}, "ACTIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			getenv := func(k string) string { return c.env[k] }
			New(&b, Colour(c.terminal, getenv)).Paint(ToneOf("ACTIVE"), "ACTIVE")
			if b.String() != c.want {
				t.Errorf("wrote %q, want %q", b.String(), c.want)
			}
		})
	}
}

func TestPaintEscapesToo(t *testing.T) {
	var b strings.Builder
	New(&b, true).Paint(Bad, "x\x1b[32m")
	if got, want := b.String(), "\x1b[31m"+`x\x1b[32m`+"\x1b[0m"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
