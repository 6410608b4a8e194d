package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Dir is where "ip netns" has namespaces.
const Dir = "/run/netns"

// replyTimeout is how long the kernel may take to answer.
const replyTimeout = 5 * time.Second

// mark is what says that something is ours: the alias of lo in a namespace, and the beginning of the alias of a tap.
const mark = "weft"

// ErrTaken: a name is that of something which is not ours.
var ErrTaken = errors.New("name is taken")

// Host is this machine's own network namespace, and the namespaces on it.
type Host struct {
	home    netns.NsHandle
	root    *netlink.Handle
	making  sync.Mutex // one at a time makes a namespace
	mounted sync.Mutex // one at a time makes Dir ready
	ready   bool
	// countsRules says whether iptables is the one whose rules the kernel counts the changes of.
	countsRules func() bool
	// Tracker is br-int's; nil when there is none.
	Tracker Tracker
	// Unlearned is told how many connections of a port its firewall bridge, or else br-int, could not be made to know; it may be nil.
	Unlearned func(portID string, bridge bool, n int)
}

// Tracker is the connection tracker of br-int. See package tracker.
type Tracker interface {
	Connections(ctx context.Context, zone uint16) ([]plan.Connection, error)
	Correct(ctx context.Context, zone uint16, forget []plan.Connection, packets []plan.Packet) error
}

// Open opens the network namespace that this process is in.
func Open() (*Host, error) {
	home, err := netns.GetFromPath("/proc/self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	root, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err == nil {
		err = root.SetSocketTimeout(replyTimeout)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("own network namespace: %w", err), home.Close())
	}
	return &Host{home: home, root: root, countsRules: sync.OnceValue(usesNftables)}, nil
}

// handle opens a namespace's netlink sockets. netlink.NewHandleAt would not wrap why a namespace may not be entered, and who is not
// permitted to must be told so.
func (h *Host) handle(ns netns.NsHandle) (handle *netlink.Handle, err error) {
	err = onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter it: %w", err)
		}
		handle, err = netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER)
		return err
	}, h.home)
	if err != nil {
		return nil, err
	}
	if err := handle.SetSocketTimeout(replyTimeout); err != nil {
		handle.Close()
		return nil, err
	}
	return handle, nil
}

// Close lets go of the host.
func (h *Host) Close() error {
	h.root.Close()
	return h.home.Close()
}

// List are the names of the namespaces that have a name of ours, whoever made them.
func (h *Host) List() ([]string, error) {
	entries, err := os.ReadDir(Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var out []string
	for _, e := range entries {
		if plan.Ours(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Namespace is an open network namespace. It keeps the namespace alive, also when its name is taken away.
type Namespace struct {
	name   string
	host   *Host
	ns     netns.NsHandle
	handle *netlink.Handle
	// hostID is the host's namespace as this one's links name it; -1 for none.
	hostID int
	// ours: it was made by us.
	ours bool
	// seen are the rules as they were looked at last.
	seen atomic.Pointer[rules]
	// ears are those that machines are listened to by, by their device. They belong to who calls Hold and Apply.
	ears map[string]*ear
	// inside is held for reading by those who are inside.
	inside sync.RWMutex
	closed bool
}

// Name is its name in Dir.
func (n *Namespace) Name() string { return n.name }

// Ours says whether it was made by us, or taken over.
func (n *Namespace) Ours() bool { return n.ours }

// Open opens a namespace that is there. The error wraps fs.ErrNotExist when there is none, and ErrTaken when the name is
// that of something else.
func (h *Host) Open(name string) (*Namespace, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(Dir, name)
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	var fs unix.Statfs_t
	file, err := os.Lstat(path)
	if err != nil || unix.Fstatfs(int(ns), &fs) != nil || fs.Type != unix.NSFS_MAGIC || !file.Mode().IsRegular() || ns.Equal(h.home) {
		ns.Close()
		if leftover(path) {
			return nil, fmt.Errorf("namespace %s: %w", name, os.ErrNotExist)
		}
		return nil, fmt.Errorf("namespace %s: %w: %s is no network namespace; remove it", name, ErrTaken, path)
	}
	return h.open(name, ns)
}

func (h *Host) open(name string, ns netns.NsHandle) (*Namespace, error) {
	handle, err := h.handle(ns)
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	n := &Namespace{name: name, host: h, ns: ns, handle: handle, hostID: -1}
	lo, err := handle.LinkByName("lo")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("namespace %s: lo: %w", name, err), n.Close())
	}
	n.ours = lo.Attrs().Alias == mark
	return n, nil
}

// Close lets go of the namespace, which stays.
func (n *Namespace) Close() error {
	for tap := range n.ears {
		n.deafen(tap)
	}
	n.handle.Close()
	n.inside.Lock()
	defer n.inside.Unlock()
	n.closed = true
	return n.ns.Close()
}

// Current says whether the namespace's name still stands for it.
func (n *Namespace) Current() bool {
	if n.name == plan.Home {
		return true
	}
	now, err := netns.GetFromPath(filepath.Join(Dir, n.name))
	if err != nil {
		return false
	}
	defer now.Close()
	return now.Equal(n.ns)
}

func checkName(name string) error {
	if !plan.Ours(name) || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("namespace %q: %w: it is no name of ours", name, ErrTaken)
	}
	return nil
}
