package api

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// cookieIn and tableIn find the parts of a line of ovs-ofctl dump-flows that lead to who wanted it. With --names a table
// has a name.
var (
	cookieIn = regexp.MustCompile(`\bcookie=(0x[0-9a-fA-F]+|[0-9]+)`)
	tableIn  = regexp.MustCompile(`\btable=("?)([^\s,"]+)("?)`)
)

// Explain implements DiagnosticsService.
func (s *Server) Explain(_ context.Context, req *weftv1.ExplainRequest) (*weftv1.ExplainResponse, error) {
	text, field := req.Cookie, "cookie"
	if req.Flow != "" {
		if req.Cookie != "" {
			return nil, s.refuse(invalid("flow", "is given beside cookie; give one of them"))
		}
		m := cookieIn.FindStringSubmatch(req.Flow)
		if m == nil {
			return nil, s.refuse(invalid("flow", "has no cookie=…; take the whole line of ovs-ofctl dump-flows (with --no-stats it leaves out a cookie of 0, which is not ours)"))
		}
		text, field = m[1], "flow"
	}
	if text == "" {
		return nil, s.refuse(invalid("cookie", "is missing; give a cookie, or a line of dump-flows as flow"))
	}
	cookie, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64)
	if err != nil {
		return nil, s.refuse(invalid(field, "%q is no cookie: write 64 bits in hex, e.g. 0x5703aabbccddeeff", text))
	}
	snap := s.sight().Snapshot
	res := &weftv1.ExplainResponse{Owners: s.owners(snap).all(cookie)}
	rules := rulesBehind(snap, res.Owners, req.Flow)
	res.Text = whose(snap, cookie, res.Owners, rules)
	for _, r := range rules {
		res.Rules = append(res.Rules, &weftv1.ExplainedRule{SecurityGroup: groupRef(snap, r), Rule: spellRef(refTo(state.SecurityGroupRules, r)), Text: inWords(snap, r)})
	}
	if m := tableIn.FindStringSubmatch(req.Flow); m != nil {
		s.explainTable(res, m[2], req.Bridge)
	} else if req.Flow != "" {
		// dump-flows leaves out table 0.
		s.explainTable(res, "0", req.Bridge)
	}
	return res, nil
}

// whose is the sentence about a cookie, and the rules behind its row.
func whose(s state.Snapshot, cookie uint64, owners []*weftv1.ObjectRef, rules []*model.SecurityGroupRule) string {
	kind, prefix, ours := flow.ParseCookie(cookie)
	names := make([]string, len(owners))
	for i, r := range owners {
		names[i] = sentence(r) + more(s, r, rules)
	}
	who := strings.Join(names, " or ")
	switch {
	case !ours:
		return fmt.Sprintf("cookie 0x%016x is not one of ours: something else made the row", cookie)
	case len(owners) == 0 && (kind == flow.HostCookie || kind == flow.PipelineCookie):
		return fmt.Sprintf("cookie 0x%016x is ours, of a %s that does not exist any more; weft drift tells whether the row should still be there", cookie, kind)
	case len(owners) == 0:
		return fmt.Sprintf("cookie 0x%016x is ours, of a %s whose id begins with %s and that does not exist any more; weft drift tells whether the row should still be there",
			cookie, kind, prefix)
	case kind == flow.LearnedCookie:
		return "the switch learned the row itself, on " + who
	case kind == flow.PipelineCookie:
		return "the row is part of " + who
	}
	return who + " wanted the row"
}

// more says of a rule what it allows and whose it is, and of a group whose rules, of those behind the row, name it: rows with its
// cookie are the other side of these.
func more(s state.Snapshot, ref *weftv1.ObjectRef, rules []*model.SecurityGroupRule) string {
	switch state.Kind(ref.Kind + "s") {
	case state.SecurityGroupRules:
		if r := s.SecurityGroupRule(ref.Id); r != nil {
			return fmt.Sprintf(", \"%s\" of %s,", inWords(s, r), sentence(groupRef(s, r)))
		}
		return ""
	case state.SecurityGroups, state.AddressGroups:
	default:
		return ""
	}
	var of []string
	for _, r := range rules {
		of = append(of, sentence(groupRef(s, r)))
	}
	if len(of) == 0 {
		return ""
	}
	slices.Sort(of)
	return fmt.Sprintf(", the other side of rules of %s,", strings.Join(slices.Compact(of), ", "))
}

// explainTable tells about a table by number or name: of one bridge, or of every role when the bridge is not known.
func (s *Server) explainTable(res *weftv1.ExplainResponse, table, bridge string) {
	number, err := strconv.ParseUint(table, 10, 8)
	in := roles
	if bridge != "" {
		in = []string{roleOf(bridge)}
	} else if len(res.Owners) == 1 && res.Owners[0].Kind == pipelineKind {
		in = []string{res.Owners[0].Id}
	}
	var names, about []string
	for _, role := range in {
		label := role
		if bridge != "" {
			label = bridge
		}
		for _, t := range s.cfg.Tables(role) {
			if err == nil && uint64(t.ID) == number || err != nil && strings.EqualFold(t.Name, table) {
				names = append(names, label+"/"+t.Name)
				about = append(about, t.About)
			}
		}
	}
	res.TableName, res.TableAbout = strings.Join(names, ", "), strings.Join(about, "\n")
}
