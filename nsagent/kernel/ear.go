package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// maxHearing is how long a machine stays with br-int because its associations of SCTP have not been heard. Open vSwitch's own tracker
// forgets those that say nothing for 30 s, and those that nobody answers in 60 s.
const maxHearing = 45 * time.Second

// maxHeard is of how many directions of associations it is remembered what was heard: machines send what they like.
const maxHeard = 1 << 14

// ear hears which associations of SCTP a machine has: the kernel's tracker tells their packets by verification tags, of which br-int's
// knows nothing, and it never learns them by itself but from a packet that begins an association.
type ear struct {
	socket *os.File
	since  time.Time
	mu     sync.Mutex
	heard  plan.Heard
}

// Hold says which of some machines that are to be put into bridges, each in Taps, br-int must keep for now, and why: their
// connections cannot be copied yet. news is told when that may have changed. It is to be told of all of them each time.
func (n *Namespace) Hold(ctx context.Context, arriving []plan.Bridge, news func()) map[string]error {
	held, present := map[string]error{}, map[string]bool{}
	tracked := tracked{n: n}
	for _, b := range arriving {
		present[b.Taps[0]] = true
		if err := n.hold(ctx, b, &tracked, news); err != nil {
			held[b.Name] = err
		}
	}
	for tap := range n.ears {
		if !present[tap] {
			n.deafen(tap)
		}
	}
	return held
}

func (n *Namespace) hold(ctx context.Context, b plan.Bridge, tracked *tracked, news func()) error {
	tap := b.Taps[0]
	known, err := tracked.by(ctx, b)
	if err != nil {
		return err
	}
	missing := plan.Unheard(known, b.Senders, n.heard(tap))
	if len(missing) == 0 {
		return nil
	}
	if n.ears[tap] == nil {
		if err := n.overhear(tap, news); err != nil {
			return err
		}
	}
	if time.Since(n.ears[tap].since) < maxHearing {
		c := missing[0].Orig
		return fmt.Errorf("%w for SCTP between %v and %v to say something in both directions (%d connections in all); br-int judges the port until then, %v at most",
			ErrWaiting, c.Src, c.Dst, len(missing), maxHearing)
	}
	return nil
}

// overhear listens to a machine from now on.
func (n *Namespace) overhear(tap string, news func()) error {
	link, err := n.handle.LinkByName(tap)
	if err != nil {
		return fmt.Errorf("%s: %w", tap, err)
	}
	fd, err := n.listenTo(link, unix.IPPROTO_SCTP)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return err
	}
	e := &ear{socket: os.NewFile(uintptr(fd), tap), since: time.Now(), heard: plan.Heard{}}
	if n.ears == nil {
		n.ears = map[string]*ear{}
	}
	n.ears[tap] = e
	go e.run(news)
	return nil
}

// run hears until the socket is closed.
func (e *ear) run(news func()) {
	frame := make([]byte, headers)
	for {
		size, err := e.socket.Read(frame)
		if errors.Is(err, unix.ENETDOWN) { // told once, when the device is set down
			continue
		}
		if err != nil {
			return
		}
		ends, tag, ok := readTag(frame[:size])
		if !ok {
			continue
		}
		e.mu.Lock()
		was, known := e.heard[ends]
		isNew := was != tag && (known || len(e.heard) < maxHeard)
		if isNew {
			e.heard[ends] = tag
		}
		e.mu.Unlock()
		if isNew {
			news()
		}
	}
}

// heard is what has been heard of a machine.
func (n *Namespace) heard(tap string) plan.Heard {
	e := n.ears[tap]
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.heard)
}

// deafen ends that a machine is listened to.
func (n *Namespace) deafen(tap string) {
	if e := n.ears[tap]; e != nil {
		_ = e.socket.Close()
		delete(n.ears, tap)
	}
}

// listenTo opens a socket that gets the packets of a protocol which come and go by a device, and can send there.
func (n *Namespace) listenTo(link netlink.Link, protocol uint32) (fd int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("listen on %s: %w", link.Attrs().Name, err)
		}
	}()
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: 5},
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1}, // protocol
		bpf.Jump{Skip: 1},
		bpf.LoadAbsolute{Off: 14 + 6, Size: 1}, // next header
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocol, SkipTrue: 1},
		bpf.RetConstant{Val: headers},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return -1, err
	}
	program := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		program[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	err = n.Do(func() error {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, err
	}
	all := uint16(unix.ETH_P_ALL)
	err = errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all<<8 | all>>8, Ifindex: link.Attrs().Index}))
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
