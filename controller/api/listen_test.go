package api

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoorsOutsideOfLoopbackWantCertificates(t *testing.T) {
	mutual, oneWay := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, &tls.Config{}
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
