package hostsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Host tells where a host's loop is. An unknown host has only its name.
func (f *Fleet) Host(name string) report.Host {
	h := f.find(name)
	if h == nil {
		return report.Host{Name: name}
	}
	p := h.published.Load()
	r := p.report
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Applied = f.applied(h, p)
	return r
}

// WaitApplied returns when every host has everything up to the revision, or the context ends; it then names the hosts
// that have not.
func (f *Fleet) WaitApplied(ctx context.Context, revision int64) []report.Lag {
	for {
		lags, moved := f.lags(revision)
		if len(lags) == 0 {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return lags
		}
	}
}

// applied is the revision up to which a host has everything: nothing that came after concerned one that is settled. The caller holds f.mu.
func (f *Fleet) applied(h *host, p *published) int64 {
	if p.settled && f.seen >= h.told {
		return max(p.report.Applied, f.seen)
	}
	return p.report.Applied
}

// hasSeen says whether what a host's agent had said when it last acknowledged something has come round.
func (f *Fleet) hasSeen(h *host) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen >= h.told
}

func (f *Fleet) lags(revision int64) ([]report.Lag, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lags []report.Lag
	for name, h := range f.hosts {
		p := h.published.Load()
		reason := p.reason
		if p.settled {
			reason = "the controller is catching up with the store"
		}
		if applied := f.applied(h, p); applied < revision {
			lags = append(lags, report.Lag{Host: name, Applied: applied, Reason: reason})
		}
	}
	slices.SortFunc(lags, func(a, b report.Lag) int { return strings.Compare(a.Host, b.Host) })
	return lags, f.moved
}

// programming says whether rows of a host's bridges are about to change. An unknown host has none.
func (f *Fleet) programming(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	return h != nil && h.published.Load().programming
}

// inLoop runs a function in the goroutine of a host's loop and waits for it.
func (f *Fleet) inLoop(ctx context.Context, name string, do func(context.Context, *host) error) error {
	h := f.find(name)
	if h == nil {
		return fmt.Errorf("host %q is not known", name)
	}
	done := make(chan error, 1)
	h.post(func(in *inbox) {
		in.calls = append(in.calls, func(loop context.Context) {
			// The call ends with its caller or with the loop, whichever is first.
			c, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(loop, cancel)()
			done <- do(c, h)
		})
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("host %s: %w", name, ctx.Err())
	}
}

// Flows reads the rows of a bridge from the switch.
func (f *Fleet) Flows(ctx context.Context, name, bridgeName string) ([]report.Row, error) {
	var rows []report.Row
	err := f.inLoop(ctx, name, func(ctx context.Context, h *host) error {
		b := h.bridges[bridgeName]
		if b == nil {
			return fmt.Errorf("host %s has no bridge %q of ours", name, bridgeName)
		}
		if b.conn == nil {
			return fmt.Errorf("host %s: %s: OpenFlow not connected since %s", name, bridgeName, b.since.Format(time.TimeOnly))
		}
		v := b.conn.Version()
		return b.conn.DumpFlows(ctx, openflow.AllFlows(), func(s *openflow.FlowStats) error {
			fl, err := flow.FromStats(s, v)
			if err != nil {
				return err
			}
			rows = append(rows, report.Row{Text: fl.String(), Table: s.Table, Cookie: s.Cookie, Packets: s.Packets, Bytes: s.Bytes,
				Duration: time.Duration(s.DurationSec)*time.Second + time.Duration(s.DurationNsec)})
			return nil
		})
	})
	return rows, err
}

// Drift compares what a host's switches have with what they should have, and changes nothing.
func (f *Fleet) Drift(ctx context.Context, name string) ([]report.Drift, error) {
	var out []report.Drift
	err := f.inLoop(ctx, name, func(ctx context.Context, h *host) error {
		for _, br := range h.sortedBridges() {
			ds, err := br.drift(ctx)
			if err != nil {
				return fmt.Errorf("host %s: %s: %w", name, br.name, err)
			}
			out = append(out, ds...)
		}
		return nil
	})
	return out, err
}
