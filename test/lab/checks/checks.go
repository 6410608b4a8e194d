package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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

	// A check of a scene has look instead of Run.
	scene *scene
	look  func(ctx context.Context, s *cloud.Scope, t *site) (measured string, err error)
}

// All lists the checks in the order in which they run: what is simple first, and what breaks things last.
func All() []Check {
	return slices.Concat(reach, isolation, life, routers(), served(), announced(), judged, limits, matrices(), faults, survival())
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

// Runner runs checks in a cloud whose hosts are ready. Checks of one scene that follow each other share what it built.
type Runner struct {
	cloud *cloud.Cloud
	scene *scene
	site  *site
	scope *cloud.Scope
	// failed is why the scene could not be built.
	failed error
}

// NewRunner makes a runner. It must be closed.
func NewRunner(c *cloud.Cloud) *Runner { return &Runner{cloud: c} }

// Run runs one check, and takes away what it made.
func (r *Runner) Run(ctx context.Context, check Check) Result {
	start := time.Now()
	res := Result{Check: check}
	if have := len(r.cloud.Lab.Hosts); have < check.Hosts {
		res.Err = fmt.Errorf("needs %d hosts, the lab has %d", check.Hosts, have)
		return res
	}
	checking, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	s := r.cloud.Scope("check-")
	res.Err = r.cloud.Lab.WarmTunnels(checking)
	if res.Err == nil {
		res.Err = r.set(checking, check.scene)
	}
	if res.Err == nil {
		if check.scene != nil {
			res.Measured, res.Err = check.look(checking, s, r.site)
		} else {
			res.Measured, res.Err = check.Run(checking, s)
		}
	}
	if res.Err == nil {
		res.Err = noStrayPorts(checking, r.cloud.Lab)
	}
	// What a failed check left must not fail the next; and an interrupted one is still to be cleaned up.
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := s.Close(cleaning)
	if err == nil {
		err = noStrayPorts(cleaning, r.cloud.Lab)
	}
	if err != nil {
		res.Err = errors.Join(res.Err, fmt.Errorf("clean up: %w", err))
	}
	res.Took = time.Since(start)
	return res
}

// set makes the scene of the next check, if it is not there already.
func (r *Runner) set(ctx context.Context, want *scene) error {
	if r.scene == want {
		return r.failed
	}
	if err := r.strike(ctx); err != nil {
		return err
	}
	r.scene = want
	if want == nil {
		return nil
	}
	r.scope = r.cloud.Scope(want.name + "-")
	if r.site, r.failed = want.build(ctx, r.scope); r.failed != nil {
		r.failed = fmt.Errorf("build %s: %w", want.name, r.failed)
	}
	return r.failed
}

// strike takes the scene away.
func (r *Runner) strike(ctx context.Context) error {
	if r.scene == nil {
		return nil
	}
	was := r.scene.name
	r.scene, r.site, r.failed = nil, nil, nil
	if err := r.scope.Close(ctx); err != nil {
		return fmt.Errorf("take %s away: %w", was, err)
	}
	return nil
}

// Close takes away what the last scene built.
func (r *Runner) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return r.strike(ctx)
}

// noStrayPorts fails when a row on any host names a port that does not exist.
func noStrayPorts(ctx context.Context, l *lab.Lab) error {
	stray := make([][]string, len(l.Hosts))
	var g errgroup.Group
	for i, h := range l.Hosts {
		if h.Box != nil {
			g.Go(func() (err error) { stray[i], err = h.StrayPorts(ctx); return err })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if all := slices.Concat(stray...); len(all) > 0 {
		return errors.New("rows that name ports which do not exist: " + strings.Join(all, "; "))
	}
	return nil
}
