package api

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Limits of a connection.
const (
	// maxRequest is the size of a request in bytes.
	maxRequest = 16 << 20
	// maxStreams is how many calls one connection may have under way.
	maxStreams = 256
	// callTimeout is for calls without a deadline.
	callTimeout = 30 * time.Second
	// pingEvery and pingTimeout find connections whose other end is gone; minPing is how often clients may ping.
	pingEvery   = 30 * time.Second
	pingTimeout = 10 * time.Second
	minPing     = 10 * time.Second
	// handshakeTimeout is for a new connection.
	handshakeTimeout = 10 * time.Second
)

// NewGRPC makes a gRPC server with all services, health and reflection, and with limits. Options may add credentials and
// more; further services may be registered before it serves.
func (s *Server) NewGRPC(opts ...grpc.ServerOption) *grpc.Server {
	g := grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.observe, s.recovered, limited),
		grpc.ChainStreamInterceptor(s.observeStream, s.recoveredStream),
	}, opts...)...)
	s.Register(g)
	reflection.Register(g)
	return g
}

// observe counts and logs a call.
func (s *Server) observe(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	begin := time.Now()
	res, err := handle(ctx, req)
	took := time.Since(begin)
	s.metrics.seconds.WithLabelValues(info.FullMethod).Observe(took.Seconds())
	s.observed(ctx, info.FullMethod, took, err)
	return res, err
}

func (s *Server) observeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	begin := time.Now()
	err := handle(srv, stream)
	s.observed(stream.Context(), info.FullMethod, time.Since(begin), err)
	return err
}

func (s *Server) observed(ctx context.Context, method string, took time.Duration, err error) {
	code := status.Code(err)
	s.metrics.requests.WithLabelValues(method, code.String()).Inc()
	if !s.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []any{"method", method, "code", code.String(), "took", took}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, "remote", p.Addr.String())
	}
	if err != nil {
		attrs = append(attrs, "err", err)
	}
	s.log.Debug("request", attrs...)
}

// recovered keeps a mistake of ours from ending the controller, which programs hosts for others.
func (s *Server) recovered(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.refuse(&errPanic{p, debug.Stack()})
		}
	}()
	return handle(ctx, req)
}

func (s *Server) recoveredStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.refuse(&errPanic{p, debug.Stack()})
		}
	}()
	return handle(srv, stream)
}

// limited gives a call without a deadline one, and refuses a request with fields that this version does not know: to
// ignore a wish would be to pretend that it was granted.
func limited(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if m, ok := req.(proto.Message); ok {
		if field := unknownField(m.ProtoReflect()); field != "" {
			return nil, statusOf(unknown(field)).Err()
		}
	}
	// WaitApplied has a timeout of its own.
	if _, ok := ctx.Deadline(); !ok && info.FullMethod != weftv1.WeftService_WaitApplied_FullMethodName {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	return handle(ctx, req)
}

func unknown(field string) error {
	return invalid(field, "is not known to this version of the controller; leave it out, or upgrade the controller")
}

// unknownField finds a field that the message's description does not have: the path to it, with its number; or "".
func unknownField(m protoreflect.Message) (path string) {
	if b := m.GetUnknown(); len(b) > 0 {
		number, _, _ := protowire.ConsumeTag(b)
		return fmt.Sprintf("field %d", number)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				if path = unknownField(v.List().Get(i).Message()); path != "" {
					path = fmt.Sprintf("%s[%d].%s", fd.Name(), i, path)
					return false
				}
			}
		default:
			if path = unknownField(v.Message()); path != "" {
				path = string(fd.Name()) + "." + path
			}
		}
		return path == ""
	})
	return path
}
