package hostsync

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/openflow"
)

// What a group allows is replaced in one bundle, rows that come and rows that go: there is no moment in which packets meet neither
// the old rules nor the new.
func TestRulesOfAGroupAreReplacedInOneBundle(t *testing.T) {
	var mu sync.Mutex
	var told []string
	c := start(t)
	c.intercept = func(_ openflow.Header, m openflow.Message) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		switch m := m.(type) {
		case *openflow.FlowMod:
			told = append(told, "flow-mod without a bundle")
		case *openflow.BundleAdd:
			_, inner, err := openflow.Parse(m.Message)
			mod, is := inner.(*openflow.FlowMod)
			switch {
			case err != nil || !is:
				told = append(told, fmt.Sprintf("%T, %v", inner, err))
			case mod.Command == openflow.FlowDelete || mod.Command == openflow.FlowDeleteStrict:
				told = append(told, "removal")
			default:
				told = append(told, "row")
			}
		case *openflow.BundleControl:
			if m.Type == openflow.BundleCommitRequest {
				told = append(told, fmt.Sprintf("commit %v", m.Flags&openflow.BundleAtomic != 0))
			}
		}
		return nil, false
	}
	c.host("host1", "10.0.0.1")
	var group *model.SecurityGroup
	var ports [2]*model.Port
	tcp := uint8(6)
	rule := func(tx *store.Tx, port uint16) (*model.SecurityGroupRule, error) {
		return tx.CreateSecurityGroupRule(&model.SecurityGroupRule{SecurityGroupID: group.ID, Direction: model.Ingress, EtherType: model.IPv4, Protocol: &tcp,
			PortRangeMin: &port, PortRangeMax: &port})
	}
	var old []*model.SecurityGroupRule
	c.update(func(tx *store.Tx) error {
		n, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "blue"}, AdminStateUp: true, L2Population: true})
		if err != nil {
			return err
		}
		if group, err = tx.CreateSecurityGroup(&model.SecurityGroup{Meta: model.Meta{Name: "web"}, Stateful: true}); err != nil {
			return err
		}
		for i := range ports {
			if ports[i], err = tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true, PortSecurityEnabled: true, SecurityGroups: []string{group.ID}, FixedIPs: []model.FixedIP{}}); err != nil {
				return err
			}
		}
		for _, port := range []uint16{80, 443, 8080} {
			r, err := rule(tx, port)
			if err != nil {
				return err
			}
			old = append(old, r)
		}
		return nil
	})
	for _, p := range ports {
		c.plug("host1", p)
	}
	c.await("the ports are active", func() bool {
		return c.status(ports[0].ID) == model.PortActive && c.status(ports[1].ID) == model.PortActive
	})
	c.settle()
	mu.Lock()
	told = nil
	mu.Unlock()
	c.update(func(tx *store.Tx) error {
		for _, r := range old {
			if err := tx.DeleteSecurityGroupRule(r.ID, 0); err != nil {
				return err
			}
		}
		for _, port := range []uint16{22, 53, 8443} {
			if _, err := rule(tx, port); err != nil {
				return err
			}
		}
		return nil
	})
	if d := c.diff(); d != "" {
		t.Error(d)
	}
	mu.Lock()
	defer mu.Unlock()
	count := func(what string) (n int) {
		for _, m := range told {
			if m == what {
				n++
			}
		}
		return n
	}
	if count("row") < 3 || count("removal") < 3 || count("commit true") != 1 || count("row")+count("removal")+1 != len(told) || told[len(told)-1] != "commit true" {
		t.Errorf("the switches were told %q: want one bundle, atomic, of the rows of three rules that come, and of three that go", slices.Compact(told))
	}
}
