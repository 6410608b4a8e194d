package hostsync

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-sdn/weft/controller/report"
)

// askTimeout is how long an agent may take to look at a namespace.
const askTimeout = 10 * time.Second

// Namespace compares a network namespace of a host with what it should be, as the host's agent sees it now. It has no lines
// when there is none of that name and there should be none.
func (f *Fleet) Namespace(ctx context.Context, name, namespace string) (report.Namespace, error) {
	out := report.Namespace{Host: name, Name: namespace}
	h := f.find(name)
	if h == nil {
		return out, fmt.Errorf("host %q is not known", name)
	}
	s := h.session.Load()
	if s == nil {
		return out, fmt.Errorf("host %s: its agent is not connected since %s; on the host, ip netns shows its namespaces",
			name, h.published.Load().report.AgentSince.Format(time.TimeOnly))
	}
	asked, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("the agent has not answered for %v", askTimeout))
	defer cancel()
	var err error
	if out.Lines, err = s.Ask(asked, namespace); err != nil {
		return out, fmt.Errorf("host %s: namespace %s: %w", name, namespace, err)
	}
	return out, nil
}
