package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One that stands by says so, and ends in order when it is told to: nothing has failed.
func TestStandbyEndsInOrder(t *testing.T) {
	data := t.TempDir()
	at := "unix://" + data + "/client.sock"
	etcd := exec.Command(os.Args[0], "etcd", "--data-dir", data+"/etcd", "--listen", at)
	etcd.Env = append(os.Environ(), "WEFT_TEST_CONTROLLER=1")
	etcd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := etcd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = etcd.Process.Kill() // it may have ended
		_ = etcd.Wait()
	})
	await := func(what string, holds func() bool) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(time.Minute); !holds(); <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("not within a minute: %s", what)
			}
		}
	}
	await("etcd listens", func() bool {
		c, err := net.Dial("unix", data+"/client.sock")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	share := []string{"--store=external", "--etcd-endpoints=" + at, "--leader-lease=2s"}
	leader := start(t, "", t.TempDir(), append(share, "--name=c1")...)
	leader.awaitReady(t)
	standby := start(t, "", t.TempDir(), append(share, "--name=c2")...)
	await("the second stands by", func() bool { return strings.Contains(standby.said(), `msg="stands by" name=c2`) })

	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", standby.doors+"/http")
	}}}
	r, err := client.Get("http://localhost/v1/networks")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("REST answers %s of type %q, want 503 as JSON", r.Status, r.Header.Get("Content-Type"))
	}
	for _, p := range []*process{standby, leader} {
		p.stop(t)
		if p.ProcessState.ExitCode() != 0 || strings.Contains(p.said(), "canceled") {
			t.Errorf("told to end it ends with %d:\n%s", p.ProcessState.ExitCode(), p.said())
		}
	}
}
