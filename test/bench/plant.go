package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
	"github.com/weft-sdn/weft/test/ovs"
)

// plant is Weft as it runs: the processes weft-controller and weft-nsagent, and a private Open vSwitch for each host. One
// more host, elsewhere, exists in the store only: it stands for all those others whose VMs the hosts know.
type plant struct {
	b          testing.TB
	bin        string
	dir        string
	node, flow string // addresses
	controller *process
	conn       *grpc.ClientConn
	hosts      []*plantHost
}

type plantHost struct {
	*ovs.Switch
	name  string
	agent *process
}

// process is a daemon of ours, and what it says.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// kill ends a process as a crash does, and waits until it is gone.
func (p *process) kill() {
	if p != nil {
		// It may have ended by itself.
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (pl *plant) start(name string, args ...string) *process {
	pl.b.Helper()
	p := &process{cmd: exec.Command(filepath.Join(pl.bin, name), args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		pl.b.Fatal(err)
	}
	go func() {
		// How it ended is told by what it said.
		_ = p.cmd.Wait()
		close(p.done)
	}()
	pl.b.Cleanup(func() {
		p.kill()
		if pl.b.Failed() {
			pl.b.Logf("%s said:\n%s", name, tail(p.said()))
		}
	})
	return p
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// newPlant builds the programs and starts a controller and hosts.
func newPlant(b testing.TB, hosts int) *plant {
	b.Helper()
	pl := &plant{b: b, bin: b.TempDir(), node: free(b), flow: free(b)}
	var err error
	// A socket's path has at most 107 bytes.
	if pl.dir, err = os.MkdirTemp("", "plant"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(pl.dir) })
	build := exec.Command("go", "build", "-o", pl.bin, "github.com/weft-sdn/weft/cmd/weft-controller", "github.com/weft-sdn/weft/cmd/weft-nsagent")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	// Whoever waits for the controller must not wait longer than it takes.
	patience := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}, MinConnectTimeout: time.Minute}
	if pl.conn, err = grpc.NewClient("unix:"+filepath.Join(pl.dir, "api"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(patience), grpc.WithDefaultCallOptions(grpc.WaitForReady(true))); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pl.conn.Close() })
	pl.startController()
	for i := range hosts {
		h := &plantHost{Switch: ovs.Start(b), name: fmt.Sprintf("host%d", i+1)}
		pl.hosts = append(pl.hosts, h)
		pl.startAgent(h)
		pl.await("the bridges of "+h.name, func() bool { return h.Answers("br-int") && h.Answers("br-tun") })
	}
	return pl
}

// free is an address that nobody listens at.
func free(b testing.TB) string {
	ln := listen(b)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).String()
}

func (pl *plant) startController() {
	pl.b.Helper()
	pl.controller = pl.start("weft-controller", "--data-dir", filepath.Join(pl.dir, "store"), "--listen-grpc", "unix:"+filepath.Join(pl.dir, "api"),
		"--listen-http", "127.0.0.1:0", "--listen-node", pl.node, "--listen-openflow", pl.flow, "--audit-interval", "1h")
}

func (pl *plant) startAgent(h *plantHost) {
	pl.b.Helper()
	h.agent = pl.start("weft-nsagent", "--controller", pl.node, "--ovsdb", h.Endpoint(), "--state-dir", filepath.Join(pl.dir, h.name), "--host", h.name,
		"--datapath-type", "netdev", "--tunnel-ip", fmt.Sprintf("10.91.0.%d", len(pl.hosts)))
}

func (pl *plant) await(what string, holds func() bool) {
	pl.b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			pl.b.Fatalf("not so after two minutes: %s", what)
		}
	}
}

// call makes a call that must succeed.
func call[Req, Res any](pl *plant, f func(context.Context, Req, ...grpc.CallOption) (Res, error), req Req) Res {
	pl.b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := f(ctx, req)
	if err != nil {
		pl.b.Fatal(err)
	}
	return res
}

// single is how many ports are made one by one.
const single = 300

// fill makes one network, a port of it on every host, and n ports elsewhere, of which every host has two rows each. It
// returns the revision of all that.
func (pl *plant) fill(n int) (revision int64) {
	pl.b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cc, err := grpc.NewClient(pl.node, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		pl.b.Fatal(err)
	}
	defer cc.Close()
	elsewhere := &fakeagent.Agent{Host: "elsewhere", TunnelIP: "10.91.1.1"}
	if err := fakeagent.Dial(ctx, cc, elsewhere, nil); err != nil {
		pl.b.Fatal(err)
	}
	weft := weftv1.NewWeftServiceClient(pl.conn)
	call(pl, weft.Apply, &weftv1.ApplyRequest{Objects: []*weftv1.Object{
		// Nobody is judged: each port would be an address of the default group, which is a row of br-int more.
		{Object: &weftv1.Object_Network{Network: &weftv1.Network{Metadata: &weftv1.Metadata{Name: "net"}, PortSecurityEnabled: proto.Bool(false)}}},
		{Object: &weftv1.Object_Subnet{Subnet: &weftv1.Subnet{Metadata: &weftv1.Metadata{Name: "sub"}, NetworkId: "net", Cidr: "10.0.0.0/14"}}}}})
	ports := func(count int) (ids []string) {
		req := &weftv1.ApplyRequest{}
		for range count {
			id := uuid.NewString()
			ids = append(ids, id)
			req.Objects = append(req.Objects, &weftv1.Object{Object: &weftv1.Object_Port{Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: id}, NetworkId: "net"}}})
		}
		call(pl, weft.Apply, req)
		return ids
	}
	for _, h := range pl.hosts {
		id := ports(1)[0]
		h.Vsctl("--no-wait", "add-port", "br-int", "tap"+id[:11], "--", "set", "interface", "tap"+id[:11], "type=internal", "external_ids:iface-id="+id)
	}
	for done, some := 0, 0; done < n; done += some {
		// In large steps, but the last ones come one by one, as they do in a cloud: etcd's log then is as long as it is there.
		if some = min(1000, n-done-single); some <= 0 {
			some = 1
		}
		var ifaces []fakeagent.Interface
		for _, id := range ports(some) {
			ifaces = append(ifaces, fakeagent.Interface{Name: "tap" + id[:11], IfaceID: id})
		}
		if err := elsewhere.Plug(ifaces...); err != nil {
			pl.b.Fatal(err)
		}
	}
	pl.await("all rows", func() bool {
		revision = 0
		for _, h := range pl.hosts {
			s := pl.status(h)
			if rowsOf(s) < 2*n || !inSync(s, revision) {
				return false
			}
			revision = s.AppliedRevision
		}
		return true
	})
	// What is being written of it – the agents save the rows – is not part of what is measured.
	for _, h := range pl.hosts {
		pl.await("saved flows of "+h.name, func() bool { return pl.saved(h) >= 2*n })
	}
	return revision
}

// savedFlows is in the end of the agent's file.
var savedFlows = regexp.MustCompile(`"flows":(\d+)`)

// saved is how many rows of br-tun the agent has on disk.
func (pl *plant) saved(h *plantHost) (n int) {
	b, err := os.ReadFile(filepath.Join(pl.dir, h.name, "flows-br-tun"))
	if err != nil {
		return 0 // not yet
	}
	if m := savedFlows.FindSubmatch(b[max(0, len(b)-500):]); m != nil {
		n, _ = strconv.Atoi(string(m[1]))
	}
	return n
}

func (pl *plant) status(h *plantHost) *weftv1.HostStatus {
	pl.b.Helper()
	return call(pl, weftv1.NewHostServiceClient(pl.conn).GetHost, &weftv1.GetHostRequest{Id: h.name}).Status
}

// inSync says whether a host's agent and bridges are connected and have all up to a revision.
func inSync(s *weftv1.HostStatus, revision int64) bool {
	for _, c := range s.Conditions {
		if c.Type == "InSync" && c.Status != "True" {
			return false
		}
	}
	return s.Status == "Ready" && s.AppliedRevision >= revision
}

func rowsOf(s *weftv1.HostStatus) (n int) {
	for _, b := range s.Bridges {
		n += int(b.Flows)
	}
	return n
}

func flowMods(s *weftv1.HostStatus) (n int64) {
	for _, b := range s.Bridges {
		n += b.FlowMods
	}
	return n
}

// when is how long after a moment a line with some text was logged; the zero Duration when there is none.
func (p *process) when(begin time.Time, text string) time.Duration {
	for line := range strings.Lines(p.said()) {
		if strings.Contains(line, text) {
			at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(strings.Fields(line)[0], "time="))
			if err == nil {
				return at.Sub(begin)
			}
		}
	}
	return 0
}

// cpu is the processor time that a process has used, all its threads together.
func (p *process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		panic(err)
	}
	// Fields 14 and 15 of proc(5), in hundredths of a second; the second one may hold spaces.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
