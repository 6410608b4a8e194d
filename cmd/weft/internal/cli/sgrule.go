package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// ruleFlags are the flags by which people know the fields of a rule from other tools, put into a rule. Those that were not
// given say nothing.
type ruleFlags struct {
	rule                      *weftv1.SecurityGroupRule
	changed                   func(flag string) bool
	ingress, egress           *bool
	ports, icmpType, icmpCode *string
}

// newRuleFlags gives a command the flags. Changing says that the command changes a rule that is there.
func newRuleFlags(cmd *cobra.Command, r *weftv1.SecurityGroupRule, changing bool) *ruleFlags {
	flags := cmd.Flags()
	none := ""
	if changing {
		none = `; "none": all`
	}
	f := &ruleFlags{
		rule: r, changed: flags.Changed,
		ingress:  flags.Bool("ingress", false, "the same as --direction ingress"),
		egress:   flags.Bool("egress", false, "the same as --direction egress"),
		ports:    flags.String("dst-port", "", "destination `ports`: one, or several: 80:90"+none),
		icmpType: flags.String("icmp-type", "", "ICMP type, a `number` in 0..255, with any code unless --icmp-code is given"+none),
		icmpCode: flags.String("icmp-code", "", "ICMP code, a `number` in 0..255"+none),
	}
	cmd.MarkFlagsMutuallyExclusive("ingress", "egress", "direction")
	for _, first := range []string{"dst-port", "icmp-type"} {
		cmd.MarkFlagsMutuallyExclusive(first, "port-range-min")
		cmd.MarkFlagsMutuallyExclusive(first, "port-range-max")
	}
	cmd.MarkFlagsMutuallyExclusive("icmp-code", "port-range-max")
	cmd.MarkFlagsMutuallyExclusive("dst-port", "icmp-type")
	cmd.MarkFlagsMutuallyExclusive("dst-port", "icmp-code")
	for _, flag := range []string{"ingress", "egress", "dst-port", "icmp-type", "icmp-code"} {
		complete(cmd, flag, cobra.NoFileCompletions)
	}
	return f
}

// paths are the paths of the fields that the given flags speak of.
func (f *ruleFlags) paths() []string {
	var paths []string
	if *f.ingress || *f.egress {
		paths = append(paths, "direction")
	}
	if f.changed("dst-port") || f.changed("icmp-type") {
		paths = append(paths, "port_range_min")
	}
	if f.changed("dst-port") || f.changed("icmp-type") || f.changed("icmp-code") {
		paths = append(paths, "port_range_max")
	}
	return paths
}

// protocolOf is the protocol that a rule will have which a command changes: that of the rule as it is, unless a flag gives
// another. It is needed only for flags that mean something with some protocols.
func (f *ruleFlags) protocolOf(ctx context.Context, c *client.Client, ref string) (string, error) {
	if f.changed("protocol") || len(f.paths()) == 0 {
		return f.rule.GetProtocol(), nil
	}
	m, err := c.Get(ctx, kind.SecurityGroupRule, ref)
	if err != nil {
		return "", err
	}
	return m.(*weftv1.SecurityGroupRule).GetProtocol(), nil
}

// take puts what was given into the rule, which is, or will be, of a protocol; "" is any.
func (f *ruleFlags) take(protocol string) error {
	switch {
	case *f.ingress:
		f.rule.Direction = "ingress"
	case *f.egress:
		f.rule.Direction = "egress"
	}
	icmp := slices.Contains([]string{"icmp", "icmpv6", "ipv6-icmp", "1", "58"}, strings.ToLower(protocol))
	for _, flag := range []string{"icmp-type", "icmp-code"} {
		if f.changed(flag) && protocol != "" && !icmp {
			return exit.New(exit.Usage, fmt.Sprintf("--%s: %s has neither types nor codes: give --protocol icmp or icmpv6 with it, or --dst-port instead", flag, protocol))
		}
	}
	if f.changed("icmp-type") {
		n, err := octet("icmp-type", *f.icmpType)
		if err != nil {
			return err
		}
		f.rule.PortRangeMin, f.rule.PortRangeMax = n, nil
	}
	if f.changed("icmp-code") {
		n, err := octet("icmp-code", *f.icmpCode)
		if err != nil {
			return err
		}
		f.rule.PortRangeMax = n
	}
	if !f.changed("dst-port") {
		return nil
	}
	if isNone(*f.ports) {
		f.rule.PortRangeMin, f.rule.PortRangeMax = nil, nil
		return nil
	}
	first, last, err := portRange(*f.ports)
	if err != nil {
		return exit.New(exit.Usage, "--dst-port: "+err.Error())
	}
	if icmp {
		instead := fmt.Sprintf("--icmp-type %d", first)
		if strings.Contains(*f.ports, ":") {
			instead += fmt.Sprintf(" --icmp-code %d", last)
		}
		return exit.New(exit.Usage, fmt.Sprintf("--dst-port: %s has no ports, but types and codes: write %s", protocol, instead))
	}
	f.rule.PortRangeMin, f.rule.PortRangeMax = proto.Uint32(first), proto.Uint32(last)
	return nil
}

func isNone(s string) bool { return s == "" || s == "none" }

// octet reads the value of a flag, 0..255; none is nil.
func octet(flag, s string) (*uint32, error) {
	if isNone(s) {
		return nil, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return nil, exit.New(exit.Usage, fmt.Sprintf("--%s: %q is not a whole number in 0..255", flag, s))
	}
	return proto.Uint32(uint32(n)), nil
}

// portRange reads 80 or 80:90.
func portRange(s string) (first, last uint32, err error) {
	from, to, several := strings.Cut(s, ":")
	if !several {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, fmt.Errorf("%q is not a port or a range of ports: write 80 or 80:90", s)
	}
	return uint32(a), uint32(b), nil
}
