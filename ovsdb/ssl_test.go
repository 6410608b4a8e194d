package ovsdb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pki writes a CA, and certificates of it.
type pki struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newPKI(t *testing.T, dir string) *pki {
	t.Helper()
	p := &pki{t: t, dir: dir}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, p.key.Public(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.write("ca.pem", "CERTIFICATE", der)
	return p
}

func (p *pki) write(name, kind string, der []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// issue makes the files of a name.
func (p *pki) issue(name string) SSL {
	p.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.cert, k.Public(), p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		p.t.Fatal(err)
	}
	return SSL{p.write(name+".key", "EC PRIVATE KEY", private), p.write(name+".pem", "CERTIFICATE", der), filepath.Join(p.dir, "ca.pem")}
}

// greeter is a TLS listener that knows who dialled it last, and cuts every connection when the test says so.
type greeter struct {
	target string
	last   atomic.Pointer[string]
	cut    chan struct{}
}

func newGreeter(t *testing.T, p *pki) *greeter {
	t.Helper()
	files := p.issue("controller")
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.cert)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	g := &greeter{target: "ssl:" + ln.Addr().(*net.TCPAddr).String(), cut: make(chan struct{})}
	end := make(chan struct{})
	t.Cleanup(func() { close(end); ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if c.(*tls.Conn).Handshake() != nil {
					return
				}
				// OpenFlow 1.4 HELLO: that is enough to be connected.
				_, _ = c.Write([]byte{5, 0, 0, 8, 0, 0, 0, 1})
				g.last.Store(&c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName)
				go func() { _, _ = io.Copy(io.Discard, c) }()
				select {
				case <-g.cut:
				case <-end:
				}
			}()
		}
	}()
	return g
}

func (g *greeter) met() string { return value(g.last.Load()) }

func encrypted(target string, ssl SSL) Desired {
	return with(threeBridges(), func(d *Desired) {
		d.SSL = ssl
		for i := range d.Bridges {
			d.Bridges[i].Controllers = []string{target}
		}
	})
}

func (h *host) row() string {
	h.t.Helper()
	return strings.ReplaceAll(h.Vsctl("--columns=private_key,certificate,ca_cert,bootstrap_ca_cert", "--format=csv", "--no-headings", "list", "SSL"), `"`, "")
}

func (s SSL) csv(bootstrap string) string {
	return s.PrivateKey + "," + s.Certificate + "," + s.CACert + "," + bootstrap
}

func TestBridgesConnectToAnSSLTarget(t *testing.T) {
	h := newHost(t)
	p := newPKI(t, h.Dir)
	g, files := newGreeter(t, p), p.issue("compute1")
	want := encrypted(g.target, files)
	if out := h.apply(want); out.Transactions != 1 {
		t.Errorf("%d transactions: %v", out.Transactions, texts(out.Changes))
	}
	h.settle(want)
	h.Await("a bridge at the listener", func() bool { return g.met() == "compute1" })
	if got := h.row(); got != files.csv("false") {
		t.Errorf("SSL row: %s", got)
	}

	// The switch takes up files that are renewed, and then we have nothing to do.
	for from, to := range map[string]string{p.issue("renewed").Certificate: files.Certificate, p.dir + "/renewed.key": files.PrivateKey} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	close(g.cut)
	h.Await("a bridge with the renewed certificate", func() bool { return g.met() == "renewed" })
	if out := h.apply(want); len(out.Changes) != 0 {
		t.Errorf("changes: %v", texts(out.Changes))
	}

	// The agent is given other files.
	other := p.issue("other")
	want.SSL = other
	out := h.apply(want)
	if d := cmp.Diff([]string{"bridge/br-int: the SSL row had " + files.String() + ", bootstrap_ca_cert false"}, texts(out.Changes)); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	// Somebody makes our row trust whoever comes first, and somebody else takes it away.
	h.Vsctl("--no-wait", "set", "ssl", ".", "bootstrap_ca_cert=true")
	h.Await("the wish for bootstrap to be undone", func() bool { h.apply(want); return h.row() == other.csv("false") })
	h.Vsctl("--no-wait", "del-ssl")
	h.Await("the row to be back", func() bool { h.apply(want); return h.row() == other.csv("false") })
	// An agent without files leaves what there is.
	want.SSL = SSL{}
	if out := h.apply(want); len(out.Changes) != 0 || len(out.Problems) != 0 {
		t.Errorf("changes %v, problems %v", texts(out.Changes), problems(out.Problems))
	}
}

func TestForeignSSLRowIsLeftAlone(t *testing.T) {
	h := newHost(t)
	p := newPKI(t, h.Dir)
	g, theirs, ours := newGreeter(t, p), p.issue("theirs"), p.issue("ours")
	stranger := newPKI(t, t.TempDir()).issue("stranger")

	// With their files no bridge can connect: that is a problem of each.
	h.Vsctl("--no-wait", "set-ssl", stranger.PrivateKey, stranger.Certificate, stranger.CACert)
	uuid := h.Vsctl("--columns=_uuid", "--bare", "list", "SSL")
	want := encrypted(g.target, ours)
	h.settle(want)
	h.Await("the row to be ours, or a problem", func() bool { return len(h.apply(want).Problems) == 3 })
	var expect []string
	for _, b := range []string{"br-ex", "br-int", "br-tun"} {
		expect = append(expect, "bridge/"+b+"|controllers|SSLForeign|SSL row "+uuid+" is not ours and has "+stranger.String()+
			", where "+ours.String()+" is wanted, and no controller of "+b+" is connected; if the row is not needed, remove it with ovs-vsctl del-ssl")
	}
	if d := cmp.Diff(expect, problems(h.apply(want).Problems)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	if got := h.row(); got != stranger.csv("false") {
		t.Errorf("SSL row: %s", got)
	}

	// With files that do, it is none of our business, and what was said is taken back.
	h.Vsctl("--no-wait", "--", "del-ssl", "--", "set-ssl", theirs.PrivateKey, theirs.Certificate, theirs.CACert)
	h.Await("a bridge with their certificate", func() bool { return g.met() == "theirs" })
	h.Await("no problem", func() bool { return len(h.apply(want).Problems) == 0 })
	if got := h.row(); got != theirs.csv("false") {
		t.Errorf("SSL row: %s", got)
	}
	// When they take it away, we are asked.
	h.Vsctl("--no-wait", "del-ssl")
	h.Await("our row", func() bool { h.apply(want); return h.row() == ours.csv("false") })
}

func TestSSLRowThatSomebodyElseMadeLikeOursIsNotTakenOver(t *testing.T) {
	h := newHost(t)
	files := newPKI(t, h.Dir).issue("compute1")
	h.Vsctl("--no-wait", "--", "--bootstrap", "set-ssl", files.PrivateKey, files.Certificate, files.CACert)
	want := encrypted("ssl:127.0.0.1:1", files)
	h.settle(want)
	if out := h.apply(want); len(out.Problems) != 0 || h.row() != files.csv("true") {
		t.Errorf("problems %v, row %s", problems(out.Problems), h.row())
	}
}

func TestNobodyHasACertificateForAnSSLTarget(t *testing.T) {
	h := newHost(t)
	want := encrypted("ssl:127.0.0.1:1", SSL{})
	h.settle(want)
	const message = "|controllers|SSLMissing|the switch has no certificate for ssl:127.0.0.1:1: start the agent with --tls-cert, --tls-key and --tls-ca, or use ovs-vsctl set-ssl"
	if d := cmp.Diff([]string{"bridge/br-ex" + message, "bridge/br-int" + message, "bridge/br-tun" + message}, problems(h.apply(want).Problems)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	// Plain text needs none, and gets none.
	plain := threeBridges()
	plain.SSL = SSL{"/k", "/c", "/ca"}
	h.settle(plain)
	if got := h.row(); got != "" {
		t.Errorf("SSL row: %s", got)
	}
}
