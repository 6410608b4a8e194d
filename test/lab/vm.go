package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// VMConfig says what a VM is to be. Its one interface is eth0.
type VMConfig struct {
	Name string `json:"name"`
	Host string `json:"host"`
	// PortID goes into external_ids:iface-id, and its first 11 characters into the name of the host's end.
	PortID string `json:"port_id"`
	// MAC of eth0; it also goes into external_ids:attached-mac.
	MAC string `json:"mac_address"`
	// Addresses of eth0, with the prefix length of their subnet.
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	// Gateway is the default route, if valid.
	Gateway netip.Addr `json:"gateway,omitzero"`
	// MTU of eth0 in bytes; 0 means UnderlayMTU.
	MTU int `json:"mtu,omitempty"`
}

// VM is a virtual machine: a box within its host's box.
type VM struct {
	VMConfig
	Box *nsbox.Box
	// ID is the VM's own id, external_ids:vm-uuid.
	ID string

	lab *Lab
}

// vmRecord is what the run directory holds of a VM.
type vmRecord struct {
	ID string `json:"id"`
	VMConfig
}

// Interface is the name of the VM's interface on the host, as Nova and libvirt name it.
func (cfg VMConfig) Interface() string { return fmt.Sprintf("tap%.11s", cfg.PortID) }

// ErrNoVM says that the lab has no VM of a name.
var ErrNoVM = errors.New("no such VM")

// vmName is what a VM may be called: it becomes a file name, a box's socket and a hostname.
var vmName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,30}$`)

func (cfg VMConfig) check() error {
	if !vmName.MatchString(cfg.Name) {
		return fmt.Errorf("VM name %q: need 1 to 31 of a-z, A-Z, 0-9, - and _, starting with a letter or digit", cfg.Name)
	}
	if _, err := uuid.Parse(cfg.PortID); err != nil {
		return fmt.Errorf("VM %s: port id %q: %w", cfg.Name, cfg.PortID, err)
	}
	if mac, err := net.ParseMAC(cfg.MAC); err != nil || len(mac) != 6 {
		return fmt.Errorf("VM %s: MAC address %q: need six bytes such as fa:16:3e:00:00:01", cfg.Name, cfg.MAC)
	}
	return nil
}

// AddVM starts a VM and plugs it into br-int of its host, as libvirt would. It does not wait until the network works.
func (l *Lab) AddVM(ctx context.Context, cfg VMConfig) (*VM, error) {
	if cfg.MTU == 0 {
		cfg.MTU = UnderlayMTU
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	host, err := l.Host(cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("VM %s: %w", cfg.Name, err)
	}
	if _, err := os.Stat(l.vmFile(cfg.Name)); err == nil {
		return nil, fmt.Errorf("VM %s: exists already", cfg.Name)
	}
	vm := &VM{VMConfig: cfg, ID: uuid.NewString(), lab: l}
	if err := vm.start(ctx, host); err != nil {
		err = fmt.Errorf("VM %s: %w", cfg.Name, err)
		if vm.Box != nil {
			err = errors.Join(err, vm.Box.Kill(context.WithoutCancel(ctx)))
		}
		return nil, err
	}
	return vm, nil
}

func (vm *VM) start(ctx context.Context, host *Host) error {
	box := "vm-" + vm.Name
	spec := vm.lab.spec(box)
	spec.Name = vm.Name
	var err error
	if spec.Binds, err = vm.ownResolver(); err != nil {
		return err
	}
	if err := os.Remove(spec.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var pid int
	if vm.Box, pid, err = host.Open(ctx, spec, vm.lab.log(box)); err != nil {
		return err
	}
	tap := vm.Interface()
	if err := ip(ctx, host.Box, fmt.Sprintf(
		"link add name %s mtu %d type veth peer name eth0 mtu %d address %s netns %d\n",
		tap, vm.MTU, vm.MTU, vm.MAC, pid)); err != nil {
		return err
	}
	if err := leaveToSwitch(ctx, host.Box, tap); err != nil {
		return err
	}
	if err := ip(ctx, host.Box, "link set dev "+tap+" up\n"); err != nil {
		return err
	}
	if err := checksumsInSoftware(ctx, host.Box, tap); err != nil {
		return err
	}
	if err := checksumsInSoftware(ctx, vm.Box, "eth0"); err != nil {
		return err
	}
	if err := ip(ctx, vm.Box, vm.addresses()); err != nil {
		return err
	}
	if err := vm.plug(ctx, host); err != nil {
		return err
	}
	return vm.write()
}

// write keeps what the VM is for those who look for it.
func (vm *VM) write() error {
	text, err := json.Marshal(vmRecord{ID: vm.ID, VMConfig: vm.VMConfig})
	if err != nil {
		return err
	}
	return os.WriteFile(vm.lab.vmFile(vm.Name), append(text, '\n'), 0o644)
}

// ownResolver lays a file of the VM's own over /etc/resolv.conf, which DHCP clients write: a VM must not change the
// machine that the lab is on.
func (vm *VM) ownResolver() (binds map[string]string, err error) {
	const path = "/etc/resolv.conf"
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		// A symbolic link leads into /run, which is the box's own.
		return nil, nil
	}
	own := filepath.Join(vm.lab.Dir, "vm", vm.Name+".resolv.conf")
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		return nil, err
	}
	return map[string]string{path: own}, nil
}

// addresses is the batch that configures eth0.
func (vm *VM) addresses() string {
	var batch strings.Builder
	batch.WriteString("link set dev eth0 up\n")
	for _, a := range vm.Addresses {
		fmt.Fprintf(&batch, "addr add %s dev eth0", a)
		if a.Addr().Is6() {
			// The address is the controller's to give; who else has it is not to be asked of the network.
			batch.WriteString(" nodad")
		}
		batch.WriteString("\n")
	}
	if vm.Gateway.IsValid() {
		fmt.Fprintf(&batch, "route add default via %s\n", vm.Gateway)
	}
	return batch.String()
}

// plug adds the interface to br-int with the marks that libvirt and os-vif write.
func (vm *VM) plug(ctx context.Context, host *Host) error {
	tap := vm.Interface()
	_, err := host.Exec(ctx, "ovs-vsctl", "--timeout=20", "--", "--may-exist", "add-port", "br-int", tap,
		"--", "set", "Interface", tap, "external_ids:iface-id="+vm.PortID, "external_ids:iface-status=active",
		`external_ids:attached-mac="`+vm.MAC+`"`, "external_ids:vm-uuid="+vm.ID)
	return err
}

// DelVM unplugs a VM and ends it.
func (l *Lab) DelVM(ctx context.Context, name string) error {
	vm, err := l.VM(name)
	if err != nil {
		return err
	}
	host, err := l.Host(vm.Host)
	if err != nil {
		return err
	}
	// The link is deleted here, and not left to go with the VM: that would be some time after its last process.
	if _, err := host.Exec(ctx, "sh", "-c", `ovs-vsctl --timeout=20 --if-exists del-port br-int "$0" && ip link del dev "$0"`, vm.Interface()); err != nil {
		return fmt.Errorf("VM %s: %w", name, err)
	}
	if err := vm.Box.Kill(ctx); err != nil {
		return err
	}
	return os.Remove(l.vmFile(name))
}

// MoveVM ends a VM and starts it with the same port on another host.
func (l *Lab) MoveVM(ctx context.Context, name, host string) (*VM, error) {
	vm, err := l.VM(name)
	if err != nil {
		return nil, err
	}
	if err := l.DelVM(ctx, name); err != nil {
		return nil, err
	}
	cfg := vm.VMConfig
	cfg.Host = host
	return l.AddVM(ctx, cfg)
}

// VM finds a running VM. The error wraps ErrNoVM when there is none.
func (l *Lab) VM(name string) (*VM, error) {
	if !vmName.MatchString(name) {
		return nil, fmt.Errorf("VM %q: %w", name, ErrNoVM)
	}
	text, err := os.ReadFile(l.vmFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("VM %s: %w", name, ErrNoVM)
	}
	if err != nil {
		return nil, fmt.Errorf("VM %s: %w", name, err)
	}
	var r vmRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", l.vmFile(name), err)
	}
	vm := &VM{VMConfig: r.VMConfig, ID: r.ID, lab: l}
	vm.Box, err = nsbox.Connect(name, socket(l.Dir, "vm-"+name))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("VM %s: %w any more: its box died", name, ErrNoVM)
	}
	return vm, err
}

// VMs lists the VMs, by name.
func (l *Lab) VMs() ([]*VM, error) {
	files, err := filepath.Glob(l.vmFile("*"))
	if err != nil {
		return nil, err
	}
	var vms []*VM
	for _, f := range files {
		vm, err := l.VM(strings.TrimSuffix(filepath.Base(f), ".json"))
		if errors.Is(err, ErrNoVM) {
			continue
		}
		if err != nil {
			return nil, err
		}
		vms = append(vms, vm)
	}
	return vms, nil
}

// forgetVMs removes what is recorded of the VMs of a host that was switched off.
func (l *Lab) forgetVMs(host string) error {
	files, err := filepath.Glob(l.vmFile("*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var r vmRecord
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		if r.Host == host {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lab) vmFile(name string) string { return filepath.Join(l.Dir, "vm", name+".json") }
