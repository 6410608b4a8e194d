package cli

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Events of a watch beside the API's ADDED, MODIFIED and DELETED.
const left = "LEFT" // the object is still there, but the filters do not let it through any more

// watch prints what a query finds, and then every change of it.
func (a *app) watch(ctx context.Context, c *client.Client, q query, format string) error {
	matches, err := q.matcher(ctx, c)
	if err != nil {
		return err
	}
	objects, revision, err := q.readAt(ctx, c)
	if err != nil {
		return err
	}
	w := a.newWatchPrinter(q.kind, format, newNames(ctx, c).name, objects)
	shown := map[string]kind.Message{}
	for _, m := range objects {
		shown[m.GetMetadata().GetId()] = m
		if err := w("ADDED", m); err != nil {
			return err
		}
	}
	lost := func(err error) {
		a.err.Printf("the controller went away; the watch goes on when it is back\n")
	}
	return c.Watch(ctx, []string{q.kind.Name}, revision, lost, func(r *weftv1.WatchResponse) error {
		k, m := kind.Unwrap(r.GetObject())
		if k != q.kind {
			return nil
		}
		id := m.GetMetadata().GetId()
		before, known := shown[id]
		switch {
		case r.GetType() == "DELETED" || !matches(m):
			delete(shown, id)
			if !known {
				return nil
			}
			if r.GetType() == "DELETED" {
				return w("DELETED", m)
			}
			return w(left, m)
		case known && proto.Equal(before, m):
			return nil // seen before: the list was newer than its revision, or the watch was resumed
		}
		shown[id] = m
		if known {
			return w("MODIFIED", m)
		}
		return w("ADDED", m)
	})
}

// readAt is read, and a revision from which on changes of the objects can be watched.
func (q query) readAt(ctx context.Context, c *client.Client) ([]kind.Message, int64, error) {
	if len(q.refs) == 0 {
		objects, revision, err := c.List(ctx, q.kind, q.filters)
		sortObjects(objects)
		return objects, revision, err
	}
	revision, err := c.Revision(ctx)
	if err != nil {
		return nil, 0, err
	}
	objects, err := q.read(ctx, c)
	return objects, revision, err
}

// matcher makes a function that tells whether an object is one that the query asks for.
func (q query) matcher(ctx context.Context, c *client.Client) (func(kind.Message) bool, error) {
	if len(q.refs) > 0 {
		objects, err := q.read(ctx, c)
		if err != nil {
			return nil, err
		}
		ids := map[string]bool{}
		for _, m := range objects {
			ids[m.GetMetadata().GetId()] = true
		}
		return func(m kind.Message) bool { return ids[m.GetMetadata().GetId()] }, nil
	}
	wanted := map[string]string{}
	for _, f := range q.kind.Filters {
		v, given := q.filters[f.Name]
		if !given {
			continue
		}
		if f.Ref != "" {
			m, err := c.Get(ctx, kind.Find(f.Ref), v)
			if err != nil {
				return nil, err
			}
			v = m.GetMetadata().GetId()
		}
		wanted[f.Name] = v
	}
	return func(m kind.Message) bool {
		for _, f := range q.kind.Filters {
			if v, given := wanted[f.Name]; given && !slices.Contains(f.Value(m), v) {
				return false
			}
		}
		return true
	}, nil
}

// newWatchPrinter makes a function that prints one event. Tables are as wide as the first objects need.
func (a *app) newWatchPrinter(k *kind.Kind, format string, names kind.Names, first []kind.Message) func(string, kind.Message) error {
	node := func(event string, m kind.Message) *yaml.Node {
		return manifest.Mapping("event", event, "object", manifest.Whole(m))
	}
	switch format {
	case "json":
		return func(event string, m kind.Message) error { return manifest.WriteJSON(a.out, node(event, m), "") }
	case "yaml":
		return func(event string, m kind.Message) error {
			a.out.Printf("---\n")
			return manifest.WriteYAML(a.out, node(event, m))
		}
	case "name":
		return func(event string, m kind.Message) error {
			a.out.Printf("%s %s/%s\n", event, k.Name, m.GetMetadata().GetId())
			return nil
		}
	}
	t := newObjectTable(k, format == "wide", names)
	heads := append([]table.Column{{Head: "EVENT"}}, t.heads...)
	event := func(word string) table.Cell {
		tone := screen.Plain
		switch word {
		case "DELETED", left:
			tone = screen.Bad
		case "MODIFIED":
			tone = screen.Busy
		}
		return table.Cell{Text: word, Tone: tone}
	}
	sizes := [][]table.Cell{t.room()}
	for _, m := range first {
		sizes = append(sizes, append([]table.Cell{event("ADDED")}, t.row(m)...))
	}
	layout := table.Fit(heads, sizes, t.limit())
	layout.Head(a.out)
	last := map[string][]table.Cell{}
	return func(word string, m kind.Message) error {
		row := t.row(m)
		id := m.GetMetadata().GetId()
		if word == "MODIFIED" && slices.Equal(row, last[id]) {
			return nil // nothing that these columns show
		}
		last[id] = row
		layout.Row(a.out, append([]table.Cell{event(word)}, row...), 0)
		return nil
	}
}

// room is a row as wide as the values that may come.
func (t *objectTable) room() []table.Cell {
	row := texts("MODIFIED")
	for _, c := range t.columns {
		n := c.Room
		if c.Wrap {
			n = table.MaxWidth
		}
		row = append(row, texts(strings.Repeat("x", n))...)
	}
	return row
}
