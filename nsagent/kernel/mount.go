package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Ensure opens the namespace, and makes it when there is none. One that is there is taken over.
func (h *Host) Ensure(name string) (n *Namespace, made bool, err error) {
	h.making.Lock()
	defer h.making.Unlock()
	n, err = h.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := h.make(name); err != nil {
			return nil, false, fmt.Errorf("make namespace %s: %w", name, err)
		}
		made = true
		n, err = h.Open(name)
	}
	if err != nil {
		return nil, false, err
	}
	if !n.ours {
		lo, err := n.handle.LinkByName("lo")
		if err == nil {
			err = n.handle.LinkSetAlias(lo, mark)
		}
		if err != nil {
			return nil, false, errors.Join(fmt.Errorf("take over namespace %s: %w", name, err), n.Close())
		}
		n.ours = true
	}
	return n, made, nil
}

// make makes a namespace that is marked as ours before it has a name.
func (h *Host) make(name string) error {
	if err := h.prepare(); err != nil {
		return err
	}
	path := filepath.Join(Dir, name)
	// Its content is hidden by the mount. What crashes in between leaves a file that says whose it is.
	if err := os.WriteFile(path, []byte(mark), 0o444); err != nil {
		return err
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer handle.Close()
		lo, err := handle.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := handle.LinkSetAlias(lo, mark); err != nil {
			return err
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount on %s: %w", path, err)
		}
		return nil
	}, h.home)
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// leftover says whether a file was made by us to mount a namespace on it, and has none.
func leftover(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil || string(text) != mark {
		return false
	}
	return os.Remove(path) == nil
}

// prepare makes Dir such that namespaces mounted there are seen by everyone, as "ip netns add" does.
func (h *Host) prepare() error {
	h.mounted.Lock()
	defer h.mounted.Unlock()
	if h.ready {
		return nil
	}
	if err := os.MkdirAll(Dir, 0o755); err != nil {
		return err
	}
	shared := func() error { return unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "") }
	err := shared()
	if errors.Is(err, unix.EINVAL) { // it is no mount point yet
		if err = unix.Mount(Dir, Dir, "none", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = shared()
		}
	}
	if err != nil {
		return fmt.Errorf("make %s a shared mount: %w", Dir, err)
	}
	h.ready = true
	return nil
}

// Delete takes the namespace's name away and lets go of it. With the last process in it the namespace ends, and all that
// is in it.
func (n *Namespace) Delete() error {
	err := n.host.unmount(n.name, n.ns)
	return errors.Join(err, n.Close())
}

func (h *Host) unmount(name string, is netns.NsHandle) error {
	path := filepath.Join(Dir, name)
	now, err := netns.GetFromPath(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		same := now.Equal(is)
		now.Close()
		if !same {
			return nil // somebody has another one there now
		}
		err = unix.Unmount(path, unix.MNT_DETACH)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return nil
}
