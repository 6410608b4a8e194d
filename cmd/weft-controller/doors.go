package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// doors are the listeners.
type doors struct {
	grpc, http, node, openflow []net.Listener
}

// open opens every listener, or none. Plain text is for loopback and unix sockets, unless --insecure says otherwise.
func (d *doors) open(cfg config, encrypted bool) error {
	for _, l := range []struct {
		flag  string
		addrs []string
		to    *[]net.Listener
	}{
		{"listen-grpc", cfg.listenGRPC, &d.grpc}, {"listen-http", cfg.listenHTTP, &d.http},
		{"listen-node", cfg.listenNode, &d.node}, {"listen-openflow", cfg.listenOpenFlow, &d.openflow},
	} {
		for _, addr := range l.addrs {
			ln, err := listen(addr, encrypted || cfg.insecure)
			if err != nil {
				d.close()
				return fmt.Errorf("--%s: %w", l.flag, err)
			}
			*l.to = append(*l.to, ln)
		}
	}
	return nil
}

func (d *doors) close() {
	for _, lns := range [][]net.Listener{d.grpc, d.http, d.node, d.openflow} {
		for _, ln := range lns {
			ln.Close()
		}
	}
}

func listen(addr string, anywhere bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return listenUnix(path)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is neither host:port nor unix:/path", addr)
	}
	if ip := net.ParseIP(host); !anywhere && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address: give --tls-cert, --tls-key and --tls-ca, or say --insecure", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use: does another controller run here? (%w)", addr, err)
	}
	return ln, err
}

// listenUnix takes the place of a socket that a killed process left behind, but not of one that is served.
func listenUnix(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is in use: does another controller run here?", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}
