package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// relatedRows is how many related objects, or events, "describe" shows.
const relatedRows = 10

func (a *app) describeCommand() *cobra.Command {
	return perKind(&cobra.Command{
		Use:   "describe",
		Short: "Show all about one object: fields, status, related objects, events",
		Long:  "Show all about one object: its fields, status and conditions, the objects that belong to it, and what happened to it lately.",
	}, func(k *kind.Kind) *cobra.Command {
		return &cobra.Command{
			Use:               fmt.Sprintf("%s %s", k.Name, strings.ToUpper(k.Name)),
			Short:             fmt.Sprintf("Show all about one %s", k.Name),
			Example:           fmt.Sprintf("  weft describe %s a", k.Name),
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: firstArg(a.objectNames(k)),
			RunE: a.run(func(ctx context.Context, c *client.Client, args []string) error {
				m, err := c.Get(ctx, k, args[0])
				if err != nil {
					return err
				}
				d := &description{app: a, client: c, kind: k, object: m, names: newNames(ctx, c).name}
				d.fields()
				d.status()
				if k == kind.Router || k == kind.FloatingIP {
					if err := d.where(ctx); err != nil {
						return err
					}
				}
				if p, ok := m.(*weftv1.Port); ok && p.GetPortSecurityEnabled() {
					if err := d.rules(ctx); err != nil {
						return err
					}
				}
				if err := d.related(ctx); err != nil {
					return err
				}
				return d.events(ctx)
			}),
		}
	})
}

// description prints one object.
type description struct {
	*app
	client *client.Client
	kind   *kind.Kind
	object kind.Message
	names  kind.Names
}

// labelWidth is where values begin.
const labelWidth = 28

// line prints a field, a long value in several lines. State says that the value is a word with a tone.
func (d *description) line(label, value string, state bool) {
	d.out.Printf("  %-*s", labelWidth-2, label)
	tone := screen.Plain
	if state {
		tone = screen.ToneOf(value)
	}
	for i, line := range table.Wrap(screen.Line(value), table.MaxWidth-labelWidth) {
		if i > 0 {
			d.out.Printf("%*s", labelWidth, "")
		}
		d.out.Paint(tone, line)
		d.out.Printf("\n")
	}
	if value == "" {
		d.out.Printf("\n")
	}
}

// fields prints what people set, and the rest of the metadata.
func (d *description) fields() {
	d.out.Printf("%s %s\n", d.kind.Title(), kind.Ref(d.object))
	last := ""
	show := func(name string) {
		holder, fd := d.kind.Lookup(d.object, name)
		if !holder.Has(fd) {
			return
		}
		block, label, in := strings.Cut(name, ".")
		switch {
		case !in:
			label, block = name, ""
		case block != last:
			d.out.Printf("  %s\n", block)
			fallthrough
		default:
			label = "  " + label
		}
		last = block
		d.value(label, fd, holder.Get(fd))
	}
	for i := range d.kind.Fields {
		show(d.kind.Fields[i].Name)
	}
	for _, name := range d.kind.ReadOnly() {
		if name != "status" {
			show(name)
		}
	}
}

// value prints a field of any type; each entry of a list of messages has a line by itself.
func (d *description) value(label string, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case fd.IsList() && fd.Message() != nil:
		for i := range v.List().Len() {
			var parts []string
			m := v.List().Get(i).Message()
			for j := range m.Descriptor().Fields().Len() {
				sub := m.Descriptor().Fields().Get(j)
				switch k := refOf(sub); {
				case !m.Has(sub):
				case k != nil:
					parts = append(parts, fmt.Sprintf("%s %s", k.Name, d.names(k.Name, m.Get(sub).String())))
				default:
					parts = append(parts, fmt.Sprintf("%s %s", sub.Name(), kind.Text(sub, m.Get(sub))))
				}
			}
			d.line(label, strings.Join(parts, ", "), false)
			label = ""
		}
	case fd.Message() != nil && !fd.IsMap():
		if t, ok := v.Message().Interface().(*timestamppb.Timestamp); ok {
			d.line(label, d.clock(t), false)
		}
	case fd.Kind() == protoreflect.StringKind && !fd.IsList() && !fd.IsMap() && v.String() == "":
		if f := d.kind.Field(strings.TrimSpace(label)); f != nil && f.None != "" {
			d.line(label, f.None, false)
		}
	default:
		d.line(label, d.named(fd, v), label == "status")
	}
}

// named is a value, with the name of the object behind it when it is an id.
func (d *description) named(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f := d.kind.Field(string(fd.Name())); f != nil && f.Ref != "" && fd.IsList() {
		var parts []string
		for i := range v.List().Len() {
			id := v.List().Get(i).String()
			parts = append(parts, fmt.Sprintf("%s (%s)", id, d.names(f.Ref, id)))
		}
		return strings.Join(parts, ", ")
	}
	text := kind.Text(fd, v)
	if k := refOf(fd); k != nil && !k.NamedByID && text != "" {
		return fmt.Sprintf("%s (%s)", text, d.names(k.Name, text))
	}
	return text
}

// refOf is the kind whose objects' ids a field holds, judged by the field's name: network_id, floating_network_id, host,
// gateway_host.
func refOf(fd protoreflect.FieldDescriptor) *kind.Kind {
	if fd.Kind() != protoreflect.StringKind || fd.IsMap() || fd.IsList() {
		return nil
	}
	for _, k := range kind.All {
		name := "_" + string(fd.Name())
		if strings.HasSuffix(name, "_"+k.Name+"_id") || k.NamedByID && strings.HasSuffix(name, "_"+k.Name) {
			return k
		}
	}
	return nil
}

// clock is a time where the person sits.
func (a *app) clock(t *timestamppb.Timestamp) string {
	return t.AsTime().In(a.Now().Location()).Format(time.DateTime)
}

// status prints what the server found out; lists as tables.
func (d *description) status() {
	holder, fd := d.kind.Lookup(d.object, "status")
	if fd == nil || !holder.Has(fd) {
		return
	}
	d.out.Printf("Status\n")
	m := holder.Get(fd).Message()
	for i := range m.Descriptor().Fields().Len() {
		switch fd := m.Descriptor().Fields().Get(i); {
		case !m.Has(fd):
		case fd.IsList() && fd.Message() != nil:
			d.list(string(fd.Name()), fd.Message(), m.Get(fd).List())
		default:
			d.value(string(fd.Name()), fd, m.Get(fd))
		}
	}
}

// list prints a list of messages as a table with their fields as columns. A field "message" has lines of its own.
func (d *description) list(label string, md protoreflect.MessageDescriptor, list protoreflect.List) {
	var fields []protoreflect.FieldDescriptor
	var columns []table.Column
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fd.Name() == "message" || fd.Name() == "host" && !anyHas(list, fd) {
			continue
		}
		fields = append(fields, fd)
		columns = append(columns, table.Column{
			Head:  strings.ToUpper(strings.ReplaceAll(string(fd.Name()), "_", " ")),
			Right: fd.Kind() != protoreflect.StringKind && fd.Message() == nil && fd.Kind() != protoreflect.BoolKind,
			Elide: fd.Kind() == protoreflect.StringKind,
		})
	}
	var rows [][]table.Cell
	for i := range list.Len() {
		row := make([]table.Cell, len(columns))
		for j, fd := range fields {
			row[j].Text = d.cell(fd, list.Get(i).Message().Get(fd))
			row[j].Tone = screen.ToneOf(row[j].Text)
		}
		rows = append(rows, row)
	}
	d.out.Printf("  %s\n    ", label)
	layout := table.Fit(columns, rows, table.MaxWidth-4)
	layout.Head(d.out)
	for i, row := range rows {
		d.out.Printf("    ")
		layout.Row(d.out, row, 4)
		if fd := md.Fields().ByName("message"); fd != nil {
			for _, line := range table.Wrap(screen.Line(list.Get(i).Message().Get(fd).String()), table.MaxWidth-6) {
				d.out.Printf("      %s\n", line)
			}
		}
	}
}

// anyHas says whether a field is set in one of the messages at least.
func anyHas(list protoreflect.List, fd protoreflect.FieldDescriptor) bool {
	for i := range list.Len() {
		if list.Get(i).Message().Has(fd) {
			return true
		}
	}
	return false
}

func (d *description) cell(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if t, ok := v.Interface().(protoreflect.Message); ok && fd.Message() != nil {
		if ts, ok := t.Interface().(*timestamppb.Timestamp); ok && ts != nil {
			return d.clock(ts)
		}
		return ""
	}
	return kind.Text(fd, v)
}

// where prints on which hosts the object is.
func (d *description) where(ctx context.Context) error {
	resp, err := d.askWhere(ctx, d.client, &weftv1.WhereRequest{Kind: d.kind.Name, Object: d.object.GetMetadata().GetId()})
	if err != nil || len(resp.GetPlaces()) == 0 {
		return err
	}
	d.out.Printf("Where\n")
	d.placeTable(resp.GetPlaces(), false, "  ")
	return nil
}

// rules prints what the port is judged by.
func (d *description) rules(ctx context.Context) error {
	resp, err := d.askRules(ctx, d.client, d.object.GetMetadata().GetId())
	if err != nil {
		return err
	}
	d.out.Printf("Rules\n")
	d.printRules(resp, "  ")
	return nil
}

// related prints the objects that this one names, and those that name it.
func (d *description) related(ctx context.Context) error {
	named := map[*kind.Kind][]string{}
	collect(d.object.ProtoReflect(), named)
	titled := false
	show := func(title string, k *kind.Kind, objects []kind.Message, more string) {
		if len(objects) == 0 {
			return
		}
		if !titled {
			d.out.Printf("Related\n")
			titled = true
		}
		d.out.Printf("  %s\n", title)
		t := newObjectTable(k, false, d.names)
		sortObjects(objects)
		t.add(objects[:min(len(objects), relatedRows)]...)
		t.write(d.out, "    ")
		if n := len(objects) - relatedRows; n > 0 {
			d.out.Printf("    and %d more: %s\n", n, more)
		}
	}
	if p, ok := d.object.(*weftv1.Port); ok && p.GetPortSecurityEnabled() {
		var rules []kind.Message
		for _, group := range p.GetSecurityGroups() {
			some, _, err := d.client.List(ctx, kind.SecurityGroupRule, map[string]string{"security_group_id": group})
			if err != nil {
				return err
			}
			rules = append(rules, some...)
		}
		show(kind.SecurityGroupRule.Plural, kind.SecurityGroupRule, rules, "weft get sgrules --group GROUP")
	}
	for _, k := range kind.All {
		if ids := named[k]; len(ids) > 0 {
			var objects []kind.Message
			for _, id := range ids[:min(len(ids), relatedRows)] {
				m, err := d.client.Get(ctx, k, id)
				if err != nil && exit.From(err).Code != exit.NotFound {
					return err
				}
				if err == nil {
					objects = append(objects, m)
				}
			}
			show(k.Plural, k, objects, "")
			if n := len(ids) - relatedRows; n > 0 {
				d.out.Printf("    and %d more\n", n)
			}
		}
		for i := range k.Filters {
			f := &k.Filters[i]
			if f.Ref != d.kind.Name {
				continue
			}
			objects, _, err := d.client.List(ctx, k, map[string]string{f.Name: d.object.GetMetadata().GetId()})
			if err != nil {
				return err
			}
			show(cmp.Or(f.Title, k.Plural), k, objects, fmt.Sprintf("weft get %s --%s %s", k.Plural, f.Flag(), kind.Ref(d.object)))
		}
	}
	return nil
}

// collect finds the ids of objects in a message, in the order in which they are there.
func collect(m protoreflect.Message, into map[*kind.Kind][]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch v := m.Get(fd); {
		case fd.IsMap() || !m.Has(fd):
		case fd.Message() != nil && fd.IsList():
			for j := range v.List().Len() {
				collect(v.List().Get(j).Message(), into)
			}
		case fd.Message() != nil:
			collect(v.Message(), into)
		default:
			if k := refOf(fd); k != nil && v.String() != "" && !slices.Contains(into[k], v.String()) {
				into[k] = append(into[k], v.String())
			}
		}
	}
}

// events prints what happened to the object lately.
func (d *description) events(ctx context.Context) error {
	req := &weftv1.ListEventsRequest{Object: d.object.GetMetadata().GetId()}
	if d.kind == kind.Host {
		req = &weftv1.ListEventsRequest{Host: d.object.GetMetadata().GetId()}
	}
	events, err := d.listEvents(ctx, d.client, req)
	if err != nil || len(events) == 0 {
		return err
	}
	d.out.Printf("Events\n")
	d.eventTable(events[max(0, len(events)-relatedRows):], d.names, false, "  ")
	if n := len(events) - relatedRows; n > 0 {
		d.out.Printf("  and %d before: weft events --object %s/%s\n", n, d.kind.Name, kind.Ref(d.object))
	}
	return nil
}
