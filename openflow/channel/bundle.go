package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/weft-sdn/weft/openflow"
)

// BundleError says that a switch refused flow-mods. Of a bundle, nothing was done.
type BundleError struct {
	// Errors are the refusals, by the index of the flow-mod.
	Errors []OpError
	// Err is a refusal of the bundle itself; nil when there are Errors only.
	Err error
}

// OpError is one refused flow-mod.
type OpError struct {
	Index int
	Err   *openflow.Error
}

func (e *BundleError) Error() string {
	switch n := len(e.Errors); {
	case n == 0:
		return fmt.Sprintf("the switch refuses the bundle: %v", e.Err)
	case n == 1:
		return fmt.Sprintf("the switch refuses flow-mod %d: %v", e.Errors[0].Index, e.Errors[0].Err)
	default:
		return fmt.Sprintf("the switch refuses %d flow-mods, first number %d: %v", n, e.Errors[0].Index, e.Errors[0].Err)
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
func (c *Conn) Bundle(ctx context.Context, mods []openflow.FlowMod) error {
	if len(mods) == 0 {
		return nil
	}
	// xids: open, one for each flow-mod, close, commit or discard.
	w := &window{n: len(mods)}
	p := c.ops.begin(len(mods)+3, func(h openflow.Header, b []byte) (bool, error) { return w.take(h, b) })
	id := p.first
	w.first, w.last = p.first+1, p.first+1+uint32(len(mods))
	control := func(t openflow.BundleType) openflow.Message {
		return &openflow.BundleControl{ID: id, Type: t, Flags: bundleFlags}
	}
	if err := c.sendBundle(ctx, mods, id, w.first, control); err != nil {
		c.ops.forget(p)
		c.discard(control(openflow.BundleDiscardRequest), p.last)
		return c.reason(err)
	}
	err := c.wait(ctx, p)
	if err == nil {
		err = w.err()
	}
	if err != nil {
		c.discard(control(openflow.BundleDiscardRequest), p.last)
		return err
	}
	return c.commit(ctx, w, control(openflow.BundleCommitRequest))
}

func (c *Conn) sendBundle(ctx context.Context, mods []openflow.FlowMod, id, first uint32, control func(openflow.BundleType) openflow.Message) error {
	if err := c.send(ctx, control(openflow.BundleOpenRequest), id); err != nil {
		return err
	}
	var long error
	for i := 0; i < len(mods) && long == nil; {
		if err := c.queue.room(ctx, c.done); err != nil {
			return err
		}
		c.queue.push(func(b []byte) []byte {
			for start := len(b); i < len(mods) && len(b)-start < chunk; i++ {
				at := len(b)
				b = openflow.AppendBundleAdd(b, c.version, first+uint32(i), id, bundleFlags, &mods[i])
				if len(b)-at > openflow.MaxMessageLen {
					b, long = b[:at], fmt.Errorf("flow-mod %d of the bundle takes %d bytes; a message has at most %d", i, len(b)-at, openflow.MaxMessageLen)
					return b
				}
			}
			return b
		})
	}
	if long != nil {
		return long
	}
	c.stats.flowMods.Add(uint64(len(mods)))
	return c.send(ctx, control(openflow.BundleCloseRequest), first+uint32(len(mods)))
}

// discard makes the switch forget a bundle. Nobody waits for its answer.
func (c *Conn) discard(m openflow.Message, xid uint32) {
	c.queue.push(func(b []byte) []byte { return m.Append(b, c.version, xid) })
}

// commit ends a bundle that the switch has taken in whole. A refusal names the flow-mod in an error of its own, before
// the refusal of the commit itself.
func (c *Conn) commit(ctx context.Context, w *window, m openflow.Message) error {
	cw := &window{first: w.first, n: w.n}
	p := c.ops.beginAt(w.first, w.last+1, cw.take)
	cw.last = w.last + 1
	if err := c.send(ctx, m, cw.last); err != nil {
		c.ops.forget(p)
		return err
	}
	if err := c.wait(ctx, p); err != nil {
		if errors.Is(err, ctx.Err()) {
			c.fail(fmt.Errorf("no answer to the commit of a bundle: %w", err))
		}
		return err
	}
	return cw.err()
}

// beginAt is begin for xids that were reserved before.
func (o *ops) beginAt(first, last uint32, take func(openflow.Header, []byte) (bool, error)) *op {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &op{first: first, last: last, take: take, finished: make(chan struct{})}
	if o.over {
		p.finish()
	} else {
		o.runs = append(o.runs, p)
	}
	return p
}

// Send applies flow-mods one by one and waits until the switch has done them all. The error is a *BundleError when the
// switch refused some; the others are applied.
func (c *Conn) Send(ctx context.Context, mods []openflow.FlowMod) error {
	if len(mods) == 0 {
		return nil
	}
	w := &window{n: len(mods)}
	p := c.ops.begin(len(mods)+1, func(h openflow.Header, b []byte) (bool, error) { return w.take(h, b) })
	w.first, w.last = p.first, p.last
	for i := range mods {
		if err := c.send(ctx, &mods[i], w.first+uint32(i)); err != nil {
			c.ops.forget(p)
			return err
		}
	}
	c.stats.flowMods.Add(uint64(len(mods)))
	if err := c.send(ctx, &openflow.BarrierRequest{}, w.last); err != nil {
		c.ops.forget(p)
		return err
	}
	if err := c.wait(ctx, p); err != nil {
		return err
	}
	return w.err()
}
