// Package bench compares what we do with the nearest tool that people use, in the same run on the same machine. A number
// alone says little; the ratio of two says something.
package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/ofconn"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/ovs"
)

// switches hands over the connections of the switches that a listener admits: all.
type switches chan *channel.Conn

func (s switches) Admit(uint64, net.Addr) error      { return nil }
func (s switches) Connected(c *channel.Conn)         { s <- c }
func (s switches) Disconnected(*channel.Conn, error) {}

// tunnelBridge is a real bridge, connected to us over TCP as to its controller.
func tunnelBridge(b *testing.B) (*ovs.Switch, *channel.Conn) {
	b.Helper()
	sw := ovs.Start(b)
	sw.Vsctl("add-br", "br-tun", "--", "set", "bridge", "br-tun", "datapath_type=dummy", "fail_mode=secure",
		"protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	conns, over := make(switches, 1), make(chan error, 1)
	cfg := ofconn.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	go func() { over <- cfg.Serve(ctx, l, conns) }()
	b.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			b.Error(err)
		}
	})
	sw.Vsctl("set-controller", "br-tun", "tcp:"+l.Addr().String())
	select {
	case c := <-conns:
		return sw, c
	case <-time.After(20 * time.Second):
		b.Fatal("the bridge did not connect")
		return nil, nil
	}
}

// rows are n rows of the table that a tunnel bridge has for known MACs, as flow-mods and as text for ovs-ofctl.
func rows(n int) ([]openflow.FlowMod, string) {
	mods, text := make([]openflow.FlowMod, n), new(strings.Builder)
	for i := range mods {
		mac := [6]byte{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}
		mods[i] = openflow.FlowMod{Command: openflow.FlowAdd, Table: 20, Priority: 2, BufferID: openflow.NoBuffer,
			OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
			Match:   openflow.Match{openflow.MACField(openflow.EthDst, mac), openflow.U16(openflow.VlanVID, 0x1001)},
			Actions: []openflow.Action{openflow.PopVLAN{}, openflow.SetField{OXM: openflow.U64(openflow.TunID, 0x3e9)}, openflow.Output{Port: 3}}}
		fmt.Fprintf(text, "table=20,priority=2,dl_vlan=1,dl_dst=%s actions=strip_vlan,set_tunnel:0x3e9,output:3\n", net.HardwareAddr(mac[:]))
	}
	return mods, text.String()
}

// ofctl runs ovs-ofctl against a bridge and returns how long it took. What it prints goes to /dev/null.
func ofctl(b *testing.B, sw *ovs.Switch, command string, more ...string) time.Duration {
	b.Helper()
	args := append(strings.Fields(command), "unix:"+filepath.Join(sw.Dir, "br-tun.mgmt"))
	cmd := exec.Command("ovs-ofctl", append(args, more...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v: %s", cmd.Args, err, stderr.String())
	}
	return time.Since(start)
}

// report prints the shortest times, which are the least disturbed ones, and their ratio.
func report(b *testing.B, ours, theirs []time.Duration, n int) {
	o, t := slices.Min(ours), slices.Min(theirs)
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
	b.ReportMetric(float64(o)/1e6, "weft-ms")
	b.ReportMetric(float64(t)/1e6, "ovs-ofctl-ms")
	b.ReportMetric(float64(o)/float64(t), "ratio")
	b.ReportMetric(float64(n)/o.Seconds()/1e3, "kflows/s")
}

// rounds is how often both sides are measured in turn, however short the benchmark is meant to be.
const rounds = 7

func BenchmarkBundle10k(b *testing.B)  { benchmarkBundle(b, 10_000) }
func BenchmarkBundle100k(b *testing.B) { benchmarkBundle(b, 100_000) }

// n rows into an empty bridge as one atomic bundle over TCP, against ovs-ofctl --bundle add-flows.
func benchmarkBundle(b *testing.B, n int) {
	sw, c := tunnelBridge(b)
	mods, text := rows(n)
	file := filepath.Join(b.TempDir(), "flows.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	var ours, theirs []time.Duration
	round := func() {
		empty(b, sw)
		start := time.Now()
		if err := c.Bundle(context.Background(), mods); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(start))
		if got := countRows(b, c); got != n {
			b.Fatalf("%d rows, want %d", got, n)
		}
		empty(b, sw)
		theirs = append(theirs, ofctl(b, sw, "-OOpenFlow13 --bundle add-flows", file))
		if got := countRows(b, c); got != n {
			b.Fatalf("ovs-ofctl made %d rows, want %d", got, n)
		}
	}
	for b.Loop() {
		for range rounds {
			round()
		}
	}
	report(b, ours, theirs, n)
}

// empty removes all rows and waits until the switch has nothing to do: it frees them for a while after it has answered,
// and whoever comes first would pay for it.
func empty(b *testing.B, sw *ovs.Switch) {
	b.Helper()
	ofctl(b, sw, "-OOpenFlow13 del-flows")
	idle := time.Now()
	for last := cpuTicks(b, sw.Pid()); time.Since(idle) < 150*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		if now := cpuTicks(b, sw.Pid()); now != last {
			last, idle = now, time.Now()
		}
	}
}

// cpuTicks is how much processor time a process has had (proc(5), utime and stime).
func cpuTicks(b *testing.B, pid int) string {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return strings.Join(fields[11:13], " ")
}

func countRows(b *testing.B, c *channel.Conn) (n int) {
	b.Helper()
	err := c.DumpFlows(context.Background(), openflow.AllFlows(), func(*openflow.FlowStats) error { n++; return nil })
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// A whole dump of 100,000 rows, against ovs-ofctl dump-flows to /dev/null.
func BenchmarkDump100k(b *testing.B) {
	const n = 100_000
	sw, c := tunnelBridge(b)
	mods, _ := rows(n)
	if err := c.Bundle(context.Background(), mods); err != nil {
		b.Fatal(err)
	}
	var ours, theirs []time.Duration
	for b.Loop() {
		for range rounds {
			start := time.Now()
			if got := countRows(b, c); got != n {
				b.Fatalf("%d rows, want %d", got, n)
			}
			ours = append(ours, time.Since(start))
			theirs = append(theirs, ofctl(b, sw, "-OOpenFlow13 dump-flows"))
		}
	}
	report(b, ours, theirs, n)
}

// What an idle connection costs in heap and stacks. The peers are bare sockets, so that only our side is counted.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 500
	hand := openflow.NewHello(openflow.V14).Append(nil, openflow.V14, 1)
	for b.Loop() {
		before := inUse()
		ctx, cancel := context.WithCancel(context.Background())
		conns, over := make(switches, n), make(chan error, 1)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go func() { over <- ofconn.Config{}.Serve(ctx, l, conns) }()
		var peers []net.Conn
		for i := range n {
			p, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			features := openflow.FeaturesReply{DatapathID: uint64(i + 1)}
			if _, err := p.Write(features.Append(hand, openflow.V14, 2)); err != nil {
				b.Fatal(err)
			}
			peers = append(peers, p)
			c := <-conns
			// It has worked before it is idle.
			done := make(chan error, 1)
			go func() { done <- c.Barrier(ctx) }()
			answerBarrier(b, p)
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(inUse()-before)/n/1024, "KiB/conn")
		b.ReportMetric(0, "ns/op")
		cancel()
		if err := <-over; err != nil {
			b.Fatal(err)
		}
		for _, p := range peers {
			p.Close()
		}
	}
}

// answerBarrier reads up to a barrier request and answers it.
func answerBarrier(b *testing.B, p net.Conn) {
	b.Helper()
	buf := make([]byte, 16+8+8) // hello, features request, barrier request
	if _, err := io.ReadFull(p, buf); err != nil {
		b.Fatal(err)
	}
	h, err := openflow.ParseHeader(buf[24:])
	if err != nil || h.Type != openflow.TypeBarrierRequest {
		b.Fatalf("%v, %v", h.Type, err)
	}
	if _, err := p.Write((&openflow.BarrierReply{}).Append(nil, openflow.V14, h.XID)); err != nil {
		b.Fatal(err)
	}
}

// inUse is what the heap and the stacks take.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
