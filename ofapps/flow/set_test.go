package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/openflow"
)

func nobody(*openflow.FlowStats) bool { return false }

// missing are the rows of a set, as a comparison with an empty switch tells them.
func missing(t *testing.T, s *Set) (rows []Flow, owners []int) {
	t.Helper()
	diffs, err := NewComparison(s, nobody).Differences()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diffs {
		if d.Kind != Missing {
			t.Fatalf("%v is %v", d.Flow, d.Kind)
		}
		rows, owners = append(rows, d.Flow), append(owners, d.Owner)
	}
	return rows, owners
}

// A set keeps rows in wire form: what comes out again is what went in, in every version.
func TestRowsComeOutOfASetAsTheyWentIn(t *testing.T) {
	want := everyWord()
	want[0].Cookie, want[1].Flags = 7, openflow.FlagResetCounts|openflow.FlagSendFlowRem
	for _, v := range []openflow.Version{openflow.V13, openflow.V14, openflow.V15} {
		s := NewSet(v, 0)
		if err := s.Add(want, 3); err != nil {
			t.Fatal(err)
		}
		got, owners := missing(t, s)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%v (-in +out):\n%s", v, d)
		}
		if len(slices.Compact(owners)) != 1 || owners[0] != 3 {
			t.Errorf("%v: owners %v", v, owners)
		}
	}
}

func TestASetTakesAnother(t *testing.T) {
	table := &Table{ID: 3}
	some := func(from, to uint32) (rows []Flow) {
		for i := from; i < to; i++ {
			rows = append(rows, table.Row(1, InPort(i)).Do(Output(i)))
		}
		return rows
	}
	set := func(owner int, rows []Flow) *Set {
		s := NewSet(openflow.V14, 0)
		if err := s.Add(rows, owner); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := set(0, some(0, 3000))
	if err := s.Take(set(1, some(3000, 5000))); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(some(5000, 5010), 2); err != nil {
		t.Fatal(err)
	}
	rows, owners := missing(t, s)
	texts := make([]string, len(rows))
	for i, f := range rows {
		texts[i] = fmt.Sprint(owners[i], f)
	}
	slices.Sort(texts)
	if n := len(slices.Compact(texts)); n != 5010 || s.Len() != 5010 {
		t.Errorf("%d rows, %d of them told, want 5010", s.Len(), n)
	}
	for owner, want := range map[int]int{0: 3000, 1: 2000, 2: 10} {
		if n := len(slices.DeleteFunc(slices.Clone(owners), func(o int) bool { return o != owner })); n != want {
			t.Errorf("owner %d has %d rows, want %d", owner, n, want)
		}
	}
	err := s.Take(set(3, some(17, 18)))
	if err == nil || !strings.Contains(err.Error(), "two rows with one match and priority: table=3, priority=1,in_port=17 actions=output:17") {
		t.Errorf("the same row twice: %v", err)
	}
}
