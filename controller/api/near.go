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
	if len(word) > model.MaxText {
		return nil // nobody mistyped that, and it would take long
	}
	letters := utf8.RuneCountInString(word)
	limit := max(1, letters/3)
	var close []scored
	for _, c := range candidates {
		// Each letter more or less is a misspelling.
		if d := utf8.RuneCountInString(c) - letters; d > limit || d < -limit {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d <= limit {
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

// distance is how many letters must be inserted, deleted, replaced or swapped with their neighbour to make b of a
// (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
