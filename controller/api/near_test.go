package api

import (
	"fmt"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	for _, tc := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"blu", []string{"blue", "red"}, `; did you mean "blue"?`},
		{"bleu", []string{"blue", "blew"}, `; did you mean "blew" or "blue"?`},
		{"Compute1", []string{"compute1"}, `; did you mean "compute1"?`},
		{"compute9", []string{"compute3", "compute2", "compute1", "compute4"}, `; did you mean "compute1" or "compute2" or "compute3"?`},
		{"ab", []string{"ba", "abc", "xyz"}, `; did you mean "abc" or "ba"?`},
		{"réseau", []string{"reseau", "reseau"}, `; did you mean "reseau"?`},
		{"web", []string{"database"}, ""},
		{"", []string{"a", "bc"}, `; did you mean "a"?`},
		{"x", nil, ""},
	} {
		if got := didYouMean(tc.word, tc.candidates); got != tc.want {
			t.Errorf("%q among %q: got %q, want %q", tc.word, tc.candidates, got, tc.want)
		}
	}
}

// The search runs while no other transaction can.
func BenchmarkNear(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("web-server-%d", i)
	}
	for b.Loop() {
		near("web-sevrer-17", names)
	}
}
