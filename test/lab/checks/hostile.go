package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// hostile is a machine that tries everything.
func hostile(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	t, err := newTheatre(ctx, s, driver, nil)
	if err != nil {
		return "", err
	}
	return t.play(ctx, s)
}

// hostileInVLAN is one on a network of a provider. The tags that it tries are those of this network and of the other, too. Right after
// hostile, it also hears what the tracker has kept of what was tried there, if that comes out after all.
func hostileInVLAN(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	t, err := newTheatre(ctx, s, driver, []uint32{lastTag - 1, lastTag})
	if err != nil {
		return "", err
	}
	told, err := t.play(ctx, s)
	if err != nil {
		return "", err
	}
	if err := t.outwait(ctx, s); err != nil {
		return "", fmt.Errorf("when the switch has waited for the rest of datagrams in vain: %w", err)
	}
	return told, nil
}

// play tries every trick, then those about allowed address pairs without and with these, and then sends large packets.
func (t *theatre) play(ctx context.Context, s *cloud.Scope) (string, error) {
	targets := append(slices.Clone(listeners), everybody)
	anySize, err := t.tracksAny(ctx, s)
	if err != nil {
		return "", err
	}
	all, most := slices.Concat(whose, posing, shapes, headed()), larger
	if anySize {
		most = largest
	}
	frames := 0
	try := func(by string, tricks []trick, targets, silent []string) error {
		n, err := t.try(ctx, by, tricks, targets, silent)
		frames += n
		return err
	}
	// What the pairs will allow is evil until then.
	var early []trick
	for _, k := range withPair {
		early = append(early, trick{k.name + ", before", k.evil, plain})
		if k.name != withPair[1].name {
			early = append(early, trick{"honest only with the pair", k.honest, plain})
		}
	}
	if err := try(villain, slices.Concat(all, tracked, early), targets, everywhere); err != nil {
		return "", err
	}
	if err := try(villains[1], all, targets, everywhere); err != nil {
		return "", fmt.Errorf("from a stateless group: %w", err)
	}
	toGuards := slices.Concat(toGuards, headedToGuards())
	for _, g := range guards {
		if err := try(villain, toGuards, []string{g}, slices.Concat(guards, outsiders)); err != nil {
			return "", err
		}
	}
	if err := t.pair(ctx, s); err != nil {
		return "", err
	}
	if err := try(villain, slices.Concat(withPair, whose), targets, everywhere); err != nil {
		return "", fmt.Errorf("with allowed address pairs: %w", err)
	}
	if err := t.large(ctx, s, most); err != nil {
		return "", err
	}
	// The tracker keeps a thousand fragments, of all: this comes last.
	if err := try(villain, manyFragments, []string{"near", "far"}, everywhere); err != nil {
		return "", err
	}
	if err := t.counted(ctx, s); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d tricks, %d frames: none came out, and every honest twin did; UDP of %d bytes passes", len(all)+len(tracked)+len(withPair)+len(toGuards)+len(manyFragments), frames, most), nil
}

// outwait goes on until the connection trackers have given up the datagrams whose first fragment they wait for: 15 s. New connections
// make them look, and take along what should be dropped.
func (t *theatre) outwait(ctx context.Context, s *cloud.Scope) error {
	if t.driver == onBridge {
		return nil
	}
	port := uint16(anyPort)
	err := lab.Poll(ctx, time.Minute, func() error {
		// One whom nobody judges, from outside the host and to all; and connections of one who is judged.
		for by, targets := range map[string][]string{"far": {everybody}, villain: slices.Concat(listeners, guards)} {
			var frames [][]byte
			for _, target := range targets {
				x := attempt{me: t.known[by], to: t.known[target], mark: markOf(0)}
				port++
				frames = append(frames, x.udp(x.me.mac, x.me.ip4, port, allowed), x.udp(x.me.mac, x.me.ip6, port, allowed))
			}
			if err := lab.Inject(ctx, t.machine[by].Box, "eth0", frames...); err != nil {
				return err
			}
		}
		for _, h := range s.Lab.Hosts {
			out, err := h.Exec(ctx, "ovs-appctl", "dpctl/ipf-get-status", "-m")
			if err != nil {
				return err
			}
			if n := strings.Count(out, "state=last frag"); n > 0 {
				return fmt.Errorf("%s waits for the rest of %d datagrams", h.Name, n)
			}
		}
		return nil
	})
	return errors.Join(err, t.unheard(maps.Keys(t.evil)))
}

// pair gives the villain its allowed address pairs.
func (t *theatre) pair(ctx context.Context, s *cloud.Scope) error {
	mac := pairs.mac.String()
	if _, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: t.machine[villain].PortID}, AllowedAddressPairs: []*weftv1.AddressPair{
			{IpAddress: pairs.ip4.String(), MacAddress: mac}, {IpAddress: pairs.ip6.String(), MacAddress: mac}, {IpAddress: pairs.block.String()}}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"allowed_address_pairs"}}}); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// counted fails unless the host has counted what the villain was allowed by its rules, and what was refused.
func (t *theatre) counted(ctx context.Context, s *cloud.Scope) error {
	r, err := s.Diagnostics.GetPortRules(ctx, &weftv1.GetPortRulesRequest{Port: t.machine[villain].PortID})
	if err != nil {
		return err
	}
	if !r.GetCounted() {
		return fmt.Errorf("nothing is counted: %s", r.GetMessage())
	}
	for _, rule := range r.GetRules() {
		if rule.GetPackets() == 0 || rule.GetBytes() == 0 || rule.GetCountedBy() != "rule" {
			return fmt.Errorf("the rule %q has counted nothing: %v", rule.GetText(), rule)
		}
	}
	// A firewall bridge counts what its own port was not to hear, and nobody sends the villain any such thing.
	heard := r.GetFirewallBridge() || r.GetRefusedIngressPackets() > 0
	if len(r.GetRules()) != 4 || r.GetRefusedEgressPackets() < uint64(len(whose)) || !heard {
		return fmt.Errorf("what was refused is not counted: %v", r)
	}
	return nil
}

// Datagrams of UDP in bytes: nearly the largest that there are, and one of fewer fragments than the 32 packets that the userspace
// datapath handles at a time.
const (
	largest = 65000
	larger  = 40000
)

// firstWhole is the first version of Open vSwitch whose userspace datapath tracks datagrams of any number of fragments. Of those
// with more than 32 the older ones lose what is allowed (docs/decisions/0077).
const firstWhole = 4

// tracksAny says whether allowed datagrams of any number of fragments pass on the hosts.
func (t *theatre) tracksAny(ctx context.Context, s *cloud.Scope) (bool, error) {
	if t.driver == onBridge {
		return true, nil // by the kernel
	}
	out, err := s.Lab.Hosts[0].Exec(ctx, "ovs-vswitchd", "--version")
	if err != nil {
		return false, err
	}
	const before = "ovs-vswitchd (Open vSwitch) "
	var major int
	if _, err := fmt.Sscanf(out, before+"%d.", &major); err != nil {
		return false, fmt.Errorf("ovs-vswitchd --version says %q: %w", out, err)
	}
	return major >= firstWhole, nil
}

// large sends datagrams, of which the largest has that many bytes, and pings that must be cut into fragments, to those who hear them:
// stateless guards do not (docs/decisions/0061).
func (t *theatre) large(ctx context.Context, s *cloud.Scope, largest int) error {
	for _, name := range slices.Concat([]string{"near", "far"}, guards[:2]) {
		vm := t.machine[name]
		if err := serve(ctx, s, vm.Box, allowed); err != nil {
			return err
		}
		for _, a := range vm.Addresses {
			for _, size := range []int{4000, largest} {
				if _, err := lab.AskLarge(ctx, t.machine[villain].Box, netip.AddrPortFrom(a.Addr(), allowed), size); err != nil {
					return fmt.Errorf("%d bytes of UDP to %s at %s: %w", size, name, a, err)
				}
			}
			if _, err := mustPing(ctx, t.machine[villain].Box, a.Addr(), lab.Pings{Count: 1, Size: 3000, Fragments: true}); err != nil {
				return fmt.Errorf("3000 bytes of ICMP to %s: %w", name, err)
			}
		}
	}
	return nil
}
