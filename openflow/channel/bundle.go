package channel

import (
	"bytes"
	"context"
	"fmt"

	"github.com/weft-sdn/weft/openflow"
)

// BundleError says that a switch refused flow-mods, or other messages. Of a bundle, nothing was done.
type BundleError struct {
	// Errors are the refusals, by the index of the message.
	Errors []OpError
	// Err is a refusal of the bundle itself; nil when there are Errors only.
	Err error
}

// OpError is one refused message.
type OpError struct {
	Index int
	Err   *openflow.Error
}

func (e *BundleError) Error() string {
	switch n := len(e.Errors); {
	case n == 0:
		return fmt.Sprintf("the switch refuses the bundle: %v", e.Err)
	case n == 1:
		return fmt.Sprintf("the switch refuses message %d: %v", e.Errors[0].Index, e.Errors[0].Err)
	default:
		return fmt.Sprintf("the switch refuses %d messages, first number %d: %v", n, e.Errors[0].Index, e.Errors[0].Err)
	}
}

// Unwrap gives the refusals to errors.As.
func (e *BundleError) Unwrap() []error {
	var errs []error
	for _, o := range e.Errors {
		errs = append(errs, o.Err)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// bundleFlags: all or nothing, in order.
const bundleFlags = openflow.BundleAtomic | openflow.BundleOrdered

// flowModHint is about how long a flow-mod is.
const flowModHint = 128

// window is the answers to a run of messages: errors, and the one that ends it.
type window struct {
	first uint32 // xid of the first flow-mod
	n     int
	errs  BundleError
	last  uint32 // the answer to this xid ends the window
}

// take keeps errors and ends with the answer to the last message.
func (w *window) take(h openflow.Header, b []byte) (bool, error) {
	_, m, err := openflow.Parse(b)
	if err != nil {
		return true, err
	}
	if e, ok := m.(*openflow.Error); ok {
		e.Data = bytes.Clone(e.Data)
		if i := int(h.XID - w.first); h.XID >= w.first && i < w.n {
			w.errs.Errors = append(w.errs.Errors, OpError{i, e})
		} else if w.errs.Err == nil {
			w.errs.Err = e
		}
		if len(w.errs.Errors) > w.n {
			return true, fmt.Errorf("more than %d errors about %d flow-mods", w.n, w.n)
		}
	}
	return h.XID == w.last, nil
}

func (w *window) err() error {
	if len(w.errs.Errors) == 0 && w.errs.Err == nil {
		return nil
	}
	return &w.errs
}

// Bundle applies flow-mods as one atomic bundle: all of them at one moment, or, when the switch refuses any, none; the
// error is then a *BundleError. When the context ends before the commit was sent, nothing is applied either; after that
// the outcome is not known, and the channel is closed so that nobody builds on it.
//
// Open vSwitch tells of every flow-mod that it cannot understand, and of the first that it cannot apply. A modify or
// delete that is not strict may miss rows which the same bundle added before it: put it first.
func (c *Conn) Bundle(ctx context.Context, mods []openflow.FlowMod) error {
	if len(mods) == 0 {
		return nil
	}
	// xids: open, one for each flow-mod, close, commit or discard. Open vSwitch commits what it understood of a bundle,
	// whatever else it refused, so that the commit must wait for the answer to the close.
	id := c.ops.reserve(len(mods) + 3)
	w := &window{first: id + 1, n: len(mods), last: id + 1 + uint32(len(mods))}
	p := c.ops.begin(id, w.last+1, w.take)
	control := func(t openflow.BundleType) openflow.Message {
		return &openflow.BundleControl{ID: id, Type: t, Flags: bundleFlags}
	}
	err := c.sendBundle(ctx, mods, id, w.first, control)
	if err == nil {
		err = c.wait(ctx, p)
	}
	if err == nil {
		err = w.err()
	}
	if err == nil {
		// The commit is as much in turn as what came before it, and must not be left out for a full queue.
		if err = c.queue.room(ctx, c.done); err == nil {
			return c.commit(ctx, w, control(openflow.BundleCommitRequest))
		}
	}
	c.ops.forget(p)
	discard := control(openflow.BundleDiscardRequest)
	c.queue.push(0, func(b []byte) []byte { return discard.Append(b, c.version, p.last) }) // nobody waits for its answer
	return c.reason(err)
}

func (c *Conn) sendBundle(ctx context.Context, mods []openflow.FlowMod, id, first uint32, control func(openflow.BundleType) openflow.Message) error {
	if err := c.send(ctx, control(openflow.BundleOpenRequest), id); err != nil {
		return err
	}
	err := c.sendMods(ctx, mods, func(b []byte, i int) []byte {
		return openflow.AppendBundleAdd(b, c.version, first+uint32(i), id, bundleFlags, &mods[i])
	})
	if err != nil {
		return err
	}
	return c.send(ctx, control(openflow.BundleCloseRequest), first+uint32(len(mods)))
}

// sendMods queues flow-mods, a chunk at a time.
func (c *Conn) sendMods(ctx context.Context, mods []openflow.FlowMod, encode func(b []byte, i int) []byte) error {
	var err error
	for i := 0; i < len(mods) && err == nil; {
		if err := c.queue.room(ctx, c.done); err != nil {
			return err
		}
		c.queue.push((len(mods)-i)*flowModHint, func(b []byte) []byte {
			for start := len(b); i < len(mods) && len(b)-start < chunk; i++ {
				out := encode(b, i)
				if err = checkLength(len(out) - len(b)); err != nil {
					err = fmt.Errorf("flow-mod %d: %w", i, err)
					return b
				}
				b = out
			}
			return b
		})
	}
	c.stats.flowMods.Add(uint64(len(mods)))
	return err
}

// commit ends a bundle that the switch has taken in whole. A refusal names the flow-mod in an error of its own, before
// the refusal of the commit itself.
func (c *Conn) commit(ctx context.Context, w *window, m openflow.Message) error {
	cw := &window{first: w.first, n: w.n, last: w.last + 1}
	p := c.ops.begin(w.first, cw.last, cw.take)
	c.queue.push(0, func(b []byte) []byte { return m.Append(b, c.version, cw.last) })
	if err := c.wait(ctx, p); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer to the commit of a bundle: %w", err)
			c.fail(err)
		}
		return err
	}
	return cw.err()
}

// Send applies flow-mods one by one and waits until the switch has done them all. The error is a *BundleError when the
// switch refused some; the others are applied.
func (c *Conn) Send(ctx context.Context, mods []openflow.FlowMod) error {
	if len(mods) == 0 {
		return nil
	}
	return c.tell(ctx, len(mods), func(first uint32) error {
		return c.sendMods(ctx, mods, func(b []byte, i int) []byte { return mods[i].Append(b, c.version, first+uint32(i)) })
	})
}

// Tell sends messages that a switch answers only when it refuses them, such as group-mods and meter-mods, and waits until
// it has done them all. The error is a *BundleError when it refused some; the others are done.
func (c *Conn) Tell(ctx context.Context, messages ...openflow.Message) error {
	return c.tell(ctx, len(messages), func(first uint32) error {
		for i, m := range messages {
			if err := c.send(ctx, m, first+uint32(i)); err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
		}
		return nil
	})
}

// tell sends n messages and a barrier, and collects the errors about them.
func (c *Conn) tell(ctx context.Context, n int, send func(first uint32) error) error {
	first := c.ops.reserve(n + 1)
	w := &window{first: first, n: n, last: first + uint32(n)}
	p := c.ops.begin(first, w.last, w.take)
	defer c.ops.forget(p)
	if err := send(w.first); err != nil {
		return c.reason(err)
	}
	if err := c.send(ctx, &openflow.BarrierRequest{}, w.last); err != nil {
		return err
	}
	if err := c.wait(ctx, p); err != nil {
		return err
	}
	return w.err()
}
