package lab

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addressMain is the applet "address DEVICE ADDRESS/LENGTH": it keeps the device up and the address on it, also when
// the device goes away and comes back.
func addressMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: address DEVICE ADDRESS/LENGTH")
	}
	device := args[0]
	address, err := netlink.ParseAddr(args[1])
	if err != nil {
		return fmt.Errorf("address %q: %w", args[1], err)
	}
	// Subscribed before the first look, so that no change is missed.
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, nil); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	for {
		if err := configure(device, address); err != nil {
			// The device may just be going away again; what follows is told.
			fmt.Fprintf(os.Stderr, "%s: %v\n", device, err)
		}
		if _, ok := <-updates; !ok {
			return errors.New("the kernel ended the watch on links")
		}
	}
}

// configure makes sure that the device, if it exists, is up and has the address.
func configure(device string, address *netlink.Addr) error {
	link, err := netlink.LinkByName(device)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	if link.Attrs().Flags&unix.IFF_UP == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	if err := netlink.AddrAdd(link, address); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s: %w", address, err)
	}
	return nil
}
