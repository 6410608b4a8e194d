package lab

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// novaPort is where Nova's metadata API listens by default.
const novaPort = "8775"

// NovaRequest is a request as Nova saw it.
type NovaRequest struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Header http.Header `json:"header"`
	// From is the address of the caller's socket.
	From string `json:"from"`
	// Signed says that X-Instance-ID-Signature is the HMAC-SHA256 of X-Instance-ID by the shared secret.
	Signed bool `json:"signed"`
}

// novaMain is the applet "nova FILE SECRET": Nova's metadata API as far as a proxy can tell. It writes down what it is
// asked, a line each, and answers with the id of the instance; 403 when the signature is wrong, as Nova does.
func novaMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: nova FILE SECRET")
	}
	file, err := os.OpenFile(args[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	var mu sync.Mutex
	return http.ListenAndServe(":"+novaPort, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mac := hmac.New(sha256.New, []byte(args[1]))
		mac.Write([]byte(r.Header.Get("X-Instance-ID")))
		asked := NovaRequest{
			Method: r.Method, Path: r.URL.Path, Header: r.Header, From: r.RemoteAddr,
			Signed: hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Instance-ID-Signature"))),
		}
		// The request that is asked for to see whether anybody listens is nobody's.
		if r.URL.Path == "/ready" {
			return
		}
		line, err := json.Marshal(asked)
		if err == nil {
			mu.Lock()
			_, err = file.Write(append(line, '\n'))
			mu.Unlock()
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case !asked.Signed:
			http.Error(w, "Invalid proxy request signature.", http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "nova: %s", r.Header.Get("X-Instance-ID"))
		}
	}))
}

// Nova is a metadata service that writes down what it is asked.
type Nova struct {
	// URL is where the agents reach it, and SecretFile holds the shared secret.
	URL, SecretFile string

	name, file string
	box        *nsbox.Box
}

// StartNova starts it on the controller's machine.
func (l *Lab) StartNova(ctx context.Context, secret string) (*Nova, error) {
	n := &Nova{name: "nova-" + uuid.NewString(), box: l.Controller, URL: "http://" + controllerIP + ":" + novaPort}
	n.SecretFile = filepath.Join(l.Dir, n.name+".secret")
	if err := os.WriteFile(n.SecretFile, []byte(secret), 0o600); err != nil {
		return nil, fmt.Errorf("nova: %w", err)
	}
	n.file = filepath.Join(l.Dir, "log", n.name+".json")
	if _, err := n.box.Start(ctx, nsbox.Command{Name: n.name, Log: l.log(n.name), Argv: nsbox.Applet("nova", n.file, secret)}); err != nil {
		return nil, fmt.Errorf("nova: %w", err)
	}
	if err := Poll(ctx, 10*time.Second, func() error {
		_, err := n.box.Exec(ctx, "curl", "-sf", "http://127.0.0.1:"+novaPort+"/ready")
		return err
	}); err != nil {
		return nil, errors.Join(fmt.Errorf("nova: %w", err), n.Stop(context.WithoutCancel(ctx)))
	}
	return n, nil
}

// Requests are all requests so far, oldest first.
func (n *Nova) Requests() ([]NovaRequest, error) {
	file, err := os.Open(n.file)
	if err != nil {
		return nil, fmt.Errorf("nova: %w", err)
	}
	defer file.Close()
	var all []NovaRequest
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r NovaRequest
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("nova: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Stop ends it.
func (n *Nova) Stop(ctx context.Context) error {
	return n.box.Stop(ctx, n.name, syscall.SIGKILL, 10*time.Second)
}
