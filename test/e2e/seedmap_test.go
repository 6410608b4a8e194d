package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

var update = flag.Bool("update", false, "rewrite docs/seed-map.md")

// seedMapFile is the document.
const seedMapFile = "../../docs/seed-map.md"

// mapped holds a line of a seed document beside ours.
type mapped struct {
	// seed is the line as the document has it.
	seed string
	// ours is a regular expression for our line, with names in the place of ids and MACs (see names). Empty: Weft has no
	// such line, and why says the reason.
	ours string
	// why is the reason when the lines differ in more than names and numbers.
	why string
}

// place is one output of a tool that a seed document shows.
type place struct {
	// title says what it is, and host and argv how to see it here. ${…} in argv are ids by name.
	title string
	host  string
	shell string
	rows  []mapped
}

// seed is a document, or several that show the same.
type seed struct {
	title  string
	about  string
	places []place
}

// TestSeedMap builds the topologies of the seed documents and finds the counterpart of each kind of their lines on the
// hosts. The document holds what was found.
func TestSeedMap(t *testing.T) {
	c := up(t)
	ctx := t.Context()
	s := c.Scope("")
	defer func() {
		if err := s.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	if err := buildSeeds(ctx, s); err != nil {
		t.Fatal(err, c.Lab.Logs())
	}
	n, err := newNames(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	var doc strings.Builder
	doc.WriteString(seedMapHead)
	for _, sd := range seeds {
		fmt.Fprintf(&doc, "\n## %s\n\n%s\n", sd.title, sd.about)
		for _, p := range sd.places {
			shell := n.fill(p.host, p.shell)
			h, err := c.Lab.Host(p.host)
			if err != nil {
				t.Fatal(err)
			}
			out, err := h.Exec(ctx, "sh", "-c", shell)
			if err != nil {
				t.Errorf("%s: %v", p.title, err)
				continue
			}
			lines := n.lines(p.host, out)
			fmt.Fprintf(&doc, "\n### %s\n\nOn %s: `%s`\n\n| seed | Weft | |\n|---|---|---|\n", p.title, p.host, tidy(p.shell))
			for _, row := range p.rows {
				found := "—"
				if row.ours != "" {
					want := regexp.MustCompile("^(?:" + row.ours + ")$")
					i := slices.IndexFunc(lines, want.MatchString)
					if i < 0 {
						t.Errorf("%s: no line of ours for %q: none is %s; there are\n%s", p.title, row.seed, row.ours, strings.Join(lines, "\n"))
						continue
					}
					found = "`" + lines[i] + "`"
				} else if row.why == "" {
					t.Errorf("%s: %q has neither a counterpart nor a reason", p.title, row.seed)
				}
				seedLine := "—"
				if row.seed != "" {
					seedLine = "`" + row.seed + "`"
				}
				fmt.Fprintf(&doc, "| %s | %s | %s |\n", seedLine, found, row.why)
			}
		}
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(seedMapFile, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(seedMapFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), doc.String()); d != "" {
		t.Errorf("%s is stale (-have +want); go test ./test/e2e -run TestSeedMap -update:\n%s", seedMapFile, d)
	}
}

// tidy is a command as a person types it.
func tidy(shell string) string {
	shell = placeholder.ReplaceAllString(strings.ReplaceAll(shell, "${state}", "/var/lib/weft"), "<$1>")
	return strings.NewReplacer(" -O OpenFlow13 --names --no-stats", "", "|", "\\|").Replace(shell)
}

// buildSeeds builds what the seed documents show: a distributed router between private1 and private2, with the addresses
// of the document; and a centralised one of a network with GRE. Nobody is judged in br-int: the documents' hosts do that in
// bridges of their own.
func buildSeeds(ctx context.Context, s *cloud.Scope) error {
	public, err := s.External(ctx, "public", "172.24.4.0/24", 0)
	if err != nil {
		return err
	}
	var private []*cloud.Network
	for i, hold := range []string{"10.0.1.%d", "10.0.2.%d"} {
		n, err := s.Network(ctx, fmt.Sprintf("private%d", i+1), &weftv1.Network{ProviderNetworkType: "vxlan", PortSecurityEnabled: proto.Bool(false)}, fmt.Sprintf(hold, 0)+"/24")
		if err != nil {
			return err
		}
		private = append(private, n)
	}
	// The document's router got its addresses after others were taken.
	for network, addresses := range map[*cloud.Network][]string{
		private[0]: {"10.0.1.2", "10.0.1.3", "10.0.1.4"}, public: {"172.24.4.2", "172.24.4.3"},
	} {
		for _, a := range addresses {
			if _, err := s.PortWith(ctx, network, "taken-"+a, &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: a}}}); err != nil {
				return err
			}
		}
	}
	vms := map[string]*lab.VM{}
	for _, v := range []struct {
		network *cloud.Network
		address string
		host    string
	}{{private[0], "10.0.1.5", "compute1"}, {private[1], "10.0.2.3", "compute1"}, {private[0], "10.0.1.7", "compute2"}, {private[1], "10.0.2.5", "compute2"}} {
		if vms[v.address], err = s.VMWith(ctx, v.network, "vm"+strings.ReplaceAll(v.address, ".", "-"), v.host, &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: v.address}}}); err != nil {
			return err
		}
	}
	dvr := cloud.RouterOf(true, public, private...)
	dvr.ExternalGatewayInfo.ExternalFixedIps = []*weftv1.FixedIP{{IpAddress: "172.24.4.4"}}
	if _, err := s.Router(ctx, "dvr", dvr); err != nil {
		return err
	}
	for _, f := range [][2]string{{"10.0.1.5", "172.24.4.5"}, {"10.0.2.3", "172.24.4.7"}} {
		if _, err := s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: public.ID(), FloatingIpAddress: f[1], PortId: vms[f[0]].PortID}); err != nil {
			return err
		}
	}
	return buildLegacy(ctx, s)
}

// buildLegacy is the cloud of the documents of 2013: a GRE network with DHCP, and a centralised router.
func buildLegacy(ctx context.Context, s *cloud.Scope) error {
	public, err := s.Network(ctx, "old-public", &weftv1.Network{
		ProviderNetworkType: "vlan", ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: 200, RouterExternal: proto.Bool(true),
	}, "172.24.4.224/28")
	if err != nil {
		return err
	}
	private, err := s.NetworkWith(ctx, "private", &weftv1.Network{ProviderNetworkType: "gre", PortSecurityEnabled: proto.Bool(false)}, &weftv1.Subnet{
		Cidr: "10.1.0.0/24", AllocationPools: []*weftv1.AllocationPool{{Start: "10.1.0.3", End: "10.1.0.254"}},
	})
	if err != nil {
		return err
	}
	group, err := buildFirewall(ctx, s)
	if err != nil {
		return err
	}
	vm, err := s.VMWith(ctx, private, "vm10-1-0-2", "compute1", &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.1.0.2"}},
		PortSecurityEnabled: proto.Bool(true), SecurityGroups: []string{group.GetMetadata().GetId()}})
	if err != nil {
		return err
	}
	old := cloud.RouterOf(false, public, private)
	old.ExternalGatewayInfo.ExternalFixedIps = []*weftv1.FixedIP{{IpAddress: "172.24.4.227"}}
	if _, err := s.Router(ctx, "old", old); err != nil {
		return err
	}
	if _, err := s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: public.ID(), FloatingIpAddress: "172.24.4.228", PortId: vm.PortID}); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// buildFirewall has compute1 judge by firewall bridges, and a group with the document's rules.
func buildFirewall(ctx context.Context, s *cloud.Scope) (*weftv1.SecurityGroup, error) {
	judge := func(ctx context.Context, driver string) error {
		_, err := s.Hosts.UpdateHost(ctx, &weftv1.UpdateHostRequest{Host: &weftv1.Host{Metadata: &weftv1.Metadata{Id: "compute1"}, FirewallDriver: driver},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"firewall_driver"}}})
		return err
	}
	s.Defer(func(ctx context.Context) error { return judge(ctx, "openvswitch") })
	if err := judge(ctx, "iptables_hybrid"); err != nil {
		return nil, err
	}
	group, err := s.SecurityGroup(ctx, "opened")
	if err != nil {
		return nil, err
	}
	for _, port := range []uint32{0, 22, 80} {
		r := &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4", Protocol: "icmp"}
		if port != 0 {
			r.Protocol, r.PortRangeMin, r.PortRangeMax = "tcp", proto.Uint32(port), proto.Uint32(port)
		}
		if _, err := s.Allow(ctx, group, r); err != nil {
			return nil, err
		}
	}
	return group, nil
}
