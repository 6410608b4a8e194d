package daemon

import (
	"os"

	"golang.org/x/sys/unix"
)

// Deaths tells the namespaces whose daemon has ended, asked to or not. Who does not listen misses some.
func (d *Daemons) Deaths() <-chan string { return d.deaths }

// watch waits for the end of a namespace's daemon, once for each process. Where the kernel does not tell, whoever calls
// Ensure from time to time finds out.
func (d *Daemons) watch(namespace string, pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watched[namespace] == pid {
		return
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	d.watched[namespace] = pid
	// A file of the runtime's poller: no thread waits for it.
	file := os.NewFile(uintptr(fd), "pidfd")
	go func() {
		defer file.Close()
		err := awaitReadable(file)
		d.mu.Lock()
		if d.watched[namespace] == pid {
			delete(d.watched, namespace)
		}
		d.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case d.deaths <- namespace:
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
