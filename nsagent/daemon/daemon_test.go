package daemon

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/ovs"
	"github.com/weft-sdn/weft/test/space"
)

// program is the name under which this test is a daemon.
const program = "trifle"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		trifle()
		unix.Exit(0) // at once: the race detector's end takes a second
	}
	goleak.VerifyTestMain(m)
}

// trifle is a daemon that notes what it reads, in the directory that its argument names.
func trifle() {
	dir := strings.TrimPrefix(os.Args[1], "--in=")
	conf := Read(dir, "conf")
	if os.Getenv("DAEMON") == "" {
		if conf == "broken" {
			os.Stderr.WriteString("conf: what is that?\n")
			os.Exit(3)
		}
		child := exec.Command(os.Args[0], os.Args[1:]...)
		child.Env, child.SysProcAttr = []string{"DAEMON=yes"}, &syscall.SysProcAttr{Setsid: true}
		if child.Start() != nil {
			os.Exit(1)
		}
		for Read(dir, pidFile) == "" {
			time.Sleep(time.Millisecond)
		}
		if conf == "brief" {
			child.Wait() // a Go program handles signals from its first moment on, and would count as started
		}
		return
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGTERM)
	note := func() {
		f, _ := os.OpenFile(filepath.Join(dir, "said"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		f.WriteString(Read(dir, "conf") + "\n")
		f.Close()
	}
	note()
	if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil || conf == "brief" {
		return
	}
	for s := range signals {
		switch {
		case s == unix.SIGHUP:
			note()
		case Read(dir, "conf") != "stubborn":
			return
		}
	}
}

// site is a host with a daemon for the namespace "x-1".
type site struct {
	*Daemons
	t     *testing.T
	state string
	in    *space.Space
	args  []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	dir, err := os.MkdirTemp("", "daemon") // t.TempDir is below a directory that is closed to others
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, state: filepath.Join(dir, "state"), in: space.New(t, "x-1")}
	t.Cleanup(func() {
		if err := s.Stop(context.Background(), "x-1"); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	s.restart()
	return s
}

// restart makes the Daemons that an agent has after its restart.
func (s *site) restart() {
	root := filepath.Join(s.state, "things")
	s.Daemons = New(Config{Program: program, Package: "trifles", Root: root, Prefix: "x-", Mark: func(dir string) string { return "--in=" + dir },
		Ends: []syscall.Signal{unix.SIGTERM, unix.SIGKILL}, Subsystem: "things", Plural: "Things", Metrics: prometheus.NewRegistry()})
	s.args = []string{"--in=" + filepath.Join(root, "1")}
}

func (s *site) ensure(conf string) bool {
	s.t.Helper()
	changed, err := s.Ensure(s.t.Context(), s.in, "1", Wanted{Args: s.args, Files: Files{"conf": conf}})
	if err != nil {
		s.t.Fatal(err)
	}
	return changed
}

// said waits until the daemons have read these contents, one after the other.
func (s *site) said(want ...string) {
	s.t.Helper()
	ovs.Await(s.t, "the daemon to have read "+strings.Join(want, ", "), func() bool { return Read(s.Dir("1"), "said") == strings.Join(want, "\n")+"\n" })
}

func alive(pid int) bool {
	line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return len(line) > 0
}

func TestOneVerb(t *testing.T) {
	s := newSite(t)
	if !s.ensure("a") || s.ensure("a") {
		t.Error("it is started once")
	}
	pid := s.PID("1")
	if !s.ensure("b") || s.PID("1") != pid {
		t.Error("a file that changed is read by the same process")
	}
	s.said("a", "b")

	// The next agent takes it up, and makes it read what the one before had only written.
	s.restart()
	if s.ensure("b") {
		t.Error("it was not taken up as it is")
	}
	if _, err := (Files{"conf": "c"}).Write(s.Dir("1")); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if !s.ensure("c") || s.PID("1") != pid {
		t.Error("it was not taken up")
	}
	s.said("a", "b", "c")

	// Another command line is another process.
	s.args = append(s.args, "--other")
	if !s.ensure("c") || s.PID("1") == pid || alive(pid) {
		t.Error("another command line is another process")
	}
	s.said("a", "b", "c", "c")
	if n := testutil.ToFloat64(s.starts) + 10*testutil.ToFloat64(s.reloads); n != 11 {
		t.Errorf("starts and reloads: %v", n)
	}
	if got, err := s.Running(); err != nil || !slices.Equal(got, []string{"x-1"}) || !s.Alive("x-1") || s.Alive("x-2") || s.Alive("y-1") {
		t.Errorf("running %v, %v", got, err)
	}
	pid = s.PID("1")
	for _, namespace := range []string{"x-1", "x-..", "x-", "y-1"} {
		if err := s.Stop(t.Context(), namespace); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(s.Dir("1")); !os.IsNotExist(err) || alive(pid) {
		t.Errorf("after Stop: %v, alive %v", err, alive(pid))
	}
}

func TestLostAndFound(t *testing.T) {
	s := newSite(t)
	s.ensure("a")
	for _, text := range []string{"", "1\n", "garbage"} {
		pid := s.PID("1")
		if err := os.WriteFile(filepath.Join(s.Dir("1"), pidFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if !s.ensure("a") || s.PID("1") == 0 || alive(pid) {
			t.Errorf("with pid file %q process %d goes on beside %d", text, pid, s.PID("1"))
		}
	}

	// It has died: who waits for that is told, whatever was asked before.
	pid := s.PID("1")
	for len(s.Deaths()) > 0 {
		<-s.Deaths()
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-s.Deaths():
		if name != "x-1" {
			t.Errorf("%q has ended", name)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody said so")
	}
	if !s.ensure("a") || s.PID("1") == 0 {
		t.Error("it does not come back")
	}

	// The namespace is another one of that name.
	pid = s.PID("1")
	s.in = space.New(t, "x-1")
	if !s.ensure("a") || s.PID("1") == pid || alive(pid) {
		t.Error("it stays in the old namespace")
	}
}

func TestStubborn(t *testing.T) {
	s := newSite(t)
	s.ensure("stubborn")
	pid := s.PID("1")
	if err := s.Stop(t.Context(), "x-1"); err != nil || alive(pid) {
		t.Errorf("%v, alive %v", err, alive(pid))
	}
}

func TestProblems(t *testing.T) {
	s := newSite(t)
	for conf, want := range map[string]string{
		"broken": "trifle: exit status 3: conf: what is that?",
		"brief":  "it ended as soon as it was started; the system log tells why",
	} {
		if _, err := s.Ensure(t.Context(), s.in, "1", Wanted{Args: s.args, Files: Files{"conf": conf}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", conf, err)
		}
	}
	if _, err := s.Ensure(t.Context(), s.in, "../1", Wanted{}); err == nil || !strings.Contains(err.Error(), "is no id") {
		t.Errorf("%v", err)
	}
	up := filepath.Dir(s.state)
	if err := os.Chmod(up, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ensure(t.Context(), s.in, "1", Wanted{Args: s.args}); err == nil || !strings.HasPrefix(err.Error(), up+" is closed to others (mode 0700), and trifle, which gives up root,") {
		t.Errorf("%v", err)
	}
	t.Setenv("PATH", "/nowhere")
	if _, err := s.Ensure(t.Context(), s.in, "1", Wanted{}); err == nil || !strings.HasPrefix(err.Error(), "the program trifle is missing on this host (Debian: apt install trifles): ") {
		t.Errorf("%v", err)
	}
}
