package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificates writes a CA, and a certificate of it with its key, for 127.0.0.1.
func certificates(t *testing.T) (cert, key, ca string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, cert
}

func TestDoorsOutsideOfLoopbackWantCertificates(t *testing.T) {
	cert, key, ca := certificates(t)
	mutual, err := ServerTLS(cert, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	oneWay, err := ServerTLS(cert, key, "")
	if err != nil {
		t.Fatal(err)
	}
	const open = "other machines can reach it: give a certificate, its key and the CA of the clients, or --insecure to let anybody in"
	for _, tc := range []struct {
		name     string
		address  string
		conf     *tls.Config
		insecure bool
		want     string // part of the error; "" when it opens
	}{
		{"loopback", "127.0.0.1:0", nil, false, ""},
		{"loopback by name", "localhost:0", nil, false, ""},
		{"every address", ":0", nil, false, open},
		{"every address, in full", "0.0.0.0:0", nil, false, open},
		{"every address, insecure", "0.0.0.0:0", nil, true, ""},
		{"every address, TLS without client certificates", "0.0.0.0:0", oneWay, false, open},
		{"every address, TLS both ways", "0.0.0.0:0", mutual, false, ""},
		{"no port", "127.0.0.1", nil, false, "write host:port, e.g. 127.0.0.1:9443, or unix:/path"},
		{"an empty address", "", nil, false, "write host:port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := Listen(t.Context(), tc.address, tc.conf, tc.insecure)
			if err == nil {
				l.Close()
			}
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDoorThatIsTaken(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(t.Context(), l.Addr().String(), nil, false); err == nil || !strings.HasSuffix(err.Error(), ": does another controller run here?") {
		t.Errorf("a port twice: %v", err)
	}

	path := filepath.Join(t.TempDir(), "api.sock")
	first, err := Listen(t.Context(), "unix:"+path, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	if _, err := Listen(t.Context(), "unix:"+path, nil, false); err == nil || !strings.Contains(err.Error(), "it is served") {
		t.Errorf("a socket that is served: %v", err)
	}
	// A process that is killed leaves its socket behind.
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := Listen(t.Context(), "unix:"+path, nil, false)
	if err != nil {
		t.Fatalf("a socket that was left behind: %v", err)
	}
	second.Close()
}

func TestServerTLSNamesTheFile(t *testing.T) {
	cert, key, _ := certificates(t)
	for name, tc := range map[string]struct{ cert, key, ca, want string }{
		"nothing":       {"", "", "", ""},
		"no key":        {cert, "", "", "go together"},
		"only a CA":     {"", "", cert, "a CA alone does not serve"},
		"no such file":  {cert + "x", key, "", cert + "x"},
		"no CA in file": {cert, key, key, key + ": holds no certificate in PEM"},
	} {
		_, err := ServerTLS(tc.cert, tc.key, tc.ca)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestOnlyClientsOfTheCAComeIn(t *testing.T) {
	cert, key, ca := certificates(t)
	conf, err := ServerTLS(cert, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0", conf, false)
	if err != nil {
		t.Fatal(err)
	}
	tl := tls.NewListener(l, conf)
	defer tl.Close()
	go func() {
		for {
			c, err := tl.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if c.(*tls.Conn).HandshakeContext(context.Background()) == nil {
					_, _ = c.Write([]byte("welcome"))
				}
			}()
		}
	}()
	greet := func(certs []tls.Certificate) error {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: conf.ClientCAs, Certificates: certs})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 7))
		return err
	}
	if err := greet(conf.Certificates); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := greet(nil); err == nil {
		t.Error("without a certificate: let in")
	}
}
