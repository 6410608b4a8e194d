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

// Fit finds the widths that show the rows in at most limit cells; a limit of 0 cuts nothing. Columns that may be elided
// give way, the widest first. Rows have as many cells as there are columns.
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
			if c.Elide && l.widths[i] > max(4, Width(c.Head)) && (widest < 0 || l.widths[i] > l.widths[widest]) {
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
		l.Row(w, r)
	}
}

// Head prints the headings.
func (l *Layout) Head(w *screen.Writer) {
	cells := make([]Cell, len(l.columns))
	for i, c := range l.columns {
		cells[i] = Cell{Text: c.Head, Tone: screen.Faint}
	}
	l.Row(w, cells)
}

// Row prints one row. A cell that does not fit is cut where its column may be, and else pushes the rest to the right.
func (l *Layout) Row(w *screen.Writer, cells []Cell) {
	last := len(cells) - 1
	for last > 0 && cells[last].Text == "" {
		last--
	}
	for i := 0; i <= last; i++ {
		text := screen.Line(cells[i].Text)
		if l.columns[i].Elide {
			text = Cut(text, l.widths[i])
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
		}
	}
	w.Printf("\n")
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
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// Wrap breaks text at spaces into lines of at most n cells; a longer word has a line by itself. No text has no line.
func Wrap(s string, n int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
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
