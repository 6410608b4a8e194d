package checks

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// policyLives changes the limit of an open connection, has somebody tamper with it, and takes it away: in force at once, and nothing
// breaks. Then ovs-vswitchd dies while no controller runs, and the limit is there again. In the end no meter is left.
func policyLives(ctx context.Context, s *cloud.Scope) (string, error) {
	n, err := s.Network(ctx, "lives", &weftv1.Network{}, "10.0.11.0/24")
	if err != nil {
		return "", err
	}
	inner := s.Cloud.Scope(s.Prefix)
	s.Defer(inner.Close)
	policy, err := inner.QosPolicy(ctx, "lives", kbps("egress", 2000))
	if err != nil {
		return "", err
	}
	vms, err := pair(ctx, inner, n, "vm", 0, 1)
	if err != nil {
		return "", err
	}
	if err := inner.SetPolicy(ctx, vms[0].PortID, policy); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	sink, err := s.Lab.StartSink(ctx, vms[1].Box)
	if err != nil {
		return "", err
	}
	stop, err := s.Lab.StartBlast(ctx, vms[0].Box, addr(vms[1]), lab.Blast{TCP: true})
	if err != nil {
		return "", err
	}
	var told []string
	flows := func(what string, limit, least, most float64) (wrong error) {
		// What TCP does right after a change says little: what came behind a gap is read all at once when that is filled, and
		// megabytes may have come while there was no meter. A wrong limit is wrong in every round.
		for range limitRounds {
			if _, err := sink.Over(ctx, settling); err != nil {
				return err
			}
			f, err := sink.Over(ctx, measuring)
			if err != nil {
				return err
			}
			if f.Connections != 0 {
				return fmt.Errorf("%s: there is another connection", what)
			}
			if wrong = within(what+", Mbit/s of TCP", f.Mbps(), limit, least, most); wrong == nil {
				told = append(told, fmt.Sprintf("%s %.2f", what, f.Mbps()))
				return nil
			}
		}
		return wrong
	}
	if err := flows("limit 2", 2, 0.7, 1.15); err != nil {
		return "", err
	}
	if err := s.SetRules(ctx, policy, kbps("egress", 6000)); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := flows("limit 6", 6, 0.7, 1.15); err != nil {
		return "", err
	}
	mended, err := metersMended(ctx, s.Lab.Hosts[0])
	if err != nil {
		return "", err
	}
	if err := flows("after a tampering", 6, 0.7, 1.15); err != nil {
		return "", err
	}
	if err := inner.SetPolicy(ctx, vms[0].PortID, nil); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := flows("no limit", 6, 3, 1e6); err != nil {
		return "", err
	}
	if err := stop(ctx); err != nil {
		return "", err
	}
	if err := outlives(ctx, inner, policy, vms, sink, &told); err != nil {
		return "", err
	}
	if err := inner.Close(ctx); err != nil {
		return "", err
	}
	for _, h := range s.Lab.Hosts {
		left, err := namedMeters(ctx, h)
		if err != nil {
			return "", err
		}
		if left != "" {
			return "", fmt.Errorf("%s has meters that nobody wants: %s", h.Name, left)
		}
	}
	return fmt.Sprintf("%s Mbit/s; a meter was changed for %s, and gone for %s", strings.Join(told, ", "), ms(mended[0]), ms(mended[1])), nil
}

// metersMended changes the meters of a host by hand, and then removes them: how long each lasts. Changes are found by looking
// every 5 s, what is removed is announced.
func metersMended(ctx context.Context, h *lab.Host) (took []time.Duration, err error) {
	before, err := namedMeters(ctx, h)
	if err != nil {
		return nil, err
	}
	if before == "" {
		return nil, fmt.Errorf("%s has no meters", h.Name)
	}
	for _, step := range []struct {
		spoil  string
		within time.Duration
	}{
		{`grep -o 'meter=[0-9]*' | while read m; do ovs-ofctl -O OpenFlow13 mod-meter br-int $m,kbps,burst,band=type=drop,rate=8,burst_size=8; done`, 20 * time.Second},
		{`grep -o 'meter=[0-9]*' | while read m; do ovs-ofctl -O OpenFlow13 del-meter br-int $m; done`, 5 * time.Second},
	} {
		if _, err := h.Exec(ctx, "sh", "-c", "ovs-ofctl -O OpenFlow13 dump-meters br-int | "+step.spoil); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := lab.Poll(ctx, step.within, func() error {
			after, err := meters(ctx, h)
			if err == nil && after != before {
				err = fmt.Errorf("%s has other meters than before somebody tampered with them: %s", h.Name, difference(before, after))
			}
			return err
		}); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// outlives kills the switch of a limited VM while no controller runs.
func outlives(ctx context.Context, s *cloud.Scope, policy *weftv1.QosPolicy, vms []*lab.VM, sink *lab.Sink, told *[]string) error {
	const limit = 6.0
	h := s.Lab.Hosts[0]
	if err := s.SetPolicy(ctx, vms[0].PortID, policy); err != nil {
		return err
	}
	if err := s.Settle(ctx); err != nil {
		return err
	}
	before, err := namedMeters(ctx, h)
	if err != nil {
		return err
	}
	if !strings.Contains(before, "rate=6000") {
		return fmt.Errorf("%s has no meter of 6000 kbit/s: %s", h.Name, before)
	}
	if err := metersSaved(ctx, h, 6000); err != nil {
		return err
	}
	s.Defer(s.EnsureUp)
	if err := s.Lab.KillController(ctx); err != nil {
		return err
	}
	if err := h.RestartVswitchd(ctx); err != nil {
		return err
	}
	if err := lab.WaitPing(ctx, vms[0].Box, addr(vms[1]), 30*time.Second); err != nil {
		return err
	}
	after, err := meters(ctx, h)
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("%s has other meters than before its switch died: %s", h.Name, difference(before, after))
	}
	stop, err := s.Lab.StartBlast(ctx, vms[0].Box, addr(vms[1]), lab.UDPAt(2*limit))
	if err != nil {
		return err
	}
	if _, err := sink.Over(ctx, settling); err != nil {
		return err
	}
	f, err := sink.Over(ctx, measuring)
	if err != nil {
		return err
	}
	*told = append(*told, fmt.Sprintf("after the switch's death %.2f", f.Mbps()))
	if err := within("after the switch's death, Mbit/s", f.Mbps(), limit, 0.85, 1.1); err != nil {
		return err
	}
	if err := stop(ctx); err != nil {
		return err
	}
	return s.EnsureUp(ctx)
}

// meters are those of a host's br-int, as ovs-ofctl shows them.
func meters(ctx context.Context, h *lab.Host) (string, error) {
	out, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "dump-meters", "br-int")
	if err != nil {
		return "", err
	}
	_, list, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(list), nil
}

// namedMeters waits until all meters of a host's br-int are named by rows, and returns them. Others go when nothing has changed for
// some seconds (docs/decisions/0083).
func namedMeters(ctx context.Context, h *lab.Host) (list string, err error) {
	err = lab.Poll(ctx, 30*time.Second, func() error {
		if list, err = meters(ctx, h); err != nil {
			return err
		}
		rows, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "dump-flows", "br-int")
		if err != nil {
			return err
		}
		for _, m := range meterID.FindAllStringSubmatch(list, -1) {
			if !regexp.MustCompile(`\bmeter:` + m[1] + `\b`).MatchString(rows) {
				return fmt.Errorf("%s has meters that no row names: %s", h.Name, list)
			}
		}
		return nil
	})
	return list, err
}

var meterID = regexp.MustCompile(`(?m)^meter=(\d+)`)

// metersSaved waits until the agent has a meter with that rate on disk.
func metersSaved(ctx context.Context, h *lab.Host, rate uint32) error {
	// A band of type drop, 16 bytes long, with that rate (OpenFlow 1.3.5, A.3.4.5).
	band := string(binary.BigEndian.AppendUint32([]byte{0, 1, 0, 16}, rate))
	return lab.Poll(ctx, limit, func() error {
		text, err := h.State("flows-br-int")
		if err == nil && !strings.Contains(string(text), band) {
			err = fmt.Errorf("%s: no meter of %d is saved", h.Name, rate)
		}
		return err
	})
}
