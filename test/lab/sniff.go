package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Frames counts Ethernet frames that left through a device.
type Frames struct {
	Unicast   int `json:"unicast"`
	Multicast int `json:"multicast"`
	Broadcast int `json:"broadcast"`
	// UnicastIPv4 is the part of Unicast that is IPv4, and no ARP.
	UnicastIPv4 int `json:"unicast_ipv4"`
	// Questions counts ARP requests and neighbour solicitations by the address asked for.
	Questions map[string]int `json:"questions"`
	// Advertisements counts router advertisements by the router's link-local address.
	Advertisements map[string]int `json:"advertisements"`
	// Largest frame in bytes, with its Ethernet header.
	Largest int `json:"largest"`
	// Sources counts frames by source MAC, and Destinations those of UnicastIPv4 by the address that they are for.
	Sources      map[string]int `json:"sources"`
	Destinations map[string]int `json:"destinations"`
	// Samples are the first unicast frames, for people.
	Samples []string `json:"samples"`
}

// Sniffed is what left through a device: frames as they were, and those that came out of tunnels.
type Sniffed struct {
	Plain    Frames `json:"plain"`
	Tunneled Frames `json:"tunneled"`
	Done     bool   `json:"done"`
}

// sniffMain is the applet "sniff DEVICE FILE": it counts what the device sends until SIGINT.
func sniffMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: sniff DEVICE FILE")
	}
	fd, _, err := packetSocket(args[0], unix.ETH_P_ALL)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// Wakes up to write reports and to see the signal.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: reportEvery.Microseconds()}); err != nil {
		return fmt.Errorf("set timeout: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	var seen Sniffed
	var written time.Time
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		quiet := errors.Is(err, unix.EAGAIN)
		switch {
		case quiet || errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING:
			seen.count(buffer[:n])
		}
		// The socket is empty, so what was sent before the signal is counted.
		if quiet && len(stop) > 0 {
			seen.Done = true
			return writeReport(args[1], seen)
		}
		if time.Since(written) > reportEvery {
			if err := writeReport(args[1], seen); err != nil {
				return err
			}
			written = time.Now()
		}
	}
}

// count looks at one frame, and into a tunnel if it is one.
func (s *Sniffed) count(frame []byte) {
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
	var outer, inner *layers.Ethernet
	tunnel := false
	for _, layer := range packet.Layers() {
		switch l := layer.(type) {
		case *layers.Ethernet:
			if outer == nil {
				outer = l
			} else {
				inner = l
			}
		case *layers.VXLAN, *layers.Geneve, *layers.GRE:
			tunnel = true
		}
	}
	switch {
	case outer == nil:
		return
	case tunnel && inner != nil:
		s.Tunneled.count(inner, packet)
	case !tunnel:
		s.Plain.count(outer, packet)
	}
}

func (f *Frames) count(eth *layers.Ethernet, packet gopacket.Packet) {
	switch {
	case eth.DstMAC.String() == "ff:ff:ff:ff:ff:ff":
		f.Broadcast++
	case eth.DstMAC[0]&1 == 1:
		f.Multicast++
	default:
		f.Unicast++
		if eth.EthernetType == layers.EthernetTypeIPv4 {
			f.UnicastIPv4++
			f.toward(packet)
		}
		if len(f.Samples) < 5 {
			f.Samples = append(f.Samples, sample(eth, packet))
		}
	}
	if f.Sources == nil {
		f.Sources = map[string]int{}
	}
	f.Sources[eth.SrcMAC.String()]++
	f.Largest = max(f.Largest, len(eth.Contents)+len(eth.Payload))
	var asked netip.Addr
	if arp, ok := packet.Layer(layers.LayerTypeARP).(*layers.ARP); ok && arp.Operation == layers.ARPRequest {
		asked, _ = netip.AddrFromSlice(arp.DstProtAddress)
	}
	if ns, ok := packet.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
		asked, _ = netip.AddrFromSlice(ns.TargetAddress)
	}
	if asked.IsValid() {
		if f.Questions == nil {
			f.Questions = map[string]int{}
		}
		f.Questions[asked.String()]++
	}
	if ip, ok := packet.Layer(layers.LayerTypeIPv6).(*layers.IPv6); ok && packet.Layer(layers.LayerTypeICMPv6RouterAdvertisement) != nil {
		if f.Advertisements == nil {
			f.Advertisements = map[string]int{}
		}
		f.Advertisements[ip.SrcIP.String()]++
	}
}

// toward counts an IPv4 packet by its destination: that of the inner packet, out of a tunnel.
func (f *Frames) toward(packet gopacket.Packet) {
	if f.Destinations == nil {
		f.Destinations = map[string]int{}
	}
	to := ""
	for _, layer := range packet.Layers() {
		if l, ok := layer.(*layers.IPv4); ok {
			to = l.DstIP.String()
		}
	}
	f.Destinations[to]++
}

// sample says in a line what a frame is.
func sample(eth *layers.Ethernet, packet gopacket.Packet) string {
	text := eth.SrcMAC.String() + " > " + eth.DstMAC.String()
	for _, layer := range packet.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			text += fmt.Sprintf(" %s > %s %s", l.SrcIP, l.DstIP, l.Protocol)
		case *layers.IPv6:
			text += fmt.Sprintf(" %s > %s %s", l.SrcIP, l.DstIP, l.NextHeader)
		case *layers.ARP:
			text += fmt.Sprintf(" ARP %d %v > %v", l.Operation, net.IP(l.SourceProtAddress), net.IP(l.DstProtAddress))
		}
	}
	return text
}

// Sniff counts what a device of a box sends.
type Sniff struct {
	name, file string
	box        *nsbox.Box
}

// StartSniff begins to count; when it returns, every later frame is counted.
func (l *Lab) StartSniff(ctx context.Context, box *nsbox.Box, device string) (*Sniff, error) {
	s := &Sniff{name: "sniff-" + uuid.NewString(), box: box}
	s.file = filepath.Join(l.Dir, "log", s.name+".json")
	if _, err := box.Start(ctx, nsbox.Command{Name: s.name, Log: l.log(s.name), Argv: nsbox.Applet("sniff", device, s.file)}); err != nil {
		return nil, fmt.Errorf("sniff %s: %w", device, err)
	}
	if _, err := s.Now(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// StartSniffInto counts what comes to a host by one of its devices: eth1 between hosts, eth2 from the physical network.
func (l *Lab) StartSniffInto(ctx context.Context, h *Host, device string) (*Sniff, error) {
	port, err := h.plugged(device)
	if err != nil {
		return nil, err
	}
	return l.StartSniff(ctx, l.Fabric, port)
}

// Now answers what was counted until a moment ago.
func (s *Sniff) Now(ctx context.Context) (Sniffed, error) {
	var seen Sniffed
	err := Poll(ctx, 10*time.Second, func() error { return readReport(s.file, &seen) })
	return seen, err
}

// Stop ends the counting and answers all that was counted.
func (s *Sniff) Stop(ctx context.Context) (Sniffed, error) {
	if err := s.box.Stop(ctx, s.name, syscall.SIGINT, 10*time.Second); err != nil {
		return Sniffed{}, err
	}
	var seen Sniffed
	if err := readReport(s.file, &seen); err != nil {
		return Sniffed{}, fmt.Errorf("sniff: %w", err)
	}
	if !seen.Done {
		return Sniffed{}, fmt.Errorf("sniff: %s: no final report", s.box.Name)
	}
	return seen, nil
}
