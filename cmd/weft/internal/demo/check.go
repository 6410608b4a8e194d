package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

func (d *demo) checkCommand() *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "check [WORDS...]",
		Short: "Check the running demo with real packets; exit code 1 when a check fails",
		Long: `Checks the running demo with real packets: who reaches whom and who does not, what moves and what goes, and what
survives when processes are killed. Checks make their own networks and VMs and take them away again. With WORDS, only
checks whose name has one of them.`,
		Example: `  weft demo check
  weft demo check vxlan killed`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if list {
				for _, c := range checks.All() {
					d.out.Printf("%s\n", c.Name)
				}
				return nil
			}
			c, err := d.dial()
			if err != nil {
				return err
			}
			defer c.Close()
			failed, err := d.checks(cmd.Context(), c, slices.DeleteFunc(checks.All(), func(c checks.Check) bool { return !named(c.Name, words) }))
			if err == nil && failed {
				err = exit.Answer()
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "name the checks and do nothing")
	return cmd
}

// checks runs checks, a line each. Its last line is "N passed, N failed".
func (d *demo) checks(ctx context.Context, c *cloud.Cloud, which []checks.Check) (anyFailed bool, err error) {
	passed, failed, skipped := 0, 0, 0
	runner := checks.NewRunner(c)
	defer func() { err = errors.Join(err, runner.Close(ctx)) }()
	for _, check := range which {
		if len(c.Lab.Hosts) < check.Hosts {
			d.out.Paint(screen.Faint, "  skip")
			d.out.Printf("  %-50s needs %d hosts\n", check.Name, check.Hosts)
			skipped++
			continue
		}
		r := runner.Run(ctx, check)
		if ctx.Err() != nil {
			return true, fmt.Errorf("check %q: %w", check.Name, context.Cause(ctx))
		}
		if r.Err == nil {
			passed++
			d.out.Paint(screen.Good, "  PASS")
		} else {
			failed++
			d.out.Paint(screen.Bad, "  FAIL")
		}
		d.out.Printf("  %-50s %s (%.1f s)\n", check.Name, result(r), r.Took.Round(100*time.Millisecond).Seconds())
	}
	if passed+failed == 0 {
		return true, nothingRan(skipped)
	}
	d.out.Printf("%d passed, %d failed\n", passed, failed)
	return failed > 0, nil
}

// nothingRan is the error when not a single check was run, though some were skipped perhaps.
func nothingRan(skipped int) error {
	if skipped > 0 {
		return exit.New(exit.Unknown, "nothing was checked: the demo has too few hosts").WithTry("weft demo down; weft demo up")
	}
	return exit.New(exit.Usage, "no check has any of these words in its name").WithTry("weft demo check --list")
}

// result is what was measured, and what was wrong.
func result(r checks.Result) string {
	if r.Err == nil {
		return r.Measured
	}
	wrong := strings.ReplaceAll(r.Err.Error(), "\n", "; ")
	if r.Measured == "" {
		return wrong
	}
	return r.Measured + ": " + wrong
}

// named says whether a name has one of the words, or there are none.
func named(name string, words []string) bool {
	for _, w := range words {
		if strings.Contains(strings.ToLower(name), strings.ToLower(w)) {
			return true
		}
	}
	return len(words) == 0
}
