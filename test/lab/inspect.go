package lab

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bridges lists the host's bridges, by name.
func (h *Host) Bridges(ctx context.Context) ([]string, error) {
	out, err := h.Exec(ctx, "ovs-vsctl", "--timeout=20", "list-br")
	if err != nil {
		return nil, err
	}
	return strings.Fields(out), nil
}

// Flows is what "ovs-ofctl dump-flows" prints for a bridge, without statistics and sorted.
func (h *Host) Flows(ctx context.Context, bridge string) (string, error) {
	return h.dump(ctx, bridge, "--no-names")
}

// NamedFlows is Flows with names of ports in the place of numbers, which change when ovs-vswitchd is restarted.
func (h *Host) NamedFlows(ctx context.Context, bridge string) (string, error) {
	return h.dump(ctx, bridge, "--names")
}

func (h *Host) dump(ctx context.Context, bridge, names string) (string, error) {
	out, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "--no-stats", names, "dump-flows", bridge)
	return sortedRows(out), err
}

// sortedRows are the rows in what "ovs-ofctl dump-flows" prints.
func sortedRows(out string) string {
	var rows []string
	for line := range strings.Lines(out) {
		// The reply's header: "OFPST_FLOW reply (OF1.3) (xid=0x2):".
		if !strings.HasPrefix(line, "OFPST_") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

var (
	// portLine is a port in the output of "ovs-ofctl show": " 1(patch-tun): addr:…".
	portLine = regexp.MustCompile(`(?m)^ (\d+)\([^)]*\): addr:`)
	// portUse is a port number in a row: to match it, to send to it, or to search another table as if from it.
	portUse = regexp.MustCompile(`\b(?:in_port=|output:|resubmit\(|enqueue:|port=)(\d+)`)
)

// StrayPorts lists every row of every bridge of the host which names a port that does not exist.
func (h *Host) StrayPorts(ctx context.Context) ([]string, error) {
	// Rows first: a port that is made in between is no stray. One that goes in between may be reported; callers that
	// change ports meanwhile look again.
	const look = `set -e
for b in $(ovs-vsctl --timeout=20 list-br); do
	echo "bridge $b"
	ovs-ofctl -O OpenFlow13 --no-stats --no-names dump-flows $b
	echo ports
	ovs-ofctl -O OpenFlow13 --no-names show $b
done`
	out, err := h.Exec(ctx, "sh", "-c", look)
	if err != nil {
		return nil, err
	}
	var stray []string
	for _, text := range strings.Split("\n"+out, "\nbridge ")[1:] {
		bridge, rest, _ := strings.Cut(text, "\n")
		rows, ports, ok := strings.Cut(rest, "\nports\n")
		if !ok {
			return nil, fmt.Errorf("%s: no list of ports of %s: %q", h.Name, bridge, rest)
		}
		stray = append(stray, strayPorts(h.Name+" "+bridge, sortedRows(rows), ports)...)
	}
	return stray, nil
}

// strayPorts finds the rows that name ports which are not in the output of "ovs-ofctl show".
func strayPorts(where, rows, show string) []string {
	exists := map[string]bool{}
	for _, m := range portLine.FindAllStringSubmatch(show, -1) {
		exists[m[1]] = true
	}
	var stray []string
	for row := range strings.Lines(rows) {
		for _, m := range portUse.FindAllStringSubmatch(row, -1) {
			if !exists[m[1]] {
				stray = append(stray, fmt.Sprintf("%s: no port %s: %s", where, m[1], strings.TrimSpace(row)))
			}
		}
	}
	return stray
}
