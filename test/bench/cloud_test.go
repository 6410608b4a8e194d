package bench

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPortAdd adds ports to a cloud of 2 hosts with real switches and 8 simulated ones in which every host carries
// every network, and measures each from the API call to the last acknowledgement of all hosts. CPU is that of the whole
// process, which holds the simulated hosts too.
func BenchmarkPortAdd(b *testing.B) {
	const samples = 40
	type result struct {
		p50, p90, cpu time.Duration
		mods          float64
	}
	var base result
	fmt.Printf("%10s %10s %10s %8s %14s %10s %18s\n", "ports", "p50", "p90", "× of 10", "CPU/change", "× of 10", "flow-mods/change")
	c := newCloud(b, 2, 8)
	have := 0
	for _, n := range []int{10, 1000, 5000, 10000} {
		c.grow(have, n)
		have = n
		var times []time.Duration
		mods := c.flowMods()
		var spent time.Duration
		for i := range samples {
			h := c.hosts[i%2]
			before := cpu()
			id, took := c.addPort(c.networks[0], h)
			spent += cpu() - before
			times = append(times, took)
			if _, err := c.ports.DeletePort(c.ctx, &weftv1.DeletePortRequest{Id: id}); err != nil {
				b.Fatal(err)
			}
			_, rev := c.store.Snapshot()
			c.applied(rev)
		}
		slices.Sort(times)
		r := result{p50: times[samples/2], p90: times[samples*9/10], cpu: spent / samples,
			mods: float64(c.flowMods()-mods) / samples / 2}
		if base.p50 == 0 {
			base = r
		}
		fmt.Printf("%10d %10v %10v %8.2f %14v %10.2f %18.1f\n", n, r.p50.Round(10*time.Microsecond), r.p90.Round(10*time.Microsecond),
			float64(r.p50)/float64(base.p50), r.cpu.Round(10*time.Microsecond), float64(r.cpu)/float64(base.cpu), r.mods)
	}
	b.ReportMetric(0, "ns/op")
}
