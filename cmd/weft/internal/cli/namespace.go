package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) namespaceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ns HOST NAMESPACE",
		Aliases: []string{"namespace", "netns"},
		Short:   "Compare a namespace of a host with what it should be",
		Long: `Have the agent of a host look into a network namespace, now, and compare the links, addresses, routes, rules, neighbours,
sysctls, iptables rules and processes in it with those that should be there. "-" is missing, "+" is there and should not be.
The id in the namespace's name may be cut short, or be the name of the router or network. Ends with 0 when all is as it
should be, with 1 when something differs, and with 5 when the host could not be asked.`,
		Example: `  weft ns compute1 qrouter-edge
  weft ns network1 snat-3f0c9d52
  weft ns network1 qdhcp-blue --diff`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.namespaceNames,
	}
	diff := cmd.Flags().Bool("diff", false, "only what differs")
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Diagnostics.GetNamespace(ctx, &weftv1.GetNamespaceRequest{Host: kind.Host.Ref(args[0]), Namespace: args[1]})
		if err != nil {
			return c.Fail(err, exit.At("ns"))
		}
		differing := slices.DeleteFunc(slices.Clone(resp.GetLines()), func(l *weftv1.NamespaceLine) bool { return l.GetState() == "ok" })
		if *diff {
			resp.Lines = differing
		}
		if *format != "table" {
			if err := a.answer(resp, *format); err != nil {
				return err
			}
		} else {
			a.printNamespace(resp, len(differing))
		}
		if len(differing) > 0 {
			return exit.Answer()
		}
		return nil
	})
	return cmd
}

// printNamespace prints lines under the heads of their sections.
func (a *app) printNamespace(resp *weftv1.GetNamespaceResponse, differing int) {
	a.out.Printf("%s on %s\n", resp.GetNamespace(), resp.GetHost())
	marks := map[string]string{"missing": "-", "foreign": "+"}
	section := ""
	for _, l := range resp.GetLines() {
		if l.GetSection() != section {
			section = l.GetSection()
			a.out.Paint(screen.Faint, section)
			a.out.Printf("\n")
		}
		mark := marks[l.GetState()]
		if mark == "" {
			mark = " "
		}
		a.out.Printf("%s ", mark)
		a.out.Paint(screen.ToneOf(l.GetState()), l.GetState())
		a.out.Printf("%*s %s\n", max(0, len("missing")-len(l.GetState())), "", l.GetText())
	}
	switch differing {
	case 0:
		a.err.Printf("all is as it should be\n")
	case 1:
		a.err.Printf("1 difference\n")
	default:
		a.err.Printf("%d differences\n", differing)
	}
}

// namespaceNames completes hosts, and then the namespaces that should be on the host.
func (a *app) namespaceNames(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.objectNames(kind.Host)(cmd, args, toComplete)
	case 1:
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.dial()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer c.Close()
	host := kind.Host.Ref(args[0])
	routers, _, err := c.List(cmd.Context(), kind.Router, map[string]string{"host": host})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, m := range routers {
		r := m.(*weftv1.Router)
		if slices.Contains(r.GetStatus().GetHosts(), host) {
			out = append(out, "qrouter-"+r.GetMetadata().GetId())
		}
		if r.GetStatus().GetGatewayHost() == host && r.GetDistributed() {
			out = append(out, "snat-"+r.GetMetadata().GetId())
		}
	}
	for owner, prefix := range map[string]string{"network:dhcp": "qdhcp-", "network:floatingip_agent_gateway": "fip-"} {
		ports, _, err := c.List(cmd.Context(), kind.Port, map[string]string{"host": host, "device_owner": owner})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, m := range ports {
			out = append(out, prefix+m.(*weftv1.Port).GetNetworkId())
		}
	}
	slices.Sort(out)
	return out, cobra.ShellCompDirectiveNoFileComp
}
