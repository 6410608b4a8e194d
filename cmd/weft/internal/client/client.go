package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/proto/leader"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// maxAnswer bounds one answer, in bytes: the rows of a bridge with a million flows.
const maxAnswer = 512 << 20

// Pings find out that the other end of a watch is gone without having said so. Servers of gRPC cut off who pings more
// often than every 5 minutes unless they are told otherwise; ours takes a ping every 10 seconds.
const (
	pingEvery   = 15 * time.Second
	pingTimeout = 10 * time.Second
)

// Client is a connection to a controller.
type Client struct {
	conn    *grpc.ClientConn
	choice  Choice
	timeout time.Duration

	Weft        weftv1.WeftServiceClient
	Diagnostics weftv1.DiagnosticsServiceClient
	Routers     weftv1.RouterServiceClient
}

// Dial prepares the connection; the first call makes it. Timeout limits each call.
func Dial(choice Choice, t TLS, timeout time.Duration) (*Client, error) {
	creds, err := t.Credentials(choice.Addresses[0])
	if err != nil {
		return nil, err
	}
	conn, err := leader.Dial(choice.Addresses,
		grpc.WithTransportCredentials(creds),
		// Of several controllers none may lead for a moment.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.WaitForReady(len(choice.Addresses) > 1)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}))
	if err != nil {
		return nil, exit.New(exit.Usage, "server "+choice.String()+": "+err.Error())
	}
	return &Client{conn: conn, choice: choice, timeout: timeout,
		Weft: weftv1.NewWeftServiceClient(conn), Diagnostics: weftv1.NewDiagnosticsServiceClient(conn),
		Routers: weftv1.NewRouterServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// Limit is a context for one call.
func (c *Client) Limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// Timeout is the limit of one call.
func (c *Client) Timeout() time.Duration { return c.timeout }

// Fail makes the error of a call the end of a command. Place says what the fields in it belong to.
func (c *Client) Fail(err error, place exit.Place) *exit.Error {
	st, _ := status.FromError(err)
	reason := connecting(st)
	if reason == "" {
		return exit.FromRPC(err, place)
	}
	if reason == tooLate && len(c.choice.Addresses) > 1 {
		reason = "none answered within --timeout, and leads"
	}
	e := exit.New(exit.Unknown, "no controller answers at "+c.choice.String()+": "+reason+" ["+exit.CodeName(st.Code())+"]")
	e.Notes = []string{"tried: " + strings.Join(c.choice.Tried, ", ")}
	e.Try = remedy(reason)
	return e
}

// broken begins the texts of gRPC about a connection; the server's own answers never begin so.
var broken = []string{"connection error: ", "last connection error: ", "error reading from server: ", "error reading server preface: ",
	"name resolver error: ", "connection closed before server preface received", "keepalive ping failed", "transport is closing",
	"closing transport", "the connection is draining", "read tcp ", "write tcp ", "read unix ", "write unix "}

const tooLate = "no connection within --timeout"

// connecting returns why there is no connection, or "" when the error is the server's own answer. gRPC marks the
// difference only in its texts.
func connecting(st *status.Status) string {
	text := st.Message()
	switch st.Code() {
	case codes.Unavailable:
		if !slices.ContainsFunc(broken, func(s string) bool { return strings.HasPrefix(text, s) }) {
			return ""
		}
		for _, noise := range []string{"connection error: desc = ", "error reading from server: ", "transport: ", "Error while dialing: "} {
			text = strings.Trim(strings.TrimPrefix(text, noise), `"`)
		}
		return text
	case codes.DeadlineExceeded:
		if strings.Contains(text, "waiting for connections to become ready") || strings.Contains(text, "latest balancer error") {
			return tooLate
		}
	}
	return ""
}

// remedy is what to do when a connection failed for a reason.
func remedy(reason string) string {
	switch {
	case strings.Contains(reason, "first record does not look like a TLS handshake"):
		return "--insecure, if the controller speaks without TLS and the network between is trusted"
	case strings.Contains(reason, "x509:"), strings.Contains(reason, "tls:"):
		return "--tls-ca FILE with the authority that signed the controller's certificate; --tls-cert and --tls-key if it asks for one"
	case strings.Contains(reason, "server preface"), strings.Contains(reason, "EOF"), strings.Contains(reason, "reset by peer"),
		strings.Contains(reason, "broken pipe"):
		return "--tls-ca FILE if the controller speaks TLS, and --tls-cert and --tls-key if it asks for a certificate; else look at its log"
	}
	return "start one (weft demo up, or weft-controller), or name it with --server HOST:PORT or " + EnvServer
}
