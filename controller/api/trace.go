package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/trace"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Trace implements DiagnosticsService.
func (s *Server) Trace(ctx context.Context, req *weftv1.TraceRequest) (*weftv1.TraceResponse, error) {
	begins := timestamppb.New(time.Now())
	sight := s.sight()
	t, err := traced(sight.Snapshot, req)
	if err != nil {
		return nil, s.refuse(err)
	}
	owners := s.owners(sight.Snapshot)
	r := trace.Follow(ctx, sight.Snapshot, s.cfg.Fleet, trace.Names{Table: s.tableName, Owner: func(cookie uint64) string {
		if o := owners.one(cookie); o != nil {
			return sentence(o)
		}
		return ""
	}}, t)
	if err := ctx.Err(); err != nil {
		return nil, s.refuse(err)
	}
	res := &weftv1.TraceResponse{Source: spellRef(refTo(state.Ports, t.Source)), SourceAddress: t.Packet.Src.String(), DestinationAddress: t.Packet.Dst.String(),
		Packet: trace.Describe(t.Packet), Verdict: r.Verdict, Text: r.Text, Host: r.Host, Place: r.Place, Next: r.Next, Revision: sight.revision, Time: begins}
	if to := t.Destination; to != nil {
		res.Destination = spellRef(refTo(state.Ports, to))
	} else if r.To != nil {
		res.Destination = spellRef(refTo(state.Ports, r.To))
	}
	for _, l := range r.Legs {
		res.Legs = append(res.Legs, s.spellLeg(sight.Snapshot, owners, l))
		if !slices.ContainsFunc(res.Hosts, func(h *weftv1.TraceHost) bool { return h.Host == l.Host }) {
			res.Hosts = append(res.Hosts, &weftv1.TraceHost{Host: l.Host, InSync: s.cfg.Fleet.Host(l.Host).InSync(sight.revision)})
		}
	}
	return res, nil
}

func (s *Server) spellLeg(snap state.Snapshot, owners *owners, l trace.Leg) *weftv1.TraceLeg {
	out := &weftv1.TraceLeg{Host: l.Host, Place: l.Place, Text: l.Text, Notes: l.Notes}
	for _, st := range l.Steps {
		row := st.Row()
		p := &weftv1.TraceStep{Bridge: st.Bridge, Table: uint32(st.Table), TableName: s.tableName(st.Bridge, st.Table), Row: row, Cookie: st.Cookie,
			Owner: owners.one(st.Cookie), Trivial: st.Trivial()}
		for _, r := range rulesBehind(snap, owners.all(st.Cookie), row) {
			p.Rules = append(p.Rules, &weftv1.ExplainedRule{SecurityGroup: groupRef(snap, r), Rule: spellRef(refTo(state.SecurityGroupRules, r)), Text: inWords(snap, r)})
		}
		out.Steps = append(out.Steps, p)
	}
	return out
}

// tableName is the name of a bridge's table, or its number where it is none of ours.
func (s *Server) tableName(bridge string, id uint8) string {
	if t := s.table(bridge, id); t != nil {
		return t.Name
	}
	return strconv.Itoa(int(id))
}
