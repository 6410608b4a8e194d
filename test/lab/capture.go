package lab

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// captureMain is the applet "capture DEVICE FILE": it writes down every frame that the device sends or receives, a line of
// hex each, until it is killed. The file is there when no further frame is missed.
func captureMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: capture DEVICE FILE")
	}
	fd, _, err := packetSocket(args[0], unix.ETH_P_ALL)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	out, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer out.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if _, err := fmt.Fprintf(out, "%x\n", buffer[:n]); err != nil {
			return err
		}
	}
}

// pace is what lies between two frames of inject: a switch that has seen none of their kind looks at each.
const pace = 500 * time.Microsecond

// injectMain is the applet "inject DEVICE": it sends the frames of its standard input, a line of hex each, as they are.
func injectMain(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: inject DEVICE")
	}
	fd, index, err := packetSocket(args[0], 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		frame, err := hex.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
			return fmt.Errorf("send %x: %w", frame, err)
		}
		time.Sleep(pace)
	}
	return lines.Err()
}

// packetSocket opens a socket for whole frames of a device; protocol 0 hears nothing.
func packetSocket(name string, protocol uint16) (fd, index int, err error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return 0, 0, err
	}
	protocol = protocol<<8 | protocol>>8
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		return 0, 0, fmt.Errorf("packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: device.Index}); err != nil {
		unix.Close(fd)
		return 0, 0, fmt.Errorf("bind to %s: %w", name, err)
	}
	return fd, device.Index, nil
}

// Inject sends frames from a device of a box as they are, whatever they say of their sender.
func Inject(ctx context.Context, box *nsbox.Box, device string, frames ...[]byte) error {
	var lines strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&lines, "%x\n", f)
	}
	_, err := box.ExecInput(ctx, lines.String(), nsbox.Applet("inject", device)...)
	return err
}

// Capture is every frame that a device sends or receives.
type Capture struct {
	name, file string
	box        *nsbox.Box
	// read is how much of the file has been asked for.
	read int64
}

// StartCapture begins to write down the frames of a device of a box; when it returns, every later one is.
func (l *Lab) StartCapture(ctx context.Context, box *nsbox.Box, device string) (*Capture, error) {
	c := &Capture{name: "capture-" + uuid.NewString(), box: box}
	c.file = filepath.Join(l.Dir, "log", c.name+".hex")
	if _, err := box.Start(ctx, nsbox.Command{Name: c.name, Log: l.log(c.name), Argv: nsbox.Applet("capture", device, c.file)}); err != nil {
		return nil, fmt.Errorf("capture %s: %w", device, err)
	}
	if err := Poll(ctx, 10*time.Second, func() error { _, err := os.Stat(c.file); return err }); err != nil {
		return nil, errors.Join(fmt.Errorf("capture %s: %w: %s", device, err, tail(l.log(c.name))), c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// StartCaptureOf captures what a host sends and receives by one of its devices, where it is plugged in: eth1 between
// hosts, eth2 to the physical network.
func (l *Lab) StartCaptureOf(ctx context.Context, h *Host, device string) (*Capture, error) {
	port, err := h.plugged(device)
	if err != nil {
		return nil, err
	}
	return l.StartCapture(ctx, l.Fabric, port)
}

// Next are the frames that were captured since it was last asked.
func (c *Capture) Next() ([][]byte, error) {
	file, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, c.read, 1<<62))
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for line := range strings.Lines(string(text)) {
		whole := strings.TrimSuffix(line, "\n")
		if whole == line {
			break // it is being written
		}
		frame, err := hex.DecodeString(whole)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		frames = append(frames, frame)
		c.read += int64(len(line))
	}
	return frames, nil
}

// Stop ends the capture.
func (c *Capture) Stop(ctx context.Context) error {
	return c.box.Stop(ctx, c.name, syscall.SIGKILL, 10*time.Second)
}
