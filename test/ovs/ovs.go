// Package ovs starts a private Open vSwitch for a test: ovsdb-server and ovs-vswitchd in a directory of their own, with
// the dummy datapath, so that bridges and tunnels exist in the switch and nowhere on the machine; or with real devices.
//
// Both daemons can be killed and started again, as often as a test wants. They end with the test, by process id, and
// also when the test's process is killed.
package ovs

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Schema is where Debian's openvswitch-common keeps the schema of the configuration database.
const Schema = "/usr/share/openvswitch/vswitch.ovsschema"

// deadline bounds every wait for a daemon.
const deadline = 10 * time.Second

// Switch is one Open vSwitch.
type Switch struct {
	// Dir is the run directory: database, sockets (db.sock, br-int.mgmt, …) and logs.
	Dir string

	t    testing.TB
	real bool // ports are devices of the machine
	db   *daemon
	vsw  *daemon
}

// daemon is a process, and the channel that is closed when it has ended.
type daemon struct {
	cmd *exec.Cmd
	// said is what it has written to standard error; to be read when done is closed. The C library does when it gives up.
	said bytes.Buffer
	done chan struct{}
}

// Start makes a database and starts both daemons. They are ended when the test ends.
func Start(t testing.TB) *Switch {
	t.Helper()
	s := StartDBOnly(t)
	s.StartSwitchd()
	return s
}

// StartReal is Start, but with the userspace datapath and real devices: bridges and ports are those of the network
// namespace that the test is in, which should be one of its own.
func StartReal(t testing.TB) *Switch {
	t.Helper()
	s := StartDBOnly(t)
	s.real = true
	s.StartSwitchd()
	return s
}

// StartDBOnly makes a database and starts ovsdb-server, as on a machine that boots and whose ovs-vswitchd comes later.
func StartDBOnly(t testing.TB) *Switch {
	t.Helper()
	// Not t.TempDir: the path of a unix socket has at most 107 bytes, and names of tests are long.
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	s := &Switch{Dir: dir, t: t}
	t.Cleanup(func() {
		if why := s.vsw.ended(); why != "" {
			t.Logf("ovs-vswitchd ran no more at the end: %s", why)
		}
		s.vsw.stop()
		s.db.stop()
		if t.Failed() {
			t.Logf("warnings of ovs-vswitchd:\n%s", s.warnings())
		}
		os.RemoveAll(dir)
	})
	s.run("ovsdb-tool", "create", filepath.Join(dir, "conf.db"), Schema)
	s.StartDB()
	s.Vsctl("--no-wait", "init")
	return s
}

// Socket is the database's socket.
func (s *Switch) Socket() string { return filepath.Join(s.Dir, "db.sock") }

// Endpoint is the database as OVSDB clients spell it: unix:<path>.
func (s *Switch) Endpoint() string { return "unix:" + s.Socket() }

// StartDB starts ovsdb-server and waits for its socket.
func (s *Switch) StartDB() {
	s.t.Helper()
	s.db = s.start("ovsdb-server", filepath.Join(s.Dir, "conf.db"), "--remote=punix:"+s.Socket(),
		"--unixctl="+filepath.Join(s.Dir, "ovsdb-server.ctl"))
	s.Await("ovsdb-server", func() bool { return listens(s.Socket()) })
}

// KillDB ends ovsdb-server with SIGKILL and waits until it is gone.
func (s *Switch) KillDB() { s.db.stop(); os.Remove(s.Socket()) }

// StartSwitchd starts ovs-vswitchd and waits until it answers.
func (s *Switch) StartSwitchd() {
	s.t.Helper()
	ctl := filepath.Join(s.Dir, "ovs-vswitchd.ctl")
	args := []string{s.Endpoint(), "--unixctl=" + ctl, "--disable-system"}
	if !s.real {
		// With override, datapaths and ports of every type are dummies: what is said to be netdev makes no device.
		args = append(args, "--enable-dummy=override", "--disable-system-route")
	}
	s.vsw = s.start("ovs-vswitchd", args...)
	s.Await("ovs-vswitchd", func() bool { return listens(ctl) })
}

// listens says whether somebody accepts at a socket. The OVS tools would wait a second before they try again.
func listens(path string) bool {
	c, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// KillSwitchd ends ovs-vswitchd with SIGKILL, as a crash would, and waits until it is gone.
func (s *Switch) KillSwitchd() {
	s.vsw.stop()
	left, _ := filepath.Glob(filepath.Join(s.Dir, "*.mgmt"))
	for _, f := range left {
		os.Remove(f)
	}
}

// Pid is the process id of ovs-vswitchd, for tests that stop it for a while.
func (s *Switch) Pid() int { return s.vsw.cmd.Process.Pid }

// Vsctl runs ovs-vsctl on the private database and returns what it printed, without the last newline.
func (s *Switch) Vsctl(args ...string) string {
	s.t.Helper()
	return s.run("ovs-vsctl", append([]string{"--timeout=10", "--db=" + s.Endpoint()}, args...)...)
}

// Ofctl runs ovs-ofctl with OpenFlow 1.3; a bridge's name leads to its management socket in the private directory.
func (s *Switch) Ofctl(args ...string) string {
	s.t.Helper()
	return s.run("ovs-ofctl", append([]string{"--timeout=10", "-O", "OpenFlow13"}, args...)...)
}

// Appctl runs ovs-appctl on the private ovs-vswitchd.
func (s *Switch) Appctl(args ...string) string {
	s.t.Helper()
	return s.run("ovs-appctl", append([]string{"--timeout=10", "-t", filepath.Join(s.Dir, "ovs-vswitchd.ctl")}, args...)...)
}

// Flows lists the flows of a bridge, one a line, without statistics, in the order of ovs-ofctl.
func (s *Switch) Flows(bridge string) []string {
	s.t.Helper()
	return lines(s.Ofctl("--no-stats", "dump-flows", bridge))
}

// Await polls until the condition holds, and fails the test when it does not within 10 seconds.
func (s *Switch) Await(what string, holds func() bool) {
	s.t.Helper()
	Await(s.t, what, holds)
}

// Await polls until the condition holds, and fails the test when it does not within 10 seconds.
func Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for %s", deadline, what)
		}
	}
}

func (s *Switch) env() []string {
	return append(os.Environ(), "OVS_RUNDIR="+s.Dir, "OVS_LOGDIR="+s.Dir, "OVS_DBDIR="+s.Dir, "OVS_SYSCONFDIR="+s.Dir)
}

func (s *Switch) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = s.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n")
}

func (s *Switch) start(name string, args ...string) *daemon {
	s.t.Helper()
	args = append(args, "-vconsole:off", "-vsyslog:off", "--log-file="+filepath.Join(s.Dir, name+".log"))
	cmd := exec.Command(name, args...)
	cmd.Env = s.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d := &daemon{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &d.said
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	go func() {
		cmd.Wait()
		close(d.done)
	}()
	return d
}

// ended says how a process ended, and what it said last; "" while it lives.
func (d *daemon) ended() string {
	if d == nil {
		return ""
	}
	select {
	case <-d.done:
		return d.cmd.ProcessState.String() + "\n" + d.said.String()
	default:
		return ""
	}
}

// stop kills the process if it lives. A daemon that was never started is none to stop.
func (d *daemon) stop() {
	if d == nil {
		return
	}
	if err := d.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("kill %d: %v", d.cmd.Process.Pid, err))
	}
	<-d.done
}

// Answers says whether a bridge can be asked: a switch that was killed leaves its sockets behind.
func (s *Switch) Answers(bridge string) bool {
	c, err := net.Dial("unix", filepath.Join(s.Dir, bridge+".mgmt"))
	if err == nil {
		c.Close()
	}
	return err == nil
}

// warnings are the lines of ovs-vswitchd's log that are worth reading when a test failed.
func (s *Switch) warnings() string {
	log, err := os.ReadFile(filepath.Join(s.Dir, "ovs-vswitchd.log"))
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for l := range strings.Lines(string(log)) {
		if strings.Contains(l, "|WARN|") || strings.Contains(l, "|ERR|") || strings.Contains(l, "|EMER|") {
			out.WriteString(l)
		}
	}
	return out.String()
}

func lines(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}
