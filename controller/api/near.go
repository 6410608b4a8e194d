package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weft-sdn/weft/controller/model"
)

// maxNear is how many names are suggested for one that does not exist.
const maxNear = 3

// didYouMean is `; did you mean "blue" or "blues"?` when there are candidates that a misspelling could have meant, else "".
func didYouMean(word string, candidates []string) string {
	names := near(word, candidates)
	if len(names) == 0 {
		return ""
	}
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", n)
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

// near are the candidates that are one misspelling in three characters away from the word, the nearest first.
func near(word string, candidates []string) []string {
	type scored struct {
		name     string
		distance int
	}
	w := []rune(strings.ToLower(word))
	if len(w) > model.MaxText {
		return nil // nobody mistyped that, and it would take long
	}
	limit := max(1, len(w)/3)
	var m matrix
	var close []scored
	for _, c := range candidates {
		// Each letter more or less is a misspelling.
		if d := utf8.RuneCountInString(c) - len(w); d > limit || d < -limit {
			continue
		}
		if d := m.distance(w, []rune(strings.ToLower(c))); d <= limit {
			close = append(close, scored{c, d})
		}
	}
	slices.SortFunc(close, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	close = slices.CompactFunc(close, func(a, b scored) bool { return a.name == b.name })
	names := make([]string, 0, maxNear)
	for _, s := range close[:min(len(close), maxNear)] {
		names = append(names, s.name)
	}
	return names
}

// matrix is the memory of distance, which is asked for thousands of words in a row.
type matrix [3][]int

// distance is how many letters must be inserted, deleted, replaced or swapped with their neighbour to make b of a
// (optimal string alignment).
func (m *matrix) distance(a, b []rune) int {
	for i := range m {
		m[i] = slices.Grow(m[i][:0], len(b)+1)[:len(b)+1]
	}
	before, last, row := m[0], m[1], m[2]
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
