package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

func TestChoose(t *testing.T) {
	lab := func() (string, bool) { return "unix:/run/lab.sock", true }
	noLab := func() (string, bool) { return "", false }
	for name, c := range map[string]struct {
		flag, env string
		lab       func() (string, bool)
		want      Choice
	}{
		"the flag wins": {"a:1", "b:2", lab, Choice{[]string{"a:1"}, []string{"--server a:1"}}},
		"the environment before the lab": {"", "[::1]:2", lab,
			Choice{[]string{"[::1]:2"}, []string{"--server (not given)", "WEFT_SERVER [::1]:2"}}},
		"the lab": {"", "", lab,
			Choice{[]string{"unix:/run/lab.sock"}, []string{"--server (not given)", "WEFT_SERVER (not set)", "demo lab unix:/run/lab.sock"}}},
		"the default": {"", "", noLab,
			Choice{[]string{"127.0.0.1:9443"}, []string{"--server (not given)", "WEFT_SERVER (not set)", "demo lab (none runs here)", "default 127.0.0.1:9443"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(c.flag, func(k string) string { return map[string]string{EnvServer: c.env}[k] }, c.lab)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for _, bad := range []string{"host", "host:", ":1", "unix:a", "unix:", "1.2.3.4:5:6"} {
		if _, err := Choose(bad, os.Getenv, noLab); exit.From(err).Code != exit.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestLocalAddresses(t *testing.T) {
	for address, want := range map[string]bool{"unix:/a": true, "127.0.0.1:1": true, "127.3.2.1:1": true, "[::1]:1": true, "localhost:1": true,
		"192.0.2.1:1": false, "example.org:1": false, "0.0.0.0:1": false, "localhost.example.org:1": false} {
		if got := local(address); got != want {
			t.Errorf("local(%q) = %v", address, got)
		}
	}
}

// serve answers on a loopback address with the options until the test ends.
func serve(t *testing.T, opts ...grpc.ServerOption) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { fakeapi.New().Serve(ctx, l, opts...) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return l.Addr().String()
}

// ask lists the networks of a server.
func ask(t *testing.T, address string, conf TLS) error {
	t.Helper()
	c, err := Dial(Choice{Addresses: []string{address}, Tried: []string{"--server " + address}}, conf, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_, _, err = c.List(context.Background(), kind.Network, nil)
	return err
}

// authority makes a CA and a certificate for 127.0.0.1 in files.
func authority(t *testing.T) (ca, cert, key string) {
	t.Helper()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = write("cert.pem", "CERTIFICATE", der)
	return cert, cert, write("key.pem", "PRIVATE KEY", keyDER)
}

func TestTLS(t *testing.T) {
	ca, cert, key := authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	server := &tls.Config{Certificates: []tls.Certificate{pair}}
	mutual := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	otherCA, _, _ := authority(t)

	for name, c := range map[string]struct {
		server *tls.Config
		client TLS
		// code, and words of the message and the remedy; "" when it works.
		code         int
		message, try string
	}{
		"plain on loopback":                    {nil, TLS{}, 0, "", ""},
		"TLS with our CA":                      {server, TLS{CA: ca}, 0, "", ""},
		"TLS with another CA":                  {server, TLS{CA: otherCA}, exit.Unknown, "certificate signed by unknown authority", "--tls-ca FILE"},
		"mutual TLS":                           {mutual, TLS{CA: ca, Cert: cert, Key: key}, 0, "", ""},
		"mutual TLS without certificate":       {mutual, TLS{CA: ca}, exit.Unknown, "no controller answers", "--tls-cert and --tls-key if it asks for"},
		"plain client, TLS server":             {server, TLS{}, exit.Unknown, "no controller answers", "--tls-ca FILE if the controller speaks TLS"},
		"TLS client, plain server":             {nil, TLS{CA: ca}, exit.Unknown, "first record does not look like a TLS handshake", "--insecure"},
		"the CA's file has no certificate":     {server, TLS{CA: key}, exit.Usage, "no certificate in PEM form", ""},
		"the key's file is missing":            {server, TLS{CA: ca, Cert: cert, Key: "none"}, exit.Usage, "no such file", ""},
		"a certificate without its key":        {server, TLS{Cert: cert}, exit.Usage, "belong together", ""},
		"insecure with a CA contradict itself": {server, TLS{CA: ca, Insecure: true}, exit.Usage, "--insecure means no TLS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []grpc.ServerOption
			if c.server != nil {
				opts = append(opts, grpc.Creds(credentials.NewTLS(c.server)))
			}
			err := ask(t, serve(t, opts...), c.client)
			if c.code == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *exit.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Code != c.code || !strings.Contains(e.Error(), c.message) || !strings.Contains(e.Try, c.try) {
				t.Errorf("exit %d, %q, try %q; want %d, %q, %q", e.Code, e.Error(), e.Try, c.code, c.message, c.try)
			}
		})
	}
}

func TestAddressesOfOtherMachinesAreTLSUnlessInsecure(t *testing.T) {
	for _, c := range []struct {
		conf    TLS
		address string
		want    string
	}{
		{TLS{}, "192.0.2.1:9443", "tls"},
		{TLS{Insecure: true}, "192.0.2.1:9443", "insecure"},
		{TLS{}, "127.0.0.1:9443", "insecure"},
		{TLS{}, "unix:/s", "insecure"},
	} {
		creds, err := c.conf.Credentials(c.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := creds.Info().SecurityProtocol; got != c.want {
			t.Errorf("%+v %s: %s, want %s", c.conf, c.address, got, c.want)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	e := exit.From(ask(t, address, TLS{}))
	want := &exit.Error{Code: exit.Unknown,
		Messages: []string{"no controller answers at " + address + ": dial tcp " + address + ": connect: connection refused [UNAVAILABLE]"},
		Notes:    []string{"tried: --server " + address},
		Try:      "start one (weft demo up, or weft-controller), or name it with --server HOST:PORT or WEFT_SERVER"}
	if d := cmp.Diff(want, e); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What the server says of others' connections is its answer.
func TestUnavailableByTheServersWordIsAnAnswer(t *testing.T) {
	for text, want := range map[string]string{
		"host compute1: br-int: read tcp 192.0.2.1:6653: connection reset by peer":                "",
		"the store does not answer: context deadline exceeded":                                    "",
		"write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe":                                  "write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe",
		"error reading from server: EOF":                                                          "EOF",
		`connection error: desc = "transport: Error while dialing: dial unix /s: no such file"`:   "dial unix /s: no such file",
		`connection error: desc = "error reading server preface: read tcp 127.0.0.1:1: no route"`: "error reading server preface: read tcp 127.0.0.1:1: no route",
	} {
		if got := connecting(status.New(codes.Unavailable, text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A listener that accepts and says nothing is no controller, and does not hold anybody up.
func TestMutePeer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(Choice{Addresses: []string{l.Addr().String()}}, TLS{}, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Get(context.Background(), kind.Port, "x")
	if e := exit.From(err); e.Code != exit.Unknown || e.Error() != "no controller answers at "+l.Addr().String()+": no connection within --timeout [DEADLINE_EXCEEDED]" {
		t.Errorf("exit %d: %v", e.Code, e)
	}
}
