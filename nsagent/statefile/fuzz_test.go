package statefile

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// FuzzDecode: whatever is in the file, it is refused or is a state that can be written and is read back as the same. The body
// comes with its right checksum too: that is no secret.
func FuzzDecode(f *testing.F) {
	good, err := encode(State{Epoch: 7, Revision: 9, Resources: []*nodev1.Resource{{Name: "port/1", Version: "1",
		Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{PortId: "1", Interface: "tap1", Vlan: 3}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte("weft-nsagent desired-state 2 "))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, append(fmt.Appendf(nil, "weft-nsagent desired-state %d %x\n", format, sha256.Sum256(b)), b...)} {
			s, err := decode(b)
			if err != nil {
				continue
			}
			again, err := encode(s)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			same, err := decode(again)
			if err != nil || same.Epoch != s.Epoch || same.Revision != s.Revision || len(same.Resources) != len(s.Resources) {
				t.Fatalf("%v became %v, %v", s, same, err)
			}
			for i, r := range s.Resources {
				if !proto.Equal(r, same.Resources[i]) {
					t.Errorf("%v became %v", r, same.Resources[i])
				}
			}
		}
	})
}
