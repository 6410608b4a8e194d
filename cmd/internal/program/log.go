package program

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/pflag"
)

// Log is how a daemon logs: the flags --log-level and --log-format.
type Log struct{ level, format string }

// Flags defines the flags.
func (l *Log) Flags(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&l.format, "log-format", "text", "text or json")
}

// Logger makes what the flags say, or tells all that is wrong with them.
func (l *Log) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	var errs []error
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level: %q is none of debug, info, warn, error", l.level))
	}
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler
	switch strings.ToLower(l.format) {
	case "text":
		h = slog.NewTextHandler(w, opts)
	case "json":
		h = slog.NewJSONHandler(w, opts)
	default:
		errs = append(errs, fmt.Errorf("--log-format: %q is neither text nor json", l.format))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slog.New(h), nil
}
