package kernel

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// TestDoAfterClose: who has a namespace from another, and enters it when that one has let go of it, must not get into whatever has
// its number then.
func TestDoAfterClose(t *testing.T) {
	h := open(t)
	n := ensure(t, h, plan.QRouter+routerID)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n.Do(func() error { return nil }) == nil {
			}
		})
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := n.Do(func() error { t.Error("it was entered"); return nil }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestWatch: changes that matter are told, neighbours that were learned are not.
func TestWatch(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	apply(t, n, want)
	news := make(chan struct{}, 1)
	stop, err := n.Watch(func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.1.50") }, func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	heard := func(command string, want bool) {
		t.Helper()
		for quiet := false; !quiet; { // what came before was told late
			select {
			case <-news:
			case <-time.After(150 * time.Millisecond):
				quiet = true
			}
		}
		in(t, n, "sh", "-ec", command)
		wait := 3 * time.Second
		if !want {
			wait = 100 * time.Millisecond
		}
		select {
		case <-news:
			if !want {
				t.Errorf("%s: told", command)
			}
		case <-time.After(wait):
			if want {
				t.Errorf("%s: not told", command)
			}
		}
	}
	heard("ip neigh replace 10.0.1.77 lladdr 02:00:00:00:00:01 dev qr-00000001-00 nud stale", false)
	heard("ip neigh replace 10.0.1.50 lladdr 02:00:00:00:00:01 dev qr-00000001-00 nud stale", true)
	heard("ip neigh replace 10.0.1.78 lladdr 02:00:00:00:00:01 dev qr-00000001-00 nud permanent", true)
	for _, c := range []string{"ip addr add 10.9.9.9/32 dev qr-00000001-00", "ip link set qr-00000001-00 mtu 1400", "ip route add 9.9.9.9/32 dev qr-00000001-00",
		"ip rule add from 9.9.9.9 lookup 9", "sysctl -qw net.ipv4.ip_forward=0", "iptables -N foo", "ip6tables -N foo"} {
		heard(c, true)
	}
}

// TestNames: what stands for a namespace of ours, and what does not.
func TestNames(t *testing.T) {
	h := open(t)
	for _, name := range []string{"foo", "qrouter-../../etc/passwd", "qrouter-a/b"} {
		if _, _, err := h.Ensure(name); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := Dir + "/qrouter-file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	if _, _, err := h.Ensure("qrouter-file"); !errors.Is(err, ErrTaken) {
		t.Errorf("a file: %v", err)
	}
	if err := os.Symlink("/proc/self/ns/net", Dir+"/snat-loop"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(Dir + "/snat-loop")
	if _, _, err := h.Ensure("snat-loop"); !errors.Is(err, ErrTaken) {
		t.Errorf("the host's own: %v", err)
	}
	// What we began and did not finish is taken up.
	if err := os.WriteFile(Dir+"/qrouter-half", []byte(mark), 0o444); err != nil {
		t.Fatal(err)
	}
	n, made, err := h.Ensure("qrouter-half")
	if err != nil || !made || !n.Ours() {
		t.Fatalf("half made: %v, %v", made, err)
	}
	// It is one for everybody.
	if out := in(t, n, "ip", "-br", "link"); !strings.HasPrefix(out, "lo") {
		t.Errorf("ip netns exec: %s", out)
	}
	if err := n.Delete(); err != nil {
		t.Error(err)
	}
	// Somebody else's is taken over, and is ours then.
	run(t, "ip", "netns", "add", "qrouter-foreign")
	f, err := h.Open("qrouter-foreign")
	if err != nil || f.Ours() {
		t.Fatalf("foreign: ours %v, %v", f.Ours(), err)
	}
	defer f.Close()
	n, made, err = h.Ensure("qrouter-foreign")
	if err != nil || made || !n.Ours() {
		t.Fatalf("foreign, taken over: %v, %v", made, err)
	}
	if err := n.Delete(); err != nil {
		t.Error(err)
	}
	if _, err := h.Open("qrouter-foreign"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("deleted: %v", err)
	}
}

// TestFailures: what fails is named, and what depends on it is not tried.
func TestFailures(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	fs := n.Apply(context.Background(), []plan.Step{
		plan.MakeLink{Link: plan.Link{Name: "rfp-x", MAC: "02:00:00:00:00:01", MTU: 1450, Peer: plan.Peer{Namespace: plan.FIP + netID, Name: "fpr-x"}}},
		plan.SetSysctl{Key: "net/ipv4/conf/rfp-x/rp_filter", Value: "0"},
		plan.AddAddress{Address: plan.Address{Dev: "rfp-x", Prefix: netip.MustParsePrefix("10.0.0.1/31")}},
		plan.DeleteAddress{Address: plan.Address{Dev: "lo", Prefix: netip.MustParsePrefix("10.0.0.1/31")}},
		plan.DeleteLink{Link: plan.Link{Name: "qr-none"}},
		plan.Restore{Text: "*nat\n-A nowhere -j ACCEPT\nCOMMIT\n"},
		plan.SetSysctl{Key: "net/ipv4/ip_forward", Value: "1"},
	}, nil)
	if len(fs) != 2 || !errors.Is(fs[0].Err, ErrWaiting) || !strings.Contains(fs[1].Error(), "(-A nowhere -j ACCEPT)") {
		t.Errorf("failures %v", fs)
	}
	if got := strings.TrimSpace(in(t, n, "sysctl", "-n", "net.ipv4.ip_forward")); got != "0" {
		t.Errorf("went on after NAT had failed: ip_forward is %s", got)
	}
}
