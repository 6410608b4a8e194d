package manifest

import (
	"fmt"
	"strings"
)

// suggest is "; did you mean X?" for the word that is most like the wrong one, or nothing when none is like it.
func suggest(wrong string, words []string) string {
	best := Nearest(wrong, words)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// Nearest is the word that is most like the wrong one, or "" when none is like it. Whether a word has hyphens or underscores
// makes no difference.
func Nearest(wrong string, words []string) string {
	w := strings.ReplaceAll(strings.ToLower(wrong), "-", "_")
	best, least := "", 1+max(1, len(w)/3)
	for _, spelled := range words {
		word := strings.ReplaceAll(spelled, "-", "_")
		d := distance(w, word)
		// "network" for network_id, "segmentation_id" for provider_segmentation_id, "fixedips" for fixed_ips.
		if len(w) >= 3 && (strings.HasPrefix(word, w+"_") || strings.HasSuffix(word, "_"+w) || strings.ReplaceAll(word, "_", "") == w) {
			d = 0
		}
		if d < least {
			best, least = spelled, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or changed to make b out of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
