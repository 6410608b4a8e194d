package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// The networks of a lab, bridges in the fabric's box.
const (
	mgmt     = "mgmt"
	underlay = "underlay"
	physnet  = PhysicalNetwork
)

// PhysicalNetwork is the name of the physical network that every host has on br-ex.
const PhysicalNetwork = "physnet1"

// UnderlayMTU is the MTU in bytes of every network between hosts.
const UnderlayMTU = 1500

// Far is an address of the machine outside that is on no network of the lab: what lies behind an external gateway
// (RFC 5737).
var Far = netip.AddrFrom4([4]byte{198, 51, 100, 1})

// WebPort is where the machine outside tells everyone who calls how it sees them, by HTTP too.
const WebPort = 80

// controllerIP is the first controller's address on mgmt; the others follow.
const controllerIP = "10.90.0.1"

// ControllerIP is the first controller's address on the network that hosts reach it by.
var ControllerIP = netip.MustParseAddr(controllerIP)

// buildFabric makes the bridges. They have no addresses: they are switches.
func (l *Lab) buildFabric(ctx context.Context) error {
	var batch strings.Builder
	for _, name := range []string{mgmt, underlay, physnet} {
		// No snooping: a switch that withholds multicast it has not seen joined would hide mistakes in our flooding.
		fmt.Fprintf(&batch, "link add name %s mtu %d type bridge mcast_snooping 0\n", name, UnderlayMTU)
		fmt.Fprintf(&batch, "link set dev %s addrgenmode none up\n", name)
	}
	return ip(ctx, l.Fabric, batch.String())
}

// plug gives the box whose init has this process id in the fabric a device on one of the networks.
func (l *Lab) plug(ctx context.Context, pid int, network, port, device string) error {
	if err := ip(ctx, l.Fabric, fmt.Sprintf(
		"link add name %s mtu %d type veth peer name %s mtu %d netns %d\nlink set dev %s addrgenmode none master %s up\n",
		port, UnderlayMTU, device, UnderlayMTU, pid, port, network)); err != nil {
		return err
	}
	return checksumsInSoftware(ctx, l.Fabric, port)
}

// ip runs a batch of ip(8) commands, a line each, in a box.
func ip(ctx context.Context, box *nsbox.Box, batch string) error {
	_, err := box.ExecInput(ctx, batch, "ip", "-batch", "-")
	return err
}

// checksumsInSoftware makes a veth end compute its checksums itself. The userspace datapath hands packets on as they
// are; with checksums left open, ping works and TCP hangs.
func checksumsInSoftware(ctx context.Context, box *nsbox.Box, device string) error {
	_, err := box.Exec(ctx, "ethtool", "-K", device, "tx", "off")
	return err
}

// leaveToSwitch makes the kernel silent on devices that belong to a bridge. The userspace datapath only listens to a
// device: the kernel sees the same frames, and would answer ARP requests for any of the host's addresses.
func leaveToSwitch(ctx context.Context, box *nsbox.Box, devices ...string) error {
	const script = `for d; do
	echo 8 >/proc/sys/net/ipv4/conf/$d/arp_ignore || exit
	test ! -e /proc/sys/net/ipv6 || echo 1 >/proc/sys/net/ipv6/conf/$d/disable_ipv6 || exit
done`
	_, err := box.Exec(ctx, append([]string{"sh", "-c", script, "sh"}, devices...)...)
	return err
}

// openController makes the controller's machine.
func (l *Lab) openController(ctx context.Context) (*nsbox.Box, error) {
	box, pid, err := l.Fabric.Open(ctx, l.spec("controller"), l.log("controller-box"))
	if err != nil {
		return nil, err
	}
	if err := l.plug(ctx, pid, mgmt, "mgmt1", "eth0"); err != nil {
		return nil, err
	}
	batch := "link set dev eth0 up\n"
	for _, c := range l.Controllers() {
		batch += fmt.Sprintf("addr add %s/24 dev eth0\n", c.IP)
	}
	if err := ip(ctx, box, batch); err != nil {
		return nil, err
	}
	for _, c := range l.Controllers() {
		if err := box.Forward(ctx, c.APISocket, c.api()); err != nil {
			return nil, err
		}
	}
	if err := box.Forward(ctx, l.HTTPSocket(), "127.0.0.1:"+httpPort); err != nil {
		return nil, err
	}
	return box, nil
}

// openOutside makes the machine on the physical network. It has a switch of its own, with eth0 as the trunk: VLANs work
// there whether the kernel knows them or not.
func (l *Lab) openOutside(ctx context.Context) (*nsbox.Box, error) {
	spec, err := l.switchSpec("outside")
	if err != nil {
		return nil, err
	}
	box, pid, err := l.Fabric.Open(ctx, spec, l.log("outside-box"))
	if err != nil {
		return nil, err
	}
	if err := l.plug(ctx, pid, physnet, "phys1", "eth0"); err != nil {
		return nil, err
	}
	if err := leaveToSwitch(ctx, box, "eth0"); err != nil {
		return nil, err
	}
	if err := ip(ctx, box, fmt.Sprintf("link set dev eth0 up\nlink set dev lo up\naddr add %s/32 dev lo\n", Far)); err != nil {
		return nil, err
	}
	if err := checksumsInSoftware(ctx, box, "eth0"); err != nil {
		return nil, err
	}
	if err := startSwitch(ctx, l, box); err != nil {
		return nil, err
	}
	if _, err := box.Exec(ctx, "ovs-vsctl", "--timeout=20",
		"--", "add-br", "br-out", "--", "set", "Bridge", "br-out", "datapath_type=netdev", "--", "add-port", "br-out", "eth0"); err != nil {
		return nil, err
	}
	// It lives as long as the machine.
	_, err = l.StartServer(ctx, box, WebPort)
	return box, err
}

// JoinOutside gives the machine outside an address on the physical network: untagged, or in a VLAN if vlan is not 0. It
// answers the device, for LeaveOutside.
func (l *Lab) JoinOutside(ctx context.Context, address netip.Prefix, vlan uint16) (device string, err error) {
	device, port := fmt.Sprintf("out%d", vlan), fmt.Sprintf("acc%d", vlan)
	if err := ip(ctx, l.Outside, fmt.Sprintf("link add name %s type veth peer name %s\n", device, port)); err != nil {
		return "", err
	}
	for _, d := range []string{device, port} {
		if err := checksumsInSoftware(ctx, l.Outside, d); err != nil {
			return "", err
		}
	}
	if err := leaveToSwitch(ctx, l.Outside, port); err != nil {
		return "", err
	}
	if err := ip(ctx, l.Outside, fmt.Sprintf("link set dev %s up\naddr add %s dev %s\nlink set dev %s up\n",
		port, address, device, device)); err != nil {
		return "", err
	}
	add := []string{"ovs-vsctl", "--timeout=20", "add-port", "br-out", port}
	if vlan != 0 {
		add = append(add, fmt.Sprintf("tag=%d", vlan))
	}
	_, err = l.Outside.Exec(ctx, add...)
	return device, err
}

// LeaveOutside takes back what JoinOutside gave.
func (l *Lab) LeaveOutside(ctx context.Context, device string) error {
	port := "acc" + strings.TrimPrefix(device, "out")
	if _, err := l.Outside.Exec(ctx, "ovs-vsctl", "--timeout=20", "del-port", "br-out", port); err != nil {
		return err
	}
	return ip(ctx, l.Outside, "link del dev "+device+"\n")
}

// Unplug takes a host off the management network, and Replug puts it back: its agent and switches lose the controller,
// its VMs lose nothing.
func (l *Lab) Unplug(ctx context.Context, h *Host) error {
	return ip(ctx, l.Fabric, fmt.Sprintf("link set dev mgmt%d down\n", h.Number))
}

// Replug ends what Unplug did.
func (l *Lab) Replug(ctx context.Context, h *Host) error {
	return ip(ctx, l.Fabric, fmt.Sprintf("link set dev mgmt%d up\n", h.Number))
}
