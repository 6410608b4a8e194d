package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// theLab is up for all tests of the package: they make their own networks in it.
var theLab *lab.Lab

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "weft-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+"/bin/", "../../cmd/weft-controller", "../../cmd/weft-nsagent")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	// All three agents start at one moment: each must end with the others' DVR MACs.
	theLab, err = lab.Up(ctx, lab.Config{Dir: filepath.Join(dir, "lab"), Hosts: []string{"compute1", "compute2", "network1"}, Bin: dir + "/bin"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	defer theLab.Down(context.Background())
	if err := startAll(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Fprintln(os.Stderr, theLab.Logs())
		return 1
	}
	return m.Run()
}

func startAll(ctx context.Context) error {
	if err := theLab.StartController(ctx); err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	for _, h := range theLab.Hosts {
		if err := h.StartAgent(ctx); err != nil {
			return fmt.Errorf("agent of %s: %w", h.Name, err)
		}
	}
	c, err := dial()
	if err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	return theLab.WarmTunnels(ctx)
}

// client is the API as an orchestrator uses it.
type client struct {
	networks weftv1.NetworkServiceClient
	subnets  weftv1.SubnetServiceClient
	ports    weftv1.PortServiceClient
	hosts    weftv1.HostServiceClient
	weft     weftv1.WeftServiceClient
	diag     weftv1.DiagnosticsServiceClient
}

func dial() (*client, error) {
	cc, err := grpc.NewClient("unix:"+theLab.APISocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &client{networks: weftv1.NewNetworkServiceClient(cc), subnets: weftv1.NewSubnetServiceClient(cc),
		ports: weftv1.NewPortServiceClient(cc), hosts: weftv1.NewHostServiceClient(cc), weft: weftv1.NewWeftServiceClient(cc),
		diag: weftv1.NewDiagnosticsServiceClient(cc)}, nil
}

// ready waits until all hosts are.
func (c *client) ready(ctx context.Context) error {
	var last string
	for {
		st, err := c.diag.GetStatus(ctx, &weftv1.GetStatusRequest{})
		ready := 0
		if err == nil {
			last = ""
			for _, h := range st.Hosts {
				if h.Status.Status == "Ready" {
					ready++
				} else {
					last += fmt.Sprintf("%s: %v\n", h.Metadata.Id, h.Status.Conditions)
				}
			}
			if ready == len(theLab.Hosts) {
				return nil
			}
		} else {
			last = err.Error()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("hosts not ready (%d are): %s", ready, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
