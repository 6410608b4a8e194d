package agentconn

import (
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// FuzzMessage: whatever an agent says first and then, it is taken or refused by an error that says so.
func FuzzMessage(f *testing.F) {
	hello := &nodev1.Hello{Host: "compute1", TunnelIp: "192.0.2.1", BridgeMappings: map[string]string{"physnet1": "br-ex"}}
	for _, m := range []*nodev1.SyncRequest{
		{Message: &nodev1.SyncRequest_Ack{Ack: &nodev1.Ack{Nonce: "1"}}},
		{Message: &nodev1.SyncRequest_Nack{Nack: &nodev1.Nack{Nonce: "1", Errors: []*nodev1.ResourceError{{Resource: "port/1", Field: "vlan"}}}}},
		{Message: &nodev1.SyncRequest_Notice{Notice: &nodev1.Notice{Reason: "x"}}},
		{Message: &nodev1.SyncRequest_Answer{Answer: &nodev1.Answer{Nonce: "1"}}},
		{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{Full: true, RemovedInterfaces: []string{"tap2"},
			Interfaces: []*nodev1.InterfaceFact{{Name: "tap1", Bridge: "br-int", Ofport: 3, IfaceId: "p"}, {Name: "vxlan-c0000202", Bridge: "br-tun", Type: "vxlan", Ofport: 2}}}}},
		{Message: &nodev1.SyncRequest_Hello{Hello: hello}},
		{},
	} {
		h, err := proto.Marshal(hello)
		if err != nil {
			f.Fatal(err)
		}
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(h, b)
	}
	f.Fuzz(func(t *testing.T, first, then []byte) {
		var h nodev1.Hello
		var m nodev1.SyncRequest
		if proto.Unmarshal(first, &h) != nil || proto.Unmarshal(then, &m) != nil {
			return
		}
		w := &world{sessions: map[string]*Session{}}
		if _, err := hostFacts(&h); err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("hello %v: %v", &h, err)
			}
			return
		}
		s := New(w, w, 1, slog.New(slog.DiscardHandler))
		sess := &Session{Host: h.Host, hello: &h, ctx: t.Context(), inventory: map[string]*nodev1.InterfaceFact{}}
		for range 2 {
			if err := s.message(sess, &m); err != nil && status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v: %v", &m, err)
			}
		}
	})
}
