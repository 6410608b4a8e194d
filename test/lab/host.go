package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// firstNumber is the number of the first host: the last byte of its addresses.
const firstNumber = 11

// restartDelay is systemd's own RestartSec, which Debian's units of Open vSwitch use.
const restartDelay = 100 * time.Millisecond

// HostConfig says what a host is to be.
type HostConfig struct {
	Name string `json:"name"`
	// Roles as the agent is told them; empty: compute, and network too if the name begins so.
	Roles string `json:"roles,omitempty"`
	// NoMapping is a host whose br-ex is not mapped to the physical network.
	NoMapping bool `json:"no_mapping,omitempty"`
	// Number is the last byte of the host's addresses; 0 takes the next.
	Number int `json:"number"`
}

// Host is a virtual host. The embedded box is what runs now; it is nil when the host is off.
type Host struct {
	*nsbox.Box
	HostConfig
	// Name is that of the configuration.
	Name string
	// MgmtIP is on eth0, TunnelIP on br-phy.
	MgmtIP, TunnelIP netip.Addr

	lab *Lab
}

// newHost names the host's addresses.
// IsNetworkHost says whether a host of that name serves DHCP and routers, when nothing else is said of its roles.
func IsNetworkHost(name string) bool { return strings.HasPrefix(name, "network") }

func newHost(l *Lab, cfg HostConfig) *Host {
	if cfg.Number == 0 {
		cfg.Number = l.record.NextHost
		l.record.NextHost++
	}
	n := byte(cfg.Number)
	return &Host{
		HostConfig: cfg, Name: cfg.Name, lab: l,
		MgmtIP: netip.AddrFrom4([4]byte{10, 90, 0, n}), TunnelIP: netip.AddrFrom4([4]byte{10, 91, 0, n}),
	}
}

// AddHost puts one more host into a running lab and switches it on. Its agent is not started.
func (l *Lab) AddHost(ctx context.Context, cfg HostConfig) (*Host, error) {
	var names []string
	for _, h := range l.Hosts {
		names = append(names, h.Name)
	}
	if err := checkHostName(cfg.Name, names); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if cfg.Number == 0 && l.record.NextHost > 250 {
		return nil, fmt.Errorf("%w: no number left for host %s", ErrConfig, cfg.Name)
	}
	h := newHost(l, cfg)
	l.Hosts = append(l.Hosts, h)
	if err := l.write(); err != nil {
		return nil, err
	}
	if err := h.Boot(ctx); err != nil {
		return nil, errors.Join(err, l.RemoveHost(context.WithoutCancel(ctx), cfg.Name))
	}
	return h, l.WarmTunnels(ctx)
}

// RemoveHost takes a host out of the lab, with its disk and its VMs.
func (l *Lab) RemoveHost(ctx context.Context, name string) error {
	h, err := l.Host(name)
	if err != nil {
		return err
	}
	if h.Box != nil {
		if err := h.PowerOff(ctx); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(l.Dir, name)); err != nil {
		return fmt.Errorf("disk of %s: %w", name, err)
	}
	l.Hosts = slices.DeleteFunc(l.Hosts, func(o *Host) bool { return o == h })
	return l.write()
}

// disk is a directory of the host that outlives it.
func (h *Host) disk(name string) string { return filepath.Join(h.lab.Dir, h.Name, name) }

// State reads a file of the node agent's, from the host's disk.
func (h *Host) State(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(h.disk("state"), name))
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", h.Name, err)
	}
	return text, nil
}

// Boot switches the host on: its box, its links and Open vSwitch, but no agent. Bridges that were in the database come
// back; flows do not.
func (h *Host) Boot(ctx context.Context) error {
	spec, err := h.lab.switchSpec(h.Name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.disk("state"), 0o755); err != nil {
		return fmt.Errorf("disk of %s: %w", h.Name, err)
	}
	if err := os.Remove(spec.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("socket of %s: %w", h.Name, err)
	}
	box, pid, err := h.lab.Fabric.Open(ctx, spec, h.lab.log(h.Name+"-box"))
	if err != nil {
		return err
	}
	h.Box = box
	for i, n := range networks {
		if err := h.lab.plug(ctx, pid, n.network, h.ports()[i], n.device); err != nil {
			return err
		}
		if err := checksumsInSoftware(ctx, h.Box, n.device); err != nil {
			return err
		}
	}
	if err := leaveToSwitch(ctx, h.Box, "eth1", "eth2"); err != nil {
		return err
	}
	if err := ip(ctx, h.Box, fmt.Sprintf("addr add %s/24 dev eth0\nlink set dev eth0 up\nlink set dev eth1 up\nlink set dev eth2 up\n",
		h.MgmtIP)); err != nil {
		return err
	}
	return h.startOVS(ctx)
}

// PowerOff ends the host as a pulled plug does: it says nothing any more, not even that its connections end. Its disk stays; its
// VMs are gone.
func (h *Host) PowerOff(ctx context.Context) error {
	all, err := h.lab.Fabric.Exec(ctx, "ls", "/sys/class/net")
	if err != nil {
		return err
	}
	var pull strings.Builder
	for _, port := range strings.Fields(all) {
		if slices.Contains(h.ports(), port) {
			fmt.Fprintf(&pull, "link del %s\n", port)
		}
	}
	if err := ip(ctx, h.lab.Fabric, pull.String()); err != nil {
		return err
	}
	if err := h.Kill(ctx); err != nil {
		return err
	}
	// Who keeps it notices a moment later, and does not let it boot before.
	if err := Poll(ctx, 20*time.Second, func() error {
		list, err := h.lab.Fabric.List(ctx)
		if err == nil && slices.ContainsFunc(list, func(p nsbox.Process) bool { return p.Name == nsbox.BoxName(h.Name) }) {
			err = fmt.Errorf("%s still runs", h.Name)
		}
		return err
	}); err != nil {
		return err
	}
	h.Box = nil
	return h.lab.forgetVMs(h.Name)
}

// networks are where the host's devices lead to.
var networks = []struct{ device, network string }{{"eth0", mgmt}, {"eth1", underlay}, {"eth2", physnet}}

// ports are the names of the fabric's ends of the host's devices.
func (h *Host) ports() []string {
	var names []string
	for _, n := range networks {
		names = append(names, fmt.Sprintf("%.4s%d", n.network, h.Number))
	}
	return names
}

// plugged is the fabric's end of one of the host's devices.
func (h *Host) plugged(device string) (string, error) {
	for i, n := range networks {
		if n.device == device {
			return h.ports()[i], nil
		}
	}
	return "", fmt.Errorf("%s has no device %s", h.Name, device)
}

// startOVS does what Debian's units and a network configuration for a userspace datapath do at boot.
func (h *Host) startOVS(ctx context.Context) error {
	if err := startSwitch(ctx, h.lab, h.Box); err != nil {
		return err
	}
	if _, err := h.Exec(ctx, "ovs-vsctl", "--timeout=20",
		"--", "--may-exist", "add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=netdev", "fail_mode=standalone",
		fmt.Sprintf("other_config:hwaddr=%q", h.tunnelMAC()),
		"--", "--may-exist", "add-port", "br-phy", "eth1",
		"--", "--may-exist", "add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev",
		"--", "--may-exist", "add-port", "br-ex", "eth2"); err != nil {
		return err
	}
	// A restart of ovs-vswitchd makes br-phy anew; the address must come back as systemd-networkd would bring it.
	_, err := h.Start(ctx, nsbox.Command{
		Name: "network", Argv: nsbox.Applet("address", "br-phy", h.TunnelIP.String()+"/24"),
		Log: h.lab.log(h.Name + "-network"), Restart: restartDelay,
	})
	return err
}

// StartOVSDB starts ovsdb-server, which is restarted when it dies.
func (h *Host) StartOVSDB(ctx context.Context) error { return startOVSDB(ctx, h.lab, h.Box) }

// StartVswitchd starts ovs-vswitchd, which is restarted when it dies.
func (h *Host) StartVswitchd(ctx context.Context) error { return startVswitchd(ctx, h.lab, h.Box) }

// RestartVswitchd ends ovs-vswitchd by SIGKILL, and returns when another has been started in its place, as systemd would.
func (h *Host) RestartVswitchd(ctx context.Context) error {
	pid := func() (int, error) {
		list, err := h.List(ctx)
		i := slices.IndexFunc(list, func(p nsbox.Process) bool { return p.Name == "ovs-vswitchd" })
		if err == nil && i < 0 {
			err = fmt.Errorf("%s: ovs-vswitchd does not run", h.Name)
		}
		if err != nil {
			return 0, err
		}
		return list[i].PID, nil
	}
	before, err := pid()
	if err != nil {
		return err
	}
	if err := h.Signal(ctx, "ovs-vswitchd", syscall.SIGKILL); err != nil {
		return err
	}
	return Poll(ctx, 20*time.Second, func() error {
		after, err := pid()
		if err == nil && after == before {
			err = fmt.Errorf("%s: ovs-vswitchd was not started again", h.Name)
		}
		return err
	})
}

// KillVswitchd ends ovs-vswitchd by SIGKILL; it stays down until StartVswitchd.
func (h *Host) KillVswitchd(ctx context.Context) error {
	return h.Stop(ctx, "ovs-vswitchd", syscall.SIGKILL, 20*time.Second)
}

// KillOVSDB ends ovsdb-server by SIGKILL; it stays down until StartOVSDB.
func (h *Host) KillOVSDB(ctx context.Context) error {
	return h.Stop(ctx, "ovsdb-server", syscall.SIGKILL, 20*time.Second)
}

// WarmTunnels waits until every host reaches the tunnel addresses of all others, and tells their datapaths how. The
// userspace datapath drops the packet that makes it ask for an unknown neighbour, and a test that counts packets would
// count that one. What it was told is forgotten when ovs-vswitchd ends, and after 15 minutes without use.
//
// A host that knows its neighbours already does not send anything. Packets between tunnel addresses while there is no
// tunnel leave a wide datapath flow (ipv4, any protocol); when a VXLAN tunnel was there seconds before and comes again,
// Open vSwitch 3.1 mixes that flow up with the old one for UDP port 4789, and hands what comes by the new tunnel to
// the kernel until the old one is 10 s idle.
func (l *Lab) WarmTunnels(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range l.Hosts {
		if h.Box != nil {
			g.Go(func() error { return h.meetNeighbours(ctx) })
		}
	}
	return g.Wait()
}

// meetNeighbours is one host's part of WarmTunnels.
func (h *Host) meetNeighbours(ctx context.Context) error {
	var known string
	// A new ovs-vswitchd needs a moment until it answers.
	if err := Poll(ctx, 20*time.Second, func() (err error) {
		known, err = h.Exec(ctx, "ovs-appctl", "tnl/neigh/show")
		return err
	}); err != nil {
		return err
	}
	for _, other := range h.lab.Hosts {
		if other == h || other.Box == nil || strings.Contains(known, other.TunnelIP.String()+" ") {
			continue
		}
		if err := WaitPing(ctx, h.Box, other.TunnelIP, 30*time.Second); err != nil {
			return fmt.Errorf("underlay from %s to %s: %w", h.Name, other.Name, err)
		}
		if _, err := h.Exec(ctx, "ovs-appctl", "tnl/neigh/set", "br-phy", other.TunnelIP.String(), other.tunnelMAC()); err != nil {
			return err
		}
	}
	return nil
}

// tunnelMAC is the MAC address of br-phy: locally administered, and the tunnel address.
func (h *Host) tunnelMAC() string {
	a := h.TunnelIP.As4()
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3])
}

// Poll calls ok until it answers nil; when ctx ends or the time is over, it answers the last error.
func Poll(ctx context.Context, limit time.Duration, ok func() error) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
