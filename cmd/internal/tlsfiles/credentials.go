package tlsfiles

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials are those of a gRPC client, with what the files hold at each connection.
func (s *Set) Credentials() credentials.TransportCredentials {
	return &dialler{TransportCredentials: credentials.NewTLS(s.Client()), set: s}
}

// dialler makes each handshake with a configuration of its own: one that is shared could not have another CA later.
type dialler struct {
	credentials.TransportCredentials
	set *Set
}

func (d *dialler) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(d.set.Client()).ClientHandshake(ctx, authority, conn)
}

func (d *dialler) Clone() credentials.TransportCredentials {
	return &dialler{TransportCredentials: d.TransportCredentials.Clone(), set: d.set}
}
