package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// floatingIPCommand holds what only floating IPs have.
func (a *app) floatingIPCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "floatingip",
		Aliases: kind.FloatingIP.Aliases(),
		Short:   "Let floating IPs stand for ports, or no longer",
	}
	cmd.AddCommand(a.attachCommand(), a.detachCommand())
	return cmd
}

func (a *app) attachCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attach FLOATINGIP PORT",
		Short: "Let a floating IP stand for a port",
		Long: `Let a floating IP stand for a port, from now on: it leaves the port that it stood for before. The router between the port's
subnet and the external network is found by itself.`,
		Example: `  weft floatingip attach 203.0.113.7 vm1
  weft fip attach 203.0.113.7 vm1 --fixed-ip-address 10.0.1.6`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.twoNames(kind.FloatingIP, kind.Port),
	}
	fixed := cmd.Flags().String("fixed-ip-address", "", "which of the port's addresses (default: the port's, when it has one IPv4 address)")
	complete(cmd, "fixed-ip-address", cobra.NoFileCompletions)
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		f := &weftv1.FloatingIP{Metadata: &weftv1.Metadata{Id: kind.FloatingIP.Ref(args[0])}, PortId: kind.Port.Ref(args[1]), FixedIpAddress: *fixed}
		m, err := c.Update(ctx, kind.FloatingIP, f, []string{"port_id", "fixed_ip_address"}, *dry)
		if err != nil {
			return err
		}
		f = m.(*weftv1.FloatingIP)
		a.did(kind.FloatingIP, kind.Ref(m), "attached", *dry, fmt.Sprintf("to port %s (%s)", newNames(ctx, c).name(kind.Port.Name, f.GetPortId()), f.GetFixedIpAddress()))
		return nil
	})
	return cmd
}

func (a *app) detachCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "detach FLOATINGIP",
		Short:             "Let a floating IP stand for no port",
		Long:              "Let a floating IP stand for no port. Its connections are cut at once; the address stays reserved until it is deleted.",
		Example:           "  weft floatingip detach 203.0.113.7",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.FloatingIP)),
	}
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		f := &weftv1.FloatingIP{Metadata: &weftv1.Metadata{Id: kind.FloatingIP.Ref(args[0])}}
		m, err := c.Update(ctx, kind.FloatingIP, f, []string{"port_id", "fixed_ip_address"}, *dry)
		if err != nil {
			return err
		}
		a.did(kind.FloatingIP, kind.Ref(m), "detached", *dry, "")
		return nil
	})
	return cmd
}
