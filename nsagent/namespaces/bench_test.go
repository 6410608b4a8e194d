package namespaces

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// many are floating IPs of router 1.
func many(n int) map[string]plan.Resource {
	g := gateway(19, "172.24.4.10/16")
	r := centralised(1)
	r.Gateway = &g
	r.Interfaces[0].Device = port(17, netA, "10.0.1.1/16")
	out := named(r)
	for i := range n {
		f := floating(i+1, 1, fmt.Sprintf("172.24.%d.%d", 16+i/250, i%250+1), fmt.Sprintf("10.0.%d.%d", 16+i/250, i%250+1))
		out[f.Resource()] = f
	}
	return out
}

// timed is how long it takes until what is desired is there.
func (x *kept) timed(r map[string]plan.Resource) time.Duration {
	x.t.Helper()
	for len(x.Changed()) > 0 {
		<-x.Changed()
	}
	start := time.Now()
	x.Set(r, true)
	for len(x.Report().Pending) > 0 {
		<-x.Changed()
	}
	took := time.Since(start)
	if p := x.Report().Problems; len(p) > 0 {
		x.t.Fatalf("problems: %+v", p)
	}
	return took
}

// bare does what the keeper does for floating IPs with the tools alone.
func bare(b *testing.B, name string, base, all map[string]plan.Resource) time.Duration {
	b.Helper()
	before, _ := plan.Build(base)
	after, _ := plan.Build(all)
	var batch, nat strings.Builder
	for _, s := range plan.Diff(after[plan.QRouter+id('a', 1)], before[plan.QRouter+id('a', 1)]) {
		switch s := s.(type) {
		case plan.Restore:
			nat.WriteString(s.Text)
		case plan.AddAddress:
			fmt.Fprintf(&batch, "addr add %v dev %s\n", s.Prefix, s.Dev)
		}
	}
	dir := b.TempDir()
	for file, text := range map[string]string{"nat": nat.String(), "batch": batch.String()} {
		if err := os.WriteFile(dir+"/"+file, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	in(b, name, "iptables-restore", "--noflush", dir+"/nat")
	in(b, name, "ip", "-batch", dir+"/batch")
	return time.Since(start)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkFloatingIPs: 1,000 floating IPs together, against the tools alone with the same content; and one more of them,
// against the first.
func BenchmarkFloatingIPs(b *testing.B) {
	x := keep(b)
	name := plan.QRouter + id('a', 1)
	var ours, tools, first, last []time.Duration
	for b.Loop() {
		x.want(many(0))
		first = append(first, x.timed(many(1)))
		x.want(map[string]plan.Resource{})
		x.until("it is gone", func() bool { return len(names(b)) == 0 })
		x.want(many(0))
		ours = append(ours, x.timed(many(1000)))
		last = append(last, x.timed(many(1001)))
		x.want(map[string]plan.Resource{})
		x.until("it is gone", func() bool { return len(names(b)) == 0 })
		// The same namespace, without a keeper that would put it right.
		x.want(many(0))
		x.stop()
		tools = append(tools, bare(b, name, many(0), many(1000)))
		x = keep(b)
		x.nothing()
	}
	b.ReportMetric(millis(median(ours)), "ms/1000")
	b.ReportMetric(millis(median(tools)), "tools-ms/1000")
	b.ReportMetric(float64(median(ours))/float64(median(tools)), "x-tools")
	b.ReportMetric(millis(median(first)), "ms/first")
	b.ReportMetric(millis(median(last)), "ms/1001st")
	b.ReportMetric(float64(median(last))/float64(median(first)), "x-first")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRestart: a keeper starts where everything is right already: 200 routers; and one with 1,000 floating IPs.
func BenchmarkRestart(b *testing.B) {
	routers := map[string]plan.Resource{}
	for i := range 200 {
		r := centralised(i + 1)
		r.Gateway.Addresses = []netip.Prefix{netip.PrefixFrom(addr(fmt.Sprintf("172.24.4.%d", i+10)), 24)}
		f := floating(i+1, i+1, fmt.Sprintf("172.24.5.%d", i+10), "10.0.1.7")
		routers[r.Resource()], routers[f.Resource()] = r, f
	}
	for what, r := range map[string]map[string]plan.Resource{"200 routers": routers, "1000 floating IPs": many(1000)} {
		b.Run(what, func(b *testing.B) {
			x := keep(b)
			x.want(r)
			x.stop()
			var took []time.Duration
			var memory runtime.MemStats
			for b.Loop() {
				y := keep(b)
				took = append(took, y.timed(r))
				if n := y.count("steps_total"); n != 0 {
					b.Errorf("it took %v steps", n)
				}
				runtime.GC()
				runtime.ReadMemStats(&memory)
				y.stop()
			}
			b.ReportMetric(millis(median(took)), "ms")
			b.ReportMetric(float64(memory.HeapInuse+memory.StackInuse)/(1<<20), "MiB")
			b.ReportMetric(0, "ns/op")
			z := keep(b)
			z.nothing()
			z.stop()
		})
	}
}
