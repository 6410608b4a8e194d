// Package leader connects to whichever of several Weft controllers leads.
package leader

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // clients ask for health only when it is there
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// config makes a client keep a connection to each address, and use the one that says of itself that it serves: controllers that stand
// by do not (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
const config = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`

// A controller whose machine died, or whose process stands still, does not end its connections: it is asked for a sign of life. More often
// than every 10 s a server would not have it.
var alive = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}

// Dial prepares a client of the controllers at the addresses, HOST:PORT or unix:/PATH each. Calls go to the one that leads, also when
// that is another than before. Calls that come while nobody leads fail with UNAVAILABLE, or wait with grpc.WaitForReady. A single
// address is used whatever its controller says of itself. The error says which address is wrong, or which option.
func Dial(addresses []string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	if len(addresses) == 0 {
		return nil, fmt.Errorf("dial the controller: no address")
	}
	if len(addresses) == 1 {
		return grpc.NewClient(addresses[0], opts...)
	}
	var all []resolver.Address
	for _, a := range addresses {
		if path, ok := strings.CutPrefix(a, "unix:"); ok {
			all = append(all, resolver.Address{Addr: "unix:" + path, ServerName: "localhost"})
			continue
		}
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return nil, fmt.Errorf("controller %q: %w", a, err)
		}
		all = append(all, resolver.Address{Addr: a, ServerName: host})
	}
	r := manual.NewBuilderWithScheme("controllers")
	r.InitialState(resolver.State{Addresses: all})
	return grpc.NewClient(r.Scheme()+":///", append([]grpc.DialOption{grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(config),
		grpc.WithContextDialer(dial), grpc.WithKeepaliveParams(alive)}, opts...)...)
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
