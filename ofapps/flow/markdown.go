package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/openflow"
)

// Markdown describes the tables of a bridge, each with its rows as lines, for docs/pipeline.md.
func Markdown(tables []*Table, lines func(*Table) []string) string {
	var b strings.Builder
	for _, t := range tables {
		var list []string
		fmt.Fprintf(&b, "### Table %d: %s\n\n%s.\n\n", t.ID, t.Name, t.About)
		for _, what := range []struct{ verb, list string }{
			{"Matches", fieldNames(t.Match)},
			{"Changes", fieldNames(t.Set)},
			{"Goes on to", strings.Join(t.Next, ", ")},
			{"Learns rows of", strings.Join(t.Learns, ", ")},
		} {
			if what.list != "" {
				list = append(list, fmt.Sprintf("- %s: %s\n", what.verb, what.list))
			}
		}
		if len(list) > 0 {
			b.WriteString(strings.Join(list, "") + "\n")
		}
		b.WriteString("```\n")
		for _, l := range lines(t) {
			b.WriteString(l + "\n")
		}
		b.WriteString("```\n\n")
	}
	return b.String()
}

func fieldNames(fields []openflow.Field) string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, "`"+f.String()+"`")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
