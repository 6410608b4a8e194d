// Package client speaks the API for the command line: it finds the controller, calls it, and says what to do when it does
// not answer. Objects are read and written generically, by their kind.
package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
)

// Default is where a controller listens when nobody says otherwise.
const Default = "127.0.0.1:9443"

// EnvServer is the environment variable that names the controller.
const EnvServer = "WEFT_SERVER"

// Choice is where the controllers are, and how that was come by.
type Choice struct {
	// Addresses are those of one controller, or of several that share a store: the one that leads is spoken to.
	Addresses []string
	// Tried lists the sources in order, each with what it gave, for the message when nobody answers.
	Tried []string
}

// Choose finds the controllers: the flag, the environment, the lab that runs on this machine, the default. Several addresses are
// separated by commas.
func Choose(flag string, getenv func(string) string, lab func() (string, bool)) (Choice, error) {
	var c Choice
	sources := []struct {
		name string
		get  func() string
		none string
	}{
		{"--server", func() string { return flag }, "not given"},
		{EnvServer, func() string { return getenv(EnvServer) }, "not set"},
		{"demo lab", func() string { a, _ := lab(); return a }, "none runs here"},
		{"default", func() string { return Default }, ""},
	}
	for _, s := range sources {
		if a := s.get(); a != "" {
			c.Tried = append(c.Tried, s.name+" "+a)
			c.Addresses = strings.Split(a, ",")
			break
		}
		c.Tried = append(c.Tried, s.name+" ("+s.none+")")
	}
	for _, a := range c.Addresses {
		if err := check(a); err != nil {
			return c, err
		}
		if local(a) != local(c.Addresses[0]) {
			return c, exit.New(exit.Usage, fmt.Sprintf("servers %s and %s: one is of this machine, and the other is not", c.Addresses[0], a))
		}
	}
	return c, nil
}

// String lists the addresses.
func (c Choice) String() string { return strings.Join(c.Addresses, ", ") }

// check tells what is wrong with an address.
func check(address string) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return exit.New(exit.Usage, fmt.Sprintf("server %q: the path of a unix socket begins with /, as in unix:/run/weft/api.sock", address))
		}
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return exit.New(exit.Usage, fmt.Sprintf("server %q is neither HOST:PORT nor unix:/PATH; e.g. %s", address, Default))
	}
	return nil
}

// TLS is what the flags say about transport security.
type TLS struct {
	CA, Cert, Key string
	Insecure      bool
}

// Credentials chooses how to speak to an address. Unix sockets and loopback are plain unless certificates are given;
// everything else is TLS unless Insecure.
func (t TLS) Credentials(address string) (credentials.TransportCredentials, error) {
	given := t.CA != "" || t.Cert != "" || t.Key != ""
	switch {
	case t.Insecure && given:
		return nil, exit.New(exit.Usage, "--insecure means no TLS: give it without --tls-ca, --tls-cert and --tls-key")
	case (t.Cert == "") != (t.Key == ""):
		return nil, exit.New(exit.Usage, "--tls-cert and --tls-key belong together: give both or none")
	case t.Insecure, !given && local(address):
		return insecure.NewCredentials(), nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, exit.New(exit.Usage, "--tls-ca: "+err.Error())
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, exit.New(exit.Usage, fmt.Sprintf("--tls-ca: %s has no certificate in PEM form", t.CA))
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, exit.New(exit.Usage, "--tls-cert, --tls-key: "+err.Error())
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(cfg), nil
}

// local says whether nothing that is sent to the address leaves the machine.
func local(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
