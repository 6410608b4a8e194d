package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/nsagent/unixctl"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// maxTrace is how much of what the switch says of one packet, and of its ports, is passed on. A trace is a few thousand bytes; one
// that floods to hundreds of tunnels some hundred thousand.
const maxTrace = 4 << 20

// trace asks the switch what its tables do with a packet. Nothing that somebody wrote reaches the switch as it came: the packet is
// spelled here.
func (a *Agent) trace(ctx context.Context, ask *nodev1.Ask) (*nodev1.Answer, error) {
	q := ask.GetTrace()
	out := &nodev1.TraceAnswer{}
	if q.GetInPort() != "" {
		st := a.seen.Load()
		if st == nil {
			return nil, errors.New("the switch's database is away")
		}
		i, ok := st.Interfaces(q.GetBridge())[q.GetInPort()]
		switch {
		case !ok:
			return nil, fmt.Errorf("%s has no port %q", q.GetBridge(), q.GetInPort())
		case i.OFPort == 0:
			return nil, fmt.Errorf("the switch could not add port %s of %s: %s", i.Name, q.GetBridge(), i.Error)
		}
		packet, err := spell(q, i.OFPort)
		if err != nil {
			return nil, err
		}
		if out.Text, err = a.appctl(ctx, "ofproto/trace", q.GetBridge(), packet); err != nil {
			return nil, err
		}
	}
	var err error
	if out.Ports, err = a.appctl(ctx, "dpif/show"); err != nil {
		return nil, err
	}
	return &nodev1.Answer{Trace: out}, nil
}

func (a *Agent) appctl(ctx context.Context, command string, args ...string) (string, error) {
	out, err := unixctl.Call(ctx, a.cfg.RunDir, "ovs-vswitchd", command, args...)
	if len(out) > maxTrace {
		return "", fmt.Errorf("%s says %d bytes, which is too much", command, len(out))
	}
	return out, err
}

// spell writes a packet as ofproto/trace reads it (ovs-ofctl(8), "Flow Syntax").
func spell(q *nodev1.TraceQuestion, inPort uint32) (string, error) {
	var s strings.Builder
	fmt.Fprintf(&s, "in_port=%d", inPort)
	for _, m := range []struct{ name, text string }{{"dl_src", q.GetEthSrc()}, {"dl_dst", q.GetEthDst()}} {
		mac, err := net.ParseMAC(m.text)
		if err != nil || len(mac) != 6 {
			return "", fmt.Errorf("%s: %q is no MAC address", m.name, m.text)
		}
		fmt.Fprintf(&s, ",%s=%s", m.name, mac)
	}
	if v := q.GetVlan(); v > 0xfff {
		return "", fmt.Errorf("vlan: %d is no VLAN", v)
	} else if v != 0 {
		fmt.Fprintf(&s, ",dl_vlan=%d", v)
	}
	src, err := netip.ParseAddr(q.GetIpSrc())
	if err != nil {
		return "", fmt.Errorf("ip_src: %w", err)
	}
	dst, err := netip.ParseAddr(q.GetIpDst())
	switch {
	case err != nil:
		return "", fmt.Errorf("ip_dst: %w", err)
	case src.Is4() != dst.Is4() || src.Zone()+dst.Zone() != "":
		return "", fmt.Errorf("ip_dst: %v does not go with %v", dst, src)
	case q.GetProtocol() > math.MaxUint8 || q.GetTtl() > math.MaxUint8:
		return "", errors.New("protocol, ttl: one of them is more than 255")
	case max(q.GetSrcPort(), q.GetDstPort()) > math.MaxUint16:
		return "", errors.New("src_port, dst_port: one of them is more than 65535")
	}
	if src.Is4() {
		fmt.Fprintf(&s, ",dl_type=0x0800,nw_src=%v,nw_dst=%v", src, dst)
	} else {
		fmt.Fprintf(&s, ",dl_type=0x86dd,ipv6_src=%v,ipv6_dst=%v", src, dst)
	}
	fmt.Fprintf(&s, ",nw_proto=%d,nw_ttl=%d", q.GetProtocol(), q.GetTtl())
	if names, ok := transport[transportOf{uint8(q.GetProtocol()), src.Is6()}]; ok {
		fmt.Fprintf(&s, ",%s=%d,%s=%d", names[0], q.GetSrcPort(), names[1], q.GetDstPort())
	}
	if t := q.GetTunnel(); t != nil {
		src, err := netip.ParseAddr(t.GetSrc())
		if err != nil {
			return "", fmt.Errorf("tunnel.src: %w", err)
		}
		dst, err := netip.ParseAddr(t.GetDst())
		if err != nil {
			return "", fmt.Errorf("tunnel.dst: %w", err)
		}
		family := "tun"
		if dst.Is6() {
			family = "tun_ipv6"
		}
		fmt.Fprintf(&s, ",tun_id=%#x,%s_src=%v,%s_dst=%v", t.GetKey(), family, src, family, dst)
	}
	return s.String(), nil
}

type transportOf struct {
	protocol uint8
	ipv6     bool
}

// transport are the names of the fields that a protocol's header begins with.
var transport = map[transportOf][2]string{
	{6, false}: {"tcp_src", "tcp_dst"}, {6, true}: {"tcp_src", "tcp_dst"},
	{17, false}: {"udp_src", "udp_dst"}, {17, true}: {"udp_src", "udp_dst"},
	{132, false}: {"sctp_src", "sctp_dst"}, {132, true}: {"sctp_src", "sctp_dst"},
	{1, false}: {"icmp_type", "icmp_code"}, {58, true}: {"icmpv6_type", "icmpv6_code"},
}

// route asks the kernel what it does with a packet in a namespace.
func (a *Agent) route(_ context.Context, ask *nodev1.Ask) (*nodev1.Answer, error) {
	q := ask.GetRoute()
	src, err := netip.ParseAddr(q.GetSrc())
	if err != nil {
		return nil, fmt.Errorf("src: %w", err)
	}
	dst, err := netip.ParseAddr(q.GetDst())
	if err != nil {
		return nil, fmt.Errorf("dst: %w", err)
	}
	if src.Is4() != dst.Is4() {
		return nil, fmt.Errorf("dst: %v does not go with %v", dst, src)
	}
	r, err := a.spaces.Route(q.GetNamespace(), q.GetDevice(), src, dst)
	if err != nil {
		return nil, err
	}
	out := &nodev1.RouteAnswer{Kind: r.Kind, Message: r.Message, Device: r.Device, DeviceMac: r.DeviceMAC, Neighbour: r.Neighbour, NeighbourState: r.NeighbourState, Table: r.Table}
	if r.Via.IsValid() {
		out.Via = r.Via.String()
	}
	return &nodev1.Answer{Route: out}, nil
}
