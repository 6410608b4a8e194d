package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// Firewall drivers of hosts.
const (
	inSwitch = "openvswitch"
	onBridge = "iptables_hybrid"
)

// driver says what judges the ports of a host.
func driver(ctx context.Context, s *cloud.Scope, host, name string) error {
	_, err := s.Hosts.UpdateHost(ctx, &weftv1.UpdateHostRequest{
		Host:       &weftv1.Host{Metadata: &weftv1.Metadata{Id: host}, FirewallDriver: name},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"firewall_driver"}}})
	if err != nil {
		return fmt.Errorf("firewall driver of %s: %w", host, err)
	}
	return nil
}

// bridge gives ports of the first two hosts firewall bridges, for as long as the check takes. Nothing of them may be left.
func bridge(ctx context.Context, s *cloud.Scope) error {
	for _, h := range s.Lab.Hosts[:2] {
		s.Defer(func(ctx context.Context) error { return noBridges(ctx, h) })
		s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
		if err := driver(ctx, s, h.Name, onBridge); err != nil {
			return err
		}
	}
	return s.Settle(ctx)
}

// noBridges waits until nothing of firewall bridges is on a host: devices, chains, sets.
func noBridges(ctx context.Context, h *lab.Host) error {
	const look = `ip -o link | grep -oE ' (qbr|qvb|qvo)[^@:]*'; for t in iptables ip6tables ebtables; do $t-save | grep weft-fw; done; ipset save; true`
	return lab.Poll(ctx, 20*time.Second, func() error {
		out, err := h.Exec(ctx, "sh", "-c", look)
		if err == nil && strings.TrimSpace(out) != "" {
			err = fmt.Errorf("%s: left over: %s", h.Name, out)
		}
		return err
	})
}

// bridgeOf, innerOf and outerOf are the devices between a VM and br-int.
func bridgeOf(vm *lab.VM) string { return "qbr" + vm.PortID[:11] }
func innerOf(vm *lab.VM) string  { return "qvb" + vm.PortID[:11] }
func outerOf(vm *lab.VM) string  { return "qvo" + vm.PortID[:11] }

// behindBridge waits until a VM is in its bridge, and the bridge on br-int in its place.
func behindBridge(ctx context.Context, h *lab.Host, vm *lab.VM) error {
	return lab.Poll(ctx, 10*time.Second, func() error {
		ports, err := h.Exec(ctx, "ovs-vsctl", "--timeout=20", "list-ports", "br-int")
		if err != nil {
			return err
		}
		links, err := h.Exec(ctx, "ip", "-o", "link", "show", "master", bridgeOf(vm))
		switch {
		case err != nil:
			return err
		case !strings.Contains(ports, outerOf(vm)) || strings.Contains(ports, vm.Interface()):
			return fmt.Errorf("%s is not behind its bridge: br-int has %s", vm.Name, strings.Fields(ports))
		case !strings.Contains(links, vm.Interface()) || !strings.Contains(links, innerOf(vm)):
			return fmt.Errorf("%s is not in its bridge: %s", vm.Name, links)
		}
		return nil
	})
}

// judgedThere fails where bridges judge, and a VM of the first host is not behind one.
func judgedThere(ctx context.Context, s *cloud.Scope, driver string, vm *lab.VM) error {
	if driver != onBridge {
		return nil
	}
	return behindBridge(ctx, s.Lab.Hosts[0], vm)
}

func bridgedByRemoteGroup(ctx context.Context, s *cloud.Scope) (string, error) {
	if err := bridge(ctx, s); err != nil {
		return "", err
	}
	return byRemoteGroup(ctx, s)
}

// office is a server that one group may ask, with a client on another host, and a stranger.
type office struct {
	group                    map[string]*weftv1.SecurityGroup
	server, client, stranger *lab.VM
}

func buildOffice(ctx context.Context, s *cloud.Scope, cidr string) (*office, error) {
	n, err := s.Network(ctx, "office", &weftv1.Network{}, cidr)
	if err != nil {
		return nil, err
	}
	o := &office{group: map[string]*weftv1.SecurityGroup{}}
	for _, name := range []string{"servers", "clients", "others"} {
		if o.group[name], err = s.SecurityGroup(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, g := range []string{"servers", "clients"} {
		other := map[string]string{"servers": "clients", "clients": "servers"}[g]
		r, err := s.Allow(ctx, o.group[g], &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4", Protocol: "tcp",
			PortRangeMin: proto.Uint32(web), PortRangeMax: proto.Uint32(web), RemoteGroupId: o.group[other].GetMetadata().GetId()})
		if err != nil {
			return nil, err
		}
		// Groups that name each other go only when their rules are gone.
		s.Defer(func(ctx context.Context) error {
			_, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()})
			return err
		})
	}
	for _, v := range []struct {
		name, group string
		host        int
		vm          **lab.VM
	}{{"server", "servers", 0, &o.server}, {"client", "clients", 1, &o.client}, {"stranger", "others", 1, &o.stranger}} {
		want := &weftv1.Port{SecurityGroups: []string{o.group[v.group].GetMetadata().GetId()}}
		if *v.vm, err = s.VMWith(ctx, n, v.name, s.Lab.Hosts[v.host].Name, want); err != nil {
			return nil, err
		}
	}
	for _, vm := range []*lab.VM{o.server, o.client} {
		if err := serve(ctx, s, vm.Box, web); err != nil {
			return nil, err
		}
	}
	return o, s.Settle(ctx)
}

// mustWork asks in both directions what is allowed, and what is not.
func (o *office) mustWork(ctx context.Context) error {
	if err := mustAsk(ctx, o.client.Box, at(addr(o.server)), o.server.Name, addr(o.client)); err != nil {
		return err
	}
	return errors.Join(mustAsk(ctx, o.server.Box, at(addr(o.client)), o.client.Name, addr(o.server)), mustNotAsk(ctx, o.stranger.Box, at(addr(o.server))))
}

// bridgeHeals spoils a firewall bridge by hand: every piece comes back.
func bridgeHeals(ctx context.Context, s *cloud.Scope) (string, error) {
	if err := bridge(ctx, s); err != nil {
		return "", err
	}
	o, err := buildOffice(ctx, s, "10.0.8.0/24")
	if err != nil {
		return "", err
	}
	h := s.Lab.Hosts[0]
	if err := behindBridge(ctx, h, o.server); err != nil {
		return "", err
	}
	set := "weft4-" + o.group["clients"].GetMetadata().GetId()[:25]
	short := o.server.PortID[:10]
	var worst time.Duration
	for _, c := range []struct{ spoil, look string }{
		{"iptables -D weft-fw-s" + short + " 1", "iptables-save"},
		{"iptables -F weft-fw-i" + short, "iptables-save"},
		{"ip6tables -D weft-fw-sg-chain 1", "ip6tables-save"},
		{"ebtables -F weft-fw-o" + short, "ebtables-save"},
		{"ip link set " + o.server.Interface() + " nomaster", "ip -o link show master " + bridgeOf(o.server) + " | cut -d: -f2 | sort"},
		{"ip link del " + innerOf(o.server), "ip -o link show master " + bridgeOf(o.server) + " | cut -d: -f2 | cut -d@ -f1 | sort"},
		{fmt.Sprintf("ipset del %s %s", set, addr(o.client)), "ipset list " + set + " | grep ^10 | sort"},
		{"echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables", "cat /proc/sys/net/bridge/bridge-nf-call-iptables"},
	} {
		look := func() (string, error) {
			return h.Exec(ctx, "sh", "-c", c.look+" | grep -v '^#' | sed 's/\\[[0-9:]*\\]//' | sort")
		}
		before, err := look()
		if err != nil {
			return "", err
		}
		start := time.Now()
		if _, err := h.Exec(ctx, "sh", "-c", c.spoil); err != nil {
			return "", err
		}
		if err := lab.Poll(ctx, 20*time.Second, func() error {
			now, err := look()
			if err == nil && now != before {
				err = fmt.Errorf("%s: not put right: %s", c.spoil, difference(before, now))
			}
			return err
		}); err != nil {
			return "", err
		}
		worst = max(worst, time.Since(start))
		if err := behindBridge(ctx, h, o.server); err != nil {
			return "", fmt.Errorf("%s: %w", c.spoil, err)
		}
		if err := lab.Poll(ctx, 20*time.Second, func() error { return o.mustWork(ctx) }); err != nil {
			return "", fmt.Errorf("after %s: %w", c.spoil, err)
		}
	}
	return fmt.Sprintf("chains, sets, devices and settings; the slowest after %s", ms(worst)), nil
}

// bridgeStopsSpoofing lets a VM send from addresses and MACs that are not its own: nothing of it leaves its bridge.
func bridgeStopsSpoofing(ctx context.Context, s *cloud.Scope) (string, error) {
	if err := bridge(ctx, s); err != nil {
		return "", err
	}
	o, err := buildOffice(ctx, s, "10.0.9.0/24")
	if err != nil {
		return "", err
	}
	h, vm, other := s.Lab.Hosts[0], o.server, addr(o.client)
	if err := behindBridge(ctx, h, vm); err != nil {
		return "", err
	}
	if err := o.mustWork(ctx); err != nil {
		return "", err
	}
	const foreign = "fa:16:3e:ee:ee:ee"
	stranger := netip.MustParseAddr("10.0.9.200")
	for _, c := range []struct {
		name   string
		passes bool
		do     string
	}{
		{"its own address", true, "ping -n -c 3 -i 0.1 -W 1 OTHER"},
		{"another address", false, "ip addr add STRANGER/24 dev eth0 && ping -n -c 3 -i 0.1 -W 1 -I STRANGER OTHER; ip addr del STRANGER/24 dev eth0"},
		{"another MAC", false, "ip link set eth0 address " + foreign + " && ip neigh replace OTHER lladdr " + o.client.MAC + " dev eth0 && ping -n -c 3 -i 0.1 -W 1 OTHER; ip link set eth0 address " + vm.MAC + "; ip neigh del OTHER dev eth0"},
	} {
		sniff, err := s.Lab.StartSniff(ctx, h.Box, innerOf(vm))
		if err != nil {
			return "", err
		}
		do := strings.NewReplacer("OTHER", other.String(), "STRANGER", stranger.String()).Replace(c.do)
		_, _ = vm.Box.Exec(ctx, "sh", "-c", do) // whether it was answered, the sniffer knows
		got, err := sniff.Stop(ctx)
		if err != nil {
			return "", err
		}
		if passed := got.Plain.UnicastIPv4 > 0 || got.Plain.Sources[foreign] > 0; passed != c.passes {
			return "", fmt.Errorf("from %s: %+v left the bridge", c.name, got.Plain)
		}
	}
	sniff, err := s.Lab.StartSniff(ctx, h.Box, innerOf(vm))
	if err != nil {
		return "", err
	}
	if err := lab.Announce(ctx, vm.Box, stranger); err != nil {
		return "", err
	}
	if err := lab.Announce(ctx, vm.Box, addr(vm)); err != nil {
		return "", err
	}
	got, err := sniff.Stop(ctx)
	if err != nil {
		return "", err
	}
	if got.Plain.Questions[stranger.String()] > 0 || got.Plain.Questions[addr(vm).String()] == 0 {
		return "", fmt.Errorf("ARP: %+v left the bridge", got.Plain.Questions)
	}
	// The host itself is no neighbour of its machines.
	if err := mustNotPing(ctx, vm.Box, h.MgmtIP); err != nil {
		return "", err
	}
	return "no other address, MAC or ARP sender; not to the host", nil
}

// driverMoves moves a host from one firewall to the other and back, while connections of TCP are open in both directions, datagrams
// come and go, and somebody who may not tries all the time.
func driverMoves(ctx context.Context, s *cloud.Scope) (string, error) {
	h := s.Lab.Hosts[0]
	o, err := buildOffice(ctx, s, "10.0.10.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.Allow(ctx, o.group["servers"], &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: "IPv4", Protocol: "udp",
		RemoteIpPrefix: addr(o.client).String() + "/32"}); err != nil {
		return "", err
	}
	s.Defer(func(ctx context.Context) error { return noBridges(ctx, h) })
	s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
	if err := o.mustWork(ctx); err != nil {
		return "", err
	}
	told := ""
	for _, to := range []string{onBridge, inSwitch} {
		in, err := s.Lab.StartSession(ctx, o.client.Box, at(addr(o.server)))
		if err != nil {
			return "", err
		}
		out, err := s.Lab.StartSession(ctx, o.server.Box, at(addr(o.client)))
		if err != nil {
			return "", errors.Join(err, stop(ctx, in))
		}
		datagrams, err := s.Lab.StartProbe(ctx, o.client.Box, o.server.Box, addr(o.client), addr(o.server), probeRate)
		if err != nil {
			return "", errors.Join(err, stop(ctx, in), stop(ctx, out))
		}
		open := make(chan error, 1)
		go func() {
			r, err := lab.Ping(ctx, o.stranger.Box, addr(o.server), lab.Pings{Count: 100})
			if err == nil && r.Received > 0 {
				err = fmt.Errorf("%s reached %s meanwhile: %d times", o.stranger.Name, o.server.Name, r.Received)
			}
			open <- err
		}()
		var gaps [2]time.Duration
		err = driver(ctx, s, h.Name, to)
		if err == nil {
			err = s.Settle(ctx)
		}
		if err == nil && to == onBridge {
			err = behindBridge(ctx, h, o.server)
		}
		if err == nil && to == inSwitch {
			err = noBridges(ctx, h)
		}
		for i, session := range []*lab.Session{in, out} {
			if err == nil {
				err = session.Await(ctx, 2000, limit)
			}
			r, stopErr := session.Stop(ctx)
			err = errors.Join(err, stopErr)
			gaps[i] = r.LongestGap
		}
		r, stopErr := datagrams.Stop(ctx)
		if err := errors.Join(err, stopErr, <-open); err != nil {
			return "", fmt.Errorf("to %s: %w", to, err)
		}
		for _, gap := range []time.Duration{r.AToB.LongestGap, r.BToA.LongestGap} {
			if gap > time.Second {
				return "", fmt.Errorf("to %s: no datagram for %s: %+v", to, ms(gap), r)
			}
		}
		if err := o.mustWork(ctx); err != nil {
			return "", fmt.Errorf("with %s: %w", to, err)
		}
		told += fmt.Sprintf("to %s: longest gap %s in, %s out, %d of %d datagrams lost; ", to, ms(gaps[0]), ms(gaps[1]), r.Lost(), r.AToB.Sent+r.BToA.Sent)
	}
	return told + "nobody else in", nil
}

func stop(ctx context.Context, session *lab.Session) error { _, err := session.Stop(ctx); return err }

// plugged is how os-vif plugs a machine for a firewall bridge; unplugged takes it away again.
const (
	pluggedByVif = `set -e
ip link add QBR type bridge stp_state 0 forward_delay 0 ageing_time 0 mcast_snooping 0
ip link add QVB type veth peer name QVO
ip link set QVB master QBR up; ip link set QVO up; ip link set QBR up
ethtool -K QVB tx off >/dev/null; ethtool -K QVO tx off >/dev/null
echo 1 >/proc/sys/net/ipv6/conf/QVO/disable_ipv6
ovs-vsctl --timeout=20 -- del-port br-int TAP -- add-port br-int QVO -- set Interface QVO external_ids:iface-id=ID external_ids:iface-status=active 'external_ids:attached-mac="MAC"'
ip link set TAP master QBR`
	unpluggedByVif = `ovs-vsctl --timeout=20 --if-exists del-port br-int QVO; ip link set TAP nomaster; ip link del QVB; ip link del QBR; true`
)

// foreignBridge has a firewall bridge that os-vif made: it is judged when the host's driver says so, and stays as it is.
func foreignBridge(ctx context.Context, s *cloud.Scope) (string, error) {
	h := s.Lab.Hosts[0]
	o, err := buildOffice(ctx, s, "10.0.11.0/24")
	if err != nil {
		return "", err
	}
	vm := o.server
	fill := strings.NewReplacer("QBR", bridgeOf(vm), "QVB", innerOf(vm), "QVO", outerOf(vm), "TAP", vm.Interface(), "ID", vm.PortID, "MAC", vm.MAC)
	s.Defer(func(ctx context.Context) error {
		_, err := h.Exec(ctx, "sh", "-c", fill.Replace(unpluggedByVif))
		return err
	})
	s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
	if _, err := h.Exec(ctx, "sh", "-c", fill.Replace(pluggedByVif)); err != nil {
		return "", err
	}
	works := func(with string, chains bool) error {
		if err := s.Settle(ctx); err != nil {
			return err
		}
		return lab.Poll(ctx, 20*time.Second, func() error {
			saved, err := h.Exec(ctx, "iptables-save")
			if err == nil && strings.Contains(saved, "weft-fw-i"+vm.PortID[:10]) != chains {
				err = errors.New("chains")
			}
			if err == nil {
				err = o.mustWork(ctx)
			}
			if err != nil {
				err = fmt.Errorf("with %s: %w", with, err)
			}
			return err
		})
	}
	look := func() (string, error) {
		return h.Exec(ctx, "sh", "-c", "ip -d -o link show dev "+bridgeOf(vm)+"; ls /proc/sys/net/ipv4/conf | grep "+vm.PortID[:11])
	}
	if err := works(inSwitch, false); err != nil {
		return "", err
	}
	before, err := look()
	if err != nil {
		return "", err
	}
	for _, to := range []string{onBridge, inSwitch} {
		if err := driver(ctx, s, h.Name, to); err != nil {
			return "", err
		}
		if err := works(to, to == onBridge); err != nil {
			return "", err
		}
		now, err := look()
		if err != nil {
			return "", err
		}
		if strings.Contains(now, "alias") || strings.Count(now, "qvo") != strings.Count(before, "qvo") {
			return "", fmt.Errorf("with %s the bridge was %q, and is %q", to, before, now)
		}
	}
	return "judged as told, and left as it was", nil
}
