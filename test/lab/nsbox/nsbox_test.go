package nsbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

func TestMain(m *testing.M) {
	nsbox.Main(map[string]func([]string) int{
		"greet": func(args []string) int {
			fmt.Println("hello", strings.Join(args, " "))
			return 7
		},
		"echo": echo,
	})
	if dir := os.Getenv("NSBOX_TEST_HOLD"); dir != "" {
		holdBox(dir)
	}
	os.Exit(m.Run())
}

// holdBox is a process that opens a box with a process in it and then waits to be killed.
func holdBox(dir string) {
	box, _, err := nsbox.Open(context.Background(), spec(dir, "held"), filepath.Join(dir, "held.log"))
	if err == nil {
		_, err = box.Start(context.Background(), nsbox.Command{Name: "sleep", Argv: []string{"sleep", "1000"}})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("up")
	select {}
}

func spec(dir, name string) nsbox.Spec {
	return nsbox.Spec{Name: name, Shared: dir, Socket: filepath.Join(dir, name+".sock")}
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nsbox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func open(t *testing.T, dir, name string) *nsbox.Box {
	t.Helper()
	box, _, err := nsbox.Open(t.Context(), spec(dir, name), filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Kill(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return box
}

func run(t *testing.T, box *nsbox.Box, argv ...string) string {
	t.Helper()
	out, err := box.Exec(t.Context(), argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// waitFor polls until ok or half a minute is over.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func TestBoxSeesOnlyItself(t *testing.T) {
	dir := shortDir(t)
	box := open(t, dir, "alone")
	got := run(t, box, "sh", "-c", "hostname; ls /sys/class/net; cat /sys/class/net/lo/operstate; ls /run /run/netns; ls "+dir)
	want := "alone\nlo\nunknown\n/run:\nlock\nnetns\nopenvswitch\n\n/run/netns:\nalone.log\nalone.sock\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("inside (-want +got):\n%s", d)
	}
	run(t, box, "ip", "netns", "add", "nsbox-test-inner")
	if _, err := os.Stat("/run/netns/nsbox-test-inner"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a named namespace of the box shows outside: %v", err)
	}
}

func TestOutputAndExitStatus(t *testing.T) {
	dir := shortDir(t)
	box := open(t, dir, "alone")
	for _, c := range []struct {
		name string
		cmd  nsbox.Once
		want nsbox.Output
	}{
		{"stdout, stderr and status", nsbox.Once{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}},
			nsbox.Output{Stdout: []byte("out\n"), Stderr: []byte("err\n"), Code: 3}},
		{"standard input", nsbox.Once{Argv: []string{"cat"}, Stdin: []byte("as given")},
			nsbox.Output{Stdout: []byte("as given")}},
		{"a daemon left behind does not hold it up", nsbox.Once{Argv: []string{"sh", "-c", "sleep 1000 & echo $((1+1))"}},
			nsbox.Output{Stdout: []byte("2\n")}},
		{"too long", nsbox.Once{Argv: []string{"sh", "-c", "echo begun; sleep 1000"}, Timeout: 200 * time.Millisecond},
			nsbox.Output{Stdout: []byte("begun\n"), Code: 137, TimedOut: true}},
		{"an applet", nsbox.Once{Argv: nsbox.Applet("greet", "you", "two")},
			nsbox.Output{Stdout: []byte("hello you two\n"), Code: 7}},
		{"an applet that is none", nsbox.Once{Argv: nsbox.Applet("bow")},
			nsbox.Output{Stderr: []byte("weft-lab:bow: no such applet\n"), Code: 2}},
	} {
		got, err := box.Run(t.Context(), c.cmd)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(c.want, got, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
	_, err := box.Exec(t.Context(), "sh", "-c", "echo first >&2; echo last >&2; exit 2")
	if want := "alone: sh -c echo first >&2; echo last >&2; exit 2: exit status 2: first; last"; err == nil || err.Error() != want {
		t.Errorf("error of a failed command: got %v, want %s", err, want)
	}
	if _, err := box.Exec(t.Context(), "no-such-program"); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("unknown program: got %v", err)
	}
}

func TestKeptProcess(t *testing.T) {
	dir := shortDir(t)
	box := open(t, dir, "alone")
	log := filepath.Join(dir, "count.log")
	count := nsbox.Command{Name: "count", Argv: []string{"sh", "-c", "echo once; exec sleep 1000"}, Log: log}
	lines := func() int {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "once\n")
	}
	names := func() []string {
		list, err := box.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		return names
	}
	start := func() {
		t.Helper()
		if _, err := box.Start(t.Context(), count); err != nil {
			t.Fatal(err)
		}
	}

	start()
	if _, err := box.Start(t.Context(), count); err == nil {
		t.Error("two processes of one name were started")
	}
	waitFor(t, "the first line", func() bool { return lines() == 1 })
	if err := box.Signal(t.Context(), "count", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a killed process without restart is off the list", func() bool { return len(names()) == 0 })
	if err := box.Signal(t.Context(), "count", syscall.SIGKILL); err == nil {
		t.Error("a process that does not run was signalled")
	}

	count.Restart = time.Millisecond
	start()
	waitFor(t, "the second line", func() bool { return lines() == 2 })
	if err := box.Signal(t.Context(), "count", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the line of the restart", func() bool { return lines() == 3 })
	if err := box.Stop(t.Context(), "count", syscall.SIGKILL, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := names(); len(got) != 0 || lines() != 3 {
		t.Errorf("after Stop: running %v, %d lines in the log; want none, 3", got, lines())
	}
}

func TestOrphansAreBuried(t *testing.T) {
	dir := shortDir(t)
	box := open(t, dir, "alone")
	run(t, box, "sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.01 &) ; done")
	waitFor(t, "only init and ps are left", func() bool {
		return strings.Count(run(t, box, "ps", "-e", "-o", "stat="), "\n") == 2
	})
}

func TestBoxWithinBox(t *testing.T) {
	dir := shortDir(t)
	outer := open(t, dir, "outer")
	inner, pid, err := outer.Open(t.Context(), spec(dir, "inner"), filepath.Join(dir, "inner.log"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, outer, "ip", "link", "add", "name", "down", "type", "veth", "peer", "name", "up", "netns", fmt.Sprint(pid))
	if got, want := run(t, inner, "sh", "-c", "hostname; ls /sys/class/net"), "inner\nlo\nup\n"; got != want {
		t.Errorf("inside the inner box: got %q, want %q", got, want)
	}
	again, err := nsbox.Connect("inner", filepath.Join(dir, "inner.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if again.PID() != inner.PID() {
		t.Errorf("connected again: process %d, want %d", again.PID(), inner.PID())
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if err := inner.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := inner.Exec(t.Context(), "true"); err == nil || !strings.Contains(err.Error(), "inner: the box is gone") {
		t.Errorf("a dead box answered: %v", err)
	}
	waitFor(t, "the link's other end is gone too", func() bool {
		return run(t, outer, "ls", "/sys/class/net") == "lo\n"
	})
}

func TestForwardReachesInside(t *testing.T) {
	dir := shortDir(t)
	box := open(t, dir, "alone")
	socket := filepath.Join(dir, "door.sock")
	if err := box.Forward(t.Context(), socket, "127.0.0.1:7000"); err != nil {
		t.Fatal(err)
	}
	ask := func(question string) string {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, question); err != nil {
			return ""
		}
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			return ""
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			return ""
		}
		return string(answer)
	}
	if got := ask("anyone?"); got != "" {
		t.Errorf("nobody listens yet: got answer %q", got)
	}
	if _, err := box.Start(t.Context(), nsbox.Command{Name: "echo", Argv: nsbox.Applet("echo", "127.0.0.1:7000")}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the whole question comes back", func() bool { return ask("anyone?") == "anyone?" })
}

// echo answers each connection what it said, once it has said all.
func echo(args []string) int {
	listener, err := net.Listen("tcp", args[0])
	for err == nil {
		var conn net.Conn
		if conn, err = listener.Accept(); err != nil {
			break
		}
		var said []byte
		if said, err = io.ReadAll(conn); err != nil {
			break
		}
		if _, err = conn.Write(said); err != nil {
			break
		}
		err = conn.Close()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// The holder of the leash is killed; nothing of the box may remain, neither its init nor what runs inside.
func TestNothingRemainsWhenTheHolderIsKilled(t *testing.T) {
	dir := shortDir(t)
	holder := exec.Command("/proc/self/exe")
	holder.Env = append(os.Environ(), "NSBOX_TEST_HOLD="+dir)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	box, err := nsbox.Connect("held", filepath.Join(dir, "held.sock"))
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", box.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if got := processesIn(t, namespace); got != 2 {
		t.Fatalf("%d processes in the box, want init and sleep", got)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err == nil {
		t.Error("holder ended well, want killed")
	}
	waitFor(t, "the box's processes are gone", func() bool { return processesIn(t, namespace) == 0 })
}

// processesIn counts the live processes of a PID namespace.
func processesIn(t *testing.T, namespace string) int {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		if ns, err := os.Readlink(link); err == nil && ns == namespace {
			n++
		}
	}
	return n
}

func TestOpenSaysWhyNot(t *testing.T) {
	dir := shortDir(t)
	s := spec(dir, "broken")
	s.Binds = map[string]string{"/no/such/place": dir}
	_, _, err := nsbox.Open(t.Context(), s, filepath.Join(dir, "broken.log"))
	if err == nil || !strings.Contains(err.Error(), "lay "+dir+" over /no/such/place: no such file or directory") {
		t.Errorf("got %v", err)
	}
	if _, err := nsbox.Connect("none", filepath.Join(dir, "none.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("connect to nothing: got %v, want one that is os.ErrNotExist", err)
	}
}
