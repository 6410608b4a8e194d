package agentconn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// questions are those that an agent has not answered yet, by nonce.
type questions struct {
	mu    sync.Mutex
	last  uint64
	asked map[string]chan *nodev1.Answer
}

func (q *questions) begin() (nonce string, answer <-chan *nodev1.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	nonce = fmt.Sprint("q", q.last)
	c := make(chan *nodev1.Answer, 1)
	if q.asked == nil {
		q.asked = map[string]chan *nodev1.Answer{}
	}
	q.asked[nonce] = c
	return nonce, c
}

func (q *questions) end(nonce string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.asked, nonce)
}

// answer gives an answer to who asked; one that nobody waits for any more is dropped.
func (q *questions) answer(a *nodev1.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.asked[a.Nonce]; c != nil {
		c <- a
		delete(q.asked, a.Nonce)
	}
}

// Ask asks the agent how a network namespace is, compared with what is desired, and waits for the answer until the context
// is done or the stream ends.
func (s *Session) Ask(ctx context.Context, namespace string) ([]report.NamespaceLine, error) {
	a, err := s.ask(ctx, &nodev1.Ask{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	lines := make([]report.NamespaceLine, len(a.Lines))
	for i, l := range a.Lines {
		lines[i] = report.NamespaceLine{Section: l.Section, Text: l.Text, State: l.State}
	}
	return lines, nil
}

// AskFirewall asks the agent what the rules have counted that judge a port on its firewall bridge.
func (s *Session) AskFirewall(ctx context.Context, port string) (report.Firewall, error) {
	a, err := s.ask(ctx, &nodev1.Ask{Firewall: port})
	if err != nil {
		return report.Firewall{}, err
	}
	counter := func(c *nodev1.Counter) report.Counter {
		return report.Counter{Packets: c.GetPackets(), Bytes: c.GetBytes()}
	}
	out := report.Firewall{Rules: map[string]report.Counter{}, RefusedIngress: counter(a.RefusedIngress), RefusedEgress: counter(a.RefusedEgress)}
	for _, r := range a.Rules {
		out.Rules[r.GetRuleId()] = counter(r.GetCounter())
	}
	return out, nil
}

func (s *Session) ask(ctx context.Context, ask *nodev1.Ask) (*nodev1.Answer, error) {
	nonce, answered := s.questions.begin()
	defer s.questions.end(nonce)
	ask.Nonce = nonce
	if err := s.send(&nodev1.SyncResponse{Epoch: s.epoch, Message: &nodev1.SyncResponse_Ask{Ask: ask}}); err != nil {
		return nil, fmt.Errorf("the question was not sent: %w", err)
	}
	select {
	case a := <-answered:
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return a, nil
	case <-s.ctx.Done():
		return nil, errors.New("the agent went away before it answered")
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer came: %w", context.Cause(ctx))
	}
}
