package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// retryAfter is the pause before a watch that was cut off is tried again; gRPC's own backoff paces the connections.
const retryAfter = 200 * time.Millisecond

// Watch follows the changes after a revision (0: first everything that is, then a bookmark) until the context is done,
// which is no error, or see fails. When the controller goes away the watch goes on where it was as soon as the controller is back; lost is
// told once each time. A change may then be seen twice, and none is missed.
func (c *Client) Watch(ctx context.Context, kinds []string, from int64, lost func(error), see func(*weftv1.WatchResponse) error) error {
	// Several changes may have one revision: what came up to done is complete, of last there may be more to come. Before
	// the first bookmark of a watch from 0 nothing is.
	done, last, complete := from, from, from > 0
	var opts []grpc.CallOption
	for {
		err := c.stream(ctx, &weftv1.WatchRequest{Kinds: kinds, FromRevision: done}, opts, func(r *weftv1.WatchResponse) error {
			switch {
			case r.GetType() == "BOOKMARK":
				done, last, complete = r.GetRevision(), r.GetRevision(), true
			case complete && r.GetRevision() > last:
				done, last = last, r.GetRevision()
			}
			return see(r)
		})
		var seen *seeError
		switch gone := errors.Is(err, io.EOF) || status.Code(err) == codes.Unavailable; {
		case errors.As(err, &seen):
			return seen.err
		case ctx.Err() != nil:
			return nil
		case !gone, !complete:
			return c.Fail(err, exit.At("watch"))
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

func (c *Client) stream(ctx context.Context, req *weftv1.WatchRequest, opts []grpc.CallOption, see func(*weftv1.WatchResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.Weft.Watch(ctx, req, opts...)
	if err != nil {
		return err
	}
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
