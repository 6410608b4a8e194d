// Package unixctl gives commands to a running daemon of Open vSwitch, as ovs-appctl does.
package unixctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// request and reply are JSON-RPC 1.0, which is what the daemons speak (Open vSwitch, lib/unixctl.c).
type request struct {
	ID     int      `json:"id"`
	Method string   `json:"method"`
	Params []string `json:"params"`
}

type reply struct {
	Result *string `json:"result"`
	Error  *string `json:"error"`
}

// Call gives a command to a daemon ("ovs-vswitchd") that runs in a directory, and returns what it answers.
func Call(ctx context.Context, runDir, daemon, command string, args ...string) (string, error) {
	// A daemon that was killed leaves its socket behind; only that of a living one takes a connection.
	sockets, err := filepath.Glob(filepath.Join(runDir, daemon+"*.ctl"))
	if err != nil {
		return "", fmt.Errorf("%s: %w", runDir, err)
	}
	var d net.Dialer
	errs := []error{fmt.Errorf("%s does not run in %s", daemon, runDir)}
	for _, s := range sockets {
		conn, err := d.DialContext(ctx, "unix", s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out, err := call(ctx, conn, command, args)
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", daemon, command, err)
		}
		return out, nil
	}
	return "", errors.Join(errs...)
}

func call(ctx context.Context, conn net.Conn, command string, args []string) (string, error) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if args == nil {
		args = []string{}
	}
	if err := json.NewEncoder(conn).Encode(request{Method: command, Params: args}); err != nil {
		return "", err
	}
	var r reply
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", err
	}
	switch {
	case r.Error != nil:
		return "", errors.New(strings.TrimSpace(*r.Error))
	case r.Result == nil:
		return "", errors.New("the answer is empty")
	}
	return *r.Result, nil
}
