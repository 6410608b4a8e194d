package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// tcpPort is where pour listens.
const tcpPort = 7778

// pourMain is the applet "pour BYTES": it listens, and gives every caller that many bytes which look random, and then
// their SHA-256.
func pourMain(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: pour BYTES")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("bytes: %w", err)
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: tcpPort})
	if err != nil {
		return err
	}
	for {
		conn, err := listener.AcceptTCP()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			sum := sha256.New()
			// Any fixed seed: the receiver compares with the sum, which is of what was really sent.
			source := rand.NewChaCha8([32]byte{})
			if _, err := io.CopyN(io.MultiWriter(conn, sum), source, n); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			if _, err := conn.Write(sum.Sum(nil)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// drinkMain is the applet "drink ADDRESS BYTES": it takes what pour gives and fails unless it came whole and unchanged.
func drinkMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: drink ADDRESS BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return fmt.Errorf("bytes: %w", err)
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(args[0], strconv.Itoa(tcpPort)), 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	sum := sha256.New()
	if got, err := io.CopyN(sum, conn, n); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", got, n, err)
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(conn, want[:]); err != nil {
		return fmt.Errorf("sum: %w", err)
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return errors.New("what came is not what was sent")
	}
	return nil
}

// Transfer sends n bytes over one TCP connection from the box that has the address to the other, and answers how long
// that took. The error says if they did not come whole and unchanged within limit.
func Transfer(ctx context.Context, from *nsbox.Box, address netip.Addr, to *nsbox.Box, n int64, limit time.Duration) (time.Duration, error) {
	name := "pour-" + uuid.NewString()
	if _, err := from.Start(ctx, nsbox.Command{Name: name, Argv: nsbox.Applet("pour", strconv.FormatInt(n, 10))}); err != nil {
		return 0, err
	}
	err := Poll(ctx, 10*time.Second, func() error {
		_, err := from.Exec(ctx, "sh", "-c", fmt.Sprintf("grep -q ':%04X .* 0A ' /proc/net/tcp6 /proc/net/tcp", tcpPort))
		return err
	})
	var took time.Duration
	if err == nil {
		start := time.Now()
		argv := nsbox.Applet("drink", address.String(), strconv.FormatInt(n, 10))
		var out nsbox.Output
		out, err = to.Run(ctx, nsbox.Once{Argv: argv, Timeout: limit})
		took = time.Since(start)
		if err == nil && out.Code != 0 {
			err = &nsbox.ExitError{Box: to.Name, Argv: argv, Output: out}
		}
	}
	return took, errors.Join(err, from.Stop(context.WithoutCancel(ctx), name, syscall.SIGKILL, 10*time.Second))
}
