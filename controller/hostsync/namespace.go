package hostsync

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/report"
)

// askTimeout is how long an agent may take to look at what it is asked for.
const askTimeout = 10 * time.Second

// Namespace compares a network namespace of a host with what it should be, as the host's agent sees it now. It has no lines
// when there is none of that name and there should be none.
func (f *Fleet) Namespace(ctx context.Context, name, namespace string) (report.Namespace, error) {
	out := report.Namespace{Host: name, Name: namespace}
	err := f.ask(ctx, name, "on the host, ip netns shows its namespaces", func(ctx context.Context, s *agentconn.Session) (err error) {
		if out.Lines, err = s.Ask(ctx, namespace); err != nil {
			err = fmt.Errorf("namespace %s: %w", namespace, err)
		}
		return err
	})
	return out, err
}

// Firewall tells what the rules have counted that judge a port on its firewall bridge, as the host's agent sees it now.
func (f *Fleet) Firewall(ctx context.Context, name, port string) (out report.Firewall, err error) {
	err = f.ask(ctx, name, "on the host, iptables-save -c shows its rules", func(ctx context.Context, s *agentconn.Session) (err error) {
		out, err = s.AskFirewall(ctx, port)
		return err
	})
	return out, err
}

// ask asks the agent of a host. instead is what people can do who cannot reach it.
func (f *Fleet) ask(ctx context.Context, name, instead string, question func(context.Context, *agentconn.Session) error) error {
	h := f.find(name)
	if h == nil {
		return fmt.Errorf("host %q is not known", name)
	}
	s := h.session.Load()
	if s == nil {
		return fmt.Errorf("host %s: its agent is not connected since %s; %s", name, h.published.Load().report.AgentSince.Format(time.TimeOnly), instead)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("the agent has not answered for %v", askTimeout))
	defer cancel()
	if err := question(ctx, s); err != nil {
		return fmt.Errorf("host %s: %w", name, err)
	}
	return nil
}
