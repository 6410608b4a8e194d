package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// placedKinds are the kinds that "where" can be asked about.
var placedKinds = []*kind.Kind{kind.Router, kind.Network, kind.FloatingIP, kind.Port}

func (a *app) whereCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "where [KIND] NAME",
		Short: "Tell which hosts have a router, network, floating IP or port, as what, and why",
		Long: `Tell on which hosts a router, network, floating IP or port is, as what, and why there: the namespaces qrouter-, snat-,
fip- and qdhcp-, as "ip netns" lists them, and interfaces of br-int. The kind may be left out when only one kind of object is
called so. Ends with 0 when it is everywhere where it should be, else with 1.`,
		Example: `  weft where edge
  weft where router edge
  weft where 203.0.113.7
  weft where network/blue -o wide`,
		Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				var words []string
				for _, k := range placedKinds {
					words = append(words, k.Name)
				}
				return words, cobra.ShellCompDirectiveNoFileComp
			case 1:
				if k := kind.Find(args[0]); k != nil {
					return a.objectNames(k)(cmd, args, toComplete)
				}
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	format := formatFlag(cmd, "table", "table", "wide", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		req, err := whereRequest(args)
		if err != nil {
			return err
		}
		resp, err := a.askWhere(ctx, c, req)
		if err != nil {
			return err
		}
		if *format == "json" || *format == "yaml" {
			if err := a.answer(resp, *format); err != nil {
				return err
			}
		} else {
			a.printWhere(resp, *format == "wide")
		}
		for _, p := range resp.GetPlaces() {
			if p.GetState() != "ACTIVE" {
				return exit.Answer()
			}
		}
		return nil
	})
	return cmd
}

// whereRequest reads "edge", "router edge" and "router/edge".
func whereRequest(args []string) (*weftv1.WhereRequest, error) {
	if len(args) == 1 {
		if word, ref, ok := strings.Cut(args[0], "/"); ok && kind.Find(word) != nil {
			args = []string{word, ref}
		} else {
			return &weftv1.WhereRequest{Object: args[0]}, nil
		}
	}
	k := kind.Find(args[0])
	if k == nil {
		var words []string
		for _, k := range placedKinds {
			words = append(words, k.Name)
		}
		return nil, exit.New(exit.Usage, fmt.Sprintf("%q is not a kind: there are %s", args[0], strings.Join(words, ", "))).WithTry("weft where --help")
	}
	return &weftv1.WhereRequest{Kind: k.Name, Object: k.Ref(args[1])}, nil
}

func (a *app) askWhere(ctx context.Context, c *client.Client, req *weftv1.WhereRequest) (*weftv1.WhereResponse, error) {
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	resp, err := c.Diagnostics.Where(ctx, req)
	if err != nil {
		return nil, c.Fail(err, exit.At("where"))
	}
	return resp, nil
}

func (a *app) printWhere(resp *weftv1.WhereResponse, wide bool) {
	if len(resp.GetPlaces()) == 0 {
		a.err.Printf("%s/%s is on no host, and needs none\n", resp.GetObject().GetKind(), refName(resp.GetObject()))
		return
	}
	a.placeTable(resp.GetPlaces(), wide, "")
}

// placeTable prints places; what is wrong with one stands behind why it is there.
func (a *app) placeTable(places []*weftv1.Place, wide bool, indent string) {
	columns := []table.Column{{Head: "HOST", Elide: true}, {Head: "WHAT", Elide: true}, {Head: "STATE", Elide: true}, {Head: "WHY", Wrap: true}}
	if wide {
		columns = append(columns[:3], table.Column{Head: "SINCE"}, columns[3])
	}
	var rows [][]table.Cell
	for _, p := range places {
		host, what, why := p.GetHost(), p.GetWhat(), p.GetWhy()
		if host == "" {
			host = "(none)"
		}
		if !wide {
			what = shortNamespace(what)
		}
		if p.GetMessage() != "" && p.GetState() != "ACTIVE" {
			why += "; " + p.GetMessage()
		}
		row := append(texts(host, what), table.Cell{Text: p.GetState(), Tone: screen.ToneOf(p.GetState())})
		if wide {
			since := ""
			if p.GetSince() != nil {
				since = a.clock(p.GetSince())
			}
			row = append(row, table.Cell{Text: since})
		}
		rows = append(rows, append(row, table.Cell{Text: why}))
	}
	table.Write(a.out, columns, rows, limit(wide), indent)
}

// shortNamespace cuts the id in a namespace's name as ids are cut in tables; "weft ns" takes it like that.
func shortNamespace(what string) string {
	if prefix, id, ok := strings.Cut(what, "-"); ok && shortID(id) != id {
		return prefix + "-" + shortID(id)
	}
	return what
}
