package router

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// How many packets of what size are offered a second, and for how long they are counted after they have begun to flow.
const (
	offered  = 5_000
	size     = 200
	settling = time.Second
	counting = 3 * time.Second
	turns    = 5
)

// BenchmarkJudgedPort measures what it costs that security groups judge two ports of one host, against two that nobody judges: the
// processor time of ovs-vswitchd for a packet, at a rate that both come to, and what TCP comes to. All packets are of one connection,
// which is tracked.
func BenchmarkJudgedPort(b *testing.B) {
	c := start(b, "compute1")
	h, ends := c.Lab.Hosts[0], pairs(b, c)
	cost, rate := map[bool][]float64{}, map[bool][]float64{}
	for range turns {
		for _, judged := range []bool{false, true} {
			from, to := ends[judged][0], ends[judged][1]
			got, busy := flow(b, c, h, from, to, lab.Blast{Rate: offered, Size: size})
			if pps := got.PPS(); pps < 0.9*offered {
				b.Logf("only %.0f packets/s arrive", pps)
			}
			cost[judged] = append(cost[judged], busy.Seconds()*1e6/float64(got.Packets))
			got, _ = flow(b, c, h, from, to, lab.Blast{TCP: true})
			rate[judged] = append(rate[judged], got.Mbps())
		}
	}
	fmt.Printf("ovs-vswitchd's processor time for a packet of UDP, %d a second: judged %.2f µs, not judged %.2f µs, ratio %.2f\n", offered,
		middle(cost[true]), middle(cost[false]), middle(cost[true])/middle(cost[false]))
	fmt.Printf("one TCP connection: judged %.0f Mbit/s, not judged %.0f Mbit/s, ratio %.2f\n", middle(rate[true]), middle(rate[false]), middle(rate[true])/middle(rate[false]))
	for b.Loop() {
	}
}

// pairs are two VMs of one host whose ports security groups judge, and two that nobody judges.
func pairs(b *testing.B, c *cloud.Cloud) map[bool][]*lab.VM {
	b.Helper()
	ctx, s, h := b.Context(), c.Scope(""), c.Lab.Hosts[0]
	ends := map[bool][]*lab.VM{}
	for i, judged := range []bool{false, true} {
		n, err := s.Network(ctx, fmt.Sprintf("net%d", i), &weftv1.Network{PortSecurityEnabled: proto.Bool(judged)}, fmt.Sprintf("10.0.%d.0/24", i+1))
		check(b, err)
		for j := range 2 {
			vm, err := s.VM(ctx, n, fmt.Sprintf("vm%d-%d", i, j), h.Name)
			check(b, err)
			ends[judged] = append(ends[judged], vm)
		}
	}
	check(b, s.Settle(ctx))
	return ends
}

// BenchmarkJudgedConnection measures what a new connection costs that security groups judge, against one that nobody judges: the
// processor time of ovs-vswitchd for one of TCP on which each side says one thing, and how long that takes.
func BenchmarkJudgedConnection(b *testing.B) {
	const connections = 300
	c := start(b, "compute1")
	ctx, h, ends := b.Context(), c.Lab.Hosts[0], pairs(b, c)
	cost, times := map[bool][]float64{}, map[bool][]float64{}
	for range turns {
		for _, judged := range []bool{false, true} {
			from, to := ends[judged][0], ends[judged][1]
			way := lab.Way{From: from.Box, To: to.Box, Called: to.Addresses[0].Addr()}
			before := busy(b, h)
			for range connections {
				begin := time.Now()
				l, err := lab.OpenLine(ctx, "tcp", way, lab.WebPort)
				check(b, err)
				times[judged] = append(times[judged], time.Since(begin).Seconds()*1e6)
				l.Close()
			}
			cost[judged] = append(cost[judged], (busy(b, h)-before).Seconds()*1e6/connections)
		}
	}
	fmt.Printf("a new connection of TCP, ovs-vswitchd's processor time: judged %.0f µs, not judged %.0f µs, ratio %.2f; until both sides have spoken: judged %.0f µs, not judged %.0f µs, ratio %.2f\n",
		middle(cost[true]), middle(cost[false]), middle(cost[true])/middle(cost[false]), middle(times[true]), middle(times[false]), middle(times[true])/middle(times[false]))
	for b.Loop() {
	}
}

// flow lets a stream flow, and counts what arrives and how long ovs-vswitchd is busy meanwhile.
func flow(b *testing.B, c *cloud.Cloud, h *lab.Host, from, to *lab.VM, blast lab.Blast) (lab.Flowed, time.Duration) {
	b.Helper()
	ctx := b.Context()
	sink, err := c.Lab.StartSink(ctx, to.Box)
	check(b, err)
	stop, err := c.Lab.StartBlast(ctx, from.Box, to.Addresses[0].Addr(), blast)
	check(b, err)
	_, err = sink.Over(ctx, settling)
	check(b, err)
	before := busy(b, h)
	got, err := sink.Over(ctx, counting)
	check(b, err)
	took := busy(b, h) - before
	check(b, stop(context.WithoutCancel(ctx)))
	check(b, sink.Stop(context.WithoutCancel(ctx)))
	return got, took
}

// busy is the processor time that ovs-vswitchd has used (proc(5): fields 14 and 15, in ticks of 10 ms).
func busy(b *testing.B, h *lab.Host) time.Duration {
	b.Helper()
	text, err := h.Exec(b.Context(), "sh", "-c", "cat /proc/$(cat /run/openvswitch/ovs-vswitchd.pid)/stat")
	check(b, err)
	_, fields, _ := strings.Cut(text, ") ")
	var ticks int
	for _, f := range strings.Fields(fields)[11:13] {
		n, err := strconv.Atoi(f)
		check(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func middle(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}
