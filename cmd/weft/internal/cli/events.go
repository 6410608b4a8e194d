package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened lately, newest last",
		Long:  "Show what happened lately, newest last. The controller keeps the last 10000 events since its start.",
		Example: `  weft events --since 1h
  weft events --host compute1 -w
  weft events --object port/vm1 -o wide`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	host := cmd.Flags().String("host", "", "only events of this host")
	complete(cmd, "host", a.objectNames(kind.Host))
	object := cmd.Flags().String("object", "", "only events about this object: KIND/NAME, or an id")
	complete(cmd, "object", cobra.NoFileCompletions)
	since := cmd.Flags().Duration("since", 0, "only events of the last so many seconds, minutes, hours: 30s, 5m, 1h")
	watch := cmd.Flags().BoolP("watch", "w", false, "go on printing new events until interrupted")
	format := formatFlag(cmd, "table", "table", "wide", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		if *since < 0 {
			return exit.New(exit.Usage, "--since takes a time above 0")
		}
		req := &weftv1.ListEventsRequest{Host: kind.Host.Ref(*host)}
		if *since > 0 {
			req.Since = timestamppb.New(a.Now().Add(-*since))
		}
		var err error
		if req.Object, err = objectID(ctx, c, *object); err != nil {
			return err
		}
		if *watch {
			return a.watchEvents(ctx, c, req, *format)
		}
		events, err := a.listEvents(ctx, c, req)
		if err != nil {
			return err
		}
		if *format == "json" || *format == "yaml" {
			return a.answer(&weftv1.ListEventsResponse{Events: events}, *format)
		}
		if len(events) == 0 {
			a.err.Printf("no events\n")
			return nil
		}
		a.eventTable(events, newNames(ctx, c).name, *format == "wide", "")
		return nil
	})
	return cmd
}

// objectID finds the id that --object means.
func objectID(ctx context.Context, c *client.Client, text string) (string, error) {
	word, ref, ok := strings.Cut(text, "/")
	k := kind.Find(word)
	switch {
	case text == "" || uuid.Validate(text) == nil:
		return text, nil
	case !ok || k == nil:
		return "", exit.New(exit.Usage, fmt.Sprintf("--object %q is neither KIND/NAME, such as port/vm1, nor an id", text))
	}
	m, err := c.Get(ctx, k, ref)
	if err != nil {
		return "", err
	}
	return m.GetMetadata().GetId(), nil
}

func (a *app) listEvents(ctx context.Context, c *client.Client, req *weftv1.ListEventsRequest) ([]*weftv1.Event, error) {
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	resp, err := c.Diagnostics.ListEvents(ctx, req)
	if err != nil {
		return nil, c.Fail(err, exit.At("events"))
	}
	return resp.GetEvents(), nil
}

var eventColumns = []table.Column{{Head: "TIME"}, {Head: "HOST", Elide: true}, {Head: "REASON", Elide: true}, {Head: "OBJECT", Elide: true}, {Head: "MESSAGE", Wrap: true}}

func (a *app) eventRow(e *weftv1.Event, names kind.Names) []table.Cell {
	object := ""
	if e.GetObject() != nil {
		object = ownerText(e.GetObject(), names)
	}
	return texts(a.shortClock(e.GetTime()), e.GetHost(), e.GetReason(), object, e.GetMessage())
}

// shortClock is a time without the date when that is today.
func (a *app) shortClock(t *timestamppb.Timestamp) string {
	now := a.Now()
	at := t.AsTime().In(now.Location())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

func (a *app) eventTable(events []*weftv1.Event, names kind.Names, wide bool, indent string) {
	var rows [][]table.Cell
	for _, e := range events {
		rows = append(rows, a.eventRow(e, names))
	}
	table.Write(a.out, eventColumns, rows, limit(wide), indent)
}

// watchEvents prints those that are there, and then those that come.
func (a *app) watchEvents(ctx context.Context, c *client.Client, req *weftv1.ListEventsRequest, format string) error {
	// Asked for once before, so that a wrong question has an answer, and columns as wide as they need to be.
	events, err := a.listEvents(ctx, c, req)
	if err != nil {
		return err
	}
	names := newNames(ctx, c).name
	sizes := [][]table.Cell{texts("", "xxxxxxxxxxxx", "SwitchConnected", "xxxxxxxxxxxx", strings.Repeat("x", table.MaxWidth))}
	for _, e := range events {
		sizes = append(sizes, a.eventRow(e, names))
	}
	layout := table.Fit(eventColumns, sizes, limit(format == "wide"))
	if format == "table" || format == "wide" {
		layout.Head(a.out)
	}
	lost := func(error) {
		a.err.Printf("the controller went away; the watch goes on when it is back\n")
	}
	watch := &weftv1.WatchEventsRequest{Host: req.GetHost(), Object: req.GetObject(), Since: req.GetSince()}
	return c.WatchEvents(ctx, watch, lost, func(e *weftv1.Event) error {
		switch format {
		case "json":
			return manifest.WriteJSON(a.out, manifest.Answer(e), "")
		case "yaml":
			a.out.Printf("---\n")
			return manifest.WriteYAML(a.out, manifest.Answer(e))
		}
		layout.Row(a.out, a.eventRow(e, names), 0)
		return nil
	})
}
