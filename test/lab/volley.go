package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Shot is one attempt to be answered by somebody.
type Shot struct {
	// Protocol is that of the IP header: TCP and UDP need a server that StartServer started, ICMP and ICMPv6 nobody, and any
	// other a server that answers it.
	Protocol uint8 `json:"protocol"`
	// From is the address to send from; if it is not valid, the kernel chooses.
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
	// Port is the destination port of TCP, UDP and SCTP.
	Port uint16 `json:"port,omitempty"`
	// Type and Code are those of ICMP and ICMPv6: of an echo request, or of another question that kernels answer.
	Type uint8 `json:"type,omitempty"`
	Code uint8 `json:"code,omitempty"`
	// Expected says that an answer is waited for.
	Expected bool `json:"expected,omitempty"`
}

// Hit is what became of a shot.
type Hit struct {
	Answered bool `json:"answered"`
	// Caller is the address that a server of TCP or UDP saw.
	Caller netip.Addr `json:"caller"`
	// Why is the last error of one that was not answered.
	Why string `json:"why,omitempty"`
}

// How a volley waits: every shot is repeated until it is answered; those that nobody expects an answer of are over after
// shotsFor, all are after shotsAtMost, which is long enough for a machine that is busy with other things.
const (
	shotEvery   = 350 * time.Millisecond
	shotsFor    = 700 * time.Millisecond
	shotsAtMost = 8 * time.Second
)

// Volley fires all shots at once from a box, and answers what became of each.
func Volley(ctx context.Context, from *nsbox.Box, shots []Shot) ([]Hit, error) {
	text, err := json.Marshal(shots)
	if err != nil {
		return nil, err
	}
	out, err := from.ExecInput(ctx, string(text), nsbox.Applet("volley")...)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	if err := json.Unmarshal([]byte(out), &hits); err != nil || len(hits) != len(shots) {
		return nil, errors.Join(fmt.Errorf("volley of %s: %d hits for %d shots", from.Name, len(hits), len(shots)), err)
	}
	return hits, nil
}

// volleyMain is the applet "volley": it reads shots from standard input and prints hits.
func volleyMain(args []string) error {
	if len(args) != 0 {
		return errors.New("usage: volley <SHOTS")
	}
	var shots []Shot
	if err := json.NewDecoder(os.Stdin).Decode(&shots); err != nil {
		return fmt.Errorf("shots: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), shotsAtMost)
	defer cancel()
	hits := make([]Hit, len(shots))
	var expected, rest sync.WaitGroup
	for i := range shots {
		group := &rest
		if shots[i].Expected {
			group = &expected
		}
		group.Go(func() { hits[i] = fire(ctx, shots[i], uint16(i+1)) })
	}
	least := time.After(shotsFor)
	expected.Wait()
	<-least
	cancel()
	rest.Wait()
	return json.NewEncoder(os.Stdout).Encode(hits)
}

// fire repeats a shot until it is answered or ctx ends. The number tells its packets from those of others of the volley.
func fire(ctx context.Context, s Shot, number uint16) (h Hit) {
	for {
		try, cancel := context.WithTimeout(ctx, shotEvery)
		caller, err := once(try, s, number)
		cancel()
		if err == nil {
			return Hit{Answered: true, Caller: caller}
		}
		var refused errorAnswer
		if errors.As(err, &refused) {
			// Somebody there has said no: the packet has arrived.
			return Hit{Answered: true, Why: err.Error()}
		}
		h.Why = err.Error()
		if ctx.Err() != nil {
			return h
		}
	}
}
