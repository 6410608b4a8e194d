package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the whole system on one screen",
		Long:  "Show the whole system on one screen. Ends with 0 when every host is ready and no unknown switch knocks, else with 1.",
		Example: `  weft status
  weft status -o json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		s, err := c.Diagnostics.GetStatus(ctx, &weftv1.GetStatusRequest{})
		if err != nil {
			return c.Fail(err, exit.At("status"))
		}
		if *format != "table" {
			if err := a.answer(s, *format); err != nil {
				return err
			}
		} else {
			a.printStatus(s)
		}
		if len(notReady(s)) > 0 || len(s.GetUnknownSwitches()) > 0 {
			return exit.Answer()
		}
		return nil
	})
	return cmd
}

func notReady(s *weftv1.GetStatusResponse) []*weftv1.Host {
	return slices.DeleteFunc(slices.Clone(s.GetHosts()), func(h *weftv1.Host) bool { return h.GetStatus().GetStatus() == "Ready" })
}

// item begins a line of the screen.
func (a *app) item(label, format string, args ...any) {
	a.out.Printf("%-12s %s\n", label, fmt.Sprintf(format, args...))
}

func (a *app) printStatus(s *weftv1.GetStatusResponse) {
	up := ""
	// The controller's clock may be ahead of ours.
	if d := a.Now().Sub(s.GetStartTime().AsTime()); s.GetStartTime() != nil && d >= 0 {
		up = ", up " + span(d)
	}
	a.item("controller", "%s%s", s.GetVersion(), up)
	if names := controllers(s); len(names) > 0 {
		a.item("controllers", "%s", strings.Join(names, ", "))
	}
	a.item("store", "%s, revision %d", s.GetStore(), s.GetRevision())

	bad := notReady(s)
	a.item("hosts", "%d/%d ready", len(s.GetHosts())-len(bad), len(s.GetHosts()))
	for _, h := range bad {
		a.out.Printf("  ")
		a.out.Paint(screen.Bad, h.GetMetadata().GetId())
		a.out.Printf("  ")
		lag := ""
		if n := h.GetStatus().GetAppliedRevision(); n < s.GetRevision() {
			lag = fmt.Sprintf(", has revision %d of %d", n, s.GetRevision())
		}
		a.out.Printf("%s%s\n", h.GetStatus().GetStatus(), lag)
		for _, line := range table.Wrap(screen.Line(kind.Why(h)), table.MaxWidth-4) {
			a.out.Printf("    %s\n", line)
		}
	}

	a.item("objects", "%s", cmp.Or(strings.Join(counts(s), ", "), "none"))
	a.item("drift", "%d rows repaired since start", s.GetDriftRepaired())
	if n := len(s.GetUnknownSwitches()); n > 0 {
		a.out.Printf("%-12s ", "switches")
		a.out.Paint(screen.Bad, fmt.Sprintf("%d unknown", n))
		a.out.Printf(", refused: %s\n", strings.Join(s.GetUnknownSwitches(), ", "))
	}

	switch {
	case len(bad) > 0:
		a.err.Printf("next: weft describe host %s\n", bad[0].GetMetadata().GetId())
	case len(s.GetUnknownSwitches()) > 0:
		a.err.Printf("next: weft events, for the addresses that the unknown switches come from\n")
	case len(s.GetHosts()) == 0:
		a.err.Printf("next: start weft-nsagent on a host\n")
	}
}

// controllers are the names of those that share the store, and which of them leads.
func controllers(s *weftv1.GetStatusResponse) []string {
	var names []string
	for _, c := range s.GetControllers() {
		name := c.GetName()
		if c.GetLeader() {
			name += " (leads)"
		}
		if c.GetVersion() != s.GetVersion() {
			name += " " + c.GetVersion()
		}
		names = append(names, name)
	}
	return names
}

// counts are the kinds that there are objects of, with their number.
func counts(s *weftv1.GetStatusResponse) []string {
	words := slices.Sorted(maps.Keys(s.GetObjects()))
	// Those that are newer than this program come last.
	rank := func(word string) int {
		if i := slices.IndexFunc(kind.All, func(k *kind.Kind) bool { return k.Name == word }); i >= 0 {
			return i
		}
		return len(kind.All)
	}
	slices.SortStableFunc(words, func(x, y string) int { return rank(x) - rank(y) })
	var out []string
	for _, word := range words {
		n, k := s.GetObjects()[word], kind.Find(word)
		switch {
		case n == 0:
			continue
		case k != nil && n != 1:
			word = k.Plural
		}
		text := fmt.Sprintf("%d %s", n, word)
		if k == kind.Port {
			text += fmt.Sprintf(" (%d active)", s.GetPortsActive())
		}
		out = append(out, text)
	}
	return out
}

// span is a duration for people, in its two largest units.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
