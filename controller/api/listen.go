package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// ServerTLS is the TLS configuration of a door: a certificate with its key, and the CA that clients must have a
// certificate of, all PEM files. It is nil when none is named. For gRPC it goes into credentials.NewTLS, for HTTP into
// tls.NewListener.
func ServerTLS(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" && key == "" && clientCA == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("a certificate and its key go together, and a CA alone does not serve: one of the files is not named")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if clientCA == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("client CA: %w", err)
	}
	conf.ClientCAs = x509.NewCertPool()
	if !conf.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client CA %s: holds no certificate in PEM", clientCA)
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	return conf, nil
}

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
