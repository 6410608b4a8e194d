package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
)

// patience is how long anything may take that ought to be at once.
const patience = 20 * time.Second

// cloud is one scenario: what it makes is gone when it ends.
type cloud struct {
	*client
	*testing.T
	ctx context.Context
}

// vm is a VM and the port that it hangs on.
type vm struct {
	*lab.VM
	port *weftv1.Port
	ip   netip.Addr
}

// scenario begins a scenario. At its end nothing of it may be left, and no row may name a port that does not exist.
func scenario(t *testing.T) *cloud {
	t.Helper()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	// The context outlives the test, so that its objects can be removed.
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	s := &cloud{client: c, T: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(theLab.Logs())
		}
	})
	t.Cleanup(s.noStrayPorts)
	return s
}

func (c *cloud) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// network makes a network with the given subnets.
func (c *cloud) network(n *weftv1.Network, cidrs ...string) *weftv1.Network {
	c.Helper()
	nw, err := c.networks.CreateNetwork(c.ctx, &weftv1.CreateNetworkRequest{Network: n})
	c.must(err)
	c.Cleanup(func() {
		if _, err := c.networks.DeleteNetwork(c.ctx, &weftv1.DeleteNetworkRequest{Id: nw.Metadata.Id}); err != nil {
			c.Error(err)
		}
	})
	for _, cidr := range cidrs {
		sn, err := c.subnets.CreateSubnet(c.ctx, &weftv1.CreateSubnetRequest{Subnet: &weftv1.Subnet{NetworkId: nw.Metadata.Id, Cidr: cidr}})
		c.must(err)
		c.Cleanup(func() {
			if _, err := c.subnets.DeleteSubnet(c.ctx, &weftv1.DeleteSubnetRequest{Id: sn.Metadata.Id}); err != nil {
				c.Error(err)
			}
		})
	}
	return nw
}

// vm makes a port, with a fixed address if ip is not empty, and a VM on it, and waits until the port is ACTIVE.
func (c *cloud) vm(nw *weftv1.Network, name, host, ip string) *vm {
	c.Helper()
	req := &weftv1.Port{NetworkId: nw.Metadata.Id, Metadata: &weftv1.Metadata{Name: name}}
	if ip != "" {
		req.FixedIps = []*weftv1.FixedIP{{IpAddress: ip}}
	}
	p, err := c.ports.CreatePort(c.ctx, &weftv1.CreatePortRequest{Port: req})
	c.must(err)
	c.Cleanup(func() { c.deletePort(p.Metadata.Id) })
	v := &vm{port: p}
	cfg := lab.VMConfig{Name: name, Host: host, PortID: p.Metadata.Id, MAC: p.MacAddress, MTU: int(nw.Mtu)}
	for _, f := range p.FixedIps {
		a := netip.MustParseAddr(f.IpAddress)
		bits := 24
		if a.Is6() {
			bits = 64
		}
		cfg.Addresses = append(cfg.Addresses, netip.PrefixFrom(a, bits))
		if !v.ip.IsValid() {
			v.ip = a
		}
	}
	v.VM, err = theLab.AddVM(c.ctx, cfg)
	c.must(err)
	c.Cleanup(func() {
		if err := theLab.DelVM(c.ctx, name); err != nil {
			c.Error(err)
		}
	})
	c.awaitStatus(v, "ACTIVE")
	return v
}

// deletePort removes a port, if it is still there.
func (c *cloud) deletePort(id string) {
	c.Helper()
	if _, err := c.ports.DeletePort(c.ctx, &weftv1.DeletePortRequest{Id: id}); err != nil && !strings.Contains(err.Error(), "NotFound") {
		c.Error(err)
	}
}

func (c *cloud) awaitStatus(v *vm, want string) {
	c.Helper()
	var p *weftv1.Port
	c.await(fmt.Sprintf("port %s is %s", v.port.Metadata.Name, want), func() (ok bool, now any) {
		var err error
		p, err = c.ports.GetPort(c.ctx, &weftv1.GetPortRequest{Id: v.port.Metadata.Id})
		c.must(err)
		return p.Status.Status == want, p.Status
	})
	v.port = p
}

// await waits for a condition; what it is instead is told when it does not come.
func (c *cloud) await(what string, holds func() (bool, any)) {
	c.Helper()
	for deadline := time.Now().Add(patience); ; {
		ok, now := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("not so after %v: %s; it is %v", patience, what, now)
		}
		select {
		case <-c.ctx.Done():
			c.Fatal(c.ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// applied waits until every host has everything, facts included that the last change brought about.
func (c *cloud) applied() {
	c.Helper()
	c.await("all hosts have applied everything", func() (bool, any) {
		res, err := c.weft.WaitApplied(c.ctx, &weftv1.WaitAppliedRequest{})
		c.must(err)
		return res.Applied, res.Lagging
	})
}

// reaches says that a must reach b.
func (c *cloud) reaches(a, b *vm) {
	c.Helper()
	if err := lab.WaitPing(c.ctx, a.Box, b.ip, patience); err != nil {
		c.Errorf("%s (%s) must reach %s (%s): %v", a.Name, a.Host, b.Name, b.Host, err)
	}
}

// cutOff says that nothing may come back to a from an address.
func (c *cloud) cutOff(a *vm, to netip.Addr) {
	c.Helper()
	r, err := lab.Ping(c.ctx, a.Box, to, lab.Pings{Count: 5, Wait: 500 * time.Millisecond})
	c.must(err)
	if r.Received > 0 {
		c.Errorf("%s reached %s: %d answers", a.Name, to, r.Received)
	}
}

// noStrayPorts checks that no row of any bridge names a port that does not exist.
func (c *cloud) noStrayPorts() {
	c.Helper()
	c.await("no row names a port that does not exist", func() (bool, any) {
		var all []string
		for _, h := range theLab.Hosts {
			stray, err := h.StrayPorts(c.ctx)
			c.must(err)
			for _, s := range stray {
				all = append(all, h.Name+": "+s)
			}
		}
		return len(all) == 0, strings.Join(all, "\n")
	})
}

func (c *cloud) host(name string) *lab.Host {
	c.Helper()
	h, err := theLab.Host(name)
	c.must(err)
	return h
}

// flows are the rows of a bridge of a host, as ovs-ofctl prints them.
func (c *cloud) flows(host, bridge string) string {
	c.Helper()
	out, err := c.host(host).Flows(c.ctx, bridge)
	c.must(err)
	return out
}
