package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// inventory is all that Weft makes on hosts: every row, meter and port of its bridges, links, namespaces, and what serves in them; and
// the host's own rules, routes and NAT, which it leaves alone.
func inventory(ctx context.Context, l *lab.Lab) (string, error) {
	const script = `ip -o link | cut -d: -f2 | cut -d@ -f1; ip netns list | cut -d' ' -f1; ps -eo args= | grep '[d]nsmasq --\|[r]advd -C'
ip rule; ip -6 rule; ip -o route show table all type unicast; iptables-save | grep '^-A'; ls /var/lib/weft/dhcp /var/lib/weft/ra 2>/dev/null; true`
	var all strings.Builder
	for _, h := range l.Hosts {
		rest, err := h.Exec(ctx, "sh", "-c", script)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(rest) {
			fmt.Fprintf(&all, "%s %s\n", h.Name, strings.TrimSpace(line))
		}
		for _, bridge := range []string{"br-int", "br-tun", "br-ex"} {
			rows, err := h.NamedFlows(ctx, bridge)
			if err != nil {
				return "", err
			}
			ports, err := h.Exec(ctx, "ovs-vsctl", "--timeout=20", "list-ports", bridge)
			if err != nil {
				return "", err
			}
			for line := range strings.Lines(rows + "\n" + ports) {
				fmt.Fprintf(&all, "%s %s %s\n", h.Name, bridge, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(slices.Sorted(strings.Lines(all.String())), ""), nil
}

// stored is all that the store keeps: every object that the API has, by id and name, and how many entries of each kind there
// are, those among them that no API shows: what was allocated on hosts, and what hosts reported.
func stored(ctx context.Context, c *cloud.Cloud) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := c.Weft.Watch(ctx, &weftv1.WatchRequest{})
	if err != nil {
		return "", fmt.Errorf("watch: %w", err)
	}
	var all []string
	for {
		r, err := watch.Recv()
		if err != nil {
			return "", fmt.Errorf("watch: %w", err)
		}
		if r.GetType() == "BOOKMARK" {
			break
		}
		all = append(all, objectLine(r.GetObject()))
	}
	metrics, err := c.Lab.Metrics(ctx)
	if err != nil {
		return "", err
	}
	counts := 0
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "weft_store_objects{") {
			all, counts = append(all, line), counts+1
		}
	}
	if counts == 0 {
		return "", errors.New("the controller does not tell how many objects its store has")
	}
	slices.Sort(all)
	return strings.Join(all, ""), nil
}

// objectLine is an object's kind, id and name.
func objectLine(o *weftv1.Object) string {
	var line string
	o.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		m, ok := v.Message().Interface().(interface{ GetMetadata() *weftv1.Metadata })
		if ok {
			line = fmt.Sprintf("%s %s %s\n", f.Name(), m.GetMetadata().GetId(), m.GetMetadata().GetName())
		}
		return !ok
	})
	return line
}

// remembered is what the hosts' switches remember of connections with one of the addresses.
func remembered(ctx context.Context, l *lab.Lab, addresses []string) ([]string, error) {
	var all []string
	for _, h := range l.Hosts {
		out, err := h.Exec(ctx, "ovs-appctl", "dpctl/dump-conntrack")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			if slices.ContainsFunc(addresses, func(a string) bool {
				return strings.Contains(line, "src="+a+",") || strings.Contains(line, "dst="+a+",")
			}) {
				all = append(all, h.Name+" "+strings.TrimSpace(line))
			}
		}
	}
	return all, nil
}

// difference lists the lines that only one of two texts has.
func difference(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	var all []string
	for line, n := range count {
		if n != 0 {
			all = append(all, fmt.Sprintf("%+d %s", n, strings.TrimSpace(line)))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// baseline is what hosts and store have before a scene is built. The project has its default group by then, which stays when
// the last port goes.
type baseline struct{ hosts, store string }

func before(ctx context.Context, c *cloud.Cloud) (baseline, error) {
	first := c.Scope("before-")
	if _, err := first.SecurityGroup(ctx, "group"); err != nil {
		return baseline{}, errors.Join(err, first.Close(ctx))
	}
	if err := first.Close(ctx); err != nil {
		return baseline{}, err
	}
	return take(ctx, c)
}

func take(ctx context.Context, c *cloud.Cloud) (b baseline, err error) {
	if b.hosts, err = inventory(ctx, c.Lab); err != nil {
		return b, err
	}
	b.store, err = stored(ctx, c)
	return b, err
}

// nothingLeft takes the scene away and compares hosts and store with what was before.
func nothingLeft(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	during, err := take(ctx, s.Cloud)
	if err != nil {
		return "", err
	}
	var addresses []string
	for _, vm := range t.vm {
		for _, a := range vm.Addresses {
			addresses = append(addresses, a.Addr().String())
		}
		if !vm.Gateway.IsValid() {
			continue
		}
		// Its switch remembers that it asked.
		if _, err := mustPing(ctx, vm.Box, vm.Gateway, lab.Pings{}); err != nil {
			return "", err
		}
	}
	known, err := remembered(ctx, s.Lab, addresses)
	if err == nil && len(known) == 0 {
		err = errors.New("no switch remembers a connection: nothing was measured")
	}
	if err != nil {
		return "", err
	}
	if err := t.scope.Close(ctx); err != nil {
		return "", err
	}
	if err := lab.Poll(ctx, 30*time.Second, func() error {
		after, err := take(ctx, s.Cloud)
		if err == nil && after != t.before {
			err = fmt.Errorf("left over or missing: %s", difference(t.before.hosts+t.before.store, after.hosts+after.store))
		}
		return err
	}); err != nil {
		return "", err
	}
	// They go after the rows.
	err = lab.Poll(ctx, 5*time.Second, func() error {
		left, err := remembered(ctx, s.Lab, addresses)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d connections are remembered: %s", len(left), strings.Join(left, "; "))
		}
		return err
	})
	return fmt.Sprintf("%d rows, ports, links, namespaces, processes gone again, %d objects, %d connections",
		strings.Count(during.hosts, "\n")-strings.Count(t.before.hosts, "\n"), strings.Count(during.store, "\n")-strings.Count(t.before.store, "\n"), len(known)), err
}
