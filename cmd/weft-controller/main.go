// Command weft-controller is the centre: it keeps intent, answers the API, and programs the switches of all hosts.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/controller/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command()
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "weft-controller:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use:           "weft-controller",
		Short:         "OpenFlow controller of Weft: keeps intent, programs the switches of all hosts",
		Args:          cobra.NoArgs,
		Version:       program.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := cfg.log.Logger(os.Stderr)
			if err != nil {
				return err
			}
			return run(cmd.Context(), cfg, log)
		},
	}
	cfg.flags(cmd.Flags())
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.AddCommand(etcdCommand())
	return cmd
}

// etcdCommand makes "weft-controller etcd".
func etcdCommand() *cobra.Command {
	var dir, listen string
	var log program.Log
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "An etcd for several controllers on this machine, to try them; of one member, without TLS, on loopback only",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := log.Logger(os.Stderr)
			if err != nil {
				return err
			}
			return store.ServeEtcd(cmd.Context(), dir, listen, l)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "/var/lib/weft-etcd", "directory of its data")
	cmd.Flags().StringVar(&listen, "listen", "http://127.0.0.1:2379", "where controllers reach it: http://127.0.0.1:PORT or unix:///PATH")
	log.Flags(cmd.Flags())
	return cmd
}
