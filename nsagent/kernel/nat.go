package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// restore changes iptables. It is one transaction for each table.
func (n *Namespace) restore(ctx context.Context, s plan.Restore) error {
	tool := "iptables-restore"
	if s.IPv6 {
		tool = "ip6tables-restore"
	}
	// -w: an iptables of the old kind locks all namespaces together; others may be at it.
	return n.feed(ctx, s.Text, tool, "--noflush", "-w", "5")
}

// feed gives a program lines, and says at which it failed.
func (n *Namespace) feed(ctx context.Context, text string, argv ...string) error {
	if _, err := n.run(ctx, text, argv...); err != nil {
		return fmt.Errorf("%w%s", err, failedLine(err, text))
	}
	return nil
}

var linePattern = regexp.MustCompile(`line:? (\d+)`)

// failedLine is the line of the input that an error is about.
func failedLine(err error, text string) string {
	m := linePattern.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	lines := strings.Split(text, "\n")
	i, _ := strconv.Atoi(m[1])
	if i < 1 || i > len(lines) {
		return ""
	}
	return " (" + lines[i-1] + ")"
}

// forget deletes entries of conntrack.
func (n *Namespace) forget(flows []plan.Flow) error {
	_, err := n.handle.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, newFlowFilter(flows))
	if errors.Is(err, netlink.ErrDumpInterrupted) { // what came meanwhile came by the new rules
		_, err = n.handle.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, newFlowFilter(flows))
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("conntrack: %w", err)
	}
	return nil
}

// flowFilter chooses entries by any of many flows, which it finds by an address of the entry.
type flowFilter map[netip.Addr][]plan.Flow

func newFlowFilter(flows []plan.Flow) flowFilter {
	f := flowFilter{}
	for _, x := range flows {
		key := x.OrigDst
		if !key.IsValid() {
			key = x.ReplyDst
		}
		if !key.IsValid() {
			key = x.OrigSrc
		}
		f[key] = append(f[key], x)
	}
	return f
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (f flowFilter) MatchConntrackFlow(c *netlink.ConntrackFlow) bool {
	e := entry{addr(c.Forward.SrcIP), addr(c.Forward.DstIP), addr(c.Reverse.SrcIP), addr(c.Reverse.DstIP), c.Forward.Protocol, c.Forward.DstPort}
	for _, key := range []netip.Addr{e.origDst, e.replyDst, e.origSrc} {
		for _, x := range f[key] {
			if e.matches(x) {
				return true
			}
		}
	}
	return false
}

// entry is what is looked at of an entry of conntrack.
type entry struct {
	origSrc, origDst, replySrc, replyDst netip.Addr
	protocol                             uint8
	port                                 uint16
}

func (e entry) matches(f plan.Flow) bool {
	is := func(want, got netip.Addr) bool { return !want.IsValid() || want == got }
	if !is(f.OrigSrc, e.origSrc) || !is(f.OrigDst, e.origDst) || !is(f.ReplyDst, e.replyDst) {
		return false
	}
	if f.Plain && (e.origSrc != e.replyDst || e.origDst != e.replySrc) {
		return false
	}
	if led := e.origDst != e.replySrc; f.Led == plan.Yes && !led || f.Led == plan.No && led {
		return false
	}
	protocol := map[string]uint8{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}[f.Protocol]
	return f.Protocol == "" || (e.protocol == protocol && e.port >= f.Ports.First && e.port <= f.Ports.Last)
}

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}
