package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// routerCommand holds what only routers have.
func (a *app) routerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "router",
		Aliases: kind.Router.Aliases(),
		Short:   "Connect routers with subnets and external networks",
	}
	for _, what := range []*kind.Kind{kind.Subnet, kind.Port} {
		cmd.AddCommand(a.addInterfaceCommand(what), a.removeInterfaceCommand(what))
	}
	cmd.AddCommand(a.setGatewayCommand(), a.unsetGatewayCommand())
	return cmd
}

// twoNames completes the names of one kind and then of another.
func (a *app) twoNames(first, second *kind.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return a.objectNames(first)(cmd, args, toComplete)
		case 1:
			return a.objectNames(second)(cmd, args, toComplete)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) addInterfaceCommand(what *kind.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("add-%s ROUTER %s", what.Name, strings.ToUpper(what.Name)),
		Short:             "Connect a router with a subnet: as its gateway",
		Example:           "  weft router add-subnet edge blue-v4",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.twoNames(kind.Router, what),
	}
	if what == kind.Port {
		cmd.Short = "Connect a router with the subnets of a port, by the port's addresses"
		cmd.Example = "  weft router add-port edge blue-inner"
	}
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		req := &weftv1.AddRouterInterfaceRequest{Id: kind.Router.Ref(args[0]), ValidateOnly: *dry}
		if what == kind.Port {
			req.PortId = what.Ref(args[1])
		} else {
			req.SubnetId = what.Ref(args[1])
		}
		limited, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Routers.AddRouterInterface(limited, req)
		if err != nil {
			return c.Fail(err, exit.At(kind.Router.Subject(args[0])))
		}
		a.interfaceDid(ctx, c, resp.GetRouter(), resp.GetInterface(), "added", *dry)
		return nil
	})
	return cmd
}

func (a *app) removeInterfaceCommand(what *kind.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("remove-%s ROUTER %s", what.Name, strings.ToUpper(what.Name)),
		Short:             "Disconnect a router from a subnet",
		Example:           "  weft router remove-subnet edge blue-v4",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.twoNames(kind.Router, what),
	}
	if what == kind.Port {
		cmd.Short = "Disconnect a router from the subnets of its port, and remove the port"
		cmd.Example = "  weft router remove-port edge blue-inner"
	}
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		req := &weftv1.RemoveRouterInterfaceRequest{Id: kind.Router.Ref(args[0]), ValidateOnly: *dry}
		if what == kind.Port {
			req.PortId = what.Ref(args[1])
		} else {
			req.SubnetId = what.Ref(args[1])
		}
		limited, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Routers.RemoveRouterInterface(limited, req)
		if err != nil {
			return c.Fail(err, exit.At(kind.Router.Subject(args[0])))
		}
		a.interfaceDid(ctx, c, resp.GetRouter(), resp.GetInterface(), "removed", *dry)
		return nil
	})
	return cmd
}

// interfaceDid says what became of a router's interface.
func (a *app) interfaceDid(ctx context.Context, c *client.Client, r *weftv1.Router, i *weftv1.RouterInterface, action string, dry bool) {
	more := "on subnet " + newNames(ctx, c).name(kind.Subnet.Name, i.GetSubnetId())
	if ips := i.GetIpAddresses(); len(ips) > 0 {
		more += " with " + strings.Join(ips, ", ")
	}
	a.did(kind.Router, kind.Ref(r), "interface "+action, dry, more)
}

func (a *app) setGatewayCommand() *cobra.Command {
	gateway := &weftv1.Router{ExternalGatewayInfo: &weftv1.ExternalGatewayInfo{EnableSnat: proto.Bool(true)}}
	cmd := &cobra.Command{
		Use:   "set-gateway ROUTER NETWORK",
		Short: "Connect a router with an external network",
		Long: `Connect a router with an external network. With the network that it is on already, it keeps its addresses unless others are
given.`,
		Example: `  weft router set-gateway edge public
  weft router set-gateway edge public --external-fixed-ip 203.0.113.2 --disable-snat`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.twoNames(kind.Router, kind.Network),
	}
	a.fieldFlags(cmd, kind.Router, gateway, false, func(f *kind.Field) bool {
		block, name := f.Block()
		return block != gatewayField || name == "network_id"
	})
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		gateway.Metadata = &weftv1.Metadata{Id: kind.Router.Ref(args[0])}
		gateway.ExternalGatewayInfo.NetworkId = kind.Network.Ref(args[1])
		m, err := c.Update(ctx, kind.Router, gateway, []string{gatewayField}, *dry)
		if err != nil {
			return err
		}
		var ips []string
		for _, f := range m.(*weftv1.Router).GetExternalGatewayInfo().GetExternalFixedIps() {
			ips = append(ips, f.GetIpAddress())
		}
		a.did(kind.Router, kind.Ref(m), "gateway set", *dry, fmt.Sprintf("on network %s with %s",
			newNames(ctx, c).name(kind.Network.Name, m.(*weftv1.Router).GetExternalGatewayInfo().GetNetworkId()), strings.Join(ips, ", ")))
		return nil
	})
	return cmd
}

// gatewayField is the block of a router's fields about its gateway.
const gatewayField = "external_gateway_info"

func (a *app) unsetGatewayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "unset-gateway ROUTER",
		Short:             "Disconnect a router from its external network",
		Example:           "  weft router unset-gateway edge",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Router)),
	}
	dry := dryRunFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		m, err := c.Update(ctx, kind.Router, &weftv1.Router{Metadata: &weftv1.Metadata{Id: kind.Router.Ref(args[0])}}, []string{gatewayField}, *dry)
		if err != nil {
			return err
		}
		a.did(kind.Router, kind.Ref(m), "gateway unset", *dry, "")
		return nil
	})
	return cmd
}
