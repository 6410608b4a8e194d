package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/weft-sdn/weft/openflow"
)

// FuzzDecode: whatever is in the file, it is refused or is rows that can be given other port numbers and sent. The bytes come
// with a right end too, for any number of rows: a checksum is no secret.
func FuzzDecode(f *testing.F) {
	row := openflow.FlowMod{Table: 20, Priority: 2, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
		Actions: []openflow.Action{&openflow.Output{Port: 2}}}
	for _, v := range []openflow.Version{openflow.V13, openflow.V14, openflow.V15} {
		b := row.Append(nil, v, 0)
		f.Add((&openflow.EchoReply{Data: []byte(`{"2":{"name":"tap1","iface_id":"x"}}`)}).Append(b, v, 0))
	}
	f.Add([]byte{})
	meter := openflow.MeterMod{MeterID: 4, Bands: []openflow.MeterBand{{Type: openflow.BandDrop, Rate: 1000, Burst: 800}}}
	f.Add(meter.Append(nil, openflow.V13, 0))
	// A meter-mod of no version that there is was taken for one.
	f.Add([]byte{'0', 29, 0, 8, 0, 0, 0, 0})
	now := map[uint32]Interface{7: {Name: "tap1", IfaceID: "x"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		for n := range 3 {
			end, err := json.Marshal(trailer{format, "br-int", 1, n, hex.EncodeToString(sum[:])})
			if err != nil {
				t.Fatal(err)
			}
			use(decode(b, "br-int"))(now)
			use(decode((&openflow.EchoRequest{Data: end}).Append(b[:len(b):len(b)], openflow.V14, 0), "br-int"))(now)
		}
	})
}

// use does with a set what a restore does.
func use(s *Set, err error) func(map[uint32]Interface) {
	return func(now map[uint32]Interface) {
		if err == nil {
			s.place(now)
		}
	}
}
