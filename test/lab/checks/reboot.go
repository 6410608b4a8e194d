package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// rebooted pulls the plug of a host that has everything: VMs, routers of both kinds, SNAT, floating IPs, DHCP and metadata. It
// boots while no controller runs, and its agent has only its disk.
func rebooted(ctx context.Context, s *cloud.Scope) (string, error) {
	other := s.Lab.Hosts[2]
	h, err := s.Host(ctx, lab.HostConfig{Name: "network3"})
	if err != nil {
		return "", err
	}
	drain := func(ctx context.Context, on bool) error {
		_, err := s.Hosts.UpdateHost(ctx, &weftv1.UpdateHostRequest{
			Host:       &weftv1.Host{Metadata: &weftv1.Metadata{Id: other.Name}, Draining: proto.Bool(on)},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"draining"}},
		})
		return err
	}
	s.Defer(func(ctx context.Context) error { return drain(ctx, false) })
	if err := drain(ctx, true); err != nil {
		return "", err
	}
	ext, err := s.External(ctx, "ext", "172.24.4.0/24", 0)
	if err != nil {
		return "", err
	}
	var local, far []*lab.VM
	var fips []*cloud.FloatingIP
	for i, distributed := range []bool{true, false} {
		n, err := s.NetworkWith(ctx, fmt.Sprintf("net%d", i+1), &weftv1.Network{ProviderNetworkType: "vxlan"}, &weftv1.Subnet{Cidr: fmt.Sprintf("10.2.%d.0/24", i+1)})
		if err != nil {
			return "", err
		}
		r, err := s.Router(ctx, fmt.Sprintf("router%d", i+1), cloud.RouterOf(distributed, ext, n))
		if err != nil {
			return "", err
		}
		for _, at := range []struct {
			host string
			vms  *[]*lab.VM
		}{{h.Name, &local}, {s.Lab.Hosts[0].Name, &far}} {
			vm, err := s.VM(ctx, n, fmt.Sprintf("vm%d-%s", i+1, at.host), at.host)
			if err != nil {
				return "", err
			}
			*at.vms = append(*at.vms, vm)
		}
		f, err := s.FloatingIP(ctx, ext, local[i].PortID)
		if err != nil {
			return "", err
		}
		fips = append(fips, f)
		if at, err := centralHost(ctx, s.Cloud, r); err != nil || at != h {
			return "", errors.Join(fmt.Errorf("router%d is not on %s", i+1, h.Name), err)
		}
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	works := func(patience time.Duration) error {
		for i := range local {
			if err := lab.WaitPing(ctx, s.Lab.Outside, fips[i].Address, patience); err != nil {
				return fmt.Errorf("floating IP, router%d: %w", i+1, err)
			}
			if err := lab.WaitPing(ctx, far[i].Box, lab.Far, patience); err != nil {
				return fmt.Errorf("SNAT, router%d: %w", i+1, err)
			}
			if err := lab.WaitPing(ctx, far[i].Box, addr(local[i]), patience); err != nil {
				return fmt.Errorf("east-west, router%d: %w", i+1, err)
			}
			if _, err := fetch(ctx, local[i], "/latest/meta-data/instance-id"); err != nil {
				return fmt.Errorf("metadata, router%d: %w", i+1, err)
			}
			if _, err := local[i].Lease(ctx, "udhcpc"); err != nil {
				return fmt.Errorf("DHCP, router%d: %w", i+1, err)
			}
		}
		return nil
	}
	if err := works(20 * time.Second); err != nil {
		return "", fmt.Errorf("before: %w", err)
	}
	before, err := all(ctx, h)
	if err != nil {
		return "", err
	}
	if err := saved(ctx, h, local[0], far[0]); err != nil {
		return "", err
	}
	s.Defer(s.EnsureUp)
	if err := s.Lab.KillController(ctx); err != nil {
		return "", err
	}
	if err := h.PowerOff(ctx); err != nil {
		return "", err
	}
	if err := h.Boot(ctx); err != nil {
		return "", err
	}
	start := time.Now()
	if err := h.StartAgent(ctx); err != nil {
		return "", err
	}
	// Nova starts its machines again, too.
	for i, vm := range local {
		if local[i], err = s.Lab.AddVM(ctx, vm.VMConfig); err != nil {
			return "", err
		}
	}
	if err := works(time.Minute); err != nil {
		return "", err
	}
	took := time.Since(start)
	var after string
	if err := lab.Poll(ctx, 20*time.Second, func() error {
		if after, err = all(ctx, h); err == nil && after != before {
			err = fmt.Errorf("%s: not as it was: %s", h.Name, difference(before, after))
		}
		return err
	}); err != nil {
		return "", err
	}
	return fmt.Sprintf("routers, SNAT, floating IPs, DHCP, metadata %s after the agent's start, %d lines as before", ms(took), strings.Count(after, "\n")), nil
}

// all is what a host has in all its namespaces, and what it runs there, as text.
func all(ctx context.Context, h *lab.Host) (string, error) {
	spaces, err := h.Namespaces(ctx)
	if err != nil {
		return "", err
	}
	text, err := contents(ctx, h, spaces)
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, program := range []string{"dnsmasq", "radvd"} {
		processes, err := h.Processes(ctx, program)
		if err != nil {
			return "", err
		}
		lines = slices.AppendSeq(lines, maps.Values(processes))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n", nil
}
