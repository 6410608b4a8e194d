package lab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Netns runs a command in a network namespace of the host, as "ip netns exec" does.
func (h *Host) Netns(ctx context.Context, namespace string, argv ...string) (string, error) {
	return h.Exec(ctx, append([]string{"ip", "netns", "exec", namespace}, argv...)...)
}

// Namespaces lists the network namespaces of the host, sorted.
func (h *Host) Namespaces(ctx context.Context) ([]string, error) {
	out, err := h.Exec(ctx, "ip", "netns", "list")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(out) {
		// "qrouter-… (id: 0)"
		if f := strings.Fields(line); len(f) > 0 {
			all = append(all, f[0])
		}
	}
	slices.Sort(all)
	return all, nil
}

// Conntrack lists the tracked connections of a network namespace of the host that have all the addresses in them.
func (h *Host) Conntrack(ctx context.Context, namespace string, addresses ...string) ([]string, error) {
	out, err := h.Netns(ctx, namespace, "conntrack", "-L", "-o", "extended")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(out) {
		var values []string
		for _, f := range strings.Fields(line) {
			_, value, _ := strings.Cut(f, "=")
			values = append(values, value)
		}
		if !slices.ContainsFunc(addresses, func(a string) bool { return !slices.Contains(values, a) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found, nil
}

// Received counts the packets that a device of the host has received, in a network namespace, or in the host's own if
// namespace is empty.
func (h *Host) Received(ctx context.Context, namespace, device string) (uint64, error) {
	argv := []string{"cat", "/sys/class/net/" + device + "/statistics/rx_packets"}
	out, err := "", error(nil)
	if namespace == "" {
		out, err = h.Exec(ctx, argv...)
	} else {
		out, err = h.Netns(ctx, namespace, argv...)
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: packets of %s: %w", h.Name, device, err)
	}
	return n, nil
}

// Processes lists the processes of a program on the host: command lines by process id.
func (h *Host) Processes(ctx context.Context, program string) (map[int]string, error) {
	out, err := h.Exec(ctx, "ps", "-eo", "pid=,args=")
	if err != nil {
		return nil, err
	}
	all := map[int]string{}
	for line := range strings.Lines(out) {
		id, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name, _, _ := strings.Cut(args, " "); name != program && !strings.HasSuffix(name, "/"+program) {
			continue
		}
		pid, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("%s: ps: %w", h.Name, err)
		}
		all[pid] = args
	}
	return all, nil
}

// Forwarded counts the IPv4 packets that a network namespace of the host has forwarded; 0 when there is no such namespace.
func (h *Host) Forwarded(ctx context.Context, namespace string) (uint64, error) {
	all, err := h.Namespaces(ctx)
	if err != nil || !slices.Contains(all, namespace) {
		return 0, err
	}
	// "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams …", and then the values.
	out, err := h.Netns(ctx, namespace, "awk", "/^Ip: [0-9]/ { print $7 }", "/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: packets forwarded in %s: %w", h.Name, namespace, err)
	}
	return n, nil
}
