package cli

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/cmd/weft/internal/table"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) traceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace SRC DST",
		Short: "Follow a packet from a port to another or to an address, and tell what drops it",
		Long: `Follow a packet that begins a conversation from a port to another port or to an address (of a port, a floating IP, or outside),
through the bridges and namespaces of every host that it crosses, by the rows and routes that are there now. No packet is sent.

Each leg is a line: the host, the bridges or the namespace, and what happened there. The last line is the verdict: DELIVERED,
LEFT (to the outside, by a physical network), DROPPED, or UNKNOWN, when the way could not be followed to its end. With
"-o detailed" the rows that decided stand under their legs, with the objects and rules that wanted them.

The connection tracker is taken to see a new connection. Iptables cannot be traced: which addresses it translates is known from the
floating IPs and routers, if its rules are there; what a firewall bridge refuses, from the rules of security groups. Answers take a way of
their own, most of which trace DST SRC shows.

Ends with 0 when the packet is delivered or has left, with 1 when it is dropped, and with 5 when that could not be found out.`,
		Example: `  weft trace vm1 vm2
  weft trace vm1 vm2 --tcp 80 -o detailed
  weft trace vm1 203.0.113.7 --udp 53
  weft trace vm1 2001:db8::5 --from fd00::1 --icmp`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.objectNames(kind.Port)(cmd, args, toComplete)
		},
	}
	req := &weftv1.TraceRequest{}
	ports := map[string]*uint32{}
	for _, name := range []string{"tcp", "udp", "sctp"} {
		ports[name] = cmd.Flags().Uint32(name, 0, "the packet is "+strings.ToUpper(name)+", to this port")
		complete(cmd, name, cobra.NoFileCompletions)
	}
	cmd.Flags().Bool("icmp", false, "the packet is an ICMP echo request, or ICMPv6; this is so if no other protocol is given")
	cmd.Flags().StringVar(&req.Protocol, "protocol", "", "the packet is of another protocol, by name or number")
	complete(cmd, "protocol", cobra.NoFileCompletions)
	cmd.MarkFlagsMutuallyExclusive("tcp", "udp", "sctp", "icmp", "protocol")
	cmd.Flags().Uint32Var(&req.SourcePort, "source-port", 0, "port that TCP, UDP or SCTP comes from (default 40000)")
	complete(cmd, "source-port", cobra.NoFileCompletions)
	cmd.Flags().StringVar(&req.SourceAddress, "from", "", "address of SRC that the packet comes from (default: its first of the same IP version)")
	complete(cmd, "from", cobra.NoFileCompletions)
	format := formatFlag(cmd, "summary", "summary", "detailed", "json", "yaml")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		for name, port := range ports {
			if !cmd.Flags().Changed(name) {
				continue
			}
			if *port == 0 || *port > math.MaxUint16 {
				return exit.New(exit.Usage, fmt.Sprintf("--%s %d is no port; give one of 1..65535", name, *port))
			}
			req.Protocol, req.DestinationPort = name, *port
		}
		req.Source, req.Destination = kind.Port.Ref(args[0]), kind.Port.Ref(args[1])
		names := newNames(ctx, c).name
		ctx, cancel := c.Limit(ctx)
		defer cancel()
		resp, err := c.Diagnostics.Trace(ctx, req)
		if err != nil {
			return c.Fail(err, exit.At("trace"))
		}
		if *format == "json" || *format == "yaml" {
			if err := a.answer(resp, *format); err != nil {
				return err
			}
		} else {
			a.printTrace(resp, *format == "detailed", names)
		}
		switch resp.GetVerdict() {
		case "DELIVERED", "LEFT":
			return nil
		case "DROPPED":
			return exit.Answer()
		}
		// The answer says what is not known, and why.
		return &exit.Error{Code: exit.Unknown}
	})
	return cmd
}

// printTrace prints a line for each leg, and the verdict.
func (a *app) printTrace(t *weftv1.TraceResponse, detailed bool, names kind.Names) {
	a.wrap("", 0, fmt.Sprintf("%s, %s (%s) to %s", t.GetPacket(), refName(t.GetSource()), t.GetSourceAddress(), traceTarget(t)))
	host, place := 0, 0
	for _, l := range t.GetLegs() {
		host, place = max(host, table.Width(l.GetHost())), max(place, table.Width(shortNamespace(l.GetPlace())))
	}
	// Names that are as long as half a line have lines of their own.
	host, place = min(host, maxLegName), min(place, maxLegName)
	for i, l := range t.GetLegs() {
		a.wrap(fmt.Sprintf("%2d %s  %s  ", i+1, pad(l.GetHost(), host), pad(shortNamespace(l.GetPlace()), place)), 3+host+2+place+2, l.GetText())
		for _, n := range l.GetNotes() {
			a.wrap("", 3+host+2, n)
		}
		if detailed {
			a.printSteps(l, names)
		}
	}
	lines := table.Wrap(screen.Line(t.GetVerdict()+" "+t.GetText()), table.MaxWidth)
	if first, ok := strings.CutPrefix(lines[0], t.GetVerdict()); ok {
		a.out.Paint(toneOfVerdict(t.GetVerdict()), t.GetVerdict())
		lines[0] = first
	}
	for _, line := range lines {
		a.out.Printf("%s\n", line)
	}
	var behind []string
	for _, h := range t.GetHosts() {
		if !h.GetInSync() {
			behind = append(behind, h.GetHost())
		}
	}
	if len(t.GetHosts()) > 0 {
		sync := "hosts on the way in sync"
		if len(behind) > 0 {
			sync = "not in sync: " + strings.Join(behind, ", ")
		}
		a.wrap("", 0, fmt.Sprintf("(at %s, revision %d, %s)", t.GetTime().AsTime().In(a.Now().Location()).Format("15:04:05"), t.GetRevision(), sync))
	}
	if t.GetNext() != "" {
		a.err.Printf("try: %s\n", t.GetNext())
	}
}

// maxLegName is how wide the host of a leg, or its place, may be beside what happened there.
const maxLegName = 24

// pad fills a text up to a width.
func pad(s string, width int) string {
	s = screen.Line(s)
	return s + strings.Repeat(" ", max(0, width-table.Width(s)))
}

// wrap prints a text after a head, in lines that are not too long; from the second on they are indented.
func (a *app) wrap(head string, indent int, text string) {
	if table.Width(head) > indent || head == "" {
		for _, line := range table.Wrap(head, table.MaxWidth) {
			a.out.Printf("%s\n", line)
		}
		head = strings.Repeat(" ", indent)
	}
	for _, line := range table.Wrap(screen.Line(text), table.MaxWidth-indent) {
		a.out.Printf("%s%s\n", head, line)
		head = strings.Repeat(" ", indent)
	}
}

func traceTarget(t *weftv1.TraceResponse) string {
	if t.GetDestination() == nil {
		return t.GetDestinationAddress()
	}
	return fmt.Sprintf("%s (%s)", refName(t.GetDestination()), t.GetDestinationAddress())
}

func toneOfVerdict(v string) screen.Tone {
	switch v {
	case "DELIVERED", "LEFT":
		return screen.Good
	case "DROPPED":
		return screen.Bad
	}
	return screen.Busy
}

// printSteps prints the rows of a leg. What only leads on is one line for several tables.
func (a *app) printSteps(l *weftv1.TraceLeg, names kind.Names) {
	const indent = "     "
	var passed []string
	flush := func() {
		if len(passed) > 0 {
			a.out.Paint(screen.Faint, indent+"passes "+strings.Join(passed, ", "))
			a.out.Printf("\n")
			passed = nil
		}
	}
	for i, s := range l.GetSteps() {
		name := strings.TrimSpace(fmt.Sprintf("%s %d %s", s.GetBridge(), s.GetTable(), s.GetTableName()))
		if s.GetTrivial() && i < len(l.GetSteps())-1 {
			passed = append(passed, name)
			continue
		}
		flush()
		a.out.Printf("%s%s\n", indent, name)
		a.out.Printf("%s  %s\n", indent, s.GetRow())
		if s.GetCookie() != 0 {
			a.out.Paint(screen.Faint, fmt.Sprintf("%s  # %s", indent, ownerText(s.GetOwner(), names)))
			a.out.Printf("\n")
		}
		for _, r := range s.GetRules() {
			a.out.Printf("%s  # %s: %s\n", indent, refName(r.GetSecurityGroup()), r.GetText())
		}
	}
	flush()
}
