package cli

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// bridges are those that have rows of ours, for completion.
var bridges = []string{"br-int", "br-tun", "br-ex"}

var cookieForm = regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)$`)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain COOKIE|FLOW",
		Short: "Tell which object wanted a row",
		Long: `Tell which object wanted a row of a flow table, from its cookie or from a line of "ovs-ofctl dump-flows" (in quotes).
Ends with 1 when no object did.`,
		Example: `  weft explain 0x57031f0c8a3e0001
  weft explain --bridge br-tun 'cookie=0x57031f0c8a3e0001, table=20, priority=2,dl_vlan=1 actions=drop'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	bridge := cmd.Flags().String("bridge", "", "bridge that the line is from, e.g. br-tun")
	complete(cmd, "bridge", cobra.FixedCompletions(bridges, cobra.ShellCompDirectiveNoFileComp))
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		req := &weftv1.ExplainRequest{Flow: args[0], Bridge: *bridge}
		if cookieForm.MatchString(args[0]) {
			req = &weftv1.ExplainRequest{Cookie: args[0]}
		}
		names := newNames(ctx, c).name
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Diagnostics.Explain(ctx, req)
		if err != nil {
			return c.Fail(err, exit.At("explain"))
		}
		if *format != "table" {
			if err := a.answer(resp, *format); err != nil {
				return err
			}
		} else {
			if resp.GetTableName() != "" {
				abouts := strings.Split(resp.GetTableAbout(), "\n")
				for i, table := range strings.Split(resp.GetTableName(), ", ") {
					about := ""
					if i < len(abouts) {
						about = ": " + abouts[i]
					}
					a.item("table", "%s%s", table, about)
				}
			}
			for _, o := range resp.GetOwners() {
				a.item("wanted by", "%s (id %s)", ownerText(o, names), o.GetId())
			}
			for _, r := range resp.GetRules() {
				a.item("rule", "%s (id %s) of %s: %s", ownerText(r.GetRule(), names), r.GetRule().GetId(), ownerText(r.GetSecurityGroup(), names), r.GetText())
			}
			a.out.Printf("%s\n", resp.GetText())
		}
		if len(resp.GetOwners()) == 0 {
			return exit.Answer()
		}
		return nil
	})
	return cmd
}

func (a *app) driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [HOST]",
		Short: "Compare what switches have with what they should have",
		Long: `Compare the rows that switches have with those that they should have, now, on one host or on all. Ends with 0 when
there is no difference, with 1 when there is one, and with 5 when there is none but not all hosts could be asked.`,
		Example: `  weft drift
  weft drift compute1`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Host)),
	}
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		names := newNames(ctx, c).name
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Diagnostics.ListDrift(ctx, &weftv1.ListDriftRequest{Host: first(kind.Host, args)})
		if err != nil {
			return c.Fail(err, exit.At("drift"))
		}
		if *format != "table" {
			if err := a.answer(resp, *format); err != nil {
				return err
			}
		} else {
			a.printDrift(resp, names)
		}
		e := &exit.Error{Code: exit.Unknown}
		for _, host := range slices.Sorted(maps.Keys(resp.GetErrors())) {
			e.Messages = append(e.Messages, fmt.Sprintf("host %s could not be compared: %s", host, strings.TrimPrefix(resp.GetErrors()[host], "host "+host+": ")))
		}
		if len(resp.GetDrifts()) > 0 {
			e.Code = exit.No
		}
		if e.Code == exit.No || len(e.Messages) > 0 {
			return e
		}
		return nil
	})
	return cmd
}

// first is the first argument, or "".
func first(k *kind.Kind, args []string) string {
	if len(args) == 0 {
		return ""
	}
	return k.Ref(args[0])
}

// printDrift prints differences under the heads of their bridges.
func (a *app) printDrift(resp *weftv1.ListDriftResponse, names kind.Names) {
	marks := map[string]string{"missing": "-", "foreign": "+", "changed": "~"}
	head := ""
	for _, d := range resp.GetDrifts() {
		if h := d.GetHost() + " " + d.GetBridge(); h != head {
			head = h
			a.out.Printf("%s\n", head)
		}
		a.out.Printf("%s ", marks[d.GetKind()])
		a.out.Paint(screen.ToneOf(d.GetKind()), fmt.Sprintf("%-8s", d.GetKind()))
		a.out.Printf(" %s\n           %s", d.GetFlow(), ownerText(d.GetOwner(), names))
		if d.GetAction() != "" {
			a.out.Printf(": %s", d.GetAction())
		}
		a.out.Printf("\n")
	}
	switch n := len(resp.GetDrifts()); {
	case n == 1:
		a.err.Printf("1 difference\n")
	case n > 1:
		a.err.Printf("%d differences\n", n)
	case len(resp.GetErrors()) == 0:
		a.err.Printf("no drift\n")
	}
}

func (a *app) interfacesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "interfaces [HOST]",
		Aliases: []string{"iface", "ifaces"},
		Short:   "Show the interfaces on br-int, and the ports that they carry",
		Long: `Show the interfaces on br-int of one host or of all, with the ports that they carry. Interfaces that belong to no port
(--unbound) are left alone; the last column says why, and what would bind them.`,
		Example: `  weft interfaces
  weft interfaces compute1 --unbound`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Host)),
	}
	unbound := cmd.Flags().Bool("unbound", false, "only those that belong to no port")
	format := formatFlag(cmd, "table", "table", "wide", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		names := newNames(ctx, c).name
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Diagnostics.ListInterfaces(ctx, &weftv1.ListInterfacesRequest{Host: first(kind.Host, args), Unbound: *unbound})
		if err != nil {
			return c.Fail(err, exit.At("interfaces"))
		}
		if *format == "json" || *format == "yaml" {
			return a.answer(resp, *format)
		}
		if len(resp.GetInterfaces()) == 0 {
			a.err.Printf("no interfaces\n")
			return nil
		}
		wide := *format == "wide"
		columns := []table.Column{{Head: "HOST", Elide: true}, {Head: "INTERFACE", Elide: true}, {Head: "OFPORT", Right: true},
			{Head: "IFACE-ID", Elide: true}, {Head: "MAC", Elide: true}, {Head: "PORT", Elide: true}, {Head: "WHY NOT BOUND", Wrap: true}}
		var rows [][]table.Cell
		for _, i := range resp.GetInterfaces() {
			id, port := i.GetIfaceId(), i.GetPortId()
			if !wide {
				id, port = shortID(id), names(kind.Port.Name, port)
			}
			rows = append(rows, texts(i.GetHost(), i.GetName(), fmt.Sprint(i.GetOfport()), id, i.GetAttachedMac(), port, i.GetMessage()))
		}
		table.Write(a.out, columns, rows, limit(wide), "")
		return nil
	})
	return cmd
}
