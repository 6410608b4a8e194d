package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	apidocs "github.com/weft-sdn/weft/docs/api"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Limits of the HTTP door.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	// pipeBuffer is what may be on its way inside the process, per direction of a connection.
	pipeBuffer = 1 << 20
	// maxAnswer is the size of an answer in bytes that is turned into JSON: a table of a hundred thousand flows.
	maxAnswer = 256 << 20
)

// REST is the HTTP door: REST and JSON under /v1, /openapi.json, /healthz and /metrics.
type REST struct {
	*http.Server
	grpc *grpc.Server
	conn *grpc.ClientConn
}

// NewREST makes the HTTP door. Requests reach the services inside the process, through the same interceptors as those of
// gRPC clients. metrics serves /metrics. Its Close must be called, also when it never served.
func (s *Server) NewREST(metrics http.Handler) (*REST, error) {
	pipe := bufconn.Listen(pipeBuffer)
	g := s.NewGRPC()
	go func() {
		// It ends with ErrServerStopped or nil, when Close stops it.
		_ = g.Serve(pipe)
	}()
	conn, err := grpc.NewClient("passthrough:///in-process",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(maxRequest)),
	)
	if err != nil {
		g.Stop()
		return nil, fmt.Errorf("connect the REST door to the services: %w", err)
	}
	gateway, err := newGateway(conn)
	if err != nil {
		conn.Close()
		g.Stop()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", gateway)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// A client that went away needs no answer.
		_, _ = w.Write(apidocs.OpenAPI)
	})
	mux.HandleFunc("GET /healthz", s.healthz)
	return &REST{grpc: g, conn: conn, Server: newHTTP(mux)}, nil
}

// NewStandby makes the HTTP door of a controller that stands by: /metrics is there, all else is refused with what leads says.
func NewStandby(metrics http.Handler, leads func(context.Context) string) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuseHTTP(w, http.StatusServiceUnavailable, codes.Unavailable, leads(r.Context()))
	})
	return newHTTP(mux)
}

func newHTTP(h http.Handler) *http.Server {
	return &http.Server{Handler: guarded(h), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
}

// Close ends all connections at once.
func (r *REST) Close() error {
	err := r.Server.Close()
	r.conn.Close()
	r.grpc.Stop()
	return err
}

func newGateway(conn *grpc.ClientConn) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, strictJSON{&runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
			// An unknown field is an error, and not ignored.
			UnmarshalOptions: protojson.UnmarshalOptions{},
		}}),
		runtime.WithErrorHandler(refuseREST),
		runtime.SetQueryParameterParser(strictQuery{}),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		weftv1.RegisterNetworkServiceHandler,
		weftv1.RegisterSubnetServiceHandler,
		weftv1.RegisterPortServiceHandler,
		weftv1.RegisterHostServiceHandler,
		weftv1.RegisterRouterServiceHandler,
		weftv1.RegisterFloatingIPServiceHandler,
		weftv1.RegisterPortForwardingServiceHandler,
		weftv1.RegisterSecurityGroupServiceHandler,
		weftv1.RegisterSecurityGroupRuleServiceHandler,
		weftv1.RegisterAddressGroupServiceHandler,
		weftv1.RegisterQosPolicyServiceHandler,
		weftv1.RegisterWeftServiceHandler,
		weftv1.RegisterDiagnosticsServiceHandler,
	} {
		if err := register(context.Background(), mux, conn); err != nil {
			return nil, fmt.Errorf("set up the REST door: %w", err)
		}
	}
	return mux, nil
}

// strictQuery refuses a query parameter that the request does not have: ?validate_onyl=true must not write.
type strictQuery struct{}

func (strictQuery) Parse(msg proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	for name := range values {
		if !hasField(msg.ProtoReflect().Descriptor(), name) {
			return unknownError{{Field: name, Message: "is no parameter of this request" + didYouMean(name, fieldNames(msg.ProtoReflect().Descriptor()))}}
		}
	}
	return (&runtime.DefaultQueryParser{}).Parse(msg, values, filter)
}

func hasField(md protoreflect.MessageDescriptor, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if md == nil {
			return false
		}
		name, _, _ = strings.Cut(name, "[")
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			fd = md.Fields().ByJSONName(name)
		}
		if fd == nil {
			return false
		}
		md = fd.Message()
	}
	return true
}

// guarded keeps web pages that somebody has open on the controller's machine from using the door: it refuses requests
// that a page can make without being asked (RFC 6454 4, Fetch 2.2.2), limits their size, and, on loopback, refuses names
// that a page's owner may have let point there.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case onLoopback(r) && !localName(r.Host):
			refuseHTTP(w, http.StatusForbidden, codes.PermissionDenied, fmt.Sprintf("host %q is not this machine; use localhost or an address", r.Host))
			return
		case foreignOrigin(r):
			refuseHTTP(w, http.StatusForbidden, codes.PermissionDenied, fmt.Sprintf("pages of %s may not use this API", r.Header.Get("Origin")))
			return
		case (r.Method == http.MethodPost || r.Method == http.MethodPatch || r.Method == http.MethodPut) && !isJSON(r.Header.Get("Content-Type")):
			refuseHTTP(w, http.StatusUnsupportedMediaType, codes.InvalidArgument, "send Content-Type: application/json")
			return
		case !isText(r.URL):
			refuseHTTP(w, http.StatusBadRequest, codes.InvalidArgument, "the path or the query is not UTF-8")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		next.ServeHTTP(w, r)
	})
}

// isText says whether a path and a query can become the text of a message.
func isText(u *url.URL) bool {
	query, err := url.QueryUnescape(u.RawQuery)
	return utf8.ValidString(u.Path) && (err != nil || utf8.ValidString(query)) // what cannot be unescaped is refused as such
}

func onLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.IP.IsLoopback()
}

func localName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

func foreignOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == "application/json"
}

// refuseHTTP answers like the gateway does, with a google.rpc.Status.
func refuseHTTP(w http.ResponseWriter, code int, c codes.Code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	b, err := protojson.Marshal(status.New(c, message).Proto())
	if err != nil {
		b, _ = json.Marshal(map[string]any{"code": int(c)})
	}
	// A client that went away needs no answer.
	_, _ = w.Write(b)
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	res, err := s.health.Check(r.Context(), &healthv1.HealthCheckRequest{})
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil || res.Status != healthv1.HealthCheckResponse_SERVING {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "the store does not answer\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}
