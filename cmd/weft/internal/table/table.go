// Package table lays out rows in columns: two spaces between, no borders, and never wider than a person's window.
package table

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// MaxWidth is how many character cells a table takes at most, unless it is asked to show everything.
const MaxWidth = 100

const gap = 2

// Column is a heading and how the column behaves.
type Column struct {
	Head string
	// Elide lets the column lose characters (the end becomes "…") when the table would be too wide.
	Elide bool
	// Wrap lets the last column go on in further lines instead.
	Wrap bool
	// Right aligns numbers.
	Right bool
}

// Cell is one value.
type Cell struct {
	Text string
	Tone screen.Tone
}

// Layout is a set of columns with their widths.
type Layout struct {
	columns []Column
	widths  []int
}

// minWrap is what a wrapped column has at least.
const minWrap = 30

// least is how narrow a column may become.
func (c Column) least() int {
	if c.Wrap {
		return minWrap
	}
	return max(4, Width(c.Head))
}

// Fit finds the widths that show the rows in at most limit cells; a limit of 0 cuts nothing. Columns that may be elided
// or wrapped give way, the widest first. Rows have as many cells as there are columns.
func Fit(columns []Column, rows [][]Cell, limit int) *Layout {
	l := &Layout{columns: columns, widths: make([]int, len(columns))}
	total := gap * (len(columns) - 1)
	for i, c := range columns {
		l.widths[i] = Width(c.Head)
		for _, r := range rows {
			l.widths[i] = max(l.widths[i], Width(screen.Line(r[i].Text)))
		}
		total += l.widths[i]
	}
	for limit > 0 && total > limit {
		widest := -1
		for i, c := range columns {
			if (c.Elide || c.Wrap) && l.widths[i] > c.least() && (widest < 0 || l.widths[i] > l.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		l.widths[widest]--
		total--
	}
	return l
}

// Write prints headings and rows, each line after indent.
func Write(w *screen.Writer, columns []Column, rows [][]Cell, limit int, indent string) {
	if limit > 0 {
		limit -= len(indent)
	}
	l := Fit(columns, rows, limit)
	w.Printf("%s", indent)
	l.Head(w)
	for _, r := range rows {
		w.Printf("%s", indent)
		l.Row(w, r, len(indent))
	}
}

// Head prints the headings.
func (l *Layout) Head(w *screen.Writer) {
	cells := make([]Cell, len(l.columns))
	for i, c := range l.columns {
		cells[i] = Cell{Text: c.Head, Tone: screen.Faint}
	}
	l.Row(w, cells, 0)
}

// Row prints one row. A cell that does not fit is cut or wrapped where its column may be, and else pushes the rest to
// the right. Indent is how far from the left the row begins, for the further lines of a wrapped cell.
func (l *Layout) Row(w *screen.Writer, cells []Cell, indent int) {
	last := len(cells) - 1
	for last > 0 && cells[last].Text == "" {
		last--
	}
	var rest []string
	for i := 0; i <= last; i++ {
		text := screen.Line(cells[i].Text)
		switch {
		case l.columns[i].Elide:
			text = Cut(text, l.widths[i])
		case l.columns[i].Wrap && Width(text) > l.widths[i]:
			lines := Wrap(text, l.widths[i])
			text, rest = lines[0], lines[1:]
		}
		pad := strings.Repeat(" ", max(0, l.widths[i]-Width(text)))
		if l.columns[i].Right {
			w.Printf("%s", pad)
		}
		w.Paint(cells[i].Tone, text)
		if i < last {
			if !l.columns[i].Right {
				w.Printf("%s", pad)
			}
			w.Printf("%*s", gap, "")
			indent += l.widths[i] + gap
		}
	}
	w.Printf("\n")
	for _, line := range rest {
		w.Printf("%*s", indent, "")
		w.Paint(cells[last].Tone, line)
		w.Printf("\n")
	}
}

// Width is how many cells of a terminal a text takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// Cut shortens text to n cells; what was cut shows as "…".
func Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	return s[:prefix(s, n-1)] + "…"
}

// prefix is the length in bytes of the longest beginning of s that takes at most n cells.
func prefix(s string, n int) int {
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > n {
			return i
		}
	}
	return len(s)
}

// Wrap breaks text into lines of at most n cells: at spaces, and words that are longer than a line where it ends. No
// text has no line.
func Wrap(s string, n int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		for Width(word) > n {
			end := prefix(word, n)
			lines = append(lines, word[:end])
			word = word[end:]
		}
		last := len(lines) - 1
		if last >= 0 && Width(lines[last])+1+Width(word) <= n {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// runeWidth follows Unicode Standard Annex 11 and the usual terminals: combining marks take no cell, wide characters two.
func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
