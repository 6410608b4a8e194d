package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weft-sdn/weft/proto/leader"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// Cloud is a lab, and clients of the API of its controller, or of the one that leads.
type Cloud struct {
	Lab                *lab.Lab
	Networks           weftv1.NetworkServiceClient
	Subnets            weftv1.SubnetServiceClient
	Ports              weftv1.PortServiceClient
	Routers            weftv1.RouterServiceClient
	FloatingIPs        weftv1.FloatingIPServiceClient
	PortForwardings    weftv1.PortForwardingServiceClient
	SecurityGroups     weftv1.SecurityGroupServiceClient
	SecurityGroupRules weftv1.SecurityGroupRuleServiceClient
	AddressGroups      weftv1.AddressGroupServiceClient
	QosPolicies        weftv1.QosPolicyServiceClient
	Hosts              weftv1.HostServiceClient
	Weft               weftv1.WeftServiceClient
	Diagnostics        weftv1.DiagnosticsServiceClient

	health grpc_health_v1.HealthClient
	conn   *grpc.ClientConn
}

// Dial makes the clients. Calls wait while the controller is away, as long as their context lasts.
func Dial(l *lab.Lab) (*Cloud, error) {
	// The defaults wait up to two minutes before they try again: the controller is killed often here.
	retry := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
		MinConnectTimeout: 5 * time.Second,
	}
	var addresses []string
	for _, c := range l.Controllers() {
		addresses = append(addresses, "unix:"+c.APISocket)
	}
	conn, err := leader.Dial(addresses, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(retry), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return &Cloud{
		Lab: l, conn: conn, health: grpc_health_v1.NewHealthClient(conn),
		Networks: weftv1.NewNetworkServiceClient(conn), Subnets: weftv1.NewSubnetServiceClient(conn),
		Ports: weftv1.NewPortServiceClient(conn), Hosts: weftv1.NewHostServiceClient(conn),
		Routers: weftv1.NewRouterServiceClient(conn), FloatingIPs: weftv1.NewFloatingIPServiceClient(conn),
		PortForwardings: weftv1.NewPortForwardingServiceClient(conn),
		SecurityGroups:  weftv1.NewSecurityGroupServiceClient(conn), SecurityGroupRules: weftv1.NewSecurityGroupRuleServiceClient(conn),
		AddressGroups: weftv1.NewAddressGroupServiceClient(conn),
		QosPolicies:   weftv1.NewQosPolicyServiceClient(conn),
		Weft:          weftv1.NewWeftServiceClient(conn), Diagnostics: weftv1.NewDiagnosticsServiceClient(conn),
	}, nil
}

// Close ends the connection; the lab stays.
func (c *Cloud) Close() error { return c.conn.Close() }

// StartController starts the controller and waits until it serves.
func (c *Cloud) StartController(ctx context.Context) error {
	if err := c.Lab.StartController(ctx); err != nil {
		return err
	}
	return c.WaitServing(ctx)
}

// WaitServing waits until the controller answers.
func (c *Cloud) WaitServing(ctx context.Context) error {
	return lab.Poll(ctx, 60*time.Second, func() error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		r, err := c.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			return fmt.Errorf("controller: %w", err)
		}
		if r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("controller: %s", r.GetStatus())
		}
		return nil
	})
}

// StartAgents starts the agents of all hosts at the same instant, and waits until every host is ready.
func (c *Cloud) StartAgents(ctx context.Context) error {
	g, starting := errgroup.WithContext(ctx)
	for _, h := range c.Lab.Hosts {
		g.Go(func() error { return h.StartAgent(starting) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return c.WaitReady(ctx)
}

// EnsureUp starts the controller and the agents that do not run, and waits until every host that is on is ready.
func (c *Cloud) EnsureUp(ctx context.Context) error {
	runs, err := lab.Runs(ctx, c.Lab.Controller, lab.ControllerProcess)
	if err == nil && !runs {
		err = c.Lab.StartController(ctx)
	}
	if err != nil {
		return err
	}
	for _, h := range c.Lab.Hosts {
		if h.Box == nil {
			continue
		}
		runs, err := lab.Runs(ctx, h.Box, lab.AgentProcess)
		if err == nil && !runs {
			err = h.StartAgent(ctx)
		}
		if err != nil {
			return err
		}
	}
	if err := c.WaitServing(ctx); err != nil {
		return err
	}
	return c.WaitReady(ctx)
}

// WaitReady waits until every host of the lab that is on is Ready.
func (c *Cloud) WaitReady(ctx context.Context) error {
	return lab.Poll(ctx, 60*time.Second, func() error {
		list, err := c.Hosts.ListHosts(ctx, &weftv1.ListHostsRequest{})
		if err != nil {
			return fmt.Errorf("list hosts: %w", err)
		}
		var lag []string
		for _, h := range c.Lab.Hosts {
			if h.Box == nil {
				continue
			}
			i := slices.IndexFunc(list.GetHosts(), func(o *weftv1.Host) bool { return o.GetMetadata().GetId() == h.Name })
			switch {
			case i < 0:
				lag = append(lag, h.Name+" is not known")
			case list.GetHosts()[i].GetStatus().GetStatus() != "Ready":
				lag = append(lag, h.Name+": "+why(list.GetHosts()[i].GetStatus().GetConditions()))
			}
		}
		return lagError(lag)
	})
}

// why lists what is not as it should be.
func why(conditions []*weftv1.Condition) string {
	var bad []string
	for _, c := range conditions {
		if c.GetStatus() != "True" {
			bad = append(bad, fmt.Sprintf("%s=%s %s: %s", c.GetType(), c.GetStatus(), c.GetReason(), c.GetMessage()))
		}
	}
	if len(bad) == 0 {
		return "not ready, no reason given"
	}
	return strings.Join(bad, ", ")
}

func lagError(lag []string) error {
	if len(lag) == 0 {
		return nil
	}
	return errors.New(strings.Join(lag, "; "))
}

// Settle waits until every host has applied all that was asked for and reported until now.
func (c *Cloud) Settle(ctx context.Context) error {
	r, err := c.Weft.WaitApplied(ctx, &weftv1.WaitAppliedRequest{Timeout: durationpb.New(30 * time.Second)})
	if err != nil {
		return fmt.Errorf("wait until applied: %w", err)
	}
	if r.GetApplied() {
		return nil
	}
	var lag []string
	for _, h := range r.GetLagging() {
		lag = append(lag, fmt.Sprintf("%s at revision %d of %d: %s", h.GetHost(), h.GetAppliedRevision(), r.GetRevision(), h.GetReason()))
	}
	return lagError(lag)
}
