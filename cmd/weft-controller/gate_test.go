package main

import (
	"net"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/openflow/channel"
)

// A switch of no host is refused by who stands by, too: it would wait for nothing.
func TestGateAdmitsHostsOnly(t *testing.T) {
	g := newGate(func(id uint64) bool { return id == 7 })
	remote := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	if err := g.Admit(7, remote); err != nil {
		t.Errorf("a host's: %v", err)
	}
	if err := g.Admit(8, remote); err == nil || !strings.Contains(err.Error(), "0000000000000008 belongs to no host") {
		t.Errorf("nobody's: %v", err)
	}
	conn := &channel.Conn{}
	g.Connected(conn)
	if len(g.waiting) != 1 {
		t.Errorf("%d switches wait, want 1", len(g.waiting))
	}
	g.Disconnected(conn, nil)
	if len(g.waiting) != 0 {
		t.Errorf("%d switches wait, want none", len(g.waiting))
	}
}
