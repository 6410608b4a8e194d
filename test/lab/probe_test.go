package lab

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// A tick from before the other end was heard made a negative number of packets due, which became 2^64 of them: the probe sent
// as fast as it could and never stopped.
func TestOldTickIsNoReasonToSend(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	now := time.Now()
	p := &probe{conn: conn, peer: netip.MustParseAddrPort(conn.LocalAddr().String()), met: now.Add(time.Second)}
	done := make(chan bool)
	go func() { p.sendDue(now, 200); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("still sending")
	}
	if p.report.Sent != 0 {
		t.Errorf("%d packets sent", p.report.Sent)
	}
}
