package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Groups of rtnetlink (linux/rtnetlink.h).
var watched = []int{unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE,
	unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF}

// watched are the groups that matter in the namespace: in the host's own only devices are ours.
func (n *Namespace) watched() []int {
	if n.name == plan.Home {
		return []int{unix.RTNLGRP_LINK}
	}
	return watched
}

// nftGroup announces changes of rules (NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h).
const nftGroup = 7

// Watch calls changed whenever something in the namespace changes that matters, until stop is called, which waits for the
// end. Neighbours that were learned come and go; of those only such matter as permanent says.
func (n *Namespace) Watch(permanent func(netip.Addr) bool, changed func()) (stop func(), err error) {
	var files []*os.File
	shut := func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, s := range []struct {
		protocol int
		groups   []int
	}{{unix.NETLINK_ROUTE, n.watched()}, {unix.NETLINK_NETFILTER, []int{nftGroup}}} {
		f, err := n.listen(s.protocol, s.groups)
		if err != nil {
			shut()
			return nil, fmt.Errorf("watch %s: %w", n.name, err)
		}
		files = append(files, f)
	}
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() {
			hear(f, func(b []byte) bool { return i == 1 || matters(b, permanent) }, changed)
		})
	}
	return func() { shut(); wg.Wait() }, nil
}

// listen opens a socket that hears groups of the namespace. (The library's subscriptions take a goroutine with a buffer of
// 64 KiB each, and two hundred namespaces are nothing unusual.)
func (n *Namespace) listen(protocol int, groups []int) (*os.File, error) {
	var fd int
	err := n.Do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol); err != nil {
			return err
		}
		if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		for _, g := range groups {
			if err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
				return errors.Join(err, unix.Close(fd))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), n.name), nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// hear reads until the socket is closed.
func hear(f *os.File, matters func([]byte) bool, changed func()) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	for {
		told := false
		err := conn.Read(func(fd uintptr) bool {
			b := buffers.Get().(*[]byte)
			defer buffers.Put(b)
			size, _, err := unix.Recvfrom(int(fd), *b, 0)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false // wait
			case err != nil: // too much at once: something has surely changed
				told = true
			default:
				told = matters((*b)[:size])
			}
			return true
		})
		if errors.Is(err, fs.ErrClosed) || err != nil {
			return
		}
		if told {
			changed()
		}
	}
}

// Sizes of headers: struct nlmsghdr and struct ndmsg.
const (
	messageHeader   = 16
	neighbourHeader = 12
)

// matters says whether any message of rtnetlink is more than a learned neighbour that comes or goes.
func matters(b []byte, permanent func(netip.Addr) bool) bool {
	for len(b) >= messageHeader {
		size, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if size < messageHeader || size > len(b) {
			return true
		}
		body := b[messageHeader:size]
		if kind != unix.RTM_NEWNEIGH && kind != unix.RTM_DELNEIGH {
			return true
		}
		if len(body) < neighbourHeader {
			return true
		}
		state := binary.NativeEndian.Uint16(body[8:]) // ndm_state
		ip := destination(body[neighbourHeader:])
		if state&unix.NUD_PERMANENT != 0 || (ip.IsValid() && permanent(ip)) {
			return true
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return false
}

// destination is the attribute NDA_DST.
func destination(b []byte) netip.Addr {
	for len(b) >= unix.SizeofRtAttr {
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		if kind == unix.NDA_DST {
			a, _ := netip.AddrFromSlice(b[unix.SizeofRtAttr:size])
			return a.Unmap()
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return netip.Addr{}
}

// WatchNames calls gone with each name that vanishes from Dir, until stop is called, which waits for the end.
func (h *Host) WatchNames(gone func(name string)) (stop func(), err error) {
	if err := h.prepare(); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", Dir, err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, Dir, unix.IN_DELETE|unix.IN_MOVED_FROM); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", Dir, err), f.Close())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 16<<10)
		for {
			size, err := f.Read(b)
			if err != nil {
				return
			}
			for e := b[:size]; len(e) >= unix.SizeofInotifyEvent; {
				length := int(binary.NativeEndian.Uint32(e[12:])) // inotify_event.len
				end := min(unix.SizeofInotifyEvent+length, len(e))
				gone(unix.ByteSliceToString(e[unix.SizeofInotifyEvent:end]))
				e = e[end:]
			}
		}
	}()
	return func() { f.Close(); <-done }, nil
}
