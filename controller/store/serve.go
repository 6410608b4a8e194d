package store

import (
	"context"
	"log/slog"
)

// ServeEtcd runs an etcd of one member until the context ends: for controllers on the same machine to share, so that one can try several.
// listen is a URL that other machines cannot reach, as Config.ListenClient. Its errors are those of Open.
func ServeEtcd(ctx context.Context, dataDir, listen string, log *slog.Logger) error {
	e, client, err := startEmbedded(ctx, Config{DataDir: dataDir, ListenClient: listen}, log)
	if err != nil {
		return err
	}
	<-ctx.Done()
	client.Close()
	e.close()
	return nil
}
