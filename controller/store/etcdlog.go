package store

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// etcdCore is a zapcore.Core that hands etcd's lines to slog: warnings and errors as such, and the rest, which only an
// etcd developer wants, as debug. So is everything that an embedded etcd says while it starts, for what is wrong then is the
// error of Open, and all that the client of an external one (breaker is nil) says, for it repeats itself many times a
// second.
type etcdCore struct {
	log     *slog.Logger
	attrs   []any
	breaker *breaker
}

// tooEarly is what etcd calls an error, or warns of, when it looks at a new database before the first entry is in it. It
// looks again every four seconds.
var tooEarly = map[string]bool{"failed to update storage version": true, "Failed to detect schema version": true}

func (c *etcdCore) level(l zapcore.Level) slog.Level {
	switch {
	case c.breaker == nil || !c.breaker.started.Load():
		return slog.LevelDebug
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (c *etcdCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), c.level(l)) || l >= zapcore.DPanicLevel
}

func (c *etcdCore) With(fields []zapcore.Field) zapcore.Core {
	return &etcdCore{c.log, append(c.attrs[:len(c.attrs):len(c.attrs)], attrs(fields)...), c.breaker}
}

func (c *etcdCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *etcdCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	// What is fatal to etcd reaches people as one error of the store.
	if e.Level < zapcore.DPanicLevel {
		level := c.level(e.Level)
		if tooEarly[e.Message] {
			level = slog.LevelDebug
		}
		c.log.Log(context.Background(), level, "etcd: "+e.Message, append(attrs(fields), c.attrs...)...)
	}
	return nil
}

func (c *etcdCore) Sync() error { return nil }

func attrs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	as := make([]any, 0, len(fields))
	for _, f := range fields {
		f.AddTo(enc)
		as = append(as, slog.Any(f.Key, enc.Fields[f.Key]))
	}
	return as
}

// breaker takes over where etcd would end the process (a write to its log failed, its database is damaged): it keeps
// the first reason and ends only the goroutine. What etcd held stays held, so nothing can be written any more; but
// reads come from memory, and the hosts' loops go on.
type breaker struct {
	once   sync.Once
	reason string
	// alive is done when reason is set.
	alive context.Context
	kill  context.CancelFunc
	// started says that etcd has become ready.
	started atomic.Bool
}

func newBreaker() *breaker {
	b := &breaker{}
	b.alive, b.kill = context.WithCancel(context.Background())
	return b
}

// OnWrite implements zapcore.CheckWriteHook.
func (b *breaker) OnWrite(ce *zapcore.CheckedEntry, fields []zapcore.Field) {
	parts := []string{ce.Message}
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	if err, ok := enc.Fields["error"].(string); ok {
		parts = append(parts, err)
	}
	b.trip(strings.Join(parts, ": "))
	runtime.Goexit()
}

func (b *breaker) trip(reason string) {
	b.once.Do(func() {
		b.reason = reason
		b.kill()
	})
}

func etcdLogger(log *slog.Logger, b *breaker) *zap.Logger {
	opts := []zap.Option{}
	if b != nil {
		opts = append(opts, zap.WithFatalHook(b), zap.WithPanicHook(b))
	}
	return zap.New(&etcdCore{log: log, breaker: b}, opts...)
}
