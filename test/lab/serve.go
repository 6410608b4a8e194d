package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Greeting is what a server tells everyone who calls: who it is, and which addresses it sees. What a router did to them
// on the way shows in it.
type Greeting struct {
	// Server is the name of the box that answered.
	Server string `json:"server"`
	// Caller is the caller's address as the server sees it.
	Caller netip.AddrPort `json:"caller"`
	// Called is the server's own address of the connection.
	Called netip.AddrPort `json:"called"`
}

// serveMain is the applet "serve FILE PORTS": on each port it greets every TCP caller who has said a line, and then echoes
// what the caller sends; a UDP datagram is answered by the greeting alone. Who asks by HTTP gets the greeting as a page, so
// that people can use curl. A port "ip:N" answers raw packets of IP protocol N. FILE is written when all ports are open.
func serveMain(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: serve FILE PORTS")
	}
	failed := make(chan error)
	for _, port := range args[1:] {
		if protocol, other := strings.CutPrefix(port, "ip:"); other {
			number, err := strconv.ParseUint(protocol, 10, 8)
			if err != nil {
				return fmt.Errorf("port %s: %w", port, err)
			}
			for _, network := range []string{"ip4:", "ip6:"} {
				conn, err := net.ListenPacket(network+protocol, "")
				if err != nil {
					return err
				}
				go func() { failed <- answerRaw(conn, uint8(number)) }()
			}
			continue
		}
		tcp, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		udp, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() { failed <- greetCallers(tcp) }()
		go func() { failed <- greetDatagrams(udp) }()
	}
	if err := writeReport(args[0], true); err != nil {
		return err
	}
	return <-failed
}

// greeting is the line that a server says first.
func greeting(caller, called net.Addr) []byte {
	plain := func(a net.Addr) netip.AddrPort {
		ap, err := netip.ParseAddrPort(a.String())
		if err != nil {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	name, err := os.Hostname()
	if err != nil {
		name = err.Error()
	}
	// A struct of strings and addresses always encodes.
	line, _ := json.Marshal(Greeting{Server: name, Caller: plain(caller), Called: plain(called)})
	return append(line, '\n')
}

func greetCallers(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			// The caller ends the connection, in order or by going away: what goes wrong is for the caller to tell.
			_ = greetCaller(conn)
		}()
	}
}

func greetCaller(conn net.Conn) error {
	line := greeting(conn.RemoteAddr(), conn.LocalAddr())
	said := bufio.NewReader(conn)
	first, err := said.ReadString('\n')
	if err != nil {
		return err
	}
	if strings.Contains(first, " HTTP/1.") {
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(line), line)
		return err
	}
	if _, err := conn.Write(line); err != nil {
		return err
	}
	_, err = io.Copy(conn, said)
	return err
}

// hello is what a caller says to be greeted.
const hello = "hello\n"

func greetDatagrams(conn net.PacketConn) error {
	buffer := make([]byte, 1<<16)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		// An answer that cannot be sent is missed by the caller.
		_, _ = conn.WriteTo(greeting(from, conn.LocalAddr()), from)
	}
}

// askMain is the applet "ask tcp|udp ADDRESS:PORT PATIENCE BYTES": it says so many bytes and prints the greeting of a server.
func askMain(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: ask tcp|udp ADDRESS:PORT PATIENCE BYTES")
	}
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	patience, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout(args[0], args[1], patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, strings.Repeat("-", max(0, size-1))+"\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = fmt.Print(line)
	return err
}

// How long a caller waits for a server that must answer, which is long enough for TCP to try again, and for one that must not.
const (
	askPatience   = 1500 * time.Millisecond
	noAskPatience = 400 * time.Millisecond
)

// Server answers on ports of a box.
type Server struct {
	name string
	box  *nsbox.Box
}

// StartServer opens ports in a box; every caller is greeted. When it returns, the ports are open.
func (l *Lab) StartServer(ctx context.Context, box *nsbox.Box, ports ...uint16) (*Server, error) {
	return l.startServer(ctx, box, ports)
}

// StartServerOf is StartServer, and answers IP packets of other protocols too, SCTP on all ports, as a Shot of that protocol wants it.
func (l *Lab) StartServerOf(ctx context.Context, box *nsbox.Box, protocols []uint8, ports ...uint16) (*Server, error) {
	var more []string
	for _, p := range protocols {
		more = append(more, fmt.Sprintf("ip:%d", p))
	}
	return l.startServer(ctx, box, ports, more...)
}

func (l *Lab) startServer(ctx context.Context, box *nsbox.Box, ports []uint16, more ...string) (*Server, error) {
	s := &Server{name: "serve-" + uuid.NewString(), box: box}
	file := filepath.Join(l.Dir, "log", s.name+".json")
	argv := append([]string{file}, more...)
	for _, p := range ports {
		argv = append(argv, fmt.Sprint(p))
	}
	if _, err := box.Start(ctx, nsbox.Command{Name: s.name, Log: l.log(s.name), Argv: nsbox.Applet("serve", argv...)}); err != nil {
		return nil, fmt.Errorf("serve in %s: %w", box.Name, err)
	}
	var open bool
	if err := Poll(ctx, 10*time.Second, func() error { return readReport(file, &open) }); err != nil {
		return nil, errors.Join(fmt.Errorf("serve %v in %s: %w: %s", ports, box.Name, err, tail(l.log(s.name))), s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// tail is what a process has said.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-400):])
}

// Stop closes the ports.
func (s *Server) Stop(ctx context.Context) error {
	return s.box.Stop(ctx, s.name, syscall.SIGKILL, 10*time.Second)
}

// Ask calls a server and answers its greeting. The network is tcp or udp.
func Ask(ctx context.Context, from *nsbox.Box, network string, to netip.AddrPort) (Greeting, error) {
	return ask(ctx, from, network, to, askPatience, len(hello))
}

// AskLarge is Ask by UDP in one datagram of so many bytes, which is cut into fragments on the way out.
func AskLarge(ctx context.Context, from *nsbox.Box, to netip.AddrPort, size int) (Greeting, error) {
	return ask(ctx, from, "udp", to, askPatience, size)
}

// AskInVain is Ask for a server that must not answer: it waits less.
func AskInVain(ctx context.Context, from *nsbox.Box, network string, to netip.AddrPort) (Greeting, error) {
	return ask(ctx, from, network, to, noAskPatience, len(hello))
}

func ask(ctx context.Context, from *nsbox.Box, network string, to netip.AddrPort, patience time.Duration, size int) (Greeting, error) {
	var g Greeting
	out, err := from.Exec(ctx, nsbox.Applet("ask", network, to.String(), patience.String(), strconv.Itoa(size))...)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		return g, fmt.Errorf("greeting from %s: %w: %q", to, err, out)
	}
	return g, nil
}
