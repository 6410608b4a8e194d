package store

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/weft-sdn/weft/controller/state"
)

// FuzzDecode: whatever is under a key in etcd, it is refused by an error that names the key, or is an object that can be indexed, and
// be written and read as the same.
func FuzzDecode(f *testing.F) {
	for key, value := range map[string]string{
		"networks/1":     `{"id":"1","network_type":"vxlan","segment_id":5,"generation":1}`,
		"ports/1":        `{"id":"1","network_id":"n","mac_address":"fa:16:3e:00:00:01","fixed_ips":[{"subnet_id":"s","ip_address":"10.0.0.5"}],"security_groups":["g"],"port_security_enabled":true}`,
		"subnets/1":      `{"id":"1","network_id":"n","cidr":"10.0.0.0/24","allocation_pools":[{"start":"10.0.0.2","end":"10.0.0.9"}]}`,
		"interfaces/h/x": `{"host":"h","name":"x","ofport":4294967295}`,
		"localvlans/h/n": `{"host":"h","network_id":"n","vlan":4095}`,
		"routers/1":      `{"id":"1","gateway":{},"interfaces":[null]}`,
		"floatingips/1":  `{"id":"1","rule_priority":-1}`,
		"clock":          ``, "epoch": `x`, "nonsense/1": `{}`, "ports/": `{}`, "ports/2": `null`, "hosts/1": `[]`,
	} {
		f.Add(prefix+key, []byte(value))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		d := pair{key: key, value: value, revision: 9}.decode()
		if k, _, ok, _ := splitKey(key); ok && d.err == nil {
			// The library that is quick must read what encoding/json reads.
			plain := newObject[k]()
			if err := json.Unmarshal(value, plain); err != nil {
				t.Fatalf("encoding/json refuses %q: %v", value, err)
			}
			if m := meta(plain); m != nil {
				m.Revision = 9
			}
			if !reflect.DeepEqual(plain, d.obj) {
				t.Fatalf("%q is %+v, and for encoding/json %+v", value, d.obj, plain)
			}
		}
		if d.err != nil || d.obj == nil {
			return
		}
		if etcdKey(d.kind, state.Key(d.obj)) != key {
			t.Fatalf("%q holds the object of %q", key, state.Key(d.obj))
		}
		into := state.NewLoad()
		if err := into.Put(d.kind, d.obj); err != nil {
			t.Fatal(err)
		}
		again, err := encode(d.obj)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		same := pair{key: key, value: again, revision: 9}.decode()
		if same.err != nil {
			t.Fatalf("%s became %s: %v", value, again, same.err)
		}
		if twice, err := encode(same.obj); err != nil || !bytes.Equal(twice, again) {
			t.Fatalf("%s became %s and then %s, %v", value, again, twice, err)
		}
	})
}

// FuzzDisk: whatever is in etcd's file, it is understood or left to etcd.
func FuzzDisk(f *testing.F) {
	put := []byte("\x0a\x11/weft/v1/ports/12\x10\x01\x18\x02\x20\x01\x2a\x09{\"id\":\"12\"}")
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x00"), put)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x00t"), put)
	f.Add([]byte("short"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, k, v []byte) {
		d := &onDisk{pairs: pairs{}}
		if !d.take(k, v) {
			return
		}
		if _, err := understand(d.pairs, d.revision, newTurns()); err != nil {
			t.Error(err)
		}
	})
}
