package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// knockEvery is how often somebody knocks, unless the last answer is waited for still.
const knockEvery = 10 * time.Millisecond

// KnockReport is what became of connections that were opened one after the other.
type KnockReport struct {
	Answered int `json:"answered"`
	Refused  int `json:"refused"`
	// First is when the first that was answered began.
	First time.Time `json:"first"`
	// Longest is the longest time from the first packet of a connection to the server's greeting.
	Longest time.Duration `json:"longest_ns"`
	// Late is how many whole seconds they have waited together: TCP tries again after one when the first packet, or its answer, is lost.
	Late int `json:"late"`
	// Why is the error of the last one that was refused.
	Why  string `json:"why"`
	Done bool   `json:"done"`
}

// knockMain is the applet "knock FILE ADDRESS:PORT PATIENCE": it opens TCP connections to a server, one after the other, and
// ends each when it is greeted, or its patience is over, until SIGINT.
func knockMain(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: knock FILE ADDRESS:PORT PATIENCE")
	}
	to, err := netip.ParseAddrPort(args[1])
	if err != nil {
		return err
	}
	patience, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	stop, unhook := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer unhook()
	var r KnockReport
	var written time.Time
	for range time.Tick(knockEvery) {
		start := time.Now()
		try, cancel := context.WithTimeout(context.Background(), patience)
		_, err := onceByPort(try, Shot{Protocol: protoTCP, To: to.Addr(), Port: to.Port()})
		cancel()
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
			if r.Answered++; r.Answered == 1 { // also by a no, which somebody must have said
				r.First = start
			}
			took := time.Since(start)
			r.Longest, r.Late = max(r.Longest, took), r.Late+int(took/time.Second)
		} else {
			r.Refused++
			r.Why = err.Error()
		}
		r.Done = stop.Err() != nil
		if now := time.Now(); r.Done || now.Sub(written) >= reportEvery {
			written = now
			if err := writeReport(args[0], r); err != nil || r.Done {
				return err
			}
		}
	}
	return nil
}

// Knocks are connections that somebody opens all the time.
type Knocks struct {
	name, file string
	box        *nsbox.Box
}

// StartKnocks has a box open one connection after the other to a server that StartServer started, each of which may take so long. It
// returns when the first is over.
func (l *Lab) StartKnocks(ctx context.Context, box *nsbox.Box, to netip.AddrPort, patience time.Duration) (*Knocks, error) {
	k := &Knocks{name: "knock-" + uuid.NewString(), box: box}
	k.file = filepath.Join(l.Dir, "log", k.name+".json")
	if _, err := box.Start(ctx, nsbox.Command{Name: k.name, Log: l.log(k.name), Argv: nsbox.Applet("knock", k.file, to.String(), patience.String())}); err != nil {
		return nil, fmt.Errorf("%s knocks at %s: %w", box.Name, to, err)
	}
	return k, Poll(ctx, 15*time.Second, func() error { _, err := os.Stat(k.file); return err })
}

// Now answers what was counted until a moment ago.
func (k *Knocks) Now() (r KnockReport, err error) {
	err = readReport(k.file, &r)
	return r, err
}

// Stop ends the knocking and answers all that was counted.
func (k *Knocks) Stop(ctx context.Context) (r KnockReport, err error) {
	if err := k.box.Stop(ctx, k.name, syscall.SIGINT, farewell); err != nil {
		return r, err
	}
	if r, err = k.Now(); err == nil && !r.Done {
		err = fmt.Errorf("%s knocks: no final report: %s", k.box.Name, tail(k.file))
	}
	return r, err
}
