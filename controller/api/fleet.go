package api

import (
	"context"

	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/trace"
)

// Fleet knows the hosts as they are now.
type Fleet interface {
	// Hosts are asked what their switches and kernels do with a packet.
	trace.Hosts
	// WaitApplied returns when every host has applied the revision, or when ctx is done; it then names those that have
	// not.
	WaitApplied(ctx context.Context, revision int64) []report.Lag
	// Host is the live state of a host. Of one that was never seen it has only the name.
	Host(name string) report.Host
	// Flows reads the rows of a bridge from the switch.
	Flows(ctx context.Context, host, bridge string) ([]report.Row, error)
	// Drift compares what a host's switches have with what they should have.
	Drift(ctx context.Context, host string) ([]report.Drift, error)
	// Namespace compares a network namespace of a host with what it should be. It has no lines when there is none of that
	// name and there should be none.
	Namespace(ctx context.Context, host, namespace string) (report.Namespace, error)
	// Firewall tells what the rules have counted that judge a port on its firewall bridge.
	Firewall(ctx context.Context, host, port string) (report.Firewall, error)
	// UnknownSwitches lists switches that connected but belong to no host.
	UnknownSwitches() []string
}

// Journal knows what happened lately.
type Journal interface {
	// Events lists the events that keep holds for, oldest first.
	Events(keep func(report.Event) bool) []report.Event
	// After lists what came after the first n events ever, oldest first, as far as it is kept; tells how many there were
	// in all; and returns a channel that is closed when there is another one.
	After(n uint64) (events []report.Event, total uint64, more <-chan struct{})
}
