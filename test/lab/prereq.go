package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// schema is where Debian's openvswitch-common puts Open vSwitch's database schema.
const schema = "/usr/share/openvswitch/vswitch.ovsschema"

// tools are the programs that the lab runs, and Debian's packages that hold them.
var tools = []struct{ program, pkg string }{
	{"ovsdb-server", "openvswitch-switch"}, {"ovs-vswitchd", "openvswitch-switch"}, {"ovsdb-tool", "openvswitch-common"},
	{"ovs-vsctl", "openvswitch-switch"}, {"ovs-ofctl", "openvswitch-common"}, {"ip", "iproute2"},
	{"nsenter", "util-linux"}, {"ethtool", "ethtool"}, {"ping", "iputils-ping"}, {"ps", "procps"},
	{"iptables-restore", "iptables"}, {"dnsmasq", "dnsmasq-base"}, {"radvd", "radvd"}, {"conntrack", "conntrack"}, {"curl", "curl"},
	{"udhcpc", "udhcpc"}, {"dhclient", "isc-dhcp-client"},
}

// ErrCannot says that this machine or user cannot run a lab.
var ErrCannot = errors.New("cannot run a lab here")

// Prerequisites checks that a lab can run here. The error wraps ErrCannot and is one line with the remedy.
func Prerequisites() error {
	const needed = 1<<capNetAdmin | 1<<capSysAdmin
	caps, err := effectiveCaps()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if os.Geteuid() != 0 || caps&needed != needed {
		return fmt.Errorf("%w: namespaces and bridges need root with CAP_SYS_ADMIN and CAP_NET_ADMIN: try sudo", ErrCannot)
	}
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil {
			return fmt.Errorf("%w: no program %s: apt-get install %s", ErrCannot, t.program, t.pkg)
		}
	}
	if _, err := os.Stat(schema); err != nil {
		return fmt.Errorf("%w: no %s: apt-get install openvswitch-common", ErrCannot, schema)
	}
	return nil
}

// Capability numbers of linux/capability.h.
const (
	capNetAdmin = 12
	capSysAdmin = 21
)

// effectiveCaps reads this process's effective capabilities, a bit each.
func effectiveCaps() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			var caps uint64
			_, err := fmt.Sscanf(value, "%x", &caps)
			return caps, err
		}
	}
	return 0, errors.New("/proc/self/status: no CapEff")
}
