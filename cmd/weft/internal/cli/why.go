package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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

func (a *app) whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why PORT|FLOATINGIP",
		Short: "Go through all that a port needs, and tell what is wrong",
		Long: `Go through all that a port needs, and tell what is wrong: the port itself, its network and floating IP, and its host, as they say of
themselves; and, by traces, whether it reaches the DHCP servers of its network, its gateways, the metadata service, and what is beyond
the external gateway of its router. A floating IP stands for its port.

Each line begins with ok, FAIL, ? (could not be found out) or - (there is nothing to look at). Who reaches the port is asked by "weft
trace SRC PORT".

Ends with 0 when nothing wrong is found, with 1 when something is, and with 5 when something could not be found out.`,
		Example: `  weft why vm1
  weft why 203.0.113.7`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(kind.Port)),
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		q := &inquest{ctx: ctx, client: c}
		if err := q.hold(args[0]); err != nil {
			return err
		}
		return a.printFindings(q)
	})
	return cmd
}

// Outcomes of what "why" looks at.
const (
	fine     = "ok"
	wrong    = "FAIL"
	unclear  = "?"
	nothing  = "-"
	outcomes = 4 // columns of the longest
)

// finding is what was found at one place.
type finding struct {
	outcome, what, text string
	// next is a command to type.
	next string
}

// inquest looks at a port, and at what that needs.
type inquest struct {
	ctx    context.Context
	client *client.Client

	port     *weftv1.Port
	network  *weftv1.Network // nil: it could not be read
	findings []finding
}

func (q *inquest) find(outcome, what, text, next string) {
	q.findings = append(q.findings, finding{outcome, what, text, next})
}

// hold looks at everything. An error says that the port is not known.
func (q *inquest) hold(ref string) error {
	m, err := q.client.Get(q.ctx, kind.Port, ref)
	var missing *exit.Error
	if errors.As(err, &missing) && missing.Code == exit.NotFound {
		f, fipErr := q.client.Get(q.ctx, kind.FloatingIP, ref)
		if fipErr != nil {
			return err // as a port it is not known
		}
		fip := f.(*weftv1.FloatingIP)
		if fip.GetPortId() == "" {
			return exit.New(exit.No, fmt.Sprintf("floatingip %s stands for no port", kind.Ref(fip))).WithTry("weft floatingip attach " + kind.Ref(fip) + " PORT")
		}
		m, err = q.client.Get(q.ctx, kind.Port, fip.GetPortId())
	}
	if err != nil {
		return err
	}
	q.port = m.(*weftv1.Port)
	q.conditions(kind.Port, q.port, q.port.GetStatus().GetConditions())
	if n, ok := q.object(kind.Network, q.port.GetNetworkId()).(*weftv1.Network); ok {
		q.network = n
		q.conditions(kind.Network, n, n.GetStatus().GetConditions())
	}
	for _, f := range q.list(kind.FloatingIP, map[string]string{"port_id": q.port.GetMetadata().GetId()}) {
		q.conditions(kind.FloatingIP, f, f.(*weftv1.FloatingIP).GetStatus().GetConditions())
	}
	host := q.port.GetStatus().GetHost()
	if host == "" {
		q.find(nothing, "traces", "the port is on no host", "")
		return nil
	}
	if h, ok := q.object(kind.Host, host).(*weftv1.Host); ok {
		q.conditions(kind.Host, h, h.GetStatus().GetConditions())
	}
	q.neighbours()
	return nil
}

// object reads one of those that the port needs; what cannot be read is a finding.
func (q *inquest) object(k *kind.Kind, id string) kind.Message {
	m, err := q.client.Get(q.ctx, k, id)
	if err != nil {
		q.find(unclear, k.Name+" "+shortID(id), errorText(err), "")
		return nil
	}
	return m
}

func (q *inquest) list(k *kind.Kind, filters map[string]string) []kind.Message {
	all, _, err := q.client.List(q.ctx, k, filters)
	if err != nil {
		q.find(unclear, k.Plural, errorText(err), "")
	}
	return all
}

// conditions are what an object says of itself.
func (q *inquest) conditions(k *kind.Kind, m kind.Message, all []*weftv1.Condition) {
	ref := kind.Ref(m)
	if k != kind.Host && k != kind.FloatingIP && ref == m.GetMetadata().GetId() {
		ref = shortID(ref)
	}
	for _, c := range all {
		outcome, next := fine, ""
		switch {
		case c.GetStatus() == "True":
		case c.GetStatus() == "False" && c.GetReason() != "Behind": // that is busy
			outcome, next = wrong, fmt.Sprintf("weft describe %s %s", k.Name, ref)
		default:
			outcome = unclear
		}
		text := c.GetMessage()
		if text == "" {
			text = strings.TrimSpace(c.GetReason())
		}
		q.find(outcome, fmt.Sprintf("%s %s %s", k.Name, ref, c.GetType()), text, next)
	}
}

// neighbours traces to those that a machine needs.
func (q *inquest) neighbours() {
	ports := q.list(kind.Port, map[string]string{"network_id": q.port.GetNetworkId()})
	subnets := map[string]*weftv1.Subnet{}
	for _, m := range q.list(kind.Subnet, map[string]string{"network_id": q.port.GetNetworkId()}) {
		subnets[m.GetMetadata().GetId()] = m.(*weftv1.Subnet)
	}
	for _, m := range ports {
		p := m.(*weftv1.Port)
		if p.GetDeviceOwner() != "network:dhcp" {
			continue
		}
		for _, f := range p.GetFixedIps() {
			req := &weftv1.TraceRequest{Destination: f.GetIpAddress(), Protocol: "udp", SourcePort: 68, DestinationPort: 67}
			if !isIPv4(f.GetIpAddress()) {
				if !slices.ContainsFunc(q.port.GetFixedIps(), func(own *weftv1.FixedIP) bool { return own.GetSubnetId() == f.GetSubnetId() }) {
					continue // the port has nothing to ask it
				}
				req.SourcePort, req.DestinationPort = 546, 547
			}
			q.trace("DHCP server "+f.GetIpAddress(), req)
		}
	}
	asked := map[string]bool{}
	for _, f := range q.port.GetFixedIps() {
		s := subnets[f.GetSubnetId()]
		gateway := s.GetGatewayIp()
		if s == nil || asked[gateway] {
			continue
		}
		asked[gateway] = true
		by := portAt(ports, gateway)
		switch {
		case gateway == "":
			q.find(nothing, "gateway", fmt.Sprintf("subnet %s has none: it leads nowhere", kind.Ref(s)), "")
			continue
		case by == nil && q.network != nil && !slices.Contains([]string{"vlan", "flat"}, q.network.GetProviderNetworkType()):
			q.find(nothing, "gateway "+gateway, fmt.Sprintf("no router is on subnet %s: it leads nowhere", kind.Ref(s)), "")
			continue
		}
		q.trace("gateway "+gateway, &weftv1.TraceRequest{Destination: gateway, SourceAddress: f.GetIpAddress()})
		if !strings.HasPrefix(by.GetDeviceOwner(), "network:router_interface") || !isIPv4(gateway) {
			continue
		}
		q.trace("metadata service", &weftv1.TraceRequest{Destination: "169.254.169.254", Protocol: "tcp", DestinationPort: 80, SourceAddress: f.GetIpAddress()})
		q.world(by.GetDeviceId(), f.GetIpAddress())
	}
}

// world traces to what is beyond the external gateway of a router.
func (q *inquest) world(router, from string) {
	r, ok := q.object(kind.Router, router).(*weftv1.Router)
	if !ok {
		return
	}
	external := r.GetExternalGatewayInfo().GetNetworkId()
	if external == "" {
		q.find(nothing, "the world", fmt.Sprintf("router %s has no external gateway", kind.Ref(r)), "")
		return
	}
	for _, m := range q.list(kind.Subnet, map[string]string{"network_id": external}) {
		if gateway := m.(*weftv1.Subnet).GetGatewayIp(); isIPv4(gateway) {
			q.trace("the world, "+gateway, &weftv1.TraceRequest{Destination: gateway, SourceAddress: from})
			return
		}
	}
	q.find(nothing, "the world", "no subnet of the external network has a gateway", "")
}

// portAt is the port of a network that has an address; nil when none has.
func portAt(ports []kind.Message, address string) *weftv1.Port {
	for _, m := range ports {
		p := m.(*weftv1.Port)
		if slices.ContainsFunc(p.GetFixedIps(), func(f *weftv1.FixedIP) bool { return f.GetIpAddress() == address }) {
			return p
		}
	}
	return nil
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

// trace follows a packet of the port's.
func (q *inquest) trace(what string, req *weftv1.TraceRequest) {
	req.Source = q.port.GetMetadata().GetId()
	ctx, cancel := q.client.Limit(q.ctx)
	defer cancel()
	t, err := q.client.Diagnostics.Trace(ctx, req)
	if err != nil {
		q.find(unclear, what, errorText(q.client.Fail(err, exit.At("trace"))), "")
		return
	}
	outcome, next := fine, ""
	switch t.GetVerdict() {
	case "DELIVERED", "LEFT":
	case "DROPPED":
		outcome, next = wrong, traceLine(kind.Ref(q.port), req)
	default:
		outcome, next = unclear, traceLine(kind.Ref(q.port), req)
	}
	q.find(outcome, what, fmt.Sprintf("%s %s", t.GetVerdict(), t.GetText()), next)
}

// traceLine is the command that shows the way of a packet.
func traceLine(port string, req *weftv1.TraceRequest) string {
	line := fmt.Sprintf("weft trace %s %s", port, req.GetDestination())
	if req.GetProtocol() != "" {
		line += fmt.Sprintf(" --%s %d", req.GetProtocol(), req.GetDestinationPort())
	}
	if req.GetSourcePort() != 0 {
		line += fmt.Sprintf(" --source-port %d", req.GetSourcePort())
	}
	return line
}

// errorText is an error in one line.
func errorText(err error) string {
	return screen.Line(err.Error())
}

// printFindings prints what was found, and answers with the worst of it.
func (a *app) printFindings(q *inquest) error {
	var addresses []string
	for _, f := range q.port.GetFixedIps() {
		addresses = append(addresses, f.GetIpAddress())
	}
	head := fmt.Sprintf("port %s (%s)", kind.Ref(q.port), strings.Join(addresses, ", "))
	if host := q.port.GetStatus().GetHost(); host != "" {
		head += " on " + host
	}
	a.wrap("", 0, head)
	room := 0
	for _, f := range q.findings {
		room = min(max(room, table.Width(f.what)), maxFindingName)
	}
	bad, open := 0, 0
	var next []string
	for _, f := range q.findings {
		switch f.outcome {
		case wrong:
			bad++
		case unclear:
			open++
		}
		a.wrap(fmt.Sprintf(" %s  %s  ", pad(f.outcome, outcomes), pad(f.what, room)), 1+outcomes+2+room+2, f.text)
		if f.next != "" && !slices.Contains(next, f.next) {
			next = append(next, f.next)
		}
	}
	switch {
	case bad == 0 && open == 0:
		a.out.Paint(screen.Good, "nothing wrong was found")
	case bad == 0:
		a.out.Paint(screen.Busy, fmt.Sprintf("%d could not be found out", open))
	default:
		a.out.Paint(screen.Bad, fmt.Sprintf("%d wrong", bad))
	}
	a.out.Printf("\n")
	for _, line := range next {
		a.err.Printf("try: %s\n", line)
	}
	switch {
	case bad > 0:
		return exit.Answer()
	case open > 0:
		return &exit.Error{Code: exit.Unknown}
	}
	return nil
}

// maxFindingName is how wide the name of a place may be beside what was found there.
const maxFindingName = 34
