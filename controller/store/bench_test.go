package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// benchStore has one network with that many ports on 100 hosts, all bound.
func benchStore(b *testing.B, ports int) (*Store, *model.Network) {
	s := newStore(b)
	n := network(b, s, "blue")
	subnet(b, s, n.ID, "10.0.0.0/15")
	for i := range 100 {
		host(b, s, fmt.Sprintf("h%d", i))
	}
	const batch = 1000
	for begin := 0; begin < ports; begin += batch {
		taps := map[string][]model.Interface{}
		update(b, s, func(tx *Tx) error {
			for i := begin; i < min(begin+batch, ports); i++ {
				p, err := tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true})
				if err != nil {
					return err
				}
				h := fmt.Sprintf("h%d", i%100)
				taps[h] = append(taps[h], tap(fmt.Sprintf("tap%d", i), uint32(i+1), p.ID))
			}
			for h, is := range taps {
				if err := tx.ReportInterfaces(h, false, is, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return s, n
}

func p50(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkPortCreate compares creating a port with a put of the same size into the same etcd, turn by turn.
func BenchmarkPortCreate(b *testing.B) {
	for _, ports := range []int{10, 10000} {
		b.Run(fmt.Sprintf("ports=%d", ports), func(b *testing.B) {
			s, n := benchStore(b, ports)
			create := func() *model.Port {
				var p *model.Port
				update(b, s, func(tx *Tx) (err error) {
					p, err = tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true})
					return err
				})
				return p
			}
			value, err := encode(create())
			if err != nil {
				b.Fatal(err)
			}
			var puts, creates []time.Duration
			for i := range b.N {
				began := time.Now()
				if _, err := s.client.Put(context.Background(), fmt.Sprintf("/bench/%d", i), string(value)); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				create()
				puts, creates = append(puts, between.Sub(began)), append(creates, time.Since(between))
			}
			put, made := p50(puts), p50(creates)
			b.ReportMetric(float64(put.Nanoseconds()), "put-p50-ns")
			b.ReportMetric(float64(made.Nanoseconds()), "create-p50-ns")
			b.ReportMetric(float64(made)/float64(put), "x-put")
		})
	}
}

// BenchmarkPortCreateParallel is 64 callers at once, who share transactions.
func BenchmarkPortCreateParallel(b *testing.B) {
	s, n := benchStore(b, 1000)
	_, before := s.Snapshot()
	b.ResetTimer()
	var wg sync.WaitGroup
	work := make(chan struct{}, b.N)
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	for range 64 {
		wg.Go(func() {
			for range work {
				if _, err := s.Update(context.Background(), func(tx *Tx) error {
					_, err := tx.CreatePort(&model.Port{NetworkID: n.ID})
					return err
				}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	_, after := s.Snapshot()
	b.ReportMetric(float64(b.N)/float64(after-before), "updates/txn")
}

// BenchmarkReports is 500 agents that report at once that nothing has changed, as after a restart of the controller.
func BenchmarkReports(b *testing.B) {
	s, _ := benchStore(b, 10000)
	snap, _ := s.Snapshot()
	is := slices.Collect(snap.InterfacesOf("h1"))
	var copies []model.Interface
	for _, i := range is {
		copies = append(copies, *i)
	}
	b.ResetTimer()
	for range b.N {
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				if _, err := s.Update(context.Background(), func(tx *Tx) error {
					return tx.ReportInterfaces("h1", true, copies, nil)
				}); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// BenchmarkOpen is a restart with 10,000 ports, bound, on 100 hosts.
func BenchmarkOpen(b *testing.B) {
	s, _ := benchStore(b, 10000)
	cfg := s.cfg
	s.Close()
	b.ResetTimer()
	for range b.N {
		s, err := Open(context.Background(), Config{DataDir: cfg.DataDir}, quiet())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if snap, _ := s.Snapshot(); snap.Len(state.Ports) != 10000 {
			b.Error("ports are missing")
		}
		s.Close()
		b.StartTimer()
	}
}
