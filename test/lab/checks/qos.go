package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// limits are checks of QoS policies. Limits are low, so that a busy machine can reach them, and what is compared are ratios.
var limits = []Check{
	judgedBy("bandwidth limit, both directions", bandwidth, inSwitch),
	judgedBy("bandwidth limit, both directions", bandwidth, onBridge),
	judgedBy("packet rate limit, and DSCP marks", packetsAndMarks, inSwitch),
	judgedBy("packet rate limit, and DSCP marks", packetsAndMarks, onBridge),
	judgedBy("ports hear broadcasts within their limits", limitedBroadcast, inSwitch),
	judgedBy("ports hear broadcasts within their limits", limitedBroadcast, onBridge),
	{Name: "a QoS policy changes, and outlives its switch", Hosts: 2, Run: policyLives},
}

// How long a stream flows before it is measured: what a port had saved up in its pause is used up by then. And for how long.
const (
	settling  = 1500 * time.Millisecond
	measuring = 2 * time.Second

	// glance is enough to see what packets carry.
	glance = 500 * time.Millisecond

	// limitRounds is how often it may be tried.
	limitRounds = 3
)

func kbps(direction string, n uint32) *weftv1.QosRule {
	return &weftv1.QosRule{Type: "bandwidth_limit", Direction: direction, MaxKbps: n}
}

func kpps(direction string, n uint32) *weftv1.QosRule {
	return &weftv1.QosRule{Type: "packet_rate_limit", Direction: direction, MaxKpps: n}
}

// flow is a stream from one VM to another.
type flow struct {
	from, to *lab.VM
	lab.Blast
}

// measure lets streams flow at one time, and counts what arrives of each once they have settled. Each needs a VM of its own to
// arrive in.
func measure(ctx context.Context, s *cloud.Scope, flows ...flow) ([]lab.Flowed, error) {
	return measureFor(ctx, s, settling, measuring, false, flows...)
}

// measureFor is measure with other times, and by IPv6.
func measureFor(ctx context.Context, s *cloud.Scope, settling, measuring time.Duration, six bool, flows ...flow) ([]lab.Flowed, error) {
	var ends []func(context.Context) error
	defer func() {
		for _, end := range ends {
			_ = end(context.WithoutCancel(ctx)) // what still runs ends with its VM
		}
	}()
	sinks := make([]*lab.Sink, len(flows))
	for i, f := range flows {
		sink, err := s.Lab.StartSink(ctx, f.to.Box)
		if err != nil {
			return nil, err
		}
		ends = append(ends, sink.Stop)
		stop, err := s.Lab.StartBlast(ctx, f.from.Box, own(f.to, six), f.Blast)
		if err != nil {
			return nil, err
		}
		ends = append(ends, stop)
		sinks[i] = sink
	}
	if _, err := sinks[0].Over(ctx, settling); err != nil {
		return nil, err
	}
	type result struct {
		i int
		lab.Flowed
		error
	}
	results := make(chan result)
	for i, sink := range sinks {
		go func() {
			f, err := sink.Over(ctx, measuring)
			results <- result{i, f, err}
		}()
	}
	out := make([]lab.Flowed, len(flows))
	var failed error
	for range flows {
		r := <-results
		if out[r.i] = r.Flowed; r.error != nil {
			failed = r.error
		}
	}
	return out, failed
}

// within fails unless a rate is between two parts of a limit.
func within(what string, rate, limit, least, most float64) error {
	if rate < least*limit || rate > most*limit {
		return fmt.Errorf("%s: %.2f, which is not %.0f to %.0f %% of the limit, %.2f", what, rate, 100*least, 100*most, limit)
	}
	return nil
}

// bandwidth limits a VM in both directions. UDP that is offered above the limit arrives at the limit, TCP comes near it: to and
// from another host, and on one host. A VM beside it is as fast as ever. Where bridges judge, UDP is enough: the meters are
// the same.
func bandwidth(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	const limit = 4.0
	n, err := s.Network(ctx, "limited", &weftv1.Network{}, "10.0.7.0/24")
	if err != nil {
		return "", err
	}
	policy, err := s.QosPolicy(ctx, "slow", kbps("egress", limit*1000), kbps("ingress", limit*1000))
	if err != nil {
		return "", err
	}
	slow, err := s.VMWith(ctx, n, "slow", s.Lab.Hosts[0].Name, &weftv1.Port{QosPolicyId: policy.GetMetadata().GetId()})
	if err != nil {
		return "", err
	}
	free, err := pair(ctx, s, n, "free", 0, 1, 1)
	if err != nil {
		return "", err
	}
	near, far, other := free[0], free[1], free[2]
	if err := errors.Join(enforced(ctx, s, slow.PortID), judgedThere(ctx, s, driver, slow)); err != nil {
		return "", err
	}
	var told []string
	over, tcp := lab.UDPAt(2*limit), lab.Blast{TCP: true}
	type step struct {
		what        string
		flows       []flow
		least, most float64
	}
	steps := []step{
		{"UDP, two hosts", []flow{{slow, far, over}, {far, slow, over}}, 0.9, 1.1},
		{"TCP out, two hosts", []flow{{slow, far, tcp}}, 0.75, 1.15},
		{"TCP in, two hosts", []flow{{far, slow, tcp}}, 0.75, 1.15},
		{"UDP, one host", []flow{{slow, near, over}, {near, slow, over}}, 0.9, 1.1},
	}
	if driver == onBridge {
		steps = []step{{"UDP, to another host and from one beside it", []flow{{slow, far, over}, {near, slow, over}}, 0.9, 1.1}}
	}
	for _, step := range steps {
		got, err := measure(ctx, s, step.flows...)
		if err != nil {
			return "", fmt.Errorf("%s: %w", step.what, err)
		}
		for i, f := range got {
			if err := within(fmt.Sprintf("%s, from %s, Mbit/s", step.what, step.flows[i].from.Name), f.Mbps(), limit, step.least, step.most); err != nil {
				return "", err
			}
		}
		told = append(told, fmt.Sprintf("%s %.2f", step.what, got[0].Mbps()))
	}
	measured := fmt.Sprintf("limit %.0f Mbit/s: %s", limit, strings.Join(told, ", "))
	if driver == onBridge {
		return measured, nil
	}
	beside, err := measure(ctx, s, flow{near, other, tcp}, flow{slow, far, over})
	if err != nil {
		return "", err
	}
	if fast := beside[0].Mbps(); fast < 5*limit {
		return "", fmt.Errorf("a VM without a limit comes to %.1f Mbit/s beside one with %.0f", fast, limit)
	}
	return fmt.Sprintf("%s; beside it %.0f", measured, beside[0].Mbps()), nil
}

// enforced fails unless a port says that its policy is in force.
func enforced(ctx context.Context, s *cloud.Scope, port string) error {
	return lab.Poll(ctx, 10*time.Second, func() error {
		p, err := s.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: port})
		if err != nil {
			return err
		}
		for _, c := range p.GetStatus().GetConditions() {
			if c.GetType() == "QosEnforced" && c.GetStatus() == "True" {
				return nil
			}
		}
		return fmt.Errorf("the port does not say that its policy is in force: %v", p.GetStatus().GetConditions())
	})
}

// packetsAndMarks limits a VM to a thousand packets a second in both directions and marks what it sends, IPv6 too. The policy is
// its network's; a port with one of its own has that instead.
func packetsAndMarks(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	const limit, mark = 1000.0, 46
	policy, err := s.QosPolicy(ctx, "calls", kpps("egress", 1), kpps("ingress", 1),
		&weftv1.QosRule{Type: "dscp_marking", DscpMark: proto.Uint32(mark)})
	if err != nil {
		return "", err
	}
	none, err := s.QosPolicy(ctx, "none")
	if err != nil {
		return "", err
	}
	n, err := s.Network(ctx, "calls", &weftv1.Network{QosPolicyId: policy.GetMetadata().GetId()}, "10.0.8.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.AddSubnet(ctx, n, "fd00:8::/64"); err != nil {
		return "", err
	}
	caller, err := s.VM(ctx, n, "caller", s.Lab.Hosts[0].Name)
	if err != nil {
		return "", err
	}
	own := &weftv1.Port{QosPolicyId: none.GetMetadata().GetId()}
	var free []*lab.VM
	for _, name := range []string{"free1", "free2"} {
		vm, err := s.VMWith(ctx, n, name, s.Lab.Hosts[1].Name, own)
		if err != nil {
			return "", err
		}
		free = append(free, vm)
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	if err := judgedThere(ctx, s, driver, caller); err != nil {
		return "", err
	}
	small := lab.Blast{Rate: 2 * limit, Size: 64}
	flows := []flow{{caller, free[0], small}, {free[0], caller, small}, {free[0], free[1], small}}
	got, err := measure(ctx, s, flows...)
	if err != nil {
		return "", err
	}
	six, err := measureFor(ctx, s, glance, glance, true, flows...)
	if err != nil {
		return "", err
	}
	out, in, beside := got[0], got[1], got[2]
	for what, f := range map[string]lab.Flowed{"out": out, "in": in} {
		if err := within("packets a second "+what, f.PPS(), limit, 0.9, 1.1); err != nil {
			return "", err
		}
	}
	// It is not limited; how much a busy machine sends is another matter.
	if err := within("packets a second of a port with an empty policy", beside.PPS(), float64(small.Rate), 0.6, 1.1); err != nil {
		return "", err
	}
	for family, flowed := range map[string][]lab.Flowed{"IPv4": got, "IPv6": six} {
		for i, want := range []struct{ what, mark string }{{"from the marked port", fmt.Sprint(mark)}, {"to the marked port", "0"}, {"between others", "0"}} {
			if marks := flowed[i].Marks; len(marks) != 1 || marks[want.mark] == 0 {
				return "", fmt.Errorf("packets of %s %s carry %v, not %s", family, want.what, marks, want.mark)
			}
		}
	}
	return fmt.Sprintf("limit %.0f: %.0f out, %.0f in, %.0f beside it; DSCP %d of IPv4 and IPv6", limit, out.PPS(), in.PPS(), beside.PPS(), mark), nil
}

// limitedBroadcast has VMs of one host hear the same broadcasts from another host: each within its own limit, and one without
// a limit all of them. With port security, and, as nobody judges those, not on firewall bridges, without.
func limitedBroadcast(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	const offered = 6.0
	var told []string
	group, err := s.SecurityGroup(ctx, "all")
	if err != nil {
		return "", err
	}
	if _, err := s.Allow(ctx, group, &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4"}); err != nil {
		return "", err
	}
	securities := []bool{true}
	if driver == inSwitch {
		securities = append(securities, false)
	}
	for i, secured := range securities {
		n, err := s.Network(ctx, fmt.Sprintf("cast%d", i), &weftv1.Network{PortSecurityEnabled: proto.Bool(secured)}, fmt.Sprintf("10.0.%d.0/24", 9+i))
		if err != nil {
			return "", err
		}
		port := &weftv1.Port{}
		if secured {
			port.SecurityGroups = []string{group.GetMetadata().GetId()}
		}
		sender, err := s.VMWith(ctx, n, fmt.Sprintf("sender%d", i), s.Lab.Hosts[1].Name, port)
		if err != nil {
			return "", err
		}
		limits := []float64{1, 3, 0}
		var hearers []cloud.Wanted
		for j, limit := range limits {
			want := proto.CloneOf(port)
			if limit > 0 {
				p, err := s.QosPolicy(ctx, fmt.Sprintf("cast%d-%d", i, j), kbps("ingress", uint32(1000*limit)))
				if err != nil {
					return "", err
				}
				want.QosPolicyId = p.GetMetadata().GetId()
			}
			hearers = append(hearers, cloud.Wanted{Network: n, Name: fmt.Sprintf("hearer%d-%d", i, j), Host: s.Lab.Hosts[0].Name, Port: want})
		}
		vms, err := s.VMs(ctx, hearers)
		if err != nil {
			return "", err
		}
		sinks := make([]*lab.Sink, len(limits))
		for j, vm := range vms {
			if err := judgedThere(ctx, s, driver, vm); err != nil {
				return "", err
			}
			if sinks[j], err = s.Lab.StartSink(ctx, vm.Box); err != nil {
				return "", err
			}
		}
		if err := s.Settle(ctx); err != nil {
			return "", err
		}
		stop, err := s.Lab.StartBlast(ctx, sender.Box, n.At(255), lab.UDPAt(offered))
		if err != nil {
			return "", err
		}
		if _, err := sinks[0].Over(ctx, settling); err != nil {
			return "", err
		}
		before := make([]lab.Heard, len(sinks))
		for j := range sinks {
			if before[j], err = sinks[j].Now(); err != nil {
				return "", err
			}
		}
		if _, err := sinks[0].Over(ctx, measuring); err != nil {
			return "", err
		}
		var rates []string
		for j, limit := range limits {
			after, err := sinks[j].Now()
			if err != nil {
				return "", err
			}
			f := lab.Flowed{While: after.At.Sub(before[j].At), Bits: after.Bits - before[j].Bits}
			if limit == 0 {
				limit = offered
			}
			if err := within(fmt.Sprintf("port security %v, Mbit/s of broadcasts", secured), f.Mbps(), limit, 0.85, 1.1); err != nil {
				return "", err
			}
			rates = append(rates, fmt.Sprintf("%.2f", f.Mbps()))
		}
		if err := stop(ctx); err != nil {
			return "", err
		}
		told = append(told, strings.Join(rates, " "))
	}
	return fmt.Sprintf("limits 1, 3 and none of %.0f Mbit/s: %s", offered, strings.Join(told, "; without port security ")), nil
}
