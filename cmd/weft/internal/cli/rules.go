package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules PORT",
		Short: "Show the rules that a port is judged by, with what its host has counted",
		Long: `Show the rules of all security groups of a port, with the packets and bytes that its host has counted, read from the
switch, or from the port's firewall bridge, now. Ports of a host with the same security groups share counters; rules that name a group are counted together, by the
group. Packets that answer a conversation are not counted by rules.`,
		Example: `  weft rules vm1
  weft rules vm1 -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Port)),
	}
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		resp, err := a.askRules(ctx, c, kind.Port.Ref(args[0]))
		if err != nil {
			return err
		}
		if *format != "table" {
			return a.answer(resp, *format)
		}
		a.printRules(resp, "")
		return nil
	})
	return cmd
}

func (a *app) askRules(ctx context.Context, c *client.Client, port string) (*weftv1.GetPortRulesResponse, error) {
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	resp, err := c.Diagnostics.GetPortRules(ctx, &weftv1.GetPortRulesRequest{Port: port})
	if err != nil {
		return nil, c.Fail(err, exit.At("rules"))
	}
	return resp, nil
}

// countedBy says whose packets a rule's counter holds.
func countedBy(r *weftv1.PortRule) string {
	switch r.GetCountedBy() {
	case "rule":
		return "by itself"
	case "remote group":
		return "all that name the group"
	case "same rule":
		return "by rule " + shortID(r.GetSameAs().GetId())
	case "none":
		return "nothing can meet it"
	}
	return r.GetCountedBy()
}

// printRules prints the rules as a table, and what is to be known of the counters.
func (a *app) printRules(resp *weftv1.GetPortRulesResponse, indent string) {
	if m := resp.GetMessage(); m != "" {
		for _, line := range table.Wrap(screen.Line(m), table.MaxWidth-len(indent)) {
			a.out.Printf("%s%s\n", indent, line)
		}
	}
	if !resp.GetSecured() {
		return
	}
	if resp.GetCounted() {
		shared := fmt.Sprintf("counted on %s", resp.GetHost())
		if resp.GetFirewallBridge() {
			shared += ", by firewall bridges"
		}
		if n := resp.GetPortsSharing(); n > 1 {
			shared += fmt.Sprintf(", together for its %d ports with the same security groups", n)
		}
		for _, line := range table.Wrap(screen.Line(shared), table.MaxWidth-len(indent)) {
			a.out.Printf("%s%s\n", indent, line)
		}
	}
	columns := []table.Column{{Head: "GROUP", Elide: true}}
	if resp.GetCounted() {
		columns = append(columns, table.Column{Head: "PACKETS", Right: true}, table.Column{Head: "BYTES", Right: true}, table.Column{Head: "COUNTED", Elide: true})
	}
	columns = append(columns, table.Column{Head: "RULE", Wrap: true})
	var rows [][]table.Cell
	for _, r := range resp.GetRules() {
		row := texts(refName(r.GetSecurityGroup()))
		if resp.GetCounted() {
			row = append(row, texts(fmt.Sprint(r.GetPackets()), fmt.Sprint(r.GetBytes()), countedBy(r))...)
		}
		rows = append(rows, append(row, table.Cell{Text: r.GetText()}))
	}
	if len(rows) == 0 {
		a.out.Printf("%sno rules: nothing passes but what every port needs\n", indent)
	} else {
		table.Write(a.out, columns, rows, limit(false), indent)
	}
	if resp.GetCounted() {
		text := "%srefused of all secured ports of the host: %d packets that they sent, %d to them\n"
		if resp.GetFirewallBridge() {
			text = "%srefused by the port's firewall bridge: %d packets that it sent, %d to it\n"
		}
		a.out.Printf(text, indent, resp.GetRefusedEgressPackets(), resp.GetRefusedIngressPackets())
	}
}
