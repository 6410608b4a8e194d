package channel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

func TestHandshakeAgreesOnTheHighestCommonVersion(t *testing.T) {
	const v13, v14, v15 = openflow.V13, openflow.V14, openflow.V15
	type versions = []openflow.Version
	for _, tc := range []struct {
		name         string
		ours, theirs versions
		want         openflow.Version
	}{
		{"default with Open vSwitch's all", nil, versions{1, v13, v14, v15}, v14},
		{"default with a bridge of 1.0 and 1.3", nil, versions{1, v13}, v13},
		{"1.5 if both want it", versions{v13, v15}, versions{v13, v14, v15}, v15},
		{"the only one", versions{v13}, versions{v13, v14}, v13},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := connect(t, fakeswitch.New(fakeswitch.Config{DatapathID: 0xabc, Versions: tc.theirs}), Config{Versions: tc.ours})
			if c.Version() != tc.want || c.DatapathID() != 0xabc {
				t.Errorf("version %v, datapath %x", c.Version(), c.DatapathID())
			}
			if err := c.Barrier(limited(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A peer without the bitmap means every version up to the one in its header.
func TestHandshakeWithAnOldHello(t *testing.T) {
	ours, theirs := pair(t)
	hand := (&openflow.Hello{}).Append(nil, openflow.V14, 1)
	hand = (&openflow.EchoRequest{Data: []byte("early")}).Append(hand, openflow.V14, 9)
	theirs.Write((&openflow.FeaturesReply{DatapathID: 7}).Append(hand, openflow.V14, 2))
	c, err := Config{}.Handshake(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Version() != openflow.V14 {
		t.Errorf("version %v", c.Version())
	}
}

func TestHandshakeRefusesWhatIsNotASwitch(t *testing.T) {
	hello := openflow.NewHello(openflow.V14).Append(nil, openflow.V14, 1)
	for _, tc := range []struct {
		name string
		says []byte
		want string
	}{
		{"a web browser", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
			"OpenFlow handshake: it begins with message of type 69 of version 0x47, not with a hello"},
		{"TLS without TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
			"OpenFlow handshake: it begins with echo reply of version 0x16, not with a hello"},
		{"zeros", make([]byte, 64), "OpenFlow handshake: header: hello says that it is 0 bytes long; no message is shorter than 8"},
		{"nothing", nil, "OpenFlow handshake: not done in 300ms"},
		{"half a header", hello[:5], "OpenFlow handshake: not done in 300ms"},
		{"half a hello", hello[:12], "OpenFlow handshake: not done in 300ms"},
		{"a hello and no more", hello, "OpenFlow handshake: not done in 300ms"},
		{"OpenFlow 1.0", openflow.NewHello(1).Append(nil, 1, 1),
			"OpenFlow handshake: no common OpenFlow version: we offer 1.3, 1.4, the peer offers 1.0"},
		{"another version after the hello", (&openflow.FeaturesReply{}).Append(hello, openflow.V15, 2),
			"OpenFlow handshake: features reply of version 1.5 after 1.4 was agreed on"},
		{"a hello whose element has no end", []byte{5, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 0},
			"OpenFlow handshake: hello: element at byte 8 says that it is 0 bytes long"},
		{"a refusal", (&openflow.Error{Type: 1, Code: 5}).Append(hello, openflow.V14, 2), "OpenFlow handshake: the peer refuses: OFPBRC_EPERM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t)
			theirs.Write(tc.says)
			_, err := quick.Handshake(t.Context(), ours)
			if err == nil {
				t.Fatal("no error")
			}
			if d := cmp.Diff(tc.want, err.Error()); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if _, err := ours.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "use of closed") {
				t.Errorf("the connection is open: %v", err)
			}
		})
	}
}

// Who is refused for its version is told so in OpenFlow.
func TestHandshakeTellsThePeerWhyNot(t *testing.T) {
	ours, theirs := pair(t)
	theirs.Write(openflow.NewHello(1).Append(nil, 1, 77))
	if _, err := quick.Handshake(t.Context(), ours); err == nil {
		t.Fatal("no error")
	}
	r := reader{nc: theirs}
	any := func(openflow.Header) error { return nil }
	if _, err := r.next(any); err != nil { // the hello
		t.Fatal(err)
	}
	b, err := r.next(any)
	if err != nil {
		t.Fatal(err)
	}
	_, m, err := openflow.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := &openflow.Error{Type: openflow.ErrorHelloFailed, Data: []byte("no common OpenFlow version: we offer 1.3, 1.4, the peer offers 1.0")}
	if d := cmp.Diff(openflow.Message(want), m); d != "" {
		t.Errorf("refusal (-want +got):\n%s", d)
	}
}
