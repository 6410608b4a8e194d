package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
)

// sentence is the output of commands that do something, when no other is asked for: one line that says what was done.
const sentence = "sentence"

// choice is a flag that takes one of some words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return fmt.Errorf("write one of %s", strings.Join(c.words, ", "))
	}
	c.value = s
	return nil
}

// formatFlag is --output, with what it is when not given.
func formatFlag(cmd *cobra.Command, without string, words ...string) *string {
	c := &choice{value: without, words: words}
	help := "how to print"
	if without == sentence {
		help = "print the object instead of one line that says what was done"
		cmd.Flags().VarPF(c, "output", "o", help).DefValue = ""
	} else {
		cmd.Flags().VarP(c, "output", "o", help)
	}
	complete(cmd, "output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return &c.value
}

// print writes objects. One says that exactly one was asked for by name: JSON then has no list around it.
func (a *app) print(ctx context.Context, c *client.Client, k *kind.Kind, objects []kind.Message, format string, one bool) error {
	switch format {
	case "json":
		nodes := wholes(objects)
		if one && len(nodes) == 1 {
			return manifest.WriteJSON(a.out, nodes[0], "  ")
		}
		return manifest.WriteJSON(a.out, manifest.List(nodes), "  ")
	case "yaml":
		if len(objects) == 0 {
			return nil
		}
		return manifest.WriteYAML(a.out, wholes(objects)...)
	case "name":
		for _, o := range objects {
			a.out.Printf("%s/%s\n", k.Name, o.GetMetadata().GetId())
		}
		return nil
	}
	t := newObjectTable(k, format == "wide", newNames(ctx, c).name)
	t.add(objects...)
	t.write(a.out, "")
	return nil
}

func wholes(objects []kind.Message) []*yaml.Node {
	nodes := []*yaml.Node{}
	for _, o := range objects {
		nodes = append(nodes, manifest.Whole(o))
	}
	return nodes
}

// answer writes a message of the API as JSON or YAML.
func (a *app) answer(m proto.Message, format string) error {
	if format == "json" {
		return manifest.WriteJSON(a.out, manifest.Answer(m), "  ")
	}
	return manifest.WriteYAML(a.out, manifest.Answer(m))
}

// objectTable is a listing of one kind.
type objectTable struct {
	wide    bool
	names   kind.Names
	columns []kind.Column
	heads   []table.Column
	rows    [][]table.Cell
}

func newObjectTable(k *kind.Kind, wide bool, names kind.Names) *objectTable {
	t := &objectTable{wide: wide, names: names}
	for _, c := range k.Columns {
		if c.Wide && !wide || c.Narrow && wide {
			continue
		}
		t.columns = append(t.columns, c)
		t.heads = append(t.heads, table.Column{Head: c.Head, Elide: c.Elide, Wrap: c.Wrap, Right: c.Right})
	}
	return t
}

func (t *objectTable) row(m kind.Message) []table.Cell {
	var row []table.Cell
	for _, c := range t.columns {
		text := c.Text(m, t.names)
		cell := table.Cell{Text: text}
		if c.ID && !t.wide {
			cell.Text = shortID(text)
		}
		if c.State {
			cell.Tone = screen.ToneOf(text)
		}
		row = append(row, cell)
	}
	return row
}

func (t *objectTable) add(objects ...kind.Message) {
	for _, o := range objects {
		t.rows = append(t.rows, t.row(o))
	}
}

func (t *objectTable) limit() int { return limit(t.wide) }

func limit(wide bool) int {
	if wide {
		return 0
	}
	return table.MaxWidth
}

func (t *objectTable) write(w *screen.Writer, indent string) {
	table.Write(w, t.heads, t.rows, t.limit(), indent)
}

// shortID is the first 8 characters of a UUID; other ids stay.
func shortID(id string) string {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		return id[:8]
	}
	return id
}

// texts makes a row of plain cells.
func texts(cells ...string) []table.Cell {
	row := make([]table.Cell, len(cells))
	for i, c := range cells {
		row[i].Text = c
	}
	return row
}
