package dnsmasq

import (
	"bytes"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"golang.org/x/net/bpf"
)

// message6 is a message with a client id and associations 1 and 2.
func message6(t testing.TB, kind dhcpv6.MessageType) []byte {
	t.Helper()
	m, err := dhcpv6.NewMessage(dhcpv6.WithClientID(&dhcpv6.DUIDEN{EnterpriseNumber: 0xab11, EnterpriseIdentifier: []byte{1, 2, 3}}),
		dhcpv6.WithRequestedOptions(dhcpv6.OptionDNSRecursiveNameServer),
		dhcpv6.WithOption(&dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.IdentityOptions{Options: dhcpv6.Options{&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP("fd00:1::11")}}}}),
		dhcpv6.WithOption(&dhcpv6.OptIATA{IaId: [4]byte{0, 0, 0, 2}}))
	if err != nil {
		t.Fatal(err)
	}
	m.MessageType = kind
	return m.ToBytes()
}

// frameOf is a frame with a message of DHCPv6 to a port of UDP.
func frameOf(mac string, port uint16, message []byte) []byte {
	from, err := net.ParseMAC(mac)
	if err != nil {
		panic(err)
	}
	f := make([]byte, atMessage, atMessage+len(message))
	copy(f, []byte{0x33, 0x33, 0, 1, 0, 2})
	copy(f[atSource:], from)
	f[atEtherType], f[atEtherType+1], f[atIPv6], f[atNextHeader] = 0x86, 0xdd, 0x60, 17
	f[atPort], f[atPort+1] = byte(port>>8), byte(port)
	n := 8 + len(message)
	f[atLength], f[atLength+1] = byte(n>>8), byte(n)
	return append(f, message...)
}

// passes says whether the kernel would let a frame through.
func passes(t testing.TB, frame []byte) bool {
	t.Helper()
	vm, err := bpf.NewVM(solicits)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func TestReadSolicit(t *testing.T) {
	solicit := message6(t, dhcpv6.MessageTypeSolicit)
	frame := frameOf("fa:16:3e:00:00:11", serverPort6, solicit)
	got, ok := readSolicit(frame)
	want := asker{mac: "fa:16:3e:00:00:11", duid: []byte{0, 2, 0, 0, 0xab, 0x11, 1, 2, 3}, associations: []association{{optionNA, 1}, {optionTA, 2}}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(asker{}, association{})); d != "" || !ok || !passes(t, frame) {
		t.Errorf("%v, %v (-want +got):\n%s", ok, passes(t, frame), d)
	}
	// Ethernet may fill it up.
	if again, ok := readSolicit(append(bytes.Clone(frame), 0, 0, 0)); !ok || !cmp.Equal(got, again, cmp.AllowUnexported(asker{}, association{})) {
		t.Errorf("with padding: %v, %v", again, ok)
	}
	for n := range frame {
		if a, ok := readSolicit(frame[:n]); ok {
			t.Fatalf("of the first %d bytes: %v", n, a)
		}
	}
	for name, f := range map[string][]byte{
		"a Request":             frameOf("fa:16:3e:00:00:11", serverPort6, message6(t, dhcpv6.MessageTypeRequest)),
		"one of a relay":        frameOf("fa:16:3e:00:00:11", serverPort6, appendOption(append([]byte{messageRelayForw}, make([]byte, 33)...), optionRelayed, solicit)),
		"one to another port":   frameOf("fa:16:3e:00:00:11", 546, solicit),
		"nothing":               {},
		"one that is cut short": frame[:atMessage],
	} {
		if passes(t, f) {
			t.Errorf("%s gets through", name)
		}
	}
	for name, options := range map[string][]byte{
		"no client id":            appendOption(nil, optionNA, make([]byte, 12)),
		"an empty client id":      appendOption(appendOption(nil, optionClientID, nil), optionNA, make([]byte, 12)),
		"a client id too long":    appendOption(appendOption(nil, optionClientID, make([]byte, maxDUID+1)), optionNA, make([]byte, 12)),
		"no association":          appendOption(nil, optionClientID, []byte{1}),
		"half an association":     appendOption(appendOption(nil, optionClientID, []byte{1}), optionNA, make([]byte, 11)),
		"an option too long":      append(appendOption(appendOption(nil, optionClientID, []byte{1}), optionNA, make([]byte, 12)), 0, 9, 0, 1),
		"half an option's header": append(appendOption(appendOption(nil, optionClientID, []byte{1}), optionNA, make([]byte, 12)), 0, 9, 0),
	} {
		if a, ok := readSolicit(frameOf("fa:16:3e:00:00:11", serverPort6, append([]byte{messageSolicit, 0, 0, 1}, options...))); ok {
			t.Errorf("%s: %v", name, a)
		}
	}
}

// FuzzSolicit: whatever a machine sends, what is read out of it is a DUID and associations that a Solicit can be made of again.
func FuzzSolicit(f *testing.F) {
	f.Add(frameOf("fa:16:3e:00:00:11", serverPort6, message6(f, dhcpv6.MessageTypeSolicit)))
	f.Add(frameOf("fa:16:3e:00:00:11", serverPort6, []byte{messageSolicit, 0, 0, 1, 0, 1, 0, 1, 7, 0, 4, 0, 4, 0, 0, 0, 9}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		passes(t, frame)
		a, ok := readSolicit(frame)
		if !ok {
			return
		}
		message := appendOption([]byte{messageSolicit, 0, 0, 1}, optionClientID, a.duid)
		for _, i := range a.associations {
			id := []byte{byte(i.iaid >> 24), byte(i.iaid >> 16), byte(i.iaid >> 8), byte(i.iaid)}
			message = appendOption(message, i.option, append(id, make([]byte, 8)...))
		}
		if len(message) > 1<<15 {
			return // an IA_TA grows
		}
		again, ok := readSolicit(frameOf(a.mac, serverPort6, message))
		if !ok || !cmp.Equal(a, again, cmp.AllowUnexported(asker{}, association{})) {
			t.Errorf("%v became %v, %v", a, again, ok)
		}
	})
}
