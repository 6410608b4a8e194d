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
	return cmd
}
