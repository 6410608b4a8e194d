package router

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// start builds the programs and a lab of network hosts with them.
func start(b *testing.B, hosts ...string) *cloud.Cloud {
	b.Helper()
	ctx := b.Context()
	dir, err := os.MkdirTemp("", "weft-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // DHCP servers, who give up root, go through it to their files
		b.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin+"/", "../../../cmd/weft-controller", "../../../cmd/weft-nsagent")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	l, err := lab.Up(ctx, lab.Config{Dir: filepath.Join(dir, "lab"), Hosts: hosts, Bin: bin})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if b.Failed() {
			b.Log(l.Logs())
		}
		if err := l.Down(context.Background()); err != nil {
			b.Error(err)
		}
	})
	c, err := cloud.Dial(l)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	check(b, c.StartController(ctx))
	check(b, c.StartAgents(ctx))
	return c
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// median of some times.
func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// samples is how often what is short is measured.
const samples = 15

// BenchmarkFirstRouter measures the first distributed router of a host, with two subnets, a gateway and a floating IP, from
// the API call until the host has it, against a script of ip, sysctl and iptables-restore that makes the same links,
// addresses, routes, rules and chains. The script does not plug anything into a switch, and nobody checks its work.
func BenchmarkFirstRouter(b *testing.B) {
	c := start(b, "network1")
	ctx := b.Context()
	s := c.Scope("")
	ext, err := s.External(ctx, "ext", "172.24.4.0/24", 0)
	check(b, err)
	var nets []*cloud.Network
	var vms []*lab.VM
	for i := range 2 {
		n, err := s.Network(ctx, fmt.Sprintf("net%d", i), &weftv1.Network{ProviderNetworkType: "vxlan", PortSecurityEnabled: proto.Bool(false)}, fmt.Sprintf("10.0.%d.0/24", i+1))
		check(b, err)
		vm, err := s.VM(ctx, n, fmt.Sprintf("vm%d", i), "network1")
		check(b, err)
		nets, vms = append(nets, n), append(vms, vm)
	}
	check(b, s.Settle(ctx))
	h := c.Lab.Hosts[0]
	var ours, theirs, plugged []time.Duration
	for range samples {
		want := cloud.RouterOf(true, ext, nets...)
		want.Metadata = &weftv1.Metadata{Name: "router"}
		begin := time.Now()
		_, err := c.Weft.Apply(ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{
			{Object: &weftv1.Object_Router{Router: want}},
			{Object: &weftv1.Object_Floatingip{Floatingip: &weftv1.FloatingIP{FloatingNetworkId: ext.ID(), FloatingIpAddress: "172.24.4.100", PortId: vms[0].PortID}}},
		}})
		check(b, err)
		check(b, c.Settle(ctx))
		ours = append(ours, time.Since(begin))
		check(b, lab.WaitPing(ctx, c.Lab.Outside, ext.At(100), 10*time.Second))
		check(b, c.DeleteFloatingIP(ctx, "172.24.4.100"))
		check(b, c.DeleteRouter(ctx, "router"))
		check(b, c.Settle(ctx))

		begin = time.Now()
		_, err = h.ExecInput(ctx, script, "sh")
		theirs = append(theirs, time.Since(begin))
		check(b, err)
		_, err = h.Exec(ctx, "sh", "-c", plug)
		plugged = append(plugged, time.Since(begin))
		check(b, err)
		_, err = h.Exec(ctx, "sh", "-c", "ovs-vsctl del-br br-bench; for n in qrouter snat fip; do ip netns del bench-$n; done")
		check(b, err)
	}
	o, s1, s2 := median(ours), median(theirs), median(plugged)
	fmt.Printf("first router with 2 subnets, gateway and floating IP: %v; script %v, ratio %.2f; script that plugs the devices in %v, ratio %.2f\n",
		o.Round(100*time.Microsecond), s1.Round(100*time.Microsecond), float64(o)/float64(s1), s2.Round(100*time.Microsecond), float64(o)/float64(s2))
	b.ReportMetric(0, "ns/op")
}

// plug makes the script's devices ports of a switch, without any VLAN or row.
const plug = `ovs-vsctl add-br br-bench -- set Bridge br-bench datapath_type=netdev fail_mode=secure -- add-port br-bench btap1 -- add-port br-bench btap2 \
	-- add-port br-bench btap3 -- add-port br-bench btap4 -- add-port br-bench btap5 -- add-port br-bench btap6`

// script makes by hand what the host has of the router.
const script = `set -e
ip -batch - <<END
netns add bench-qrouter
netns add bench-snat
netns add bench-fip
link add name btap1 mtu 1450 type veth peer name qr-1 mtu 1450 netns bench-qrouter
link add name btap2 mtu 1450 type veth peer name qr-2 mtu 1450 netns bench-qrouter
link add name btap3 mtu 1450 type veth peer name sg-1 mtu 1450 netns bench-snat
link add name btap4 mtu 1450 type veth peer name sg-2 mtu 1450 netns bench-snat
link add name btap5 mtu 1500 type veth peer name qg-1 mtu 1500 netns bench-snat
link add name btap6 mtu 1500 type veth peer name fg-1 mtu 1500 netns bench-fip
link set dev btap1 up
link set dev btap2 up
link set dev btap3 up
link set dev btap4 up
link set dev btap5 up
link set dev btap6 up
END
ip -n bench-qrouter -batch - <<END
link add name rfp-1 type veth peer name fpr-1 netns bench-fip
link set dev lo up
link set dev qr-1 up
link set dev qr-2 up
link set dev rfp-1 up
addr add 10.0.1.1/24 dev qr-1
addr add 10.0.2.1/24 dev qr-2
addr add 169.254.64.0/31 dev rfp-1
rule add from 10.0.1.5 lookup 16 priority 32768
rule add from 10.0.1.1/24 lookup 167772417 priority 167772417
rule add from 10.0.2.1/24 lookup 167772673 priority 167772673
route add default via 169.254.64.1 dev rfp-1 table 16
route add default via 10.0.1.6 dev qr-1 table 167772417
route add default via 10.0.2.6 dev qr-2 table 167772673
neigh replace 10.0.1.5 lladdr fa:16:3e:00:00:01 nud permanent dev qr-1
neigh replace 10.0.1.6 lladdr fa:16:3e:00:00:02 nud permanent dev qr-1
neigh replace 10.0.2.5 lladdr fa:16:3e:00:00:03 nud permanent dev qr-2
neigh replace 10.0.2.6 lladdr fa:16:3e:00:00:04 nud permanent dev qr-2
END
ip -n bench-snat -batch - <<END
link set dev lo up
link set dev sg-1 up
link set dev sg-2 up
link set dev qg-1 up
addr add 10.0.1.6/24 dev sg-1
addr add 10.0.2.6/24 dev sg-2
addr add 172.24.4.4/24 dev qg-1
route add default via 172.24.4.1 dev qg-1
END
ip -n bench-fip -batch - <<END
link set dev lo up
link set dev fg-1 up
link set dev fpr-1 up
addr add 172.24.4.6/24 dev fg-1
addr add 169.254.64.1/31 dev fpr-1
route add 172.24.4.5 via 169.254.64.0 dev fpr-1
route add default via 172.24.4.1 dev fg-1 table 2852012033
rule add iif fpr-1 lookup 2852012033 priority 1000
END
for ns in qrouter snat fip; do
	ip netns exec bench-$ns sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv6.conf.all.forwarding=1
done
ip netns exec bench-qrouter iptables-restore --noflush <<END
*nat
:weft-l3-PREROUTING - [0:0]
:weft-l3-POSTROUTING - [0:0]
:weft-l3-float-snat - [0:0]
-A PREROUTING -j weft-l3-PREROUTING
-A POSTROUTING -j weft-l3-POSTROUTING
-A weft-l3-PREROUTING -d 169.254.169.254/32 -i qr-+ -p tcp --dport 80 -j REDIRECT --to-ports 9697
-A weft-l3-PREROUTING -d 172.24.4.5/32 -j DNAT --to-destination 10.0.1.5
-A weft-l3-POSTROUTING -j weft-l3-float-snat
-A weft-l3-float-snat -s 10.0.1.5/32 -j SNAT --to-source 172.24.4.5
COMMIT
*filter
:weft-l3-INPUT - [0:0]
-A INPUT -j weft-l3-INPUT
-A weft-l3-INPUT -p tcp --dport 9697 -j DROP
COMMIT
END
ip netns exec bench-snat iptables-restore --noflush <<END
*nat
:weft-l3-snat - [0:0]
-A POSTROUTING -j weft-l3-snat
-A weft-l3-snat -o qg-1 -j SNAT --to-source 172.24.4.4
COMMIT
END
ip netns exec bench-fip iptables-restore --noflush <<END
*raw
-A PREROUTING -j CT --notrack
COMMIT
END
`

// BenchmarkFloatingIP measures from the API call that makes a floating IP until the first ping from outside through it is
// answered. The one who pings has asked for the address all the time.
func BenchmarkFloatingIP(b *testing.B) {
	c := start(b, "compute1", "network1")
	ctx := b.Context()
	s := c.Scope("")
	ext, err := s.External(ctx, "ext", "172.24.4.0/24", 0)
	check(b, err)
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan", PortSecurityEnabled: proto.Bool(false)}, "10.0.1.0/24")
	check(b, err)
	for _, distributed := range []bool{true, false} {
		router, err := s.Router(ctx, "router", cloud.RouterOf(distributed, ext, n))
		check(b, err)
		var times []time.Duration
		for i := range samples {
			vm, err := s.VM(ctx, n, fmt.Sprintf("vm%d-%t", i, distributed), "compute1")
			check(b, err)
			check(b, s.Settle(ctx))
			address := ext.At(byte(100 + i))
			if !distributed {
				address = ext.At(byte(200 + i))
			}
			times = append(times, firstPing(b, c, func() {
				_, err := s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: ext.ID(), FloatingIpAddress: address.String(), PortId: vm.PortID})
				check(b, err)
			}, address))
			check(b, s.Settle(ctx))
		}
		fmt.Printf("floating IP, API call to first ping from outside, distributed=%t: first %v, p50 %v, max %v\n", distributed,
			times[0].Round(100*time.Microsecond), median(slices.Clone(times)).Round(100*time.Microsecond), slices.Max(times).Round(100*time.Microsecond))
		check(b, deleteFloatingIPs(ctx, c, ext))
		check(b, c.DeleteRouter(ctx, router.GetMetadata().GetId()))
		check(b, s.Settle(ctx))
	}
	b.ReportMetric(0, "ns/op")
}

func deleteFloatingIPs(ctx context.Context, c *cloud.Cloud, ext *cloud.Network) error {
	list, err := c.FloatingIPs.ListFloatingIPs(ctx, &weftv1.ListFloatingIPsRequest{FloatingNetworkId: ext.ID()})
	for _, f := range list.GetFloatingips() {
		if err == nil {
			err = c.DeleteFloatingIP(ctx, f.GetMetadata().GetId())
		}
	}
	return err
}

// manyRouters is how many routers BenchmarkAgentStart puts on one host.
const manyRouters = 200

// BenchmarkAgentStart measures how long an agent needs from its start until the host is in sync, when everything is there
// already: 200 centralised routers with a gateway and a subnet each.
func BenchmarkAgentStart(b *testing.B) {
	c := start(b, "network1")
	ctx := b.Context()
	s := c.Scope("")
	ext, err := s.External(ctx, "ext", "172.24.0.0/16", 0)
	check(b, err)
	begin := time.Now()
	for i := 0; i < manyRouters; i += 20 {
		var objects []*weftv1.Object
		for j := i; j < i+20; j++ {
			net, sub := fmt.Sprintf("net%d", j), fmt.Sprintf("sub%d", j)
			router := cloud.RouterOf(false, ext)
			router.Metadata = &weftv1.Metadata{Name: fmt.Sprintf("router%d", j)}
			router.Interfaces = []*weftv1.RouterInterface{{SubnetId: sub}}
			objects = append(objects,
				&weftv1.Object{Object: &weftv1.Object_Network{Network: &weftv1.Network{Metadata: &weftv1.Metadata{Name: net}}}},
				&weftv1.Object{Object: &weftv1.Object_Subnet{Subnet: &weftv1.Subnet{
					Metadata: &weftv1.Metadata{Name: sub}, NetworkId: net, Cidr: "10.0.0.0/24", EnableDhcp: proto.Bool(false),
				}}},
				&weftv1.Object{Object: &weftv1.Object_Router{Router: router}})
		}
		_, err := c.Weft.Apply(ctx, &weftv1.ApplyRequest{Objects: objects})
		check(b, err)
		check(b, settle(ctx, c))
	}
	built := time.Since(begin)
	h := c.Lab.Hosts[0]
	var times []time.Duration
	for i := range 5 {
		check(b, h.KillAgent(ctx))
		begin := time.Now()
		check(b, h.StartAgent(ctx))
		check(b, news(ctx, c, ext, i))
		times = append(times, time.Since(begin))
	}
	memory, err := lab.Memory(ctx, h.Box, lab.AgentProcess)
	check(b, err)
	fmt.Printf("%d routers on a host: built in %v; agent start to in sync %v, RSS %d MiB\n", manyRouters,
		built.Round(time.Millisecond), median(times).Round(time.Millisecond), memory>>20)
	b.ReportMetric(0, "ns/op")
}

// news makes a change and waits until all hosts have it: an agent that has just been started answers when everything else
// is true too. What was applied before it died is applied, and need not be waited for.
func news(ctx context.Context, c *cloud.Cloud, n *cloud.Network, number int) error {
	if _, err := c.Networks.UpdateNetwork(ctx, &weftv1.UpdateNetworkRequest{
		Network:    &weftv1.Network{Metadata: &weftv1.Metadata{Id: n.ID(), Description: fmt.Sprintf("news %d", number)}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"metadata.description"}},
	}); err != nil {
		return err
	}
	return settle(ctx, c)
}

// settle is Settle with more patience.
func settle(ctx context.Context, c *cloud.Cloud) error {
	var err error
	for range 10 {
		if err = c.Settle(ctx); err == nil {
			return nil
		}
	}
	return err
}

// manyFloatingIPs is how many floating IPs BenchmarkManyFloatingIPs puts on one router.
const manyFloatingIPs = 1000

// manyRounds is how often they come.
const manyRounds = 5

// BenchmarkManyFloatingIPs measures 1,000 floating IPs of one centralised router that come together, against
// iptables-restore and ip -batch of the same content; one more of them, against the first; and the agent's restart.
func BenchmarkManyFloatingIPs(b *testing.B) {
	c := start(b, "network1")
	ctx := b.Context()
	s := c.Scope("")
	ext, err := s.External(ctx, "ext", "172.24.0.0/16", 0)
	check(b, err)
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan", PortSecurityEnabled: proto.Bool(false)}, "10.0.0.0/16")
	check(b, err)
	router, err := s.Router(ctx, "router", cloud.RouterOf(false, ext, n))
	check(b, err)
	var ports []string
	for i := 0; i < manyFloatingIPs+2; i += 200 {
		var objects []*weftv1.Object
		for j := i; j < min(i+200, manyFloatingIPs+2); j++ {
			objects = append(objects, &weftv1.Object{Object: &weftv1.Object_Port{Port: &weftv1.Port{
				Metadata: &weftv1.Metadata{Name: fmt.Sprintf("port%d", j)}, NetworkId: n.ID(),
			}}})
			ports = append(ports, fmt.Sprintf("port%d", j))
		}
		_, err := c.Weft.Apply(ctx, &weftv1.ApplyRequest{Objects: objects})
		check(b, err)
	}
	check(b, settle(ctx, c))
	add := func(ports ...string) time.Duration {
		var objects []*weftv1.Object
		for _, p := range ports {
			objects = append(objects, &weftv1.Object{Object: &weftv1.Object_Floatingip{Floatingip: &weftv1.FloatingIP{
				Metadata: &weftv1.Metadata{Name: "fip-" + p}, FloatingNetworkId: ext.ID(), PortId: p,
			}}})
		}
		begin := time.Now()
		_, err := c.Weft.Apply(ctx, &weftv1.ApplyRequest{Objects: objects})
		check(b, err)
		check(b, settle(ctx, c))
		return time.Since(begin)
	}
	h := c.Lab.Hosts[0]
	var first, all, one, theirs []time.Duration
	for round := range manyRounds {
		if round > 0 {
			check(b, deleteFloatingIPs(ctx, c, ext))
			check(b, settle(ctx, c))
		}
		first = append(first, add(ports[0]))
		all = append(all, add(ports[1:manyFloatingIPs+1]...))
		one = append(one, add(ports[manyFloatingIPs+1]))
		hand, err := byHand(ctx, h, "qrouter-"+router.GetMetadata().GetId())
		check(b, err)
		theirs = append(theirs, hand)
	}
	check(b, h.KillAgent(ctx))
	begin := time.Now()
	check(b, h.StartAgent(ctx))
	check(b, news(ctx, c, ext, 0))
	restart := time.Since(begin)
	fmt.Printf("%d floating IPs together %v, by hand %v, ratio %.2f; one more %v, the first %v, ratio %.2f (medians of %d: %v, %v, %v, %v); agent start to in sync %v\n",
		manyFloatingIPs, median(all).Round(time.Millisecond), median(theirs).Round(time.Millisecond), ratio(all, theirs), median(one).Round(100*time.Microsecond),
		median(first).Round(100*time.Microsecond), ratio(one, first), manyRounds, all, theirs, one, first, restart.Round(time.Millisecond))
	check(b, deleteFloatingIPs(ctx, c, ext))
	b.ReportMetric(0, "ns/op")
}

func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }

// byHand makes the addresses and the chains of a namespace again in an empty one, with ip -batch and iptables-restore.
func byHand(ctx context.Context, h *lab.Host, namespace string) (time.Duration, error) {
	const prepare = `set -e
ip netns add bench; ip -n bench link add name one type veth peer name two; ip -n bench link set dev one up
ip netns exec $0 iptables-save >/run/bench.rules
ip -n $0 -o -4 addr show scope global | awk '$4 ~ "/32" { print "addr add " $4 " dev one" }' >/run/bench.batch
test $(wc -l </run/bench.batch) -gt 900`
	if _, err := h.Exec(ctx, "sh", "-c", prepare, namespace); err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := h.Exec(ctx, "sh", "-c", "ip -n bench -batch /run/bench.batch && ip netns exec bench iptables-restore /run/bench.rules"); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	_, err := h.Exec(ctx, "ip", "netns", "del", "bench")
	return took, err
}
