package api

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/trace"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// defaultSourcePort is the port that TCP, UDP and SCTP come from, if the request names none: one of those that machines take.
const defaultSourcePort = 40000

// traced is the packet that a request is about, and who sends it to whom.
func traced(s state.Snapshot, req *weftv1.TraceRequest) (trace.Request, error) {
	obj, err := named(s, state.Ports, "source", req.Source)
	if err != nil {
		return trace.Request{}, about("source", err)
	}
	t := trace.Request{Source: obj.(*model.Port)}
	switch {
	case model.OwnedByWeft(t.Source.DeviceOwner):
		return t, invalid("source", "%s is one of Weft's own (%s); give a machine's port", refTo(state.Ports, t.Source), t.Source.DeviceOwner)
	case s.Binding(t.Source.ID) == nil:
		return t, invalid("source", "%s is bound to no host: nothing can leave it; weft describe port tells why", refTo(state.Ports, t.Source))
	}
	to, err := destination(s, req.Destination, &t)
	if err != nil {
		return t, err
	}
	if t.Packet.Src, t.Packet.Dst, err = addressesBetween(t.Source, req.SourceAddress, to); err != nil {
		return t, err
	}
	return t, protocol(req, &t.Packet)
}

// about says which field an error is about, if it does not say so itself.
func about(field string, err error) error {
	var bad *model.Invalid
	if errors.As(err, &bad) {
		return err
	}
	return problems{{field, err}}
}

// destination are the addresses that a destination may mean: one, or those of a port.
func destination(s state.Snapshot, ref string, t *trace.Request) ([]netip.Addr, error) {
	if _, err := netip.ParseAddr(ref); err == nil {
		a, err := model.ParseAddr(ref)
		switch {
		case err != nil:
			return nil, invalid("destination", "%s", err)
		case a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() && a.Is6():
			return nil, invalid("destination", "%s is no address that one machine sends to another by; give that of a port, a floating IP, or one outside", a)
		}
		return []netip.Addr{a}, nil
	}
	obj, err := named(s, state.Ports, "destination", ref)
	var missing *errNoSuch
	if errors.As(err, &missing) {
		if f, ferr := find(s, state.FloatingIPs, ref, nil); ferr == nil {
			return []netip.Addr{f.(*model.FloatingIP).Address}, nil
		}
	}
	if err != nil {
		return nil, about("destination", err)
	}
	t.Destination = obj.(*model.Port)
	if t.Destination.ID == t.Source.ID {
		return nil, invalid("destination", "is the source itself: what a machine sends to itself does not leave it")
	}
	if len(t.Destination.FixedIPs) == 0 {
		return nil, invalid("destination", "%s has no address; give one", refTo(state.Ports, t.Destination))
	}
	var out []netip.Addr
	for _, f := range t.Destination.FixedIPs {
		out = append(out, f.IP)
	}
	return out, nil
}

// addressesBetween chooses the source's address, and the destination's of the same family.
func addressesBetween(source *model.Port, wanted string, to []netip.Addr) (src, dst netip.Addr, err error) {
	from := make([]netip.Addr, len(source.FixedIPs))
	for i, f := range source.FixedIPs {
		from[i] = f.IP
	}
	if wanted != "" {
		a, err := model.ParseAddr(wanted)
		if err != nil {
			return src, dst, invalid("source_address", "%s", err)
		}
		if !slices.ContainsFunc(source.Senders(), func(s model.Sender) bool { return s.IP.Contains(a) }) {
			return src, dst, invalid("source_address", "%s is not an address that %s may send from; it has %s", a, refTo(state.Ports, source), addressList(from))
		}
		from = []netip.Addr{a}
	}
	for _, f := range from {
		for _, t := range to {
			if f.Is4() == t.Is4() {
				return f, t, nil
			}
		}
	}
	if wanted != "" {
		return src, dst, invalid("source_address", "%s is of another IP version than the destination, %s", wanted, addressList(to))
	}
	return src, dst, invalid("destination", "%s is of another IP version than what %s has: %s", addressList(to), refTo(state.Ports, source), addressList(from))
}

func addressList(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "none"
	}
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// protocol fills in what follows the addresses.
func protocol(req *weftv1.TraceRequest, p *policy.Packet) error {
	name := req.Protocol
	if name == "" {
		name = "icmp"
	}
	number, ok := model.ParseProtocol(name)
	if !ok {
		return invalid("protocol", "%q is no protocol: write icmp, tcp, udp, sctp, another name, or a number in 0..255; there are %s", name, strings.Join(model.ProtocolNames(), ", "))
	}
	switch {
	case number == policy.ICMP && p.Src.Is6() && !isNumber(name):
		number = policy.ICMPv6
	case number == policy.ICMPv6 && p.Src.Is4():
		return invalid("protocol", "%s is of IPv6, and %s is not; write icmp", name, p.Src)
	case number == policy.ICMP && p.Src.Is6():
		return invalid("protocol", "%s is of IPv4, and %s is not; write icmpv6", name, p.Src)
	}
	p.Protocol = number
	switch number {
	case policy.ICMP:
		p.Type = 8
	case policy.ICMPv6:
		p.Type = 128
	}
	if number != policy.TCP && number != policy.UDP && number != policy.SCTP {
		switch {
		case req.DestinationPort != 0:
			return invalid("destination_port", "is given, but %s has no ports; give protocol tcp, udp or sctp", name)
		case req.SourcePort != 0:
			return invalid("source_port", "is given, but %s has no ports; give protocol tcp, udp or sctp", name)
		}
		return nil
	}
	switch {
	case req.DestinationPort == 0:
		return invalid("destination_port", "is missing; %s needs one, 1..65535", name)
	case req.DestinationPort > math.MaxUint16:
		return invalid("destination_port", "%d is not in 1..65535", req.DestinationPort)
	case req.SourcePort > math.MaxUint16:
		return invalid("source_port", "%d is not in 1..65535", req.SourcePort)
	}
	p.SrcPort, p.DstPort = uint16(req.SourcePort), uint16(req.DestinationPort)
	if p.SrcPort == 0 {
		p.SrcPort = defaultSourcePort
	}
	return nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
