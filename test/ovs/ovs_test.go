package ovs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSwitchSurvivesItsDaemons(t *testing.T) {
	s := Start(t)
	s.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
	s.Ofctl("add-flow", "br-int", "table=60,priority=3,actions=NORMAL")
	want := []string{"table=60, priority=3 actions=NORMAL"}
	if d := cmp.Diff(want, s.Flows("br-int")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}

	s.KillDB()
	s.StartDB()
	if got := s.Vsctl("list-br"); got != "br-int" {
		t.Errorf("bridges after a restart of the database: %q", got)
	}
	if d := cmp.Diff(want, s.Flows("br-int")); d != "" {
		t.Errorf("flows after a restart of the database (-want +got):\n%s", d)
	}

	s.KillSwitchd()
	s.StartSwitchd()
	s.Await("br-int", func() bool { return s.Answers("br-int") })
	if got := s.Flows("br-int"); got != nil {
		t.Errorf("flows after a restart of the switch: %q", got)
	}
}
