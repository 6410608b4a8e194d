package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

// varies are what no two runs have in common, and what stands for it in the golden files.
var varies = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`), `"2026-01-02T03:04:05Z"`},
	{regexp.MustCompile(`"fa:16:3f:[0-9a-f:]+"`), `"fa:16:3f:00:00:01"`},
	{regexp.MustCompile(`\btap[0-9a-f]{8}-[0-9a-f]{2}\b`), `tap01234567-89`},
	// The ports that are made for a router.
	{regexp.MustCompile(`"port_id": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`), `"port_id": "01234567-89ab-4cde-8f01-23456789abcd"`},
}

// One object of each kind with everything that it can have, as the REST door shows it.
func TestGoldenObjects(t *testing.T) {
	r := openREST(t)
	const subnetID = "50b00000-0000-4000-8000-000000000005"
	named := func(md *weftv1.Metadata) {
		md.ProjectId, md.Description, md.Labels = "acme", "as large as life", map[string]string{"env": "test"}
	}
	r.apply(
		host("compute1", func(h *weftv1.Host) {
			named(h.Metadata)
			h.TunnelIp, h.BridgeMappings, h.Roles = "192.0.2.1", map[string]string{"physnet1": "br-ex"}, []string{"compute", "network"}
		}),
		withID(network("blue", func(n *weftv1.Network) { named(n.Metadata); n.Mtu = 1400 }), blueID),
		withID(subnet("blue-v4", blueID, "10.0.0.0/24", func(s *weftv1.Subnet) {
			named(s.Metadata)
			s.AllocationPools = []*weftv1.AllocationPool{{Start: "10.0.0.10", End: "10.0.0.20"}, {Start: "10.0.0.30", End: "10.0.0.40"}}
			s.DnsNameservers = []string{"10.0.0.53"}
			s.HostRoutes = []*weftv1.Route{{Destination: "10.9.0.0/16", Nexthop: "10.0.0.9"}}
		}), subnetID),
		withID(network("public", func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork, n.RouterExternal = "flat", "physnet1", proto.Bool(true)
		}), redID),
		withID(subnet("public-v4", "public", "203.0.113.0/24", func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), "50b00000-0000-4000-8000-000000000006"),
		withID(router("edge", func(o *weftv1.Router) {
			named(o.Metadata)
			o.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: "public", ExternalFixedIps: []*weftv1.FixedIP{{IpAddress: "203.0.113.2"}}}
			o.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}}
			o.Routes = []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.0.9"}}
		}), "40b00000-0000-4000-8000-000000000007"),
		withID(floatingIP("public", func(f *weftv1.FloatingIP) {
			named(f.Metadata)
			f.FloatingIpAddress, f.PortId, f.Metadata.Name = "203.0.113.7", "web", "shop"
		}), "f1b00000-0000-4000-8000-000000000008"),
		withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }), "f1b10000-0000-4000-8000-000000000009"),
		withID(port("db", blueID), port2ID),
		withID(portForwarding("203.0.113.8", "tcp", 8000, "db", 80, func(f *weftv1.PortForwarding) {
			named(f.Metadata)
			f.Metadata.Name, f.ExternalPort, f.ExternalPortRange = "pages", 0, "8000:8010"
		}), "bf000000-0000-4000-8000-00000000000a"),
		withID(qosPolicy("gold", func(p *weftv1.QosPolicy) { named(p.Metadata); p.Metadata.Name = "gold" }), goldID),
		withID(addressGroup("office", "192.0.2.0/24", "2001:db8::1"), officeID),
		withID(securityGroup("web"), webID),
		withID(rule("web", "ingress", func(r *weftv1.SecurityGroupRule) {
			r.Protocol, r.PortRangeMin, r.PortRangeMax, r.RemoteAddressGroupId = "tcp", proto.Uint32(80), proto.Uint32(90), "office"
		}), ruleID),
		withID(port("web", blueID, func(p *weftv1.Port) {
			named(p.Metadata)
			p.PortSecurityEnabled, p.SecurityGroups = proto.Bool(true), []string{webID}
			p.MacAddress, p.FixedIps, p.AdminStateUp = "fa:16:3e:00:00:01", []*weftv1.FixedIP{{IpAddress: "10.0.0.5"}}, proto.Bool(true)
			p.QosPolicyId = "gold"
			p.DeviceId, p.DeviceOwner, p.BindingHostId = "vm1", "compute:nova", "compute1"
			p.AllowedAddressPairs = []*weftv1.AddressPair{{IpAddress: "10.0.0.100"}, {IpAddress: "10.0.0.128/28", MacAddress: "fa:16:3e:00:00:09"}}
			p.ExtraDhcpOpts = []*weftv1.DHCPOption{{OptName: "bootfile-name", OptValue: "undionly.kpxe"}}
			p.Instance = &weftv1.Instance{Hostname: "web", UserData: []byte("#cloud-config\n"), PublicKeys: map[string]string{"me": "ssh-ed25519 AAAA"},
				Meta: map[string]string{"tier": "front"}}
		}), portID))
	r.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID}, model.Interface{Name: "tap1", OFPort: 4, IfaceID: "?"})
	rev := r.report(func(tx *store.Tx) error {
		if err := tx.ReportHost(&model.HostFacts{Host: "compute1", AgentVersion: "v0.1.0", OVSVersion: "3.1.0"}); err != nil {
			return err
		}
		return tx.SetPortState(&model.PortState{PortID: portID, Host: "compute1", Status: model.PortActive, Revision: 4})
	})
	since := time.Now()
	r.fleet.set(report.Host{Name: "compute1", Applied: rev, AgentConnected: true, AgentSince: since, Bridges: []report.Bridge{
		{Name: "br-int", DatapathID: 0x5700000000010001, Connected: true, Since: since, Version: "1.4", Flows: 12, FlowMods: 34, DriftRepaired: 1}}})

	for kind, path := range map[string]string{"network": "/v1/networks/blue", "subnet": "/v1/subnets/blue-v4", "port": "/v1/ports/web", "host": "/v1/hosts/compute1",
		"router": "/v1/routers/edge", "floatingip": "/v1/floatingips/203.0.113.7", "portforwarding": "/v1/portforwardings/pages",
		"securitygroup": "/v1/securitygroups/web", "securitygrouprule": "/v1/securitygrouprules/" + ruleID, "addressgroup": "/v1/addressgroups/office",
		"qospolicy": "/v1/qospolicies/gold"} {
		code, body := r.do("GET", path, "")
		if code != 200 {
			t.Fatalf("%s: %d %s", path, code, body)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, []byte(body), "", "  "); err != nil {
			t.Fatal(err)
		}
		got := pretty.String() + "\n"
		for _, v := range varies {
			got = v.what.ReplaceAllString(got, v.as)
		}
		file := filepath.Join("testdata", "golden", kind+".json")
		if *updateGolden {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, file, string(want), got)
	}
}
