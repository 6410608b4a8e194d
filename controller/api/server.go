package api

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Times that nothing else says.
const (
	// bookmarkEvery is how often a watcher is told how far it has come while nothing happens.
	bookmarkEvery = 30 * time.Second
	// healthEvery is how often a watcher of hosts learns that a connection came or went, which the store does not know.
	healthEvery = time.Second
	// probeEvery and probeTimeout are for the question whether the store answers.
	probeEvery   = 2 * time.Second
	probeTimeout = 2 * time.Second
)

// Config is what the services work on. Only BookmarkInterval may be left zero.
type Config struct {
	Store   *store.Store
	Fleet   Fleet
	Journal Journal
	// Tables lists the tables of a bridge: br-int, br-tun, or by any other name those of the bridges of physical networks.
	Tables func(bridge string) []*flow.Table
	// Version is the controller's, for people.
	Version string
	// StoreKind is "embedded" or "external", for people.
	StoreKind string
	// BookmarkInterval is how often a watcher is told how far it has come while nothing happens; 0 means 30 s.
	BookmarkInterval time.Duration
	Registry         prometheus.Registerer
	Log              *slog.Logger
}

// Server implements the services of proto/weft/v1.
type Server struct {
	weftv1.UnimplementedNetworkServiceServer
	weftv1.UnimplementedSubnetServiceServer
	weftv1.UnimplementedPortServiceServer
	weftv1.UnimplementedHostServiceServer
	weftv1.UnimplementedRouterServiceServer
	weftv1.UnimplementedFloatingIPServiceServer
	weftv1.UnimplementedPortForwardingServiceServer
	weftv1.UnimplementedSecurityGroupServiceServer
	weftv1.UnimplementedSecurityGroupRuleServiceServer
	weftv1.UnimplementedAddressGroupServiceServer
	weftv1.UnimplementedQosPolicyServiceServer
	weftv1.UnimplementedWeftServiceServer
	weftv1.UnimplementedDiagnosticsServiceServer

	cfg     Config
	log     *slog.Logger
	metrics *metrics
	health  *health.Server
	started time.Time
	// closing is done when streams must end.
	closing context.Context
	close   context.CancelFunc
}

// New makes a server. It answers as soon as it is registered; Run keeps its health up to date.
func New(cfg Config) *Server {
	if cfg.BookmarkInterval == 0 {
		cfg.BookmarkInterval = bookmarkEvery
	}
	s := &Server{
		cfg:     cfg,
		log:     cfg.Log,
		metrics: newMetrics(cfg.Registry, cfg.Store),
		health:  health.NewServer(),
		started: time.Now(),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.serving(false)
	return s
}

// services are the names under which health can be asked for; "" is the whole server.
var services = []string{
	"",
	weftv1.NetworkService_ServiceDesc.ServiceName,
	weftv1.SubnetService_ServiceDesc.ServiceName,
	weftv1.PortService_ServiceDesc.ServiceName,
	weftv1.HostService_ServiceDesc.ServiceName,
	weftv1.RouterService_ServiceDesc.ServiceName,
	weftv1.FloatingIPService_ServiceDesc.ServiceName,
	weftv1.PortForwardingService_ServiceDesc.ServiceName,
	weftv1.SecurityGroupService_ServiceDesc.ServiceName,
	weftv1.SecurityGroupRuleService_ServiceDesc.ServiceName,
	weftv1.AddressGroupService_ServiceDesc.ServiceName,
	weftv1.QosPolicyService_ServiceDesc.ServiceName,
	weftv1.WeftService_ServiceDesc.ServiceName,
	weftv1.DiagnosticsService_ServiceDesc.ServiceName,
}

// Register adds the services, the health service among them, to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	weftv1.RegisterNetworkServiceServer(r, s)
	weftv1.RegisterSubnetServiceServer(r, s)
	weftv1.RegisterPortServiceServer(r, s)
	weftv1.RegisterHostServiceServer(r, s)
	weftv1.RegisterRouterServiceServer(r, s)
	weftv1.RegisterFloatingIPServiceServer(r, s)
	weftv1.RegisterPortForwardingServiceServer(r, s)
	weftv1.RegisterSecurityGroupServiceServer(r, s)
	weftv1.RegisterSecurityGroupRuleServiceServer(r, s)
	weftv1.RegisterAddressGroupServiceServer(r, s)
	weftv1.RegisterQosPolicyServiceServer(r, s)
	weftv1.RegisterWeftServiceServer(r, s)
	weftv1.RegisterDiagnosticsServiceServer(r, s)
	healthv1.RegisterHealthServer(r, s.health)
}

// Run keeps asking the store whether it answers, which is what the server's health says, until ctx is done; then it ends
// what waits: watches and WaitApplied.
func (s *Server) Run(ctx context.Context) error {
	defer func() {
		s.health.Shutdown()
		s.close()
	}()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	was := error(nil)
	for {
		err := s.probe(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.serving(err == nil)
		if (err == nil) != (was == nil) {
			if err != nil {
				s.log.Warn("the store does not answer; health says so", "err", err)
			} else {
				s.log.Info("the store answers again")
			}
		}
		was = err
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// probe makes the store prove that it knows the newest state.
func (s *Server) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := s.cfg.Store.Update(ctx, func(*store.Tx) error { return nil })
	return err
}

func (s *Server) serving(yes bool) {
	st := healthv1.HealthCheckResponse_NOT_SERVING
	if yes {
		st = healthv1.HealthCheckResponse_SERVING
	}
	for _, name := range services {
		s.health.SetServingStatus(name, st)
	}
}

// sight is what there is to see now.
func (s *Server) sight() *sight {
	snap, rev := s.cfg.Store.Snapshot()
	return &sight{Snapshot: snap, revision: rev, fleet: s.cfg.Fleet}
}

// errPanic is a mistake of ours, caught at the door.
type errPanic struct {
	value any
	stack []byte
}

func (e *errPanic) Error() string { return "internal error: the controller's log tells more" }

// errDry ends a transaction that was only a try.
var errDry = errors.New("only a try")

// write runs a function in a transaction, which is rolled back when dry. The revision is 0 then.
func (s *Server) write(ctx context.Context, dry bool, fn func(*store.Tx) error) (revision int64, err error) {
	revision, err = s.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		// The store runs this in a goroutine of its own, where a panic would end the controller.
		defer func() {
			if p := recover(); p != nil {
				err = &errPanic{p, debug.Stack()}
			}
		}()
		if err := fn(tx); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if errors.Is(err, errDry) {
		return 0, nil
	}
	return revision, err
}
