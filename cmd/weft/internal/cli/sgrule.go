package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// ruleFlags gives a command the flags by which people know the fields of a rule from other tools. Take puts what was given
// into the rule.
func ruleFlags(cmd *cobra.Command, r *weftv1.SecurityGroupRule) (take func() error) {
	flags := cmd.Flags()
	ingress := flags.Bool("ingress", false, "the same as --direction ingress")
	egress := flags.Bool("egress", false, "the same as --direction egress")
	ports := flags.String("dst-port", "", "destination port, or several: 80:90")
	icmpType := flags.Uint32("icmp-type", 0, "ICMP type, 0..255")
	icmpCode := flags.Uint32("icmp-code", 0, "ICMP code, 0..255")
	cmd.MarkFlagsMutuallyExclusive("ingress", "egress", "direction")
	for _, first := range []string{"dst-port", "icmp-type"} {
		cmd.MarkFlagsMutuallyExclusive(first, "port-range-min")
		cmd.MarkFlagsMutuallyExclusive(first, "port-range-max")
	}
	cmd.MarkFlagsMutuallyExclusive("dst-port", "icmp-type")
	cmd.MarkFlagsMutuallyExclusive("dst-port", "icmp-code")
	for _, f := range []string{"ingress", "egress", "dst-port", "icmp-type", "icmp-code"} {
		complete(cmd, f, cobra.NoFileCompletions)
	}
	return func() error {
		switch {
		case *ingress:
			r.Direction = "ingress"
		case *egress:
			r.Direction = "egress"
		}
		if flags.Changed("icmp-type") {
			r.PortRangeMin = icmpType
		}
		if flags.Changed("icmp-code") {
			r.PortRangeMax = icmpCode
		}
		if *ports == "" {
			return nil
		}
		first, last, err := portRange(*ports)
		if err != nil {
			return fmt.Errorf("--dst-port: %w", err)
		}
		r.PortRangeMin, r.PortRangeMax = proto.Uint32(first), proto.Uint32(last)
		return nil
	}
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
