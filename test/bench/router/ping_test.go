package router

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// answered is a line of "ping -D": "[1700000000.123456] 64 bytes from 172.24.4.100: icmp_seq=9 ttl=62 time=0.9 ms".
var answered = regexp.MustCompile(`(?m)^\[(\d+)\.(\d{6})\] \d+ bytes from`)

// firstPing pings an address from outside every 2 ms, then does something, and answers how long after its begin the first
// answer came.
func firstPing(b *testing.B, c *cloud.Cloud, do func(), address netip.Addr) time.Duration {
	b.Helper()
	ctx := b.Context()
	name := "ping-" + uuid.NewString()
	log := filepath.Join(c.Lab.Dir, "log", name+".log")
	_, err := c.Lab.Outside.Start(ctx, nsbox.Command{Name: name, Log: log, Argv: []string{"ping", "-n", "-D", "-i", "0.002", address.String()}})
	check(b, err)
	check(b, lab.Poll(ctx, 5*time.Second, func() error {
		_, err := os.Stat(log)
		return err
	}))
	begin := time.Now()
	do()
	var first time.Time
	check(b, lab.Poll(ctx, 20*time.Second, func() error {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		m := answered.FindSubmatch(text)
		if m == nil {
			return fmt.Errorf("no answer from %s", address)
		}
		s, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return err
		}
		us, err := strconv.ParseInt(string(m[2]), 10, 64)
		first = time.Unix(s, us*1000)
		return err
	}))
	check(b, c.Lab.Outside.Stop(ctx, name, syscall.SIGINT, 5*time.Second))
	return first.Sub(begin)
}
