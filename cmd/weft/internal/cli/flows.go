package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) flowsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flows [HOST [BRIDGE]]",
		Short: "Show the rows of bridges, with who wanted them",
		Long: `Read the rows of a bridge, or of all bridges of a host, from the switch, now. With --port, --router or --network only
the rows that are there for it; the host may be left out when it is on one only. Each line is as "ovs-ofctl -O OpenFlow13 dump-flows" prints it without
statistics, and ends in a comment with the object that wanted the row; so the rows of one bridge are a file that
ovs-ofctl reads.

With --watch the rows are read again and again. Then "+" is a row that is new, "-" one that is gone, and with --stats "*"
one that packets went through meanwhile.`,
		Example: `  weft flows compute1 br-tun
  weft flows --port vm1 --stats
  weft flows compute1 br-tun --router edge
  weft flows compute1 br-tun -T UcastToTun -w`,
		Args: cobra.MaximumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return a.objectNames(kind.Host)(cmd, args, toComplete)
			case 1:
				return bridges, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	req := &weftv1.ListFlowsRequest{}
	cmd.Flags().StringVar(&req.Port, "port", "", "only rows of this port")
	complete(cmd, "port", a.objectNames(kind.Port))
	cmd.Flags().StringVar(&req.Router, "router", "", "only rows of this router and its ports")
	complete(cmd, "router", a.objectNames(kind.Router))
	cmd.Flags().StringVar(&req.Network, "network", "", "only rows of this network, its subnets and its ports")
	complete(cmd, "network", a.objectNames(kind.Network))
	cmd.MarkFlagsMutuallyExclusive("port", "router", "network")
	cmd.Flags().StringVarP(&req.Table, "table", "T", "", "only this table, by name or number")
	complete(cmd, "table", cobra.NoFileCompletions)
	stats := cmd.Flags().Bool("stats", false, "packets, bytes and age of each row")
	watch := cmd.Flags().BoolP("watch", "w", false, "go on printing differences until interrupted")
	interval := cmd.Flags().Duration("interval", 2*time.Second, "pause between two reads of --watch")
	format := formatFlag(cmd, "table", "table", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		if *watch && *format != "table" || *interval <= 0 {
			return exit.New(exit.Usage, "--watch goes with the table format only, and --interval must be more than 0")
		}
		switch {
		case len(args) == 0 && req.Port+req.Router+req.Network == "":
			return exit.New(exit.Usage, "flows of which host? name one, or a port, router or network with --port, --router or --network").WithTry("weft get hosts")
		case len(args) == 2:
			req.Bridge = args[1]
		}
		req.Host = first(kind.Host, args)
		resp, err := a.readFlows(ctx, c, req)
		if err != nil {
			return err
		}
		if *format != "table" {
			return a.answer(resp, *format)
		}
		f := &flowPrinter{app: a, stats: *stats, names: newNames(ctx, c).name}
		if *watch {
			return a.watchFlows(ctx, c, req, f, resp, *interval)
		}
		if len(resp.GetFlows()) == 0 {
			a.err.Printf("no such rows\n")
		}
		f.print(resp.GetFlows())
		return nil
	})
	return cmd
}

func (a *app) readFlows(ctx context.Context, c *client.Client, req *weftv1.ListFlowsRequest) (*weftv1.ListFlowsResponse, error) {
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	resp, err := c.Diagnostics.ListFlows(ctx, req)
	if err != nil {
		return nil, c.Fail(err, exit.At("flows"))
	}
	return resp, nil
}

// flowPrinter prints rows under the heads of their bridges and tables.
type flowPrinter struct {
	*app
	stats bool
	names kind.Names
	last  string // head
}

func (f *flowPrinter) print(flows []*weftv1.Flow) {
	for _, fl := range flows {
		f.head(fl)
		f.out.Printf("%s\n", f.line(fl))
	}
}

// head prints the table's name when it is another than that of the row before.
func (f *flowPrinter) head(fl *weftv1.Flow) {
	head := fmt.Sprintf("# %s table %d %s", fl.GetBridge(), fl.GetTable(), fl.GetTableName())
	if head != f.last {
		f.out.Paint(screen.Faint, head)
		f.out.Printf("\n")
		f.last = head
	}
}

func (f *flowPrinter) line(fl *weftv1.Flow) string {
	stats := ""
	if f.stats {
		stats = fmt.Sprintf(", %d packets, %d bytes, %s", fl.GetPackets(), fl.GetBytes(), span(fl.GetAge().AsDuration()))
	}
	return fmt.Sprintf("%s  # %s%s", fl.GetText(), f.owner(fl.GetOwner()), stats)
}

// owner names who wanted a row: port/vm1.
func (f *flowPrinter) owner(o *weftv1.ObjectRef) string { return ownerText(o, f.names) }

func ownerText(o *weftv1.ObjectRef, names kind.Names) string {
	switch {
	case o == nil:
		return "not ours"
	case o.GetName() != "":
		return o.GetKind() + "/" + o.GetName()
	}
	return o.GetKind() + "/" + names(o.GetKind(), o.GetId())
}

// watchFlows prints rows, and then what becomes different.
func (a *app) watchFlows(ctx context.Context, c *client.Client, req *weftv1.ListFlowsRequest, f *flowPrinter, now *weftv1.ListFlowsResponse, interval time.Duration) error {
	f.print(now.GetFlows())
	tick := time.NewTicker(interval)
	defer tick.Stop()
	key := func(fl *weftv1.Flow) string { return fl.GetBridge() + " " + fl.GetText() }
	for {
		before := map[string]*weftv1.Flow{}
		for _, fl := range now.GetFlows() {
			before[key(fl)] = fl
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		next, err := a.readFlows(ctx, c, req)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, fl := range next.GetFlows() {
			was := before[key(fl)]
			delete(before, key(fl))
			switch {
			case was == nil:
				f.mark("+", screen.Good, fl, "")
			case f.stats && fl.GetPackets() > was.GetPackets():
				f.mark("*", screen.Busy, fl, fmt.Sprintf(" (+%d)", fl.GetPackets()-was.GetPackets()))
			}
		}
		for _, fl := range now.GetFlows() {
			if before[key(fl)] != nil {
				f.mark("-", screen.Bad, fl, "")
			}
		}
		now = next
	}
}

func (f *flowPrinter) mark(mark string, tone screen.Tone, fl *weftv1.Flow, more string) {
	f.out.Paint(tone, mark)
	f.out.Printf(" %s  %s%s\n", fl.GetBridge(), f.line(fl), more)
}
