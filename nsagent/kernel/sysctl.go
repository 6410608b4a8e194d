package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const procSys = "/proc/sys"

// readSysctl reads a value of the namespace that this thread is in; ok is false when this kernel has no such setting, or
// not yet.
func readSysctl(key string) (value string, ok bool) {
	text, err := os.ReadFile(filepath.Join(procSys, key))
	return strings.TrimSpace(string(text)), err == nil
}

func writeSysctl(key, value string) error {
	f, err := os.OpenFile(filepath.Join(procSys, key), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Sizes of the neighbour table (gc_thresh1, 2 and 3). The kernel has one table for all namespaces, with room for 1,024
// neighbours as it comes: one large network would fill it, and then no namespace of the host could speak to a new one.
var neighbourTable = map[string]int{"gc_thresh1": 8192, "gc_thresh2": 32768, "gc_thresh3": 65536}

// RaiseNeighbourTable makes room for the neighbours of large networks, where this process may; sizes that are larger stay.
// It says what it changed.
func (h *Host) RaiseNeighbourTable() []string {
	var changed []string
	for _, family := range []string{"ipv4", "ipv6"} {
		for _, name := range []string{"gc_thresh3", "gc_thresh2", "gc_thresh1"} {
			key := "net/" + family + "/neigh/default/" + name
			// Only the machine's first namespace has it.
			if v, ok := readSysctl(key); ok && lower(v, neighbourTable[name]) && writeSysctl(key, itoa(neighbourTable[name])) == nil {
				changed = append(changed, strings.ReplaceAll(key, "/", ".")+" = "+itoa(neighbourTable[name]))
			}
		}
	}
	return changed
}

// Values of the ioctl that asks and sets whether checksums are left to the device (linux/ethtool.h).
const (
	getTxChecksum = 0x16
	setTxChecksum = 0x17
)

// offload says whether a device in the namespace of this thread leaves checksums of what it sends to the other end.
func offload(name string) (bool, error) {
	v, err := ethtool(name, getTxChecksum, 0)
	return v != 0, err
}

func setOffload(name string, on bool) error {
	var v uint32
	if on {
		v = 1
	}
	_, err := ethtool(name, setTxChecksum, v)
	return err
}

// socket is one to ask about devices with.
func socket() (int, error) {
	return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
}
