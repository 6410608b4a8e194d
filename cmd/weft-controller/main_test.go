package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// The tests run this very binary as the controller.
func TestMain(m *testing.M) {
	if os.Getenv("WEFT_TEST_CONTROLLER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running controller.
type process struct {
	*exec.Cmd
	// doors is the directory of its sockets.
	doors string
	mu    sync.Mutex
	out   bytes.Buffer
	done  chan struct{}
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

// start starts a controller on a data directory, with doors of its own in the directory at.
func start(t *testing.T, data, at string, more ...string) *process {
	t.Helper()
	p := &process{doors: at, done: make(chan struct{}), Cmd: exec.Command(os.Args[0], append([]string{"--data-dir", data, "--listen-openflow", "127.0.0.1:0",
		"--listen-grpc", "unix:" + at + "/grpc", "--listen-http", "unix:" + at + "/http", "--listen-node", "unix:" + at + "/node"}, more...)...)}
	p.Env = append(os.Environ(), "WEFT_TEST_CONTROLLER=1")
	p.Stdout, p.Stderr = p, p
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // ProcessState has it
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.said(), "msg=ready"); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("the controller is not ready:\n%s", p.said())
		}
	}
}

// stop ends it as people do.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

// contents is what is in a directory: every file with its size and a digest, but for the lock, which says who has it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "weft.lock" {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%d bytes, %x", len(b), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// networks lists the names of the networks, by a controller's API.
func networks(t *testing.T, at string, create ...string) (names []string) {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+at+"/grpc", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := weftv1.NewNetworkServiceClient(conn)
	for _, name := range create {
		if _, err := c.CreateNetwork(t.Context(), &weftv1.CreateNetworkRequest{Network: &weftv1.Network{Metadata: &weftv1.Metadata{Name: name}}}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.ListNetworks(t.Context(), &weftv1.ListNetworksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list.Networks {
		names = append(names, n.GetMetadata().GetName())
	}
	return names
}

// A data directory that cannot be used ends the start with one line that says which, why and what to do. Nothing is
// written into it, no socket stays, and when the reason is gone everything is there.
func TestDataDirectoryThatCannotBeUsed(t *testing.T) {
	for _, tc := range []struct {
		name string
		// spoil prepares a directory that a controller has used and left, and says how to undo it.
		spoil func(t *testing.T, data string) (mend func())
		want  string
		// touched are files that a start may write to: etcd opens its database, which counts that, before it reads the log.
		touched string
	}{
		{"locked", func(t *testing.T, data string) func() {
			p := start(t, data, t.TempDir())
			p.awaitReady(t)
			return func() {
				if got := networks(t, p.doors); !slices.Equal(got, []string{"blue"}) {
					t.Errorf("who has the directory answers %q", got)
				}
				p.stop(t)
			}
		}, " is in use by process %d: stop it, or choose another directory", "/member/"},
		{"corrupt database", func(t *testing.T, data string) func() { return overwrite(t, data+"/member/snap/db") },
			" is damaged: database: ", ""},
		{"corrupt log", func(t *testing.T, data string) func() { return overwrite(t, data+"/member/wal/*.wal") },
			" is damaged: ", "/member/snap/db"},
		{"full", func(t *testing.T, data string) func() {
			f, err := os.Create(filepath.Join(data, "filler"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for chunk := make([]byte, 1<<20); err == nil; _, err = f.Write(chunk) {
			}
			return func() {
				if err := os.Remove(f.Name()); err != nil {
					t.Error(err)
				}
			}
		}, " has 0 MiB of disk space left, but needs 16 MiB: free some, or choose another directory", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := t.TempDir()
			if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=192m,mode=0700"); err != nil {
				t.Fatalf("mount (this test needs root): %v", err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			first := start(t, data, t.TempDir())
			first.awaitReady(t)
			networks(t, first.doors, "blue")
			first.stop(t)
			mend := tc.spoil(t, data)
			before := contents(t, data)
			p := start(t, data, t.TempDir())
			select {
			case <-p.done:
			case <-time.After(time.Minute):
				t.Fatalf("the controller did not end:\n%s", p.said())
			}
			want := tc.want
			if strings.Contains(want, "%d") {
				b, err := os.ReadFile(filepath.Join(data, "weft.lock"))
				if err != nil {
					t.Fatal(err)
				}
				want = strings.Replace(want, "%d", strings.TrimSpace(string(b)), 1)
			}
			said := strings.TrimSpace(p.said())
			t.Log(said)
			if strings.Contains(said, "\n") || !strings.HasPrefix(said, "weft-controller: data directory "+data+want) || p.ProcessState.ExitCode() != 1 {
				t.Errorf("exit code %d and:\n%s\nwant 1 and one line of %q", p.ProcessState.ExitCode(), said, want)
			}
			same := cmpopts.IgnoreMapEntries(func(path, _ string) bool { return tc.touched != "" && strings.HasPrefix(path, tc.touched) })
			if d := cmp.Diff(before, contents(t, data), same); d != "" {
				t.Errorf("the directory (-before +after):\n%s", d)
			}
			if left := contents(t, p.doors); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			mend()
			again := start(t, data, t.TempDir())
			again.awaitReady(t)
			if got := networks(t, again.doors); !slices.Equal(got, []string{"blue"}) {
				t.Errorf("afterwards there are %q", got)
			}
		})
	}
}

// overwrite spoils the first file of a pattern.
func overwrite(t *testing.T, pattern string) (undo func()) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, files, err)
	}
	was, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(was)
	copy(spoilt[64:], bytes.Repeat([]byte("x"), 8192))
	write := func(b []byte) {
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(spoilt)
	return func() { write(was) }
}
