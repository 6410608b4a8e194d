package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// sessionRate is messages per second that a session sends.
const sessionRate = 200

// SessionReport is what became of a TCP connection that is kept open.
type SessionReport struct {
	// Greeting is the server's: who answered, and what it saw.
	Greeting Greeting `json:"greeting"`
	// Bytes sent, and received back.
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	// LongestGap is the longest time without anything received, the last one included.
	LongestGap time.Duration `json:"longest_gap_ns"`
	// Broken says why the connection ended before it was told to; empty while it lives.
	Broken string `json:"broken"`
	Done   bool   `json:"done"`
}

// talk is a connection to a server that echoes.
type talk struct {
	conn net.Conn

	mu     sync.Mutex
	report SessionReport
	last   time.Time
}

// talkMain is the applet "talk FILE ADDRESS:PORT": it sends numbered messages over one TCP connection, and counts what
// comes back, until SIGINT. A connection that breaks stays broken.
func talkMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: talk FILE ADDRESS:PORT")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	t := &talk{}
	if err := t.open(args[1]); err != nil {
		t.broke(err)
	} else {
		go t.receive()
	}
	sends := time.NewTicker(time.Second / sessionRate)
	defer sends.Stop()
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	for {
		select {
		case <-sends.C:
			t.send()
		case <-reports.C:
			if err := writeReport(args[0], t.now()); err != nil {
				return err
			}
		case <-stop:
			r := t.now()
			r.Done = true
			return writeReport(args[0], r)
		}
	}
}

func (t *talk) open(address string) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(io.LimitReader(conn, 1<<10), 1<<10).ReadBytes('\n')
	if err != nil {
		return err
	}
	t.conn, t.last = conn, time.Now()
	return json.Unmarshal(line, &t.report.Greeting)
}

func (t *talk) broke(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.report.Broken == "" {
		t.report.Broken = err.Error()
	}
}

// send sends one message of 8 bytes. When the socket's buffer is full it does not wait: nothing arrives anyway.
func (t *talk) send() {
	t.mu.Lock()
	sent, over := t.report.Sent, t.report.Broken != ""
	t.mu.Unlock()
	if over {
		return
	}
	err := t.conn.SetWriteDeadline(time.Now().Add(reportEvery))
	if err == nil {
		_, err = t.conn.Write(binary.BigEndian.AppendUint64(nil, sent))
	}
	if err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.broke(err)
		}
		return
	}
	t.mu.Lock()
	t.report.Sent += 8
	t.mu.Unlock()
}

func (t *talk) receive() {
	buffer := make([]byte, 1<<12)
	for {
		n, err := t.conn.Read(buffer)
		if err != nil {
			t.broke(err)
			return
		}
		now := time.Now()
		t.mu.Lock()
		t.report.Received += uint64(n)
		t.report.LongestGap = max(t.report.LongestGap, now.Sub(t.last))
		t.last = now
		t.mu.Unlock()
	}
}

// now is the report with the gap that is still open.
func (t *talk) now() SessionReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	if !t.last.IsZero() {
		r.LongestGap = max(r.LongestGap, time.Since(t.last))
	}
	return r
}

// Session is a TCP connection that is kept open, with messages going both ways.
type Session struct {
	name, file string
	box        *nsbox.Box
}

// StartSession opens a connection from a box to a server that StartServer started, and returns when it is open.
func (l *Lab) StartSession(ctx context.Context, box *nsbox.Box, to netip.AddrPort) (*Session, error) {
	s := &Session{name: "talk-" + uuid.NewString(), box: box}
	s.file = filepath.Join(l.Dir, "log", s.name+".json")
	if _, err := box.Start(ctx, nsbox.Command{Name: s.name, Log: l.log(s.name), Argv: nsbox.Applet("talk", s.file, to.String())}); err != nil {
		return nil, fmt.Errorf("session from %s to %s: %w", box.Name, to, err)
	}
	err := Poll(ctx, 15*time.Second, func() error {
		r, err := s.Now()
		if err == nil && r.Broken == "" && r.Received == 0 {
			err = errors.New("nothing received yet")
		}
		return err
	})
	if r, _ := s.Now(); err == nil && r.Broken != "" {
		err = errors.New(r.Broken)
	}
	if err != nil {
		_, stopErr := s.Stop(context.WithoutCancel(ctx))
		return nil, errors.Join(fmt.Errorf("session from %s to %s: %w", box.Name, to, err), stopErr)
	}
	return s, nil
}

// Now answers what was counted until a moment ago.
func (s *Session) Now() (SessionReport, error) {
	var r SessionReport
	err := readReport(s.file, &r)
	return r, err
}

// Received is the number of bytes that have come back.
func (s *Session) Received() (uint64, error) {
	r, err := s.Now()
	return r.Received, err
}

// Await waits until n more bytes than now have come back, or the connection is broken.
func (s *Session) Await(ctx context.Context, n uint64, limit time.Duration) error {
	first, err := s.Now()
	if err != nil {
		return err
	}
	return Poll(ctx, limit, func() error {
		r, err := s.Now()
		switch {
		case err != nil:
			return err
		case r.Broken != "":
			return fmt.Errorf("session from %s: %s", s.box.Name, r.Broken)
		case r.Received < first.Received+n:
			return fmt.Errorf("session from %s: %d bytes came back of %d", s.box.Name, r.Received-first.Received, n)
		}
		return nil
	})
}

// Stop ends the session and answers all that was counted.
func (s *Session) Stop(ctx context.Context) (SessionReport, error) {
	if err := s.box.Stop(ctx, s.name, syscall.SIGINT, 10*time.Second); err != nil {
		return SessionReport{}, err
	}
	r, err := s.Now()
	if err == nil && !r.Done {
		err = fmt.Errorf("session: %s: no final report", s.box.Name)
	}
	return r, err
}
