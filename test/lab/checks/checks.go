package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// Check is one scenario.
type Check struct {
	Name string
	// Hosts is how many hosts it needs.
	Hosts int
	// Run does it. The first result is what was measured, for people; it is told with an error too.
	Run func(ctx context.Context, s *cloud.Scope) (measured string, err error)
}

// All lists the checks in the order in which they run: what is simple first, and what breaks things last.
func All() []Check {
	return slices.Concat(reach, isolation, life, faults)
}

// limit bounds one check.
const limit = 2 * time.Minute

// Result is how a check went.
type Result struct {
	Check
	Measured string
	// Err is nil if the check passed.
	Err  error
	Took time.Duration
}

// Run runs one check in a cloud whose hosts are ready, and takes away what it made.
func Run(ctx context.Context, c *cloud.Cloud, check Check) Result {
	start := time.Now()
	r := Result{Check: check}
	if have := len(c.Lab.Hosts); have < check.Hosts {
		r.Err = fmt.Errorf("needs %d hosts, the lab has %d", check.Hosts, have)
		return r
	}
	checking, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	s := c.Scope("check-")
	r.Err = c.Lab.WarmTunnels(checking)
	if r.Err == nil {
		r.Measured, r.Err = check.Run(checking, s)
	}
	if r.Err == nil {
		r.Err = noStrayPorts(checking, c.Lab)
	}
	// What a failed check left must not fail the next; and an interrupted one is still to be cleaned up.
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := s.Close(cleaning)
	if err == nil {
		err = noStrayPorts(cleaning, c.Lab)
	}
	if err != nil {
		r.Err = errors.Join(r.Err, fmt.Errorf("clean up: %w", err))
	}
	r.Took = time.Since(start)
	return r
}

// noStrayPorts fails when a row on any host names a port that does not exist.
func noStrayPorts(ctx context.Context, l *lab.Lab) error {
	var all []string
	for _, h := range l.Hosts {
		stray, err := h.StrayPorts(ctx)
		if err != nil {
			return err
		}
		all = append(all, stray...)
	}
	if len(all) > 0 {
		return errors.New("rows that name ports which do not exist: " + strings.Join(all, "; "))
	}
	return nil
}
