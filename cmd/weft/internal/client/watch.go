package client

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// retryAfter is the pause before a stream that was cut off is tried again; gRPC's own backoff paces the connections.
const retryAfter = 200 * time.Millisecond

// Watch follows the changes after a revision (0: first everything that is, then a bookmark) until the context is done,
// which is no error, or see fails. When the controller goes away the watch goes on where it was as soon as the controller is back; lost is
// told once each time. A change may then be seen twice, and none is missed.
func (c *Client) Watch(ctx context.Context, kinds []string, from int64, lost func(error), see func(*weftv1.WatchResponse) error) error {
	// Several changes may have one revision: what came up to done is complete, of last there may be more to come. Before
	// the first bookmark of a watch from 0 nothing is.
	done, last, complete := from, from, from > 0
	return c.resume(ctx, "watch", lost, func() bool { return complete }, func(ctx context.Context, opts ...grpc.CallOption) error {
		s, err := c.Weft.Watch(ctx, &weftv1.WatchRequest{Kinds: kinds, FromRevision: done}, opts...)
		if err != nil {
			return err
		}
		return receive(s, func(r *weftv1.WatchResponse) error {
			switch {
			case r.GetType() == "BOOKMARK":
				done, last, complete = r.GetRevision(), r.GetRevision(), true
			case complete && r.GetRevision() > last:
				done, last = last, r.GetRevision()
			}
			return see(r)
		})
	})
}

// WatchEvents follows the events that a request asks for until the context is done, which is no error, or see fails. When
// the controller goes away it goes on with the events since the time of the last one as soon as the controller is back,
// without those that were seen; lost is told once each time. A controller that was started anew has no former events.
func (c *Client) WatchEvents(ctx context.Context, req *weftv1.WatchEventsRequest, lost func(error), see func(*weftv1.Event) error) error {
	req = proto.CloneOf(req)
	// Events may have the same time, and even be the same: latest are those seen that have the time of the last one, and
	// again those of them that are still to come a second time.
	var latest, again []*weftv1.Event
	always := func() bool { return true }
	return c.resume(ctx, "events", lost, always, func(ctx context.Context, opts ...grpc.CallOption) error {
		again = slices.Clone(latest)
		s, err := c.Diagnostics.WatchEvents(ctx, req, opts...)
		if err != nil {
			return err
		}
		return receive(s, func(r *weftv1.WatchEventsResponse) error {
			e := r.GetEvent()
			if i := slices.IndexFunc(again, func(a *weftv1.Event) bool { return proto.Equal(a, e) }); i >= 0 {
				again = slices.Delete(again, i, i+1)
				return nil
			}
			if len(latest) > 0 && e.GetTime().AsTime().After(latest[0].GetTime().AsTime()) {
				latest = nil
			}
			latest, req.Since = append(latest, e), e.GetTime()
			return see(e)
		})
	})
}

// resume reads a stream until the context is done, which is no error, or whoever sees what it brings fails; once opens
// it and reads it to its end. A stream that was cut off is opened again, if it has come so far that it can be.
func (c *Client) resume(ctx context.Context, what string, lost func(error), can func() bool, once func(context.Context, ...grpc.CallOption) error) error {
	var opts []grpc.CallOption
	for {
		// Ended each time, so that a stream that nobody reads any more does not stay open.
		one, cancel := context.WithCancel(ctx)
		err := once(one, opts...)
		cancel()
		var seen *seeError
		switch gone := errors.Is(err, io.EOF) || status.Code(err) == codes.Unavailable; {
		case errors.As(err, &seen):
			return seen.err
		case ctx.Err() != nil:
			return nil
		case !gone, !can():
			return c.Fail(err, exit.At(what))
		}
		lost(err)
		opts = []grpc.CallOption{grpc.WaitForReady(true)}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryAfter):
		}
	}
}

// seeError is an error of the one who watches, not of the stream.
type seeError struct{ err error }

func (e *seeError) Error() string { return e.err.Error() }

// receive tells see all that a stream brings, to its end.
func receive[R any](s grpc.ServerStreamingClient[R], see func(*R) error) error {
	for {
		r, err := s.Recv()
		if err != nil {
			return err
		}
		if err := see(r); err != nil {
			return &seeError{err}
		}
	}
}
