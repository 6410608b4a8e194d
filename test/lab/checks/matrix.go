package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/policy"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// drivers are the firewalls that the matrix is about: values of a host's firewall_driver.
var drivers = []string{inSwitch, onBridge}

// matrices are a check for each firewall: what the rules say, by protocols, paths and ways to allow.
func matrices() (all []Check) {
	for _, driver := range drivers {
		all = append(all, Check{Name: "matrix of the firewall " + driver, Hosts: 2, Run: func(ctx context.Context, s *cloud.Scope) (string, error) {
			return matrix(ctx, s, driver)
		}})
	}
	return all
}

// Ports of the matrix: one that rules with a range allow, one that they do not, and one that every group allows to anybody,
// which shows that silence is not the network's.
const (
	insidePort  = 8005
	outsidePort = 8011
	controlPort = 7
)

// protocolRow is a protocol of the matrix.
type protocolRow struct {
	name string
	// inside is what a rule with a range allows, and outside what it does not; outside is nil where nobody would answer it.
	inside  lab.Shot
	outside *lab.Shot
	six     bool
	// rule is about all of the protocol.
	rule *weftv1.SecurityGroupRule
	// ranges are the range of the table, and another one: first and last port, or type and code. GRE has none.
	ranges *[2][2]uint32
}

const gre = 47

var (
	portRanges = &[2][2]uint32{{8000, 8010}, {9000, 9010}}
	tcpInside  = lab.Shot{Protocol: policy.TCP, Port: insidePort}
	tcpOutside = lab.Shot{Protocol: policy.TCP, Port: outsidePort}
)

var protocols = []protocolRow{
	{"TCP", tcpInside, &tcpOutside, false, &weftv1.SecurityGroupRule{Protocol: "tcp", Ethertype: "IPv4"}, portRanges},
	{"UDP", lab.Shot{Protocol: policy.UDP, Port: insidePort}, &lab.Shot{Protocol: policy.UDP, Port: outsidePort}, false,
		&weftv1.SecurityGroupRule{Protocol: "udp", Ethertype: "IPv4"}, portRanges},
	// Kernels answer echo requests (8) and timestamp requests (13).
	{"ICMP", lab.Shot{Protocol: policy.ICMP, Type: 8}, &lab.Shot{Protocol: policy.ICMP, Type: 13}, false,
		&weftv1.SecurityGroupRule{Protocol: "icmp", Ethertype: "IPv4"}, &[2][2]uint32{{8, 0}, {3, 0}}},
	// They answer echo requests (128) only, and the connection tracker knows them of code 0 only.
	{"ICMPv6", lab.Shot{Protocol: policy.ICMPv6, Type: 128}, nil, true,
		&weftv1.SecurityGroupRule{Protocol: "icmpv6", Ethertype: "IPv6"}, &[2][2]uint32{{128, 0}, {1, 0}}},
	{"TCP over IPv6", tcpInside, &tcpOutside, true, &weftv1.SecurityGroupRule{Protocol: "tcp", Ethertype: "IPv6"}, portRanges},
	{"SCTP", lab.Shot{Protocol: policy.SCTP, Port: insidePort}, &lab.Shot{Protocol: policy.SCTP, Port: outsidePort}, false,
		&weftv1.SecurityGroupRule{Protocol: "sctp", Ethertype: "IPv4"}, portRanges},
	{"GRE", lab.Shot{Protocol: gre}, nil, false, &weftv1.SecurityGroupRule{Protocol: "gre", Ethertype: "IPv4"}, nil},
}

// way is how traffic is allowed, or not. Each has a security group, and a receiver in each network.
type way struct {
	name      string
	stateless bool
	// want is whether a friend's inside and outside are answered, and then a stranger's.
	want string
	// rules are what a group needs to allow a protocol.
	rules func(t *matrixSite, k protocolRow) []*weftv1.SecurityGroupRule
}

var ways = []way{
	{"by prefix", false, "++--", byPrefix},
	{"by group", false, "++--", func(t *matrixSite, k protocolRow) []*weftv1.SecurityGroupRule {
		r := proto.CloneOf(k.rule)
		r.RemoteGroupId = t.friends.GetMetadata().GetId()
		return []*weftv1.SecurityGroupRule{r}
	}},
	{"by address group", false, "++--", func(t *matrixSite, k protocolRow) []*weftv1.SecurityGroupRule {
		r := proto.CloneOf(k.rule)
		r.RemoteAddressGroupId = t.addresses.GetMetadata().GetId()
		return []*weftv1.SecurityGroupRule{r}
	}},
	{"by range", false, "+-+-", byRange(0)},
	{"denied", false, "----", byRange(1)},
	{"stateless", true, "++--", byPrefix},
}

func byRange(which int) func(*matrixSite, protocolRow) []*weftv1.SecurityGroupRule {
	return func(_ *matrixSite, k protocolRow) []*weftv1.SecurityGroupRule {
		if k.ranges == nil {
			return nil
		}
		r := proto.CloneOf(k.rule)
		r.PortRangeMin, r.PortRangeMax = proto.Uint32(k.ranges[which][0]), proto.Uint32(k.ranges[which][1])
		return []*weftv1.SecurityGroupRule{r}
	}
}

func byPrefix(t *matrixSite, k protocolRow) (out []*weftv1.SecurityGroupRule) {
	for _, block := range t.blocks() {
		if block.Addr().Is6() == k.six {
			r := proto.CloneOf(k.rule)
			r.RemoteIpPrefix = block.String()
			out = append(out, r)
		}
	}
	return out
}

// path is how packets get to a receiver.
type path struct {
	name string
	// senders are the number of their host and of their network; -1 is the machine outside, who knows floating IPs.
	host, network int
	// to is the number of the receivers' network.
	to int
}

// The networks of the matrix.
const (
	tunnelled = iota
	tagged
	beyond // the router
	networkCount
)

const outside = -1

var paths = []path{
	{"same host", 0, tunnelled, tunnelled},
	{"VXLAN", 1, tunnelled, tunnelled},
	{"provider VLAN", 1, tagged, tagged},
	{"distributed router", 1, beyond, tunnelled},
	{"floating IP", 0, outside, tunnelled},
}

// cannotBe says why a cell does not exist; empty: it does.
func cannotBe(p path, w way, k protocolRow, ranged bool) string {
	switch {
	case p.network == outside && k.six:
		return "IPv6 by floating IP"
	case k.ranges == nil && (w.name == "by range" || ranged):
		return "a range of " + k.name
	case k.outside == nil && ranged:
		return k.name + " outside of a range that is answered"
	}
	return ""
}

// wanted is whether a cell is answered, out of the table.
func wanted(p path, w way, stranger, ranged bool) bool {
	if p.network == outside && w.name == "by group" {
		return false // nobody outside is a member
	}
	i := 0
	if stranger {
		i += 2
	}
	if ranged {
		i++
	}
	return w.want[i] == '+'
}

// cell is one attempt, and what must become of it.
type cell struct {
	name string
	shot lab.Shot
	want bool
	// model is what package policy says of it.
	model bool
}

func matrix(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	if err := setDriver(ctx, s, driver); err != nil {
		return "", err
	}
	t, err := buildMatrix(ctx, s)
	if err != nil {
		return "", err
	}
	model, err := s.Policy(ctx)
	if err != nil {
		return "", err
	}
	impossible := map[string]int{}
	var told []string
	var errs []error
	for _, p := range paths {
		passed, refused, err := t.probe(ctx, model, p, impossible)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		told = append(told, fmt.Sprintf("%s %d answered %d refused", p.name, passed, refused))
	}
	var none []string
	for _, why := range slices.Sorted(maps.Keys(impossible)) {
		none = append(none, fmt.Sprintf("%s (%d)", why, impossible[why]))
	}
	return strings.Join(told, ", ") + "; cannot be: " + strings.Join(none, ", "), errors.Join(errs...)
}

// probe tries all cells of a path at once, from both senders, and then asks every receiver what it lets anybody ask.
func (t *matrixSite) probe(ctx context.Context, model cloud.Policy, p path, impossible map[string]int) (passed, refused int, err error) {
	var boxes []*nsbox.Box
	var cells [2][]cell
	var controls [2][]lab.Shot
	for i, from := range t.senders(p) {
		boxes = append(boxes, from.box)
		for _, w := range ways {
			to := t.receiver[p.to][w.name]
			controls[i] = append(controls[i], lab.Shot{Protocol: policy.UDP, Port: controlPort, From: from.source, To: t.target(p, to, false), Expected: true})
			for _, k := range protocols {
				for _, ranged := range []bool{false, true} {
					if why := cannotBe(p, w, k, ranged); why != "" {
						impossible[why]++
						continue
					}
					cells[i] = append(cells[i], t.cell(model, p, from, to, w, k, ranged))
				}
			}
		}
	}
	var g errgroup.Group
	wrong := make([]error, len(boxes))
	for i, box := range boxes {
		g.Go(func() error {
			wrong[i] = try(ctx, box, cells[i])
			hits, err := lab.Volley(ctx, box, controls[i])
			for n, h := range hits {
				if !h.Answered {
					err = errors.Join(err, fmt.Errorf("%s asks the receiver %s what anybody may: %s; so silence says nothing", box.Name, ways[n].name, h.Why))
				}
			}
			return err
		})
	}
	err = g.Wait()
	for i := range cells {
		for _, c := range cells[i] {
			if c.want {
				passed++
			} else {
				refused++
			}
		}
	}
	return passed, refused, errors.Join(append(wrong, err)...)
}

func (t *matrixSite) cell(model cloud.Policy, p path, from sender, to *lab.VM, w way, k protocolRow, ranged bool) cell {
	c := cell{shot: k.inside, want: wanted(p, w, from.stranger, ranged)}
	if ranged {
		c.shot = *k.outside
	}
	c.name = fmt.Sprintf("%s, %s, %s", k.name, w.name, map[bool]string{false: "friend", true: "stranger"}[from.stranger])
	if k.outside != nil {
		c.name += map[bool]string{false: ", inside", true: ", outside"}[ranged]
	}
	c.shot.From, c.shot.To, c.shot.Expected = from.address(k.six), t.target(p, to, k.six), c.want
	packet := policy.Packet{
		Src: c.shot.From, Dst: own(to, k.six), Protocol: c.shot.Protocol, SrcPort: 40000, DstPort: c.shot.Port, Type: c.shot.Type, Code: c.shot.Code,
	}
	c.model = model.Answered(policy.End{Port: from.port}, policy.End{Port: to.PortID}, packet)
	return c
}

// try fires the shots of all cells and compares packets, table and model.
func try(ctx context.Context, box *nsbox.Box, cells []cell) error {
	shots := make([]lab.Shot, len(cells))
	for i, c := range cells {
		shots[i] = c.shot
	}
	hits, err := lab.Volley(ctx, box, shots)
	if err != nil {
		return err
	}
	var wrong []string
	for i, c := range cells {
		h := hits[i]
		switch {
		case h.Answered != c.want || c.model != c.want:
			wrong = append(wrong, fmt.Sprintf("%s: answered %v, the table says %v, the model %v: %s", c.name, h.Answered, c.want, c.model, h.Why))
		case h.Caller.IsValid() && h.Caller != c.shot.From:
			wrong = append(wrong, fmt.Sprintf("%s: is seen as %s, not as %s", c.name, h.Caller, c.shot.From))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d cells of %s are wrong: %s", len(wrong), len(cells), box.Name, strings.Join(wrong[:min(len(wrong), 12)], "; "))
}

// own is a VM's address of a family.
func own(vm *lab.VM, six bool) netip.Addr {
	for _, a := range vm.Addresses {
		if a.Addr().Is6() == six {
			return a.Addr()
		}
	}
	return netip.Addr{}
}
