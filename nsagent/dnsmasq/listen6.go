package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// dnsmasq keeps an IPv6 address for the DUID and IAID that it gave it to, though it is told that the address is a port's, by MAC.
// So a machine that was installed anew, or that boots by PXE first, is refused its port's address, and so is the owner of an
// address that another machine of the network has got hold of by a Rebind, which dnsmasq grants to any port. The agent hears
// what machines solicit; when it comes from a port's MAC, leases of the port's addresses that others have are released. The
// machine solicits again after a second (RFC 8415, section 18.2.1), and is answered.
//
// Requests are not heard: a machine sends one for what it was offered, and who is refused it then solicits again.
//
// The MAC is believed, as dnsmasq does. Rules of port security keep machines from using others'. A machine whose port has no
// port security can use the MAC of any port of its network: it can have the leases of that port's addresses released once in
// a second. The addresses stay the port's, and its machine uses them on; when it renews, it is told that there is no such lease, and
// asks anew. It can also get the lease itself, which it can without this.

const (
	// lookGap is the least time between two looks at the leases because of one MAC. A machine that is refused asks again after more.
	lookGap = time.Second
	// maxSolicits is how many Solicits of a network are read in a second, and at once. The kernel drops others when its buffer is full.
	maxSolicits = 1000
)

// listener hears what the machines of a network solicit.
type listener struct {
	v         *Servers
	networkID string
	// home is the namespace and the device in it.
	home   string
	socket *os.File
	end    context.CancelFunc
	done   chan struct{} // closed when nobody hears any more

	// mu is held as long as leases are released, by whomever: two relays would get each other's answers. It is also held as long as the
	// server is made another one: leases are not looked at in between.
	mu     sync.Mutex
	in     daemon.Space
	server plan.Server
	ports  map[string]*port6
}

// port6 is a port with IPv6 addresses that the server gives out.
type port6 struct {
	addresses []netip.Addr
	// looked is when it was last looked at the leases of those.
	looked time.Time
}

// listen makes the listener of a network that needs one, and ends that of a network that does not. It is nil then.
func (v *Servers) listen(in daemon.Space, s plan.Server) (*listener, error) {
	namespace := plan.QDHCP + s.NetworkID
	if !slices.ContainsFunc(s.Subnets, func(n plan.ServerSubnet) bool { return n.CIDR.Addr().Is6() && !n.Stateless }) {
		v.deafen(namespace)
		return nil, nil
	}
	l, err := v.open(in, s, namespace)
	if err != nil {
		v.deafen(namespace)
		return nil, fmt.Errorf("machines that were installed anew wait for their IPv6 address until their old lease has ended: %w", err)
	}
	return l, nil
}

func (v *Servers) open(in daemon.Space, s plan.Server, namespace string) (*listener, error) {
	home, index, err := place(in, s.Device)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	have := v.listeners[namespace]
	v.mu.Unlock()
	if have != nil && have.home == home && have.hears() {
		return have, nil
	}
	v.deafen(namespace)
	socket, err := hearSolicits(in, s.Device, index)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{v: v, networkID: s.NetworkID, home: home, socket: socket, end: cancel, done: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		cancel()
		return nil, errors.Join(errors.New("closed"), socket.Close())
	}
	v.listeners[namespace] = l
	go l.run(ctx)
	return l, nil
}

// deafen ends the listener of a namespace. One that is not there is no error.
func (v *Servers) deafen(namespace string) {
	v.mu.Lock()
	l := v.listeners[namespace]
	delete(v.listeners, namespace)
	v.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// Close ends what hears machines, for good. The servers run on.
func (v *Servers) Close() {
	v.mu.Lock()
	all := v.listeners
	v.listeners, v.closed = nil, true
	v.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

func (l *listener) close() {
	l.end()
	_ = l.socket.Close()
	<-l.done
}

// hears says whether the listener still works.
func (l *listener) hears() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// set says what the server gives out from now on. l.mu is held.
func (l *listener) set(in daemon.Space, s plan.Server) {
	old := l.ports
	l.in, l.server, l.ports = in, s, map[string]*port6{}
	for ip, h := range owners(s) {
		if !ip.Is6() {
			continue
		}
		p := l.ports[h.MAC]
		if p == nil {
			p = &port6{}
			if was := old[h.MAC]; was != nil {
				p.looked = was.looked
			}
			l.ports[h.MAC] = p
		}
		p.addresses = append(p.addresses, ip)
	}
}

// run hears until the socket is closed.
func (l *listener) run(ctx context.Context) {
	defer close(l.done)
	limit := rate.NewLimiter(maxSolicits, maxSolicits)
	frame := make([]byte, maxFrame)
	for limit.Wait(ctx) == nil {
		size, err := l.socket.Read(frame)
		if errors.Is(err, unix.ENETDOWN) { // told once, when the device is set down
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				l.v.log.Error("Solicits are not heard; they are again with the next look at the namespace", "network", l.networkID, "err", err)
			}
			return
		}
		if a, ok := readSolicit(frame[:size]); ok {
			l.solicited(ctx, a)
		}
	}
}

// solicited releases leases that others have of the addresses of whom a Solicit is from.
func (l *listener) solicited(ctx context.Context, a asker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.ports[a.mac]
	if p == nil || time.Since(p.looked) < lookGap || ctx.Err() != nil {
		return
	}
	p.looked = time.Now()
	gone := others(wholeLines(daemon.Read(l.v.Dir(l.networkID), leaseFile)), p.addresses, a)
	if len(gone) == 0 {
		return
	}
	if err := l.v.release6(ctx, l.in, l.server, gone); err != nil {
		l.v.log.Warn("a machine that solicits does not get its address", "network", l.networkID, "mac", a.mac, "err", err)
		return
	}
	for _, g := range gone {
		l.v.log.Info("lease released: another machine of the port solicits the address", "network", l.networkID, "mac", a.mac, "address", g.ip, "client", g.client, "iaid", g.id)
	}
}

// wholeLines is a text without what comes after its last line: dnsmasq may be writing it. What it has not written yet is found
// when the machine asks again.
func wholeLines(text string) string { return text[:strings.LastIndexByte(text, '\n')+1] }

// others are the leases in a lease file of some addresses that are not the asker's.
func others(text string, addresses []netip.Addr, a asker) []lease {
	return slices.DeleteFunc(leases(text), func(l lease) bool { return !slices.Contains(addresses, l.ip) || a.has(l) })
}

// place tells apart the devices of a name: one that was made anew, or its namespace, is another one.
func place(in daemon.Space, device string) (home string, index int, err error) {
	err = in.Do(func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
		ns, err := os.Readlink("/proc/thread-self/ns/net")
		home, index = fmt.Sprint(ns, " ", i.Index), i.Index
		return err
	})
	return home, index, err
}

// hearSolicits opens a socket that gets the Solicits which come in by a device.
func hearSolicits(in daemon.Space, device string, index int) (*os.File, error) {
	filter, err := bpf.Assemble(solicits)
	if err != nil {
		return nil, err
	}
	program := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		program[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	fd := -1
	// Without a protocol it gets nothing before it has its filter.
	if err := in.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	}); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", device, err)
	}
	protocol := uint16(unix.ETH_P_IPV6)
	err = errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: index}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", device, err)
	}
	return os.NewFile(uintptr(fd), device), nil
}
