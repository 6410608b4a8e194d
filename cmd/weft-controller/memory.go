package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"
)

// While a controller starts it fills memory that it then keeps, and every host waits for it.
const (
	ballastBytes = 128 << 20
	startTime    = 10 * time.Second
)

// roomToStart makes filling memory cheap until the start is over, or drop is called.
//
// A ballast, which is never touched and so takes no memory, puts the first collections of garbage off: they come when the heap has
// doubled, and this is part of it. To look for garbage finds little then, and takes a quarter of the processor time. It is
// no larger, because memory that nobody used lately is dear, above all in virtual machines whose host has to give it first.
func roomToStart(ctx context.Context) (drop func()) {
	ballast := make([]byte, ballastBytes)
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
