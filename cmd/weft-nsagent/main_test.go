package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/ovs"
)

// The tests run this very binary as the agent.
func TestMain(m *testing.M) {
	if os.Getenv("WEFT_TEST_AGENT") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running agent.
type process struct {
	*exec.Cmd
	t    testing.TB
	mu   sync.Mutex
	out  bytes.Buffer
	done chan struct{}
	err  error
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

func start(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), t: t, done: make(chan struct{})}
	p.Env = append(os.Environ(), "WEFT_TEST_AGENT=1")
	p.Stdout, p.Stderr = p, p
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the agent said:\n%s", p.said())
		}
	})
	return p
}

// ended waits for the end of the process.
func (p *process) ended() error {
	p.t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(10 * time.Second):
		p.t.Fatal("the agent does not end")
		return nil
	}
}

func (p *process) await(text string) {
	p.t.Helper()
	ovs.Await(p.t, text, func() bool { return strings.Contains(p.said(), text) })
}

// node is a controller that sends one Delta to whoever comes.
type node struct {
	nodev1.UnimplementedNodeServiceServer
	delta *nodev1.Delta
	acked chan string
}

func (n *node) Sync(st grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse]) error {
	if err := st.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		m, err := st.Recv()
		if err != nil {
			return err
		}
		if m.GetHello() != nil {
			if err := st.Send(&nodev1.SyncResponse{Epoch: 1, Message: &nodev1.SyncResponse_Delta{Delta: n.delta}}); err != nil {
				return err
			}
		}
		if a := m.GetAck(); a != nil {
			name := ""
			if p, ok := peer.FromContext(st.Context()); ok {
				if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
					name = info.State.PeerCertificates[0].Subject.CommonName
				}
			}
			n.acked <- name
		}
	}
}

func serve(t *testing.T, opts ...grpc.ServerOption) (*node, string) {
	t.Helper()
	n := &node{acked: make(chan string, 10), delta: &nodev1.Delta{Nonce: "1", Revision: 4, Full: true, Upserts: []*nodev1.Resource{
		{Name: "bridge/br-int", Version: "1", Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{
			Name: "br-int", Role: "integration", DatapathId: "7765667400010001", Controllers: []string{"tcp:127.0.0.1:1"}}}},
		{Name: "bridge/br-tun", Version: "1", Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{
			Name: "br-tun", Role: "tunnel", DatapathId: "7765667400010002", Controllers: []string{"tcp:127.0.0.1:1"}}}},
	}}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(opts...)
	nodev1.RegisterNodeServiceServer(g, n)
	go g.Serve(ln)
	t.Cleanup(g.Stop)
	return n, ln.Addr().String()
}

func (n *node) ack(t *testing.T) string {
	t.Helper()
	select {
	case name := <-n.acked:
		return name
	case <-time.After(10 * time.Second):
		t.Fatal("no ack")
		return ""
	}
}

func TestSigtermEndsTheAgentAndLeavesAllInPlace(t *testing.T) {
	n, addr := serve(t)
	s := ovs.Start(t)
	args := []string{"--controller", addr, "--ovsdb", s.Endpoint(), "--state-dir", t.TempDir(), "--host", "compute1", "--metrics", "127.0.0.1:0"}
	p := start(t, args...)
	n.ack(t)
	before := s.Vsctl("show")

	second := start(t, args...)
	if err := second.ended(); err == nil || !strings.HasSuffix(second.said(), fmt.Sprintf(": another agent uses it: process %d; end that one first\n", p.Process.Pid)) {
		t.Errorf("second agent: %v, %q", err, second.said())
	}

	p.await("msg=metrics address=")
	_, rest, _ := strings.Cut(p.said(), "msg=metrics address=")
	metrics, _, _ := strings.Cut(rest, "\n")
	r, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if !strings.Contains(string(body), "\nweft_agent_controller_connected 1\n") || !strings.Contains(string(body), "\nweft_agent_resources 2\n") {
		t.Errorf("metrics:\n%s", body)
	}

	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.ended(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if after := s.Vsctl("show"); after != before {
		t.Errorf("ovs-vsctl show was\n%s\nand is\n%s", before, after)
	}
}

func TestMutualTLS(t *testing.T) {
	pki := newPKI(t)
	cert, err := tls.LoadX509KeyPair(pki.issue("controller"))
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pki.pool, ClientAuth: tls.RequireAndVerifyClientCert}
	n, addr := serve(t, grpc.Creds(credentials.NewTLS(conf)))
	openflow, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	defer openflow.Close()
	for _, r := range n.delta.Upserts {
		r.GetBridge().Controllers = []string{"ssl:" + openflow.Addr().String()}
	}
	s := ovs.Start(t)
	crt, key := pki.issue("compute1")
	start(t, "--controller", addr, "--ovsdb", s.Endpoint(), "--state-dir", t.TempDir(), "--host", "compute1", "--tls-cert", crt, "--tls-key", key, "--tls-ca", pki.path)
	if got := n.ack(t); got != "compute1" {
		t.Errorf("the controller saw the certificate of %q", got)
	}
	// The switch connects with the same files, and nobody has told it so but the agent.
	conn, err := openflow.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName; got != "compute1" {
		t.Errorf("the OpenFlow listener saw the certificate of %q", got)
	}
	other := newPKI(t)
	p := start(t, "--controller", addr, "--ovsdb", s.Endpoint(), "--state-dir", t.TempDir(), "--host", "compute1", "--tls-cert", crt, "--tls-key", key, "--tls-ca", other.path)
	p.await("certificate signed by unknown authority")
}

func TestMissingDatabaseIsTold(t *testing.T) {
	_, addr := serve(t)
	p := start(t, "--controller", addr, "--ovsdb", "unix:/nonexistent/db.sock", "--state-dir", t.TempDir(), "--host", "compute1")
	p.await(`msg="no database; the host stays as it is" err="database unix:/nonexistent/db.sock: failed to connect to unix:/nonexistent/db.sock: failed to open connection: dial unix /nonexistent/db.sock: connect: no such file or directory (is ovsdb-server running there?)"`)
}

func TestStateDirectoryThatCannotBeMade(t *testing.T) {
	_, addr := serve(t)
	p := start(t, "--controller", addr, "--state-dir", "/proc/weft", "--host", "compute1")
	if err := p.ended(); err == nil || p.said() != "weft-nsagent: state directory /proc/weft: mkdir /proc/weft: no such file or directory\n" {
		t.Errorf("%v, %q", err, p.said())
	}
}

func TestVersion(t *testing.T) {
	p := start(t, "--version")
	if err := p.ended(); err != nil || !strings.HasPrefix(p.said(), "weft-nsagent version ") {
		t.Errorf("%v, %q", err, p.said())
	}
}

// pki is a certificate authority of its own.
type pki struct {
	t    *testing.T
	dir  string
	path string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	p.path = filepath.Join(p.dir, "ca.pem")
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &p.key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.pool.AddCert(p.cert)
	p.write("ca.pem", "CERTIFICATE", der)
	return p
}

func (p *pki) write(name, typ string, der []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// issue makes a certificate for a name and 127.0.0.1.
func (p *pki) issue(name string) (crt, key string) {
	p.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, &k.PublicKey, p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.write(name+".pem", "CERTIFICATE", der), p.write(name+".key", "EC PRIVATE KEY", kder)
}
