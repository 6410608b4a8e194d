package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// taleRate is messages per second that a teller tells.
const taleRate = 200

// tellMain is the applet "tell FILE PORTS": who sends a datagram to one of the UDP ports is told numbered messages from then on,
// until the teller is killed. FILE is written when all ports are open.
func tellMain(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: tell FILE PORTS")
	}
	failed := make(chan error)
	for _, port := range args[1:] {
		conn, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() { failed <- tellCallers(conn) }()
	}
	if err := writeReport(args[0], true); err != nil {
		return err
	}
	return <-failed
}

func tellCallers(conn net.PacketConn) error {
	buffer := make([]byte, 1<<10)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		go func() {
			var n uint64
			for range time.Tick(time.Second / taleRate) {
				// One that the kernel refuses is missed by who listens.
				_, _ = conn.WriteTo(binary.BigEndian.AppendUint64(nil, n), from)
				n++
			}
		}()
	}
}

// TaleReport is what somebody who asked once has heard.
type TaleReport struct {
	// Heard are messages; Missing those with lower numbers than the last.
	Heard   uint64 `json:"heard"`
	Missing uint64 `json:"missing"`
}

// listenMain is the applet "listen FILE ADDRESS:PORT": it asks a teller once, and counts what it is told until SIGINT.
func listenMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: listen FILE ADDRESS:PORT")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	conn, err := net.DialTimeout("udp", args[1], 10*time.Second)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return err
	}
	told, failed := make(chan uint64, 1<<10), make(chan error, 1)
	go func() {
		message := make([]byte, 8)
		for {
			if _, err := io.ReadFull(conn, message); err != nil {
				failed <- err
				return
			}
			told <- binary.BigEndian.Uint64(message)
		}
	}()
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	var r TaleReport
	for {
		select {
		case n := <-told:
			r.Heard++
			r.Missing = max(r.Missing, n+1-min(r.Heard, n+1))
		case <-reports.C:
			if err := writeReport(args[0], r); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-stop:
			return nil
		}
	}
}

// StartTeller opens UDP ports in a box; Listen asks there. When it returns, the ports are open.
func (l *Lab) StartTeller(ctx context.Context, box *nsbox.Box, ports ...uint16) error {
	name := "tell-" + uuid.NewString()
	file := filepath.Join(l.Dir, "log", name+".json")
	argv := []string{file}
	for _, p := range ports {
		argv = append(argv, fmt.Sprint(p))
	}
	if _, err := box.Start(ctx, nsbox.Command{Name: name, Log: l.log(name), Argv: nsbox.Applet("tell", argv...)}); err != nil {
		return fmt.Errorf("tell in %s: %w", box.Name, err)
	}
	var open bool
	if err := Poll(ctx, 10*time.Second, func() error { return readReport(file, &open) }); err != nil {
		return fmt.Errorf("tell %v in %s: %w: %s", ports, box.Name, err, tail(l.log(name)))
	}
	return nil
}

// Tale is what a box hears of a teller whom it has asked once.
type Tale struct {
	name, file string
	box        *nsbox.Box
}

// Listen asks a teller, and returns when that has been said.
func (l *Lab) Listen(ctx context.Context, box *nsbox.Box, to netip.AddrPort) (*Tale, error) {
	t := &Tale{name: "listen-" + uuid.NewString(), box: box}
	t.file = filepath.Join(l.Dir, "log", t.name+".json")
	if _, err := box.Start(ctx, nsbox.Command{Name: t.name, Log: l.log(t.name), Argv: nsbox.Applet("listen", t.file, to.String())}); err != nil {
		return nil, fmt.Errorf("listen in %s to %s: %w", box.Name, to, err)
	}
	if err := Poll(ctx, 15*time.Second, func() error { _, err := t.Now(); return err }); err != nil {
		return nil, fmt.Errorf("listen in %s to %s: %w: %s", box.Name, to, err, tail(l.log(t.name)))
	}
	return t, nil
}

// Now is what was heard until a moment ago.
func (t *Tale) Now() (TaleReport, error) {
	var r TaleReport
	err := readReport(t.file, &r)
	return r, err
}

// Received is the number of messages heard.
func (t *Tale) Received() (uint64, error) {
	r, err := t.Now()
	return r.Heard, err
}

// Await waits until n more messages than now have been heard.
func (t *Tale) Await(ctx context.Context, n uint64, limit time.Duration) error {
	first, err := t.Received()
	if err != nil {
		return err
	}
	return Poll(ctx, limit, func() error {
		heard, err := t.Received()
		if err == nil && heard < first+n {
			err = fmt.Errorf("%s has heard %d messages of %d", t.box.Name, heard-first, n)
		}
		return err
	})
}

// Stop ends the listening.
func (t *Tale) Stop(ctx context.Context) error {
	return t.box.Stop(ctx, t.name, syscall.SIGINT, farewell)
}
