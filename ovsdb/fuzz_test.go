package ovsdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// source makes rows of arbitrary bytes. They are of the schema's types, as everything that ovsdb-server holds; beyond that
// anybody may have written anything, and a row may refer to one that has not arrived yet.
type source struct{ b []byte }

func (s *source) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	b := s.b[0]
	s.b = s.b[1:]
	return b
}

func pick[T any](s *source, from ...T) T { return from[int(s.byte())%len(from)] }

// maybe is a column that may be empty.
func maybe[T any](s *source, v T) *T {
	if s.byte()%2 == 0 {
		return nil
	}
	return &v
}

// text is a word that means something in some column, or any.
func (s *source) text() string {
	n := int(s.byte())
	words := []string{"", "br-int", "br-tun", "br-ex", "patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a5b0015", "tap1", "tap2", "tap3",
		"p1", "p2", "fa:16:3e:00:00:01", "true", "netdev", "system", "secure", "internal", "patch", "vxlan", "tcp:127.0.0.1:1", "master", "-1", "7", "a\nb\x1b[2J\"; rm"}
	if n < len(words) {
		return words[n]
	}
	n = min(n-len(words), len(s.b))
	t := strings.ToValidUTF8(string(s.b[:n]), "?")
	s.b = s.b[n:]
	return t
}

func (s *source) number() int {
	return pick(s, 0, 1, -1, 7, DeadVLAN, 1<<31, 1<<63-1, -1<<63, int(s.byte()))
}

// uuid is that of one of a few rows.
func (s *source) uuid(table string) string { return fmt.Sprint(table, s.byte()%8) }

func (s *source) uuids(table string) (all []string) {
	for range s.byte() % 4 {
		if u := s.uuid(table); !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

func (s *source) dict() map[string]string {
	m := map[string]string{}
	for range s.byte() % 4 {
		m[pick(s, ownedKey, ifaceKey, "attached-mac", portKey, installedKey, deviceKey, "datapath-id", "peer", s.text())] = s.text()
	}
	return m
}

// several makes up to seven rows with keys of their own, as the schema has the names of a table be.
func several[T any](s *source, row func(i int) T, key func(T) string) (all []T) {
	seen := map[string]bool{}
	for i := range int(s.byte() % 8) {
		if r := row(i); !seen[key(r)] {
			seen[key(r)], all = true, append(all, r)
		}
	}
	return all
}

// state makes the same state of the same bytes, whatever the order of the rows.
func (s *source) state(order func(n int, swap func(i, j int))) *State {
	root := &rootRow{UUID: "root0", Bridges: s.uuids("bridge"), NextCfg: s.number(), CurCfg: s.number(), OVSVersion: maybe(s, s.text()), SSL: maybe(s, s.uuid("ssl"))}
	bridges := several(s, func(i int) *bridgeRow {
		return &bridgeRow{UUID: fmt.Sprint("bridge", i), Name: s.text(), DatapathType: s.text(), FailMode: maybe(s, s.text()), Protocols: pick(s, nil, protocols, []string{s.text()}),
			Controllers: s.uuids("controller"), Ports: s.uuids("port"), OtherConfig: s.dict(), ExternalIDs: s.dict()}
	}, func(r *bridgeRow) string { return r.Name })
	ports := several(s, func(i int) *portRow {
		return &portRow{UUID: fmt.Sprint("port", i), Name: s.text(), Interfaces: s.uuids("interface"), Tag: maybe(s, s.number()), Trunks: pick(s, nil, []int{s.number()}),
			VLANMode: maybe(s, s.text()), ExternalIDs: s.dict()}
	}, func(r *portRow) string { return r.Name })
	interfaces := several(s, func(i int) *interfaceRow {
		return &interfaceRow{UUID: fmt.Sprint("interface", i), Name: s.text(), Type: s.text(), Options: s.dict(), OFPort: maybe(s, s.number()), IfIndex: maybe(s, s.number()),
			Error: maybe(s, s.text()), ExternalIDs: s.dict()}
	}, func(r *interfaceRow) string { return r.Name })
	controllers := several(s, func(i int) *controllerRow {
		return &controllerRow{UUID: fmt.Sprint("controller", i), Target: s.text(), ConnectionMode: maybe(s, s.text()), MaxBackoff: maybe(s, s.number()), InactivityProbe: maybe(s, s.number()),
			IsConnected: s.byte()%2 == 1, Role: maybe(s, s.text()), ExternalIDs: s.dict()}
	}, func(r *controllerRow) string { return r.UUID })
	ssl := several(s, func(i int) *sslRow {
		return &sslRow{UUID: fmt.Sprint("ssl", i), PrivateKey: s.text(), Certificate: s.text(), CACert: s.text(), Bootstrap: s.byte()%2 == 1, ExternalIDs: s.dict()}
	}, func(r *sslRow) string { return r.UUID })
	for _, rows := range []any{bridges, ports, interfaces, controllers, ssl} {
		v := reflect.ValueOf(rows)
		order(v.Len(), reflect.Swapper(rows))
	}
	return newState(root, bridges, ports, interfaces, controllers, ssl)
}

// everything is a host with one of each.
func everything() Desired {
	d := threeBridges()
	d.Bridges[1].Controllers = append(d.Bridges[1].Controllers, "ssl:127.0.0.1:2")
	d.SSL = SSL{"/key", "/cert", "/ca"}
	d.Bindings = []Binding{{"p1", "tap1", "fa:16:3e:00:00:01", 5, 7}, {"p2", "tap2", "fa:16:3e:00:00:02", 6, 0}, {"p3", "tap1", "fa:16:3e:00:00:03", 6, 0}}
	d.Plugs = []Plug{{Interface: "tap3", PortID: "p1", Instead: "tap1"}, {Interface: "tap2", PortID: "p2", MAC: "fa:16:3e:00:00:02", Lent: true}}
	d.Prune = true
	return d
}

// FuzzRows: whatever is in the rows, the difference to what is wanted is found, is a transaction that can be sent, refers
// to what there is, takes nothing foreign away, and does not depend on the order in which the rows came.
func FuzzRows(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\x03\x01\x02", 200)))
	for seed := range 20 {
		b := make([]byte, 600)
		for i := range b {
			b[i] = byte(i*i*(seed+3) + i*7 + seed*31)
			if i%3 != 0 {
				b[i] %= 28
			}
		}
		f.Add(b)
	}
	d := everything()
	f.Fuzz(func(t *testing.T, b []byte) {
		s := (&source{b}).state(func(int, func(i, j int)) {})
		reversed := (&source{b}).state(func(n int, swap func(i, j int)) {
			for i := range n / 2 {
				swap(i, n-1-i)
			}
		})
		changes, problems := diff(d, s, nil)
		for _, p := range problems {
			if p.Resource == "" || p.Reason == "" || p.Message == "" {
				t.Errorf("a problem that says nothing: %+v", p)
			}
		}
		again, problemsAgain := diff(d, reversed, nil)
		if a, b := texts(changes), texts(again); !slices.Equal(a, b) {
			t.Errorf("changes in another order of rows:\n%s", cmp.Diff(a, b))
		}
		if !maps.Equal(problems, problemsAgain) {
			t.Errorf("problems in another order of rows:\n%s", cmp.Diff(problems, problemsAgain))
		}
		made := map[string]bool{}
		for _, op := range operationsOf(changes) {
			if _, err := json.Marshal(op); err != nil {
				t.Errorf("%v: %v", op, err)
			}
			if op.Op == ovsdb.OperationInsert {
				made[op.UUIDName] = true
				continue
			}
			uuid := op.Where[0].Value.(ovsdb.UUID).GoUUID
			if !made[uuid] && !s.has(uuid) {
				t.Errorf("%s of row %q of %s, which does not exist", op.Op, uuid, op.Table)
			}
			for _, m := range op.Mutations {
				gone, ok := m.Value.(ovsdb.OvsSet)
				if m.Mutator != ovsdb.MutateOperationDelete || m.Column != "ports" || !ok {
					continue
				}
				for _, u := range gone.GoSet {
					if p := s.portByUUID[u.(ovsdb.UUID).GoUUID]; p == nil || !owned(p.ExternalIDs) && p.Name != "tap1" {
						t.Errorf("port %+v is taken away, and is not ours", p)
					}
				}
			}
		}
		s.Interfaces("br-int", "br-tun", "br-nowhere")
		s.Deaf(d.Plugs)
		s.OVSVersion()
		for name := range s.bridges {
			s.HasMaster(name)
			s.Connected(name)
			s.Row(name)
		}
	})
}

// has says whether a row is there.
func (s *State) has(uuid string) bool {
	if uuid == s.root.UUID || s.controllers[uuid] != nil || s.interfaceOf[uuid] != nil || s.portByUUID[uuid] != nil || s.ssl != nil && s.ssl.UUID == uuid {
		return true
	}
	for _, b := range s.bridges {
		if b.UUID == uuid {
			return true
		}
	}
	return false
}
