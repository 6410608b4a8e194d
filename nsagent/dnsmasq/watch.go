package dnsmasq

import (
	"os"

	"golang.org/x/sys/unix"
)

// Deaths tells the namespaces whose server has ended, asked to or not. Who does not listen misses some.
func (v *Servers) Deaths() <-chan string { return v.deaths }

// watch waits for the end of a namespace's server, once for each process. Where the kernel does not tell, whoever calls
// Ensure from time to time finds out.
func (v *Servers) watch(namespace string, pid int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.watched[namespace] == pid {
		return
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	v.watched[namespace] = pid
	// A file of the runtime's poller: no thread waits for it.
	file := os.NewFile(uintptr(fd), "pidfd")
	go func() {
		defer file.Close()
		err := awaitReadable(file)
		v.mu.Lock()
		if v.watched[namespace] == pid {
			delete(v.watched, namespace)
		}
		v.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case v.deaths <- namespace:
		default:
		}
	}()
}

// awaitReadable waits until a pidfd is readable, which it is when the process has ended (pidfd_open(2)).
func awaitReadable(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}
