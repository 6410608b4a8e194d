package table

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

func render(columns []Column, rows [][]string, limit int) string {
	var cells [][]Cell
	for _, r := range rows {
		var c []Cell
		for _, text := range r {
			c = append(c, Cell{Text: text})
		}
		cells = append(cells, c)
	}
	var b strings.Builder
	Write(screen.New(&b, false), columns, cells, limit, "")
	return b.String()
}

func TestColumnsLineUp(t *testing.T) {
	got := render([]Column{{Head: "NAME"}, {Head: "MTU", Right: true}, {Head: "NOTE"}}, [][]string{
		{"blue", "1450", "a note"},
		{"端口", "9", ""},
		{"e\u0301te\u0301", "65535", "combining marks take no room"},
	}, MaxWidth)
	want := `NAME    MTU  NOTE
blue   1450  a note
端口      9
été   65535  combining marks take no room
`
	if d := cmp.Diff(strings.ReplaceAll(want, "été ", "e\u0301te\u0301 "), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNeverWiderThanTheLimit(t *testing.T) {
	long := strings.Repeat("x", 80)
	columns := []Column{{Head: "ID"}, {Head: "NAME", Elide: true}, {Head: "WHY", Elide: true}}
	for _, rows := range [][][]string{
		{{"12345678", long, long}},
		{{"12345678", long, "short"}, {"1", "2", "3"}},
		{{"12345678", strings.Repeat("端", 70), long}},
	} {
		for line := range strings.Lines(render(columns, rows, MaxWidth)) {
			if n := Width(strings.TrimSuffix(line, "\n")); n > MaxWidth {
				t.Errorf("%d cells: %s", n, line)
			}
		}
		if out := render(columns, rows, 0); !strings.Contains(out, rows[0][1]) || strings.Contains(out, "…") {
			t.Errorf("without a limit something was cut:\n%s", out)
		}
	}
}

func TestOnlyElidedColumnsAreCut(t *testing.T) {
	id := strings.Repeat("1", 60)
	got := render([]Column{{Head: "ID"}, {Head: "NAME", Elide: true}}, [][]string{{id, strings.Repeat("n", 60)}}, MaxWidth)
	want := "ID" + strings.Repeat(" ", 60) + "NAME\n" + id + "  " + strings.Repeat("n", 37) + "…\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestHostileCellStaysInItsCell(t *testing.T) {
	got := render([]Column{{Head: "NAME"}, {Head: "S"}}, [][]string{{"a\x1b[2J\nb", "x"}, {"c", "y"}}, MaxWidth)
	want := "NAME         S\n" + `a\x1b[2J\nb  x` + "\n" + "c            y\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestColourDoesNotMoveColumns(t *testing.T) {
	rows := [][]Cell{{{Text: "ACTIVE", Tone: screen.Good}, {Text: "x"}}, {{Text: "DOWN"}, {Text: "y"}}}
	var b strings.Builder
	Write(screen.New(&b, true), []Column{{Head: "STATUS"}, {Head: "N"}}, rows, MaxWidth, "  ")
	want := "  \x1b[2mSTATUS\x1b[0m  \x1b[2mN\x1b[0m\n  \x1b[32mACTIVE\x1b[0m  x\n  DOWN    y\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLastColumnWraps(t *testing.T) {
	columns := []Column{{Head: "TIME"}, {Head: "NAME", Elide: true}, {Head: "MESSAGE", Wrap: true}}
	rows := [][]Cell{
		{{Text: "12:00"}, {Text: "a"}, {Text: "one two three four five six seven eight nine ten", Tone: screen.Bad}},
		{{Text: "12:01"}, {Text: "b"}, {Text: strings.Repeat("端", 20) + "x"}},
		{{Text: "12:02"}, {Text: "c"}, {}},
	}
	var b strings.Builder
	Write(screen.New(&b, false), columns, rows, 50, "  ")
	want := `  TIME   NAME  MESSAGE
  12:00  a     one two three four five six seven
               eight nine ten
  12:01  b     端端端端端端端端端端端端端端端端端
               端端端x
  12:02  c
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want []string
	}{
		{"", 5, nil}, {"  ", 5, nil}, {"abc", 5, []string{"abc"}}, {"ab cd ef", 5, []string{"ab cd", "ef"}},
		{"abcdefghijk l", 5, []string{"abcde", "fghij", "k l"}}, {"端端端", 3, []string{"端", "端", "端"}}, {"ab  c", 5, []string{"ab c"}},
	} {
		if got := Wrap(c.in, c.n); !cmp.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
