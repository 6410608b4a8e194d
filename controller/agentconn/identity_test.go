package agentconn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// certificate is one for a host, signed by itself.
func certificate(t *testing.T, name string, more ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: more, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// With certificates an agent is who its certificate says, from wherever it comes; who presents another host's name is
// refused, and that host's agent does not notice. That only certificates of the CA come in is the listener's affair.
func TestCertificateOfAnotherHostIsRefused(t *testing.T) {
	server := &tls.Config{Certificates: []tls.Certificate{certificate(t, "controller")}, ClientAuth: tls.RequestClientCert}
	w, client := serve(t, 7, grpc.Creds(credentials.NewTLS(server)))
	with := func(certs ...tls.Certificate) grpc.DialOption {
		return grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{Certificates: certs, InsecureSkipVerify: true}))
	}
	st := dial(t, client("127.0.0.1", with(certificate(t, "compute1"))), &nodev1.Hello{Host: "compute1"})
	w.await(t, "connected compute1 holding map[]")
	for _, tc := range []struct {
		name string
		by   grpc.DialOption
		code codes.Code
		want string
	}{
		{"another's certificate", with(certificate(t, "compute2", "compute2.example.org")), codes.PermissionDenied,
			`the certificate is for ["compute2" "compute2.example.org"], not for host "compute1"`},
		{"none", with(), codes.Unauthenticated, "a client certificate is needed"},
	} {
		// From the host's own address, and from another.
		for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
			_, err := dial(t, client(from, tc.by), &nodev1.Hello{Host: "compute1"}).Recv()
			if s := status.Convert(err); s.Code() != tc.code || s.Message() != tc.want {
				t.Errorf("%s from %s: %v", tc.name, from, err)
			}
		}
	}
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Ack{Ack: &nodev1.Ack{Nonce: "still here"}}})
	w.await(t, "acked compute1 still here []")
	dial(t, client("127.0.0.2", with(certificate(t, "a name for people", "compute2"))), &nodev1.Hello{Host: "compute2"})
	w.await(t, "connected compute2 holding map[]")
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.said, "disconnected compute1") {
		t.Errorf("the agent of compute1 was cut: %q", w.said)
	}
}
