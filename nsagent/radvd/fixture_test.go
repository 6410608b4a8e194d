package radvd

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/ovs"
	"github.com/weft-sdn/weft/test/space"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	router    = "81689e42-91a4-4094-b699-3bef28777c0b"
	namespace = plan.QRouter + router
	// routerLL is the link-local address of the router's device.
	routerLL = "fe80::f816:3eff:fe00:1"
)

// site is a network with a router, and machines on it.
type site struct {
	*Advertisers
	t        testing.TB
	state    string
	registry *prometheus.Registry
	want     plan.Advertiser
	in, lan  *space.Space
	n        int
}

func newSite(t *testing.T) *site {
	t.Helper()
	if _, err := exec.LookPath("radvd"); err != nil {
		t.Fatalf("%v: scripts/bootstrap.sh installs it", err)
	}
	dir, err := os.MkdirTemp("", "ra") // t.TempDir is below a directory that is closed to others
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, state: filepath.Join(dir, "state"), in: space.New(t, namespace), lan: space.New(t, "lan")}
	t.Cleanup(func() {
		if err := s.Stop(context.Background(), namespace); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	s.restart()
	s.lan.Run("ip", "link", "add", "br0", "up", "type", "bridge", "mcast_snooping", "0")
	// As in the namespaces of routers.
	s.in.Run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.forwarding=1", "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.accept_dad=0")
	s.device(s.in, "qr-48adc8c6-aa", "fa:16:3e:00:00:01", "router")
	s.in.Run("ip", "addr", "add", "fd00:1::1/64", "dev", "qr-48adc8c6-aa")
	s.want = plan.Advertiser{RouterID: router, Namespace: namespace, Devices: []plan.AdvertisingDevice{{Name: "qr-48adc8c6-aa", MTU: 1450,
		Advertisement: plan.Advertisement{DefaultRouter: true, Prefixes: []plan.AdvertisedPrefix{{Prefix: cidr("fd00:1::/64"), Autonomous: true}}}}}}
	return s
}

// device gives a namespace a device on the network, with an MTU of 1450.
func (s *site) device(in *space.Space, dev, mac, port string) {
	s.n++
	in.Veth(dev, mac, s.lan, port, fmt.Sprintf("fa:16:3e:ff:00:%02x", s.n))
	in.Run("ip", "link", "set", dev, "mtu", "1450")
	s.lan.Run("ip", "link", "set", port, "mtu", "1450", "master", "br0")
}

// restart makes the Advertisers that an agent has after its restart.
func (s *site) restart() {
	s.registry = prometheus.NewRegistry()
	s.Advertisers = New(Config{StateDir: s.state, Metrics: s.registry})
}

// ensure returns whether something was done.
func (s *site) ensure() bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	changed, err := s.Ensure(ctx, s.in, s.want)
	if err != nil {
		s.t.Fatal(err)
	}
	return changed
}

func (s *site) pid() int { return s.PID(router) }

func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	ovs.Await(s.t, what, holds)
}

// processes are those whose command line names the router's directory: radvd, and its part that remains root.
func (s *site) processes() (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range found {
		if line, _ := os.ReadFile(f); strings.Contains(string(line), s.Dir(router)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// counts are how often radvd was started and made to read.
func (s *site) counts() string {
	s.t.Helper()
	count := map[string]float64{}
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		count[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	return fmt.Sprintf("%v starts, %v reloads", count["weft_ra_starts_total"], count["weft_ra_reloads_total"])
}

// advertisement is one that a machine heard.
type advertisement struct {
	at                   time.Time
	lifetime             uint16 // of the router, in seconds
	managed, otherConfig bool
	mtu                  uint32
	prefixes, dns        []string // "fd00:1::/64 A"
}

func (a advertisement) String() string {
	return fmt.Sprintf("lifetime %d M %v O %v mtu %d prefixes %v dns %v", a.lifetime, a.managed, a.otherConfig, a.mtu, a.prefixes, a.dns)
}

// parse reads an advertisement (RFC 4861, sections 4.2 and 4.6; RFC 8106, section 5.1).
func parse(b []byte) (a advertisement, ok bool) {
	if len(b) < 16 || b[0] != 134 {
		return a, false
	}
	a = advertisement{at: time.Now(), lifetime: binary.BigEndian.Uint16(b[6:]), managed: b[5]&0x80 != 0, otherConfig: b[5]&0x40 != 0}
	for o := b[16:]; len(o) >= 8 && o[1] > 0 && len(o) >= int(o[1])*8; o = o[int(o[1])*8:] {
		switch o[0] {
		case 3:
			p := netip.PrefixFrom(netip.AddrFrom16([16]byte(o[16:32])), int(o[2])).String()
			if o[3]&0x40 != 0 {
				p += " A"
			}
			a.prefixes = append(a.prefixes, p)
		case 5:
			a.mtu = binary.BigEndian.Uint32(o[4:])
		case 25:
			for s := o[8 : int(o[1])*8]; len(s) >= 16; s = s[16:] {
				a.dns = append(a.dns, netip.AddrFrom16([16]byte(s[:16])).String())
			}
		}
	}
	return a, true
}

// machine is a network namespace with eth0 on the network, and hears what the router says.
type machine struct {
	*space.Space
	t     testing.TB
	fd    int
	index int

	mu    sync.Mutex
	heard []advertisement
}

func (s *site) machine(mac string) *machine {
	s.t.Helper()
	m := &machine{Space: space.New(s.t, mac), t: s.t}
	m.Run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitation_delay=0")
	err := m.Do(func() (err error) {
		m.fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		return err
	})
	if err == nil {
		err = unix.SetsockoptTimeval(m.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50000})
	}
	if err == nil {
		err = unix.SetsockoptInt(m.fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	over, done := make(chan struct{}), make(chan struct{})
	go m.listen(over, done)
	s.t.Cleanup(func() {
		close(over)
		<-done
		unix.Close(m.fd)
	})
	s.device(m.Space, "eth0", mac, fmt.Sprint("port", s.n))
	// It asks when its link comes up, and again after four seconds.
	m.Run("ip", "link", "set", "eth0", "down")
	m.Run("ip", "link", "set", "eth0", "up")
	if err := m.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err == nil {
			m.index = i.Index
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (m *machine) listen(over, done chan struct{}) {
	defer close(done)
	b := make([]byte, 2000)
	for {
		select {
		case <-over:
			return
		default:
		}
		n, _, err := unix.Recvfrom(m.fd, b, 0)
		if err != nil {
			continue
		}
		if a, ok := parse(b[:n]); ok {
			m.mu.Lock()
			m.heard = append(m.heard, a)
			m.mu.Unlock()
		}
	}
}

func (m *machine) all() []advertisement {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard)
}

// hears waits for an advertisement after the first n, and gives it with the number of those before it.
func (m *machine) hears(what string, after int, is func(advertisement) bool) (found advertisement) {
	m.t.Helper()
	ovs.Await(m.t, what, func() bool {
		all := m.all()
		i := slices.IndexFunc(all[min(after, len(all)):], is)
		if i >= 0 {
			found = all[after+i]
		}
		return i >= 0
	})
	return found
}

// solicit asks routers (RFC 4861, section 4.1).
func (m *machine) solicit() {
	m.t.Helper()
	if err := unix.Sendto(m.fd, []byte{133, 0, 0, 0, 0, 0, 0, 0}, 0, &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::2").As16(), ZoneId: uint32(m.index)}); err != nil {
		m.t.Fatal(err)
	}
}

// has waits until a command on the machine says something.
func (m *machine) has(text string, argv ...string) {
	m.t.Helper()
	said := ""
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%v: %s", argv, said)
		}
	}()
	ovs.Await(m.t, "the machine to have "+text, func() bool {
		said = m.Run(argv...)
		return strings.Contains(said, text)
	})
}

// loyal fails the test if an advertisement took the router or a prefix back.
func (m *machine) loyal() {
	m.t.Helper()
	for _, a := range m.all() {
		if a.lifetime == 0 {
			m.t.Errorf("heard a goodbye: %v", a)
		}
	}
	if out := m.Run("ip", "-6", "route", "show", "default"); !strings.Contains(out, "via "+routerLL) {
		m.t.Errorf("default route: %q", out)
	}
}
