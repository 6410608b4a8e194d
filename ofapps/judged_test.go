package ofapps

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// judgedPacket is a packet that comes into host1, what the connection tracker says of it each time that it is asked, and
// where it must leave, and nowhere else.
type judgedPacket struct {
	name, bridge, is string
	states           []string
	leaves           []string
}

func judgedTraces(t *testing.T, cloud func(viewtest.T) *viewtest.Cloud, packets []judgedPacket) {
	s := cloud(t).Snapshot()
	h := startHost(t, s)
	learn(s, h, "host1")
	for _, p := range packets {
		t.Run(p.name, func(t *testing.T) {
			if d := cmp.Diff(p.leaves, h.judge(t, p.bridge, p.is, p.states...)); d != "" {
				t.Errorf("%s leaves by (-want +got):\n%s", p.is, d)
			}
		})
	}
}

// judge is trace for packets that the connection tracker looks at.
func (h *realHost) judge(t *testing.T, bridge, packet string, states ...string) []string {
	t.Helper()
	args := []string{"ofproto/trace", bridge, packet}
	for _, s := range states {
		args = append(args, "--ct-next", s)
	}
	return h.leaving(t, h.Appctl(args...), packet)
}

var allActions = regexp.MustCompile(`(?m)^Datapath actions: (.*)$`)

var shownPort = regexp.MustCompile(`(?m)^\s+(\S+) (\d+|LOCAL|none)/(\d+):`)

// number finds out the numbers of the ports in the datapath.
func (h *realHost) number() {
	for _, m := range shownPort.FindAllStringSubmatch(h.Appctl("dpif/show"), -1) {
		h.ports[m[3]] = m[1]
	}
}

// leaving tells where a traced packet leaves, over all its ways through the connection tracker.
func (h *realHost) leaving(t *testing.T, out, packet string) []string {
	t.Helper()
	way := &leaving{h: h, t: t, out: out, packet: packet}
	for _, k := range tunnelKey.FindAllStringSubmatch(out, -1) {
		way.key = " key " + k[1]
	}
	for _, m := range allActions.FindAllStringSubmatch(out, -1) {
		way.vlan = "" // what goes on behind the connection tracker has no tag
		way.actions(m[1])
	}
	if way.left == nil && !strings.Contains(out, "Datapath actions: ") {
		t.Fatalf("no datapath actions in\n%s", out)
	}
	slices.Sort(way.left)
	return way.left
}

type leaving struct {
	h                 *realHost
	t                 *testing.T
	out, packet       string
	key, vlan, source string
	left              []string
}

// actions takes a list of datapath actions: copies of the packet (clone) have lists of their own.
func (w *leaving) actions(list string) {
	for _, a := range topLevel(list) {
		inner, isCopy := strings.CutPrefix(a, "clone(")
		switch {
		case isCopy:
			copied := *w
			copied.left = nil
			copied.actions(strings.TrimSuffix(inner, ")"))
			w.left = append(w.left, copied.left...)
		case strings.HasPrefix(a, "push_vlan"), strings.HasPrefix(a, "set(vlan"):
			w.vlan = " vlan " + vlanID.FindStringSubmatch(a)[1]
		case a == "pop_vlan":
			w.vlan = ""
		case strings.HasPrefix(a, "set(eth("):
			if m := setSource.FindStringSubmatch(a); m != nil {
				w.source = rewritten(w.packet, "dl_src=", " from ", m[1])
			}
		default:
			w.output(a)
		}
	}
}

func (w *leaving) output(a string) {
	if _, err := strconv.Atoi(a); err != nil {
		return
	}
	name := w.h.ports[a]
	switch {
	case name == "":
		w.t.Fatalf("datapath port %s is not known in\n%s", a, w.out)
	case strings.HasPrefix(name, "br-"):
	case strings.Contains(name, "-0a0000"):
		w.left = append(w.left, name+w.vlan+w.key+w.source)
	default:
		w.left = append(w.left, name+w.vlan+w.source)
	}
}

// topLevel splits a list at the commas that are in no parentheses.
func topLevel(list string) []string {
	var out []string
	depth, begin := 0, 0
	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, list[begin:i])
				begin = i + 1
			}
		}
	}
	return append(out, list[begin:])
}
