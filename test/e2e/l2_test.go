package e2e

import (
	"fmt"
	"strings"
	"testing"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

func ptr[T any](v T) *T { return &v }

// Each type of network: on one host, on two, on three; TCP and not only ping; packets as long as the MTU, and no longer.
func TestEveryNetworkType(t *testing.T) {
	for i, tc := range []struct {
		name string
		nw   *weftv1.Network
		mtu  int32
	}{
		{"vxlan", &weftv1.Network{ProviderNetworkType: "vxlan"}, 1450},
		{"gre", &weftv1.Network{ProviderNetworkType: "gre"}, 1458},
		{"geneve", &weftv1.Network{ProviderNetworkType: "geneve"}, 1442},
		{"vxlan that learns", &weftv1.Network{ProviderNetworkType: "vxlan", L2Population: ptr(false)}, 1450},
		{"vlan", &weftv1.Network{ProviderNetworkType: "vlan", ProviderPhysicalNetwork: "physnet1", ProviderSegmentationId: 101}, 1500},
		{"flat", &weftv1.Network{ProviderNetworkType: "flat", ProviderPhysicalNetwork: "physnet1"}, 1500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := scenario(t)
			nw := c.network(tc.nw, fmt.Sprintf("10.1.%d.0/24", i), fmt.Sprintf("fd00:1:%d::/64", i))
			if nw.Mtu != tc.mtu {
				t.Errorf("mtu %d, want %d", nw.Mtu, tc.mtu)
			}
			a := c.vm(nw, "a", "compute1", "")
			b := c.vm(nw, "b", "compute1", "")
			d := c.vm(nw, "d", "compute2", "")
			e := c.vm(nw, "e", "network1", "")
			c.applied()
			for _, x := range []*vm{a, b, d, e} {
				for _, y := range []*vm{a, b, d, e} {
					if x != y {
						c.reaches(x, y)
					}
				}
			}
			if _, err := lab.Transfer(c.ctx, a.Box, a.ip, d.Box, 4<<20, patience); err != nil {
				t.Errorf("TCP: %v", err)
			}
			r, err := lab.Ping(c.ctx, a.Box, d.ip, lab.Pings{Size: int(nw.Mtu)})
			c.must(err)
			if r.Received != r.Sent {
				t.Errorf("%d of %d packets of %d bytes, the MTU, came back", r.Received, r.Sent, nw.Mtu)
			}
			for _, v6 := range d.Addresses {
				if v6.Addr().Is6() {
					if err := lab.WaitPing(c.ctx, a.Box, v6.Addr(), patience); err != nil {
						t.Errorf("IPv6: %v", err)
					}
				}
			}
		})
	}
}

// Two tenants with the same addresses never see each other, on one host and across hosts.
func TestTenantsWithTheSameAddresses(t *testing.T) {
	c := scenario(t)
	red := c.network(&weftv1.Network{Metadata: &weftv1.Metadata{Name: "red", ProjectId: "red"}}, "10.2.0.0/24")
	blue := c.network(&weftv1.Network{Metadata: &weftv1.Metadata{Name: "blue", ProjectId: "blue"}}, "10.2.0.0/24")
	r1 := c.vm(red, "r1", "compute1", "10.2.0.11")
	r2 := c.vm(red, "r2", "compute2", "10.2.0.12")
	b1 := c.vm(blue, "b1", "compute1", "10.2.0.11")
	b3 := c.vm(blue, "b3", "compute2", "10.2.0.13")
	c.applied()
	c.reaches(r1, r2)
	c.reaches(b1, b3)
	c.cutOff(r1, b3.ip)
	c.cutOff(r2, b3.ip)
	c.cutOff(b1, r2.ip)
	c.cutOff(b3, r2.ip)
}

// A question for a known address is answered on the host: no broadcast leaves it.
func TestARPIsAnsweredOnTheHost(t *testing.T) {
	c := scenario(t)
	nw := c.network(&weftv1.Network{}, "10.3.0.0/24")
	a := c.vm(nw, "a", "compute1", "")
	b := c.vm(nw, "b", "compute2", "")
	c.applied()
	s, err := theLab.StartSniff(c.ctx, c.host("compute1").Box, "eth1")
	c.must(err)
	c.reaches(a, b)
	_, err = a.Box.Exec(c.ctx, "ip", "neigh", "flush", "all")
	c.must(err)
	c.reaches(a, b)
	got, err := s.Stop(c.ctx)
	c.must(err)
	if n := got.Tunneled.Questions[b.ip.String()]; n > 0 || got.Tunneled.Broadcast > 0 {
		t.Errorf("%d questions for %s and %d broadcasts left compute1", n, b.ip, got.Tunneled.Broadcast)
	}
	if got.Tunneled.Unicast == 0 {
		t.Error("no unicast was seen to leave: the sniffer looks at the wrong place")
	}
}

// A port that moves to another host is reachable there at once, and its old rows are gone everywhere.
func TestPortMoves(t *testing.T) {
	c := scenario(t)
	nw := c.network(&weftv1.Network{}, "10.4.0.0/24")
	a := c.vm(nw, "a", "compute1", "")
	m := c.vm(nw, "m", "compute2", "")
	c.vm(nw, "stays", "compute2", "")
	c.reaches(a, m)
	moved, err := theLab.MoveVM(c.ctx, "m", "network1")
	c.must(err)
	m.VM = moved
	c.await("the port is ACTIVE on network1", func() (bool, any) {
		p, err := c.ports.GetPort(c.ctx, &weftv1.GetPortRequest{Id: m.port.Metadata.Id})
		c.must(err)
		return p.Status.Status == "ACTIVE" && p.Status.Host == "network1", p.Status
	})
	c.applied()
	r, err := lab.Ping(c.ctx, a.Box, m.ip, lab.Pings{Count: 20})
	c.must(err)
	if r.Received < r.Sent-1 { // the first packet of a fresh tunnel may be lost to neighbour discovery
		t.Errorf("%d of %d answers after the move", r.Received, r.Sent)
	}
	to := fmt.Sprintf("vxlan-%x", c.host("compute2").TunnelIP.As4())
	show, err := c.host("compute1").Exec(c.ctx, "ovs-vsctl", "get", "Interface", to, "ofport")
	c.must(err)
	for _, line := range strings.Split(c.flows("compute1", "br-tun"), "\n") {
		if strings.Contains(line, "dl_dst="+m.port.MacAddress) && strings.HasSuffix(line, "output:"+strings.TrimSpace(show)) {
			t.Errorf("compute1 still sends to compute2: %s", line)
		}
	}
	for _, line := range strings.Split(c.flows("network1", "br-tun"), "\n") {
		if strings.Contains(line, "table=20") && strings.Contains(line, m.port.MacAddress) {
			t.Errorf("network1 sends its own port away: %s", line)
		}
	}
}

// A port with admin_state_up=false is dead, and lives again.
func TestPortAdminStateDown(t *testing.T) {
	c := scenario(t)
	nw := c.network(&weftv1.Network{}, "10.5.0.0/24")
	a := c.vm(nw, "a", "compute1", "")
	b := c.vm(nw, "b", "compute2", "")
	near := c.vm(nw, "near", "compute2", "")
	c.reaches(a, b)
	set := func(up bool) {
		t.Helper()
		_, err := c.ports.UpdatePort(c.ctx, &weftv1.UpdatePortRequest{Port: &weftv1.Port{
			Metadata: &weftv1.Metadata{Id: b.port.Metadata.Id}, AdminStateUp: ptr(up)}})
		c.must(err)
		c.applied()
	}
	set(false)
	c.awaitStatus(b, "DOWN")
	c.cutOff(a, b.ip)
	c.cutOff(near, b.ip)
	c.cutOff(b, a.ip)
	c.cutOff(b, near.ip)
	set(true)
	c.awaitStatus(b, "ACTIVE")
	c.reaches(a, b)
	c.reaches(b, near)
}

// Deleting the last port of a network on a host removes its VLAN, rows and tunnels there, and floods to it elsewhere.
func TestLastPortOfANetworkOnAHost(t *testing.T) {
	c := scenario(t)
	nw := c.network(&weftv1.Network{ProviderNetworkType: "geneve", ProviderSegmentationId: 0xabcd}, "10.6.0.0/24")
	a := c.vm(nw, "a", "compute1", "")
	b := c.vm(nw, "b", "compute2", "")
	c.reaches(a, b)
	if !strings.Contains(c.flows("compute2", "br-tun"), "tun_id=0xabcd") {
		t.Fatal("compute2 has no row for the segment: this test looks at the wrong thing")
	}
	c.deletePort(b.port.Metadata.Id)
	c.applied()
	for _, h := range []string{"compute1", "compute2"} {
		h := h
		c.await(h+" has no geneve tunnel any more", func() (bool, any) {
			out, err := c.host(h).Exec(c.ctx, "ovs-vsctl", "list-ports", "br-tun")
			c.must(err)
			return !strings.Contains(out, "geneve-"), out
		})
	}
	c.applied()
	if f := c.flows("compute2", "br-tun"); strings.Contains(f, "0xabcd") {
		t.Errorf("compute2 still has rows of the segment:\n%s", f)
	}
	got, err := c.networks.GetNetwork(c.ctx, &weftv1.GetNetworkRequest{Id: nw.Metadata.Id})
	c.must(err)
	for _, v := range got.Status.LocalVlans {
		if v.Host == "compute2" {
			t.Errorf("compute2 still has VLAN %d for the network", v.Vlan)
		}
	}
}

// However the agents started, each host has a row for each other host's DVR MAC.
func TestDVRMACsOfHostsThatStartedTogether(t *testing.T) {
	c := scenario(t)
	res, err := c.hosts.ListHosts(c.ctx, &weftv1.ListHostsRequest{})
	c.must(err)
	if len(res.Hosts) != 3 {
		t.Fatalf("%d hosts", len(res.Hosts))
	}
	for _, on := range res.Hosts {
		for _, of := range res.Hosts {
			mac := of.Status.DvrMacAddress
			has := strings.Contains(c.flows(on.Metadata.Id, "br-tun"), "dl_src="+mac)
			if want := on != of; has != want || mac == "" {
				t.Errorf("br-tun of %s has a row for the DVR MAC %q of %s: %v, want %v", on.Metadata.Id, mac, of.Metadata.Id, has, want)
			}
		}
	}
}
