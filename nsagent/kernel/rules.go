package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// rules are the rules of a namespace as they were at a generation.
type rules struct {
	generation uint32
	v4, v6     plan.Ruleset
	ethernet   plan.Ruleset
	foreign    []plan.Line
}

// iptables looks at the rules of both families, unless they are known to be as they were.
func (o *observation) iptables(ctx context.Context) error {
	r := o.n.seen.Load()
	if o.generation == untouched {
		r = &rules{generation: untouched, v4: plan.Ruleset{}, v6: plan.Ruleset{}}
		o.n.seen.Store(r)
	}
	if r == nil || o.generation == 0 || r.generation != o.generation {
		var err error
		if r, err = o.n.save(ctx, !o.have.NoIPv6); err != nil {
			return err
		}
		r.generation = o.generation
		o.n.seen.Store(r)
	}
	o.have.IPv4, o.have.IPv6, o.have.Ethernet = r.v4, r.v6, r.ethernet
	o.have.Foreign = append(o.have.Foreign, r.foreign...)
	return nil
}

// save reads the rules. Both commands run at the same time.
func (n *Namespace) save(ctx context.Context, ipv6 bool) (*rules, error) {
	r := &rules{}
	v4, err := n.start(ctx, "", "iptables-save")
	if err != nil {
		return nil, err
	}
	var v6 *command
	if ipv6 {
		v6, err = n.start(ctx, "", "ip6tables-save")
	}
	text, err4 := v4.wait()
	if err := errors.Join(err, err4); err != nil {
		if v6 != nil {
			v6.cancel()
			_, _ = v6.wait() // it was killed
		}
		return nil, err
	}
	r.v4 = r.read("iptables ", text)
	if v6 != nil {
		if text, err = v6.wait(); err != nil {
			return nil, err
		}
		r.v6 = r.read("ip6tables ", text)
	}
	if n.name == plan.Home {
		if text, err = n.run(ctx, "", "ebtables-save"); err != nil {
			return nil, err
		}
		r.ethernet = r.read("ebtables ", text)
	}
	return r, nil
}

// Counters are the rules of iptables and ip6tables that judge packets, with what they have counted.
func (n *Namespace) Counters(ctx context.Context) (string, error) {
	var all strings.Builder
	for _, tool := range []string{"iptables-save", "ip6tables-save"} {
		text, err := n.run(ctx, "", tool, "-c", "-t", "filter")
		if err != nil {
			return "", err
		}
		all.WriteString(text)
	}
	return all.String(), nil
}

func (r *rules) read(tool, text string) plan.Ruleset {
	set, foreign := plan.ParseSave(text)
	for _, f := range foreign {
		r.foreign = append(r.foreign, plan.Line{Section: plan.SectionIPTables, Text: tool + f, State: plan.Foreign})
	}
	return set
}

// usesNftables says whether iptables makes rules of nf_tables, whose changes the kernel counts. Of the old kind it does not.
func usesNftables() bool {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	for _, tool := range []string{"iptables-save", "ip6tables-save"} {
		out, err := exec.CommandContext(ctx, tool, "-V").Output()
		if err != nil || !strings.Contains(string(out), "nf_tables") {
			return false
		}
	}
	return true
}

// Numbers of linux/netfilter/nf_tables.h.
const (
	nftGetGeneration = 16 // NFT_MSG_GETGEN
	nftNewGeneration = 15 // NFT_MSG_NEWGEN
	nftGenerationID  = 1  // NFTA_GEN_ID
)

// untouched is the generation of a namespace in which nobody has made a rule yet (nf_tables_init_net of the kernel).
const untouched = 1

// ruleGeneration is the generation of the rules in the namespace of this thread: it rises with each change.
func ruleGeneration() (uint32, error) {
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	req := nl.NewNetlinkRequest(subsystem|nftGetGeneration, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	msgs, err := req.Execute(unix.NETLINK_NETFILTER, subsystem|nftNewGeneration)
	if err != nil || len(msgs) == 0 {
		return 0, errors.Join(err, errors.New("no answer"))
	}
	attrs, err := nl.ParseRouteAttr(msgs[0][nl.SizeofNfgenmsg:])
	if err != nil {
		return 0, err
	}
	for _, a := range attrs {
		if a.Attr.Type == nftGenerationID && len(a.Value) == 4 {
			return binary.BigEndian.Uint32(a.Value), nil
		}
	}
	return 0, errors.New("no generation in the answer")
}
