package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// While a controller starts it fills memory that it then keeps, and every host waits for it.
const (
	ballastBytes = 512 << 20
	roomBytes    = 512 << 20
	startTime    = 10 * time.Second
)

// roomToStart makes filling memory cheap until the start is over, or drop is called.
//
// A ballast, which is never touched and so takes no memory, puts the first collections of garbage off: they come when the heap has
// doubled, and this is part of it. To look for garbage finds little then, and takes a quarter of the processor time.
//
// And the heap gets its first memory in huge pages, where the kernel gives them to those who ask (transparent_hugepage: madvise). Virtual
// machines above all need more time for 60,000 page faults than for what the pages are needed for.
func roomToStart(ctx context.Context, log *slog.Logger) (drop func()) {
	ballast := make([]byte, ballastBytes)
	room := make([]byte, roomBytes)
	if err := unix.Madvise(room, unix.MADV_HUGEPAGE); err != nil {
		log.Debug("no huge pages for the heap", "err", err)
	}
	runtime.GC() // the room is free again, and the next that the heap takes

	ctx, cancel := context.WithTimeout(ctx, startTime)
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-ctx.Done()
		runtime.KeepAlive(ballast)
		ballast = nil
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			debug.FreeOSMemory()
		}
	}()
	return func() {
		cancel()
		<-over
	}
}
