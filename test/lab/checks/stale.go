package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/frame"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// heirs has machines that get the address, and networks that get the local VLAN, of others who are gone. What answers a
// connection of these must not reach them.
func heirs(ctx context.Context, s *cloud.Scope) (string, error) {
	group, err := s.SecurityGroup(ctx, "talks-first")
	if err != nil {
		return "", err
	}
	first, err := newTalk(ctx, s, group, "first", nil)
	if err != nil {
		return "", err
	}
	zone, err := first.begun(ctx, s)
	if err != nil {
		return "", err
	}
	// The same network: who hears is another, who speaks is the same.
	if err := errors.Join(first.gone(ctx, s, first.hears), s.Settle(ctx)); err != nil {
		return "", err
	}
	if err := first.remembered(ctx, zone, true); err != nil {
		return "", err
	}
	second, err := newTalk(ctx, s, group, "second", first)
	if err != nil {
		return "", err
	}
	if err := second.silent(ctx, s, zone); err != nil {
		return "", fmt.Errorf("a machine with the address of another: %w", err)
	}
	// Another network with the same number. This one goes while the switch is cut off: else it would take its connections with it.
	if _, err := second.begun(ctx, s); err != nil {
		return "", err
	}
	if err := cutOff(ctx, s, second.host, func() error {
		return errors.Join(second.gone(ctx, s, second.hears, second.speaks), s.DeleteNetwork(ctx, second.network.ID()))
	}); err != nil {
		return "", err
	}
	if err := second.remembered(ctx, zone, true); err != nil {
		return "", err
	}
	third, err := newTalk(ctx, s, group, "third", nil)
	if err != nil {
		return "", err
	}
	again, err := third.zone(ctx)
	if err != nil {
		return "", err
	}
	if again != zone {
		return "", fmt.Errorf("the network got the local VLAN %s, not %s again", again, zone)
	}
	if err := third.silent(ctx, s, zone); err != nil {
		return "", fmt.Errorf("a network with the local VLAN of another: %w", err)
	}
	return "answers to 2 connections of others refused, their own pass; local VLAN " + zone, nil
}

// cutOff does something while a host's agent is dead and its br-int has no controller.
func cutOff(ctx context.Context, s *cloud.Scope, h *lab.Host, do func() error) error {
	s.Defer(s.EnsureUp)
	if err := h.KillAgent(ctx); err != nil {
		return err
	}
	if _, err := h.Exec(ctx, "ovs-vsctl", "--timeout=20", "del-controller", "br-int"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return errors.Join(h.StartAgent(ctx), s.WaitReady(ctx), s.Settle(ctx))
}

// talk is two machines on one host: one begins, and hears answers only; nobody judges the other.
type talk struct {
	host          *lab.Host
	network       *cloud.Network
	hears, speaks *lab.VM
	ear           *lab.Capture
}

// newTalk makes the machines, always with the same addresses; the network and the one who speaks may be those of another.
func newTalk(ctx context.Context, s *cloud.Scope, g *weftv1.SecurityGroup, name string, of *talk) (*talk, error) {
	t := &talk{host: s.Lab.Hosts[0]}
	var err error
	if of != nil {
		t.network, t.speaks = of.network, of.speaks
	} else {
		if t.network, err = s.Network(ctx, name, &weftv1.Network{PortSecurityEnabled: proto.Bool(true)}, "10.0.8.0/24"); err != nil {
			return nil, err
		}
		if t.speaks, err = s.VMWith(ctx, t.network, name+"-speaks", t.host.Name, &weftv1.Port{PortSecurityEnabled: proto.Bool(false),
			FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.8.20"}}}); err != nil {
			return nil, err
		}
	}
	if t.hears, err = s.VMWith(ctx, t.network, name+"-hears", t.host.Name, &weftv1.Port{SecurityGroups: []string{g.GetMetadata().GetId()},
		FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.8.10"}}}); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	t.ear, err = s.Lab.StartCapture(ctx, t.hears.Box, "eth0")
	return t, err
}

// The connection has always the same ports.
const talkFrom, talkTo = 40001, 40002

func (t *talk) packet(from, to *lab.VM, sport, dport uint16, mark []byte) ([]byte, error) {
	src, err := stationOf(from.MAC, from.Addresses...)
	if err != nil {
		return nil, err
	}
	dst, err := stationOf(to.MAC, to.Addresses...)
	if err != nil {
		return nil, err
	}
	return frame.Ethernet(src.mac, dst.mac, frame.TypeIPv4,
		frame.IP(src.ip4, dst.ip4, frame.UDP, frame.Datagram(src.ip4, dst.ip4, sport, dport, mark))), nil
}

// answer sends what answers the connection.
func (t *talk) answer(ctx context.Context, mark []byte) error {
	b, err := t.packet(t.speaks, t.hears, talkTo, talkFrom, mark)
	if err != nil {
		return err
	}
	return lab.Inject(ctx, t.speaks.Box, "eth0", b)
}

// begun begins the connection and waits for an answer. It answers the zone in which the host remembers it.
func (t *talk) begun(ctx context.Context, s *cloud.Scope) (string, error) {
	question, err := t.packet(t.hears, t.speaks, talkFrom, talkTo, nil)
	if err != nil {
		return "", err
	}
	if err := lab.Inject(ctx, t.hears.Box, "eth0", question); err != nil {
		return "", err
	}
	zone, err := t.zone(ctx)
	if err != nil {
		return "", err
	}
	if err := lab.Poll(ctx, 5*time.Second, func() error { return t.remembered(ctx, zone, true) }); err != nil {
		return "", err
	}
	if err := t.answer(ctx, markOf(1)); err != nil {
		return "", err
	}
	return zone, t.hearsMark(ctx, 1)
}

// hearsMark waits for a frame with a mark.
func (t *talk) hearsMark(ctx context.Context, number uint16) error {
	return lab.Poll(ctx, 5*time.Second, func() error {
		frames, err := t.ear.Next()
		if err != nil {
			return err
		}
		for _, f := range frames {
			for _, n := range marksIn(f) {
				if n == number {
					return nil
				}
				if n == 2 {
					return fmt.Errorf("%s hears an answer to a connection that it has not begun", t.hears.Name)
				}
			}
		}
		return fmt.Errorf("%s does not hear what it must", t.hears.Name)
	})
}

// silent fails when an answer to the connection is heard by who has not begun it, or the host still remembers one; what
// is heard after it shows that the machine could hear.
func (t *talk) silent(ctx context.Context, s *cloud.Scope, zone string) error {
	if err := t.remembered(ctx, zone, false); err != nil {
		return err
	}
	if err := t.answer(ctx, markOf(2)); err != nil {
		return err
	}
	// Only now may there be a connection of its own.
	_, err := t.begun(ctx, s)
	return err
}

// remembered fails unless the host remembers the connection, or does not.
func (t *talk) remembered(ctx context.Context, zone string, want bool) error {
	out, err := t.host.Exec(ctx, "ovs-appctl", "dpctl/dump-conntrack", "zone="+zone)
	if err != nil {
		return err
	}
	if have := strings.Contains(out, fmt.Sprintf("sport=%d,dport=%d", talkFrom, talkTo)); have != want {
		return fmt.Errorf("%s: the connection is in zone %s: %v, want %v:\n%s", t.host.Name, zone, have, want, out)
	}
	return nil
}

// zone is the local VLAN of the network.
func (t *talk) zone(ctx context.Context) (string, error) {
	out, err := t.host.Exec(ctx, "ovs-vsctl", "--timeout=20", "get", "port", t.hears.Interface(), "tag")
	return strings.TrimSpace(out), err
}

// gone ends machines and deletes their ports.
func (t *talk) gone(ctx context.Context, s *cloud.Scope, vms ...*lab.VM) error {
	if err := t.ear.Stop(ctx); err != nil {
		return err
	}
	for _, vm := range vms {
		if err := s.Lab.DelVM(ctx, vm.Name); err != nil {
			return err
		}
		if _, err := s.Ports.DeletePort(ctx, &weftv1.DeletePortRequest{Id: vm.PortID}); err != nil {
			return err
		}
	}
	return nil
}
