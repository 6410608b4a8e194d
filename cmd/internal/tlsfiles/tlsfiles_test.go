package tlsfiles

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"google.golang.org/grpc/health"
)

// authority is a CA.
type authority struct {
	t    *testing.T
	name string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, name: name}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// place is a directory of files that are renewed.
type place struct {
	t *testing.T
	Files
}

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	return &place{t, Files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")}}
}

// write replaces a file as certbot and cert-manager do, by another that takes its name.
func (p *place) write(path, kind string, der []byte) {
	p.t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		p.t.Fatal(err)
	}
}

// issue writes a certificate of the CA for 127.0.0.1, and between its two files calls a function.
func (p *place) issue(a *authority, name string, between func()) {
	p.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, k.Public(), a.key)
	if err != nil {
		p.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(p.Cert, "CERTIFICATE", der)
	if between != nil {
		between()
	}
	p.write(p.Key, "PRIVATE KEY", private)
}

func (p *place) trust(a *authority) { p.write(p.CA, "CERTIFICATE", a.cert.Raw) }

func (p *place) open(log io.Writer) *Set {
	p.t.Helper()
	s, err := Open(p.Files, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// door accepts with a configuration and tells everybody who came in.
func door(t *testing.T, conf *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if tc := c.(*tls.Conn); tc.Handshake() == nil {
					_, _ = io.WriteString(c, tc.ConnectionState().PeerCertificates[0].Subject.CommonName)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// meet dials a door and returns who is there, and who we are to it.
func meet(addr string, conf *tls.Config) (server, client string, err error) {
	c, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, string(b), err
}

func TestRenewedFilesAreUsedAtTheNextHandshake(t *testing.T) {
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	here, there := newPlace(t), newPlace(t)
	for _, p := range []*place{here, there} {
		p.trust(first)
	}
	here.issue(first, "controller", nil)
	there.issue(first, "agent", nil)
	var log buffer
	server, client := here.open(&log), there.open(io.Discard)
	addr := door(t, server.Server())
	cache := tls.NewLRUClientSessionCache(4)
	expect := func(what, wantServer, wantClient string) {
		t.Helper()
		conf := client.Client()
		conf.ClientSessionCache = cache
		s, c, err := meet(addr, conf)
		if s != wantServer || c != wantClient || (err == nil) != (wantClient != "") {
			t.Errorf("%s: %q meets %q, %v; want %q and %q", what, c, s, err, wantClient, wantServer)
		}
	}
	expect("as opened", "controller", "agent")

	here.issue(first, "controller 2", func() {
		expect("the certificate is there and its key is not", "controller", "agent")
		expect("still", "controller", "agent")
	})
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("told %d times that the files do not go together:\n%s", n, &log)
	}
	expect("a new certificate of the listener", "controller 2", "agent")
	there.issue(first, "agent 2", nil)
	expect("and of the client", "controller 2", "agent 2")

	// The old CA is not trusted any more: neither side may go on with what it knew.
	here.trust(second)
	if _, _, err := meet(addr, client.Client()); err == nil {
		t.Error("a client of the former CA came in")
	}
	there.issue(second, "agent 3", nil)
	expect("a new CA of the listener's", "controller 2", "agent 3")
	there.trust(second)
	if _, _, err := meet(addr, client.Client()); err == nil {
		t.Error("a listener of the former CA was believed")
	}
	here.issue(second, "controller 3", nil)
	expect("a new CA on both sides", "controller 3", "agent 3")

	os.Remove(there.Cert)
	expect("a file that is gone", "controller 3", "agent 3")
}

func TestFilesThatAreWrittenInPlace(t *testing.T) {
	ca, p := newAuthority(t, "ca"), newPlace(t)
	p.trust(ca)
	p.issue(ca, "one", nil)
	s := p.open(io.Discard)
	addr := door(t, s.Server())
	other := newPlace(t)
	other.issue(ca, "two", nil)
	for from, to := range map[string]string{other.Cert: p.Cert, other.Key: p.Key} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if server, client, err := meet(addr, s.Client()); server != "two" || client != "two" || err != nil {
		t.Errorf("%q meets %q, %v", client, server, err)
	}
}

// gRPC's client keeps its credentials for as long as it lives.
func TestCredentialsOfGRPC(t *testing.T) {
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	here, there := newPlace(t), newPlace(t)
	here.trust(first)
	there.trust(first)
	here.issue(first, "controller", nil)
	there.issue(first, "agent", nil)
	server, client := here.open(io.Discard), there.open(io.Discard)
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(server.Server())))
	healthv1.RegisterHealthServer(g, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = g.Serve(l) }()
	defer g.Stop()
	creds := client.Credentials()
	ask := func() error {
		conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(creds))
		if err != nil {
			return err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	here.trust(second)
	here.issue(second, "controller", nil)
	if err := ask(); err == nil {
		t.Error("a controller of another CA was believed")
	}
	there.trust(second)
	there.issue(second, "agent", nil)
	if err := ask(); err != nil {
		t.Errorf("with renewed files: %v", err)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	ca, p := newAuthority(t, "ca"), newPlace(t)
	p.trust(ca)
	p.issue(ca, "x", nil)
	for name, tc := range map[string]struct {
		f    Files
		want string
	}{
		"nothing":       {Files{}, ""},
		"only a CA":     {Files{CA: p.CA}, ""},
		"no key":        {Files{Cert: p.Cert}, "go together"},
		"no such file":  {Files{Cert: p.Cert + "x", Key: p.Key}, p.Cert + "x"},
		"no CA in file": {Files{Cert: p.Cert, Key: p.Key, CA: p.Key}, p.Key + ": holds no certificate in PEM"},
		"no such CA":    {Files{CA: "/nowhere.pem"}, "/nowhere.pem"},
	} {
		_, err := Open(tc.f, slog.New(slog.DiscardHandler))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// Whoever has no certificate of the CA does not come in.
func TestOnlyClientsOfTheCAComeIn(t *testing.T) {
	ca, p := newAuthority(t, "ca"), newPlace(t)
	p.trust(ca)
	p.issue(ca, "x", nil)
	addr := door(t, p.open(io.Discard).Server())
	alone, err := Open(Files{CA: p.CA}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := meet(addr, alone.Client()); err == nil {
		t.Error("without a certificate: let in")
	}
}
