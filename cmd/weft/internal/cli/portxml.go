package cli

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// portCommand holds what only ports have.
func (a *app) portCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "port",
		Short: "What only ports have",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return exit.New(exit.Usage, "port what? there is: weft port xml PORT").WithTry("weft get ports, weft create port, weft describe port")
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "xml PORT",
		Short: "Print the libvirt <interface> that connects a VM to a port",
		Long: `Print the <interface> element of a libvirt domain that connects a VM to a port: libvirt then puts the tap device into
br-int and writes the port's id into its external_ids:iface-id, by which the port is bound.`,
		Example: `  weft port xml vm1
  virsh attach-device vm1 <(weft port xml vm1) --live --config`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Port)),
		RunE: a.run(func(ctx context.Context, c *client.Client, args []string) error {
			p, err := c.Get(ctx, kind.Port, args[0])
			if err != nil {
				return err
			}
			n, err := c.Get(ctx, kind.Network, p.(*weftv1.Port).GetNetworkId())
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, interfaceXML(p.(*weftv1.Port), n.(*weftv1.Network)))
			return err
		}),
	})
	return cmd
}

// interfaceXML is <interface> as https://libvirt.org/formatdomain.html#network-interfaces has it.
func interfaceXML(p *weftv1.Port, n *weftv1.Network) string {
	attr := func(s string) string {
		var b strings.Builder
		// A strings.Builder takes everything.
		_ = xml.EscapeText(&b, []byte(s))
		return "'" + b.String() + "'"
	}
	return fmt.Sprintf(`<interface type='bridge'>
  <mac address=%s/>
  <source bridge='br-int'/>
  <virtualport type='openvswitch'>
    <parameters interfaceid=%s/>
  </virtualport>
  <model type='virtio'/>
  <mtu size='%d'/>
</interface>
`, attr(p.GetMacAddress()), attr(p.GetMetadata().GetId()), n.GetMtu())
}
