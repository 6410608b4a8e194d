package kernel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// How a machine is asked.
const (
	// atOnce is how many connections it is asked for at a time.
	atOnce = 256
	// silence is how long nothing is heard until it is asked again, and then no more.
	silence = 200 * time.Millisecond
	// maxAsking is how long it is asked at most.
	maxAsking = 3 * time.Second
	// poll is how long a read waits.
	poll = 10 * time.Millisecond
	// headers are the bytes of a frame that are read: Ethernet, IP with options, TCP with options.
	headers = 14 + 60 + 60
	// room is how many bytes of frames the kernel keeps for us.
	room = 4 << 20
)

// ask finds out from a machine where its connections of TCP have got to, and writes that down. What it sends anyway tells, too. One
// that says nothing of a connection is not waited for long.
func (n *Namespace) ask(ctx context.Context, tap string, senders []plan.Sender, list []plan.Connection, at map[plan.Connection]numbers) error {
	link, err := n.handle.LinkByName(tap)
	if err != nil {
		return ignore(err, unix.ENODEV)
	}
	fd, err := n.listenTo(link, unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(int64(poll))
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)); err != nil {
		return fmt.Errorf("listen on %s: %w", tap, err)
	}
	asked := make(map[plan.Tuple]inquiry, len(list)) // by what the machine sends
	for _, c := range list {
		q := inquiry{Connection: c}
		var mac string
		if mac, q.begun = c.Machine(senders); mac == "" {
			continue
		}
		if q.to, err = net.ParseMAC(mac); err != nil {
			return err
		}
		if q.begun {
			asked[c.Orig] = q
		} else {
			asked[c.Reply] = q
		}
	}
	until := time.Now().Add(maxAsking)
	for round := 0; round < 2 && len(asked) > 0; round++ {
		sent := 0
		for _, q := range asked {
			frame, err := probe(q.to, q.Connection, q.begun, rand.Uint32())
			if err != nil {
				return err
			}
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index}); err != nil {
				return fmt.Errorf("send to %s: %w", tap, err)
			}
			if sent++; sent%atOnce == 0 {
				if err := hearAll(ctx, fd, asked, at, poll, until); err != nil {
					return err
				}
			}
		}
		if err := hearAll(ctx, fd, asked, at, silence, until); err != nil {
			return err
		}
	}
	return nil
}

// inquiry is a connection that a machine is asked for, by its MAC.
type inquiry struct {
	plan.Connection
	to net.HardwareAddr
	// begun: the machine has begun it.
	begun bool
}

// hearAll writes down what a machine says, until it has told of all connections, or nothing for a while.
func hearAll(ctx context.Context, fd int, asked map[plan.Tuple]inquiry, at map[plan.Connection]numbers, while time.Duration, until time.Time) error {
	frame := make([]byte, headers)
	for last := time.Now(); len(asked) > 0 && time.Since(last) < while && time.Now().Before(until); {
		if err := ctx.Err(); err != nil {
			return err
		}
		size, _, err := unix.Recvfrom(fd, frame, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		h, ok := readSegment(frame[:size])
		q, is := asked[h.from]
		if !ok || !is {
			continue
		}
		delete(asked, h.from)
		last = time.Now()
		if q.begun {
			at[q.Connection] = numbers{opener: h.next, answerer: h.ack}
		} else {
			at[q.Connection] = numbers{opener: h.ack, answerer: h.next}
		}
	}
	return nil
}
