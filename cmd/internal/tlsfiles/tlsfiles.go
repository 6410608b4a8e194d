// Package tlsfiles serves and dials with certificates out of files, and takes up files that were renewed without a
// restart: every handshake looks whether they have changed. While new files cannot be used – the certificate is there and
// its key is not yet – the old ones stay in use.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// Files are paths of PEM files; empty for none.
type Files struct {
	// Cert and Key go together.
	Cert, Key string
	// CA is what the other side must have a certificate of.
	CA string
}

// Set is files, and what was read of them last. It is safe for concurrent use.
type Set struct {
	files Files
	log   *slog.Logger

	mu sync.Mutex
	// seen is what the files looked like when they were read, or found to be of no use.
	seen [3]stamp
	read content
}

// content is what was in the files. It is not changed.
type content struct {
	pair *tls.Certificate // nil without a certificate
	pool *x509.CertPool   // nil without a CA
	// server is for handshakes with who dials us.
	server *tls.Config
}

// stamp tells versions of a file apart.
type stamp struct {
	info fs.FileInfo
	err  string
}

func (s stamp) equal(t stamp) bool {
	if s.info == nil || t.info == nil {
		return s.info == t.info && s.err == t.err
	}
	return os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}

// Open reads the files. The error names the one that cannot be used.
func Open(f Files, log *slog.Logger) (*Set, error) {
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("a certificate and its key go together: one of the files is not named")
	}
	s := &Set{files: f, log: log}
	// Before they are read: what is written meanwhile is read the next time.
	s.seen = f.stamps()
	var err error
	s.read, err = f.load()
	return s, err
}

func (f Files) stamps() (st [3]stamp) {
	for i, path := range []string{f.Cert, f.Key, f.CA} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			st[i].err = err.Error()
			continue
		}
		st[i].info = info
	}
	return st
}

func (f Files) load() (c content, err error) {
	c.server = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		// A resumed session would go on with what was valid when it began.
		SessionTicketsDisabled: true}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return c, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
		}
		c.pair, c.server.Certificates = &pair, []tls.Certificate{pair}
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return c, fmt.Errorf("CA: %w", err)
		}
		c.pool = x509.NewCertPool()
		if !c.pool.AppendCertsFromPEM(pem) {
			return c, fmt.Errorf("CA %s: holds no certificate in PEM", f.CA)
		}
		c.server.ClientCAs, c.server.ClientAuth = c.pool, tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// now is what is in the files, or was when they could last be used.
func (s *Set) now() content {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.files.stamps()
	if seen[0].equal(s.seen[0]) && seen[1].equal(s.seen[1]) && seen[2].equal(s.seen[2]) {
		return s.read
	}
	s.seen = seen
	read, err := s.files.load()
	if err != nil {
		s.log.Warn("changed TLS files cannot be used; the former ones stay in use", "err", err)
		return s.read
	}
	s.read = read
	s.log.Info("TLS files were read anew", "cert", s.files.Cert, "ca", s.files.CA)
	return s.read
}

// Server is for listeners. With a CA, clients must have a certificate of it.
func (s *Set) Server() *tls.Config {
	conf := s.now().server.Clone()
	conf.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.now().server, nil }
	return conf
}

// Client is for one dialled connection, or for several when only the certificate is ever renewed: the CA is that of now.
func (s *Set) Client() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.now().pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if pair := s.now().pair; pair != nil {
				return pair, nil
			}
			return &tls.Certificate{}, nil
		}}
}
