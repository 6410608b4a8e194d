package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// Listen opens a door at host:port or unix:/path. Where other machines can reach it, it insists on TLS that asks clients
// for a certificate, unless insecure says by explicit wish that anybody may come in. The listener itself speaks plain
// text: conf is only judged.
func Listen(ctx context.Context, address string, conf *tls.Config, insecure bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(ctx, path)
	}
	_, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w: write host:port, e.g. 127.0.0.1:9443, or unix:/path", address, err)
	}
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if !addr.IP.IsLoopback() && !insecure && (conf == nil || conf.ClientAuth != tls.RequireAndVerifyClientCert) {
		return nil, fmt.Errorf("listen on %s: other machines can reach it: give a certificate, its key and the CA of the clients, or --insecure to let anybody in",
			address)
	}
	// The address that was judged, and not the name, which may lead elsewhere the next time.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", address, err, taken(err))
	}
	return l, nil
}

func taken(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return ": does another controller run here?"
	}
	return ""
}

// listenUnix takes the place of a socket that a killed process left behind, but not of one that is served. Only the
// controller's own user may use it.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		c.Close()
		return nil, fmt.Errorf("listen on unix:%s: it is served: does another controller run here?", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen on unix:%s: remove what a former controller left: %w", path, err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	return l, nil
}
