// Command weft-nsagent makes one host what the controller wants it to be: bridges, tunnels and port bindings in Open
// vSwitch, and the namespaces of routers, floating IPs and DHCP. It runs on every host, and what it made goes on when it
// ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/nsagent/agent"
)

// gcPercent trades processor time, of which the agent needs little, for memory, of which every host has its copy.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "weft-nsagent:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "weft-nsagent",
		Short: "Node agent of Weft: makes a host's bridges, ports and namespaces what the controller wants",
		Long: `Node agent of Weft: makes a host's bridges, ports and namespaces what the controller wants.

Every flag can also be given by an environment variable, WEFT_ and the flag in capitals: WEFT_TUNNEL_IP for
--tunnel-ip. A flag wins over the environment.

SIGTERM ends the agent at once. Everything that it made stays in place, and traffic goes on; only the metadata service
is away until the agent is back. A service manager must end this process alone, and not the DHCP servers and senders of
router advertisements that it started (systemd: KillMode=process).`,
		Args:          cobra.NoArgs,
		Version:       program.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), os.LookupEnv); err != nil {
				return err
			}
			log, err := o.log.Logger(os.Stderr)
			if err != nil {
				return err
			}
			cfg, err := o.config(system(), log)
			if err != nil {
				return err
			}
			cfg.Version, cfg.Log = program.Version(), log
			return run(cmd.Context(), cfg, o.metrics)
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

// run works until the context ends or the metrics cannot be served.
func run(ctx context.Context, cfg agent.Config, metrics string) error {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	cfg.Metrics = reg
	var ln net.Listener
	if metrics != "" {
		var err error
		if ln, err = net.Listen("tcp", metrics); err != nil {
			return fmt.Errorf("--metrics: %w", err)
		}
		defer ln.Close()
	}
	a, err := agent.New(cfg)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx) })
	if ln != nil {
		cfg.Log.Info("metrics", "address", ln.Addr())
		g.Go(func() error { return serveMetrics(ctx, ln, reg) })
	}
	return g.Wait()
}

func serveMetrics(ctx context.Context, ln net.Listener, reg *prometheus.Registry) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("--metrics: %w", err)
	}
	return nil
}
