package openflow_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/ovs"
)

// flowLines are the lines of testdata/flows.txt, each with a cookie of its own, by which a dump's rows are found again.
func flowLines(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/flows.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, fmt.Sprintf("cookie=%#x,%s", 0x1000+len(out), line))
		}
	}
	return out
}

// bridge makes a bridge that has what the flows name: a group, a meter and tunnel options.
func bridge(t testing.TB, sw *ovs.Switch, name string) {
	t.Helper()
	sw.Vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "fail_mode=secure")
	sw.Await(name, func() bool { return sw.Answers(name) })
	sw.Ofctl("add-group", name, "group_id=1,type=all,bucket=output:1")
	sw.Ofctl("add-meter", name, "meter=1,kbps,band=type=drop,rate=1000")
	sw.Ofctl("add-tlv-map", name, "{class=0xffff,type=0,len=4}->tun_metadata0,{class=0xffff,type=1,len=8}->tun_metadata1")
}

// switchConn speaks OpenFlow with a bridge over its management socket.
type switchConn struct {
	t testing.TB
	net.Conn
	version openflow.Version
}

func dial(t testing.TB, sw *ovs.Switch, bridge string, v openflow.Version) switchConn {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(sw.Dir, bridge+".mgmt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s := switchConn{t, c, v}
	s.send([]byte{byte(v), byte(openflow.TypeHello), 0, 8, 0, 0, 0, 1})
	if typ, _ := s.receive(); typ != openflow.TypeHello {
		t.Fatalf("%v instead of hello", typ)
	}
	return s
}

func (s switchConn) send(b []byte) {
	s.t.Helper()
	if _, err := s.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

func (s switchConn) receive() (openflow.Type, []byte) {
	s.t.Helper()
	head := make([]byte, openflow.HeaderLen)
	if _, err := io.ReadFull(s, head); err != nil {
		s.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(head[2:]))
	copy(b, head)
	if _, err := io.ReadFull(s, b[len(head):]); err != nil {
		s.t.Fatal(err)
	}
	return openflow.Type(b[1]), b
}

// dump returns the bridge's rows by cookie.
func (s switchConn) dump() map[uint64]openflow.FlowStats {
	s.t.Helper()
	request := &openflow.MultipartRequest{Multipart: openflow.Multipart{Type: openflow.MultipartFlow}}
	all := openflow.AllFlows()
	request.Body = all.Append(nil, s.version)
	s.send(request.Append(nil, s.version, 2))
	rows := map[uint64]openflow.FlowStats{}
	for {
		_, b := s.receive()
		_, m, err := openflow.Parse(b)
		if err != nil {
			s.t.Fatal(err)
		}
		reply, ok := m.(*openflow.MultipartReply)
		if !ok {
			s.t.Fatalf("%T instead of a flow dump", m)
		}
		err = openflow.EachFlowStats(reply.Body, s.version, func(f *openflow.FlowStats) error {
			row := *f
			row.Match, row.Instructions = bytes.Clone(f.Match), bytes.Clone(f.Instructions)
			rows[f.Cookie] = row
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if reply.Flags&openflow.MultipartMore == 0 {
			return rows
		}
	}
}

// dumpText is what ovs-ofctl prints of the bridge, by cookie.
func dumpText(t testing.TB, sw *ovs.Switch, bridge, version string) map[uint64]string {
	t.Helper()
	out := map[uint64]string{}
	for line := range strings.Lines(sw.Ofctl("-O", version, "--no-stats", "dump-flows", bridge)) {
		var cookie uint64
		line = strings.TrimSpace(line)
		if _, err := fmt.Sscanf(line, "cookie=%v,", &cookie); err == nil {
			out[cookie] = line
		}
	}
	return out
}

// wanted is what this package makes of the lines, by cookie.
func wanted(t testing.TB) map[uint64]openflow.Flow {
	t.Helper()
	out := map[uint64]openflow.Flow{}
	for _, line := range flowLines(t) {
		f, err := openflow.ParseFlow(line)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Cookie] = f
	}
	return out
}

var sameAddr = cmpopts.EquateComparable(netip.Addr{})

func equalBytes(t testing.TB, what string, ovs, ours []byte) {
	t.Helper()
	if !bytes.Equal(ovs, ours) {
		t.Errorf("%s\nswitch %x\nours   %x", what, ovs, ours)
	}
}

// agree holds one row of the switch, and the line that ovs-ofctl prints of it, against what we make of the same flow.
func agree(t *testing.T, v openflow.Version, f openflow.Flow, row openflow.FlowStats, text string) {
	equalBytes(t, "match", row.Match, openflow.AppendMatch(nil, f.Match))
	equalBytes(t, "instructions", row.Instructions, openflow.AppendInstructions(nil, f.Actions, v))
	if d := cmp.Diff(text, f.String()); d != "" {
		t.Errorf("text (-switch +ours):\n%s", d)
	}
	m, err := row.Match.Decode()
	if err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(f.Match, m); d != "" {
		t.Errorf("decoded match (-ours +switch):\n%s", d)
	}
	acts, err := row.Instructions.Decode(v)
	if err != nil {
		t.Error(err)
	}
	f.Actions = acts
	if d := cmp.Diff(text, f.String()); d != "" {
		t.Errorf("text of decoded row (-ofctl +ours):\n%s", d)
	}
	back, err := openflow.ParseFlow(text)
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(text, "tun_metadata") || strings.Contains(text, "tun_gbp_flags") {
		// ovs-ofctl prints neither the width of the one nor the mask of the other.
		return
	}
	if d := cmp.Diff(f, back, sameAddr); d != "" {
		t.Errorf("decoded row, and what its text is read as (-row +text):\n%s", d)
	}
}

// ovs-ofctl installs the lines; what the switch then shows, as text and as bytes, is what this package makes of them.
func TestSwitchShowsWhatWeEncode(t *testing.T) {
	sw := ovs.Start(t)
	bridge(t, sw, "br0")
	file := filepath.Join(t.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(strings.Join(flowLines(t), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sw.Ofctl("-O", "OpenFlow14", "add-flows", "br0", file)
	for version, name := range map[openflow.Version]string{openflow.V13: "OpenFlow13", openflow.V14: "OpenFlow14"} {
		rows, texts := dial(t, sw, "br0", version).dump(), dumpText(t, sw, "br0", name)
		for cookie, f := range wanted(t) {
			if version == openflow.V13 {
				f.Importance = 0
			}
			t.Run(name+"/"+f.String(), func(t *testing.T) { agree(t, version, f, rows[cookie], texts[cookie]) })
		}
	}
	rows, texts := dial(t, sw, "br0", openflow.V15).dump(), dumpText(t, sw, "br0", "OpenFlow13")
	for cookie, f := range wanted(t) {
		// ovs-ofctl made loads of what sets single bits, so the text of 1.3 says better what the switch has in 1.5.
		installed, err := openflow.ParseFlow(texts[cookie])
		if err != nil {
			t.Fatal(err)
		}
		f.Actions = installed.Actions
		t.Run("OpenFlow15/"+f.String(), func(t *testing.T) { agree15(t, f, rows[cookie]) })
	}
}

// agree15 holds a row in OpenFlow 1.5 against ours: registers come in pairs there, and loads as set_field.
func agree15(t *testing.T, f openflow.Flow, row openflow.FlowStats) {
	m, err := row.Match.Decode()
	if err != nil {
		t.Error(err)
	}
	equalBytes(t, "match, decoded and encoded", row.Match, openflow.AppendMatch(nil, m))
	if d := cmp.Diff(f.Match, openflow.Canonical(m)); d != "" {
		t.Errorf("canonical match (-ours +switch):\n%s", d)
	}
	equalBytes(t, "instructions", row.Instructions, openflow.AppendInstructions(nil, f.Actions, openflow.V15))
	acts, err := row.Instructions.Decode(openflow.V15)
	if err != nil {
		t.Error(err)
	}
	equalBytes(t, "instructions, decoded and encoded", row.Instructions, openflow.AppendInstructions(nil, acts, openflow.V15))
	if text := openflow.FormatActions(acts); strings.Contains(text, "unknown") {
		t.Errorf("decoded actions: %s", text)
	}
}

// We install the lines; the switch takes them and ovs-ofctl prints the lines that we print.
func TestSwitchTakesWhatWeEncode(t *testing.T) {
	sw := ovs.Start(t)
	for version, name := range map[openflow.Version]string{openflow.V13: "OpenFlow13", openflow.V14: "OpenFlow14", openflow.V15: "OpenFlow15"} {
		bridge(t, sw, name)
		sw.Vsctl("set", "bridge", name, "protocols=[OpenFlow13,OpenFlow14,OpenFlow15]")
		conn := dial(t, sw, name, version)
		want := wanted(t)
		var b []byte
		for cookie, f := range want {
			b = flowMod(f).Append(b, version, uint32(cookie))
		}
		conn.send((&openflow.BarrierRequest{}).Append(b, version, 1))
		for {
			typ, b := conn.receive()
			if typ == openflow.TypeBarrierReply {
				break
			}
			_, m, err := openflow.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			cookie := binary.BigEndian.Uint32(b[4:])
			t.Errorf("%s: %v: %v", name, want[uint64(cookie)], m)
		}
		for cookie, row := range dial(t, sw, name, version).dump() {
			f := want[cookie]
			if version == openflow.V15 {
				equalBytes(t, name+": "+f.String(), row.Instructions, openflow.AppendInstructions(nil, f.Actions, version))
				m, err := row.Match.Decode()
				if d := cmp.Diff(f.Match, openflow.Canonical(m)); err != nil || d != "" {
					t.Errorf("%s: %v: %v, match (-ours +switch):\n%s", name, f, err, d)
				}
			} else {
				equalBytes(t, name+": "+f.String(), row.Match, openflow.AppendMatch(nil, f.Match))
				equalBytes(t, name+": "+f.String(), row.Instructions, openflow.AppendInstructions(nil, f.Actions, version))
			}
			delete(want, cookie)
		}
		for _, f := range want {
			t.Errorf("%s: %v is not there", name, f)
		}
	}
}

func flowMod(f openflow.Flow) *openflow.FlowMod {
	return &openflow.FlowMod{Command: openflow.FlowAdd, Table: f.Table, Priority: f.Priority, Cookie: f.Cookie,
		IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Importance: f.Importance, Flags: f.Flags,
		BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny, Match: f.Match, Actions: f.Actions}
}

// ovs-ofctl prints our flow-mods as it prints its own. It knows no switch's tunnel options, so lines with those are left
// to the tests with a switch.
func TestOfctlPrintsWhatWeEncode(t *testing.T) {
	var flows []openflow.Flow
	var lines []string
	for _, line := range flowLines(t) {
		if strings.Contains(line, "tun_metadata") {
			continue
		}
		f, err := openflow.ParseFlow(line)
		if err != nil {
			t.Fatal(err)
		}
		lines, flows = append(lines, line), append(flows, f)
	}
	var ours []byte
	for _, f := range flows {
		ours = flowMod(f).Append(ours, openflow.V13, 2)
	}
	file := filepath.Join(t.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := ofctl(t, "-O", "OpenFlow13", "parse-flows", file)
	if err := os.WriteFile(file, ours, 0o600); err != nil {
		t.Fatal(err)
	}
	printed := ofctl(t, "ofp-parse", file)
	if d := cmp.Diff(plain(theirs), plain(printed)); d != "" {
		t.Errorf("flow-mods as ovs-ofctl prints them (-its +ours):\n%s", d)
	}
	if got := len(plain(printed)); got < 200 {
		t.Errorf("%d flows were compared", got)
	}
}

func ofctl(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("ovs-ofctl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.Bytes())
	}
	return string(out)
}

// plain is printed messages without what is not the flow's: transaction ids.
func plain(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if _, flow, ok := strings.Cut(strings.TrimSpace(line), "): "); ok && strings.Contains(line, "FLOW_MOD") {
			out = append(out, flow)
		}
	}
	return out
}

// The lines name every field that a switch can match or set, and every action that this package has a type for.
func TestFlowLinesCoverEverything(t *testing.T) {
	words := map[string]bool{}
	types := map[string]bool{}
	var walk func(acts []openflow.Action)
	walk = func(acts []openflow.Action) {
		for _, a := range acts {
			types[strings.TrimPrefix(fmt.Sprintf("%T", a), "openflow.")] = true
			switch a := a.(type) {
			case openflow.CT:
				walk(a.Exec)
			case openflow.Clone:
				walk(a.Actions)
			case openflow.WriteActions:
				walk(a.Actions)
			}
		}
	}
	for _, line := range flowLines(t) {
		for _, w := range strings.FieldsFunc(line, func(r rune) bool { return !strings.ContainsRune(wordRunes, r) }) {
			if f, ok := openflow.FieldNamed(w); ok {
				words[f.String()] = true
			}
		}
		f, err := openflow.ParseFlow(line)
		if err != nil {
			t.Fatal(err)
		}
		walk(f.Actions)
		for _, o := range f.Match {
			words[o.Field.String()] = true
		}
	}
	for f := openflow.PacketType; f < openflow.UnknownField; f++ {
		switch {
		case f == openflow.PacketType, f == openflow.DPHash, f == openflow.RecircID:
			// No flow of OpenFlow 1.3 has them.
		case f > openflow.TunMetadata(1) && f <= openflow.TunMetadata(63), f > openflow.XReg(1) && f < openflow.XReg(7):
			// They are like their neighbours.
		case !words[f.String()]:
			t.Errorf("no line names %v", f)
		}
	}
	for _, a := range []openflow.Action{openflow.Output{}, openflow.OutputReg{}, openflow.OutputTrunc{}, openflow.Controller{},
		openflow.Group{}, openflow.SetQueue{}, openflow.PopQueue{}, openflow.PushVLAN{}, openflow.PopVLAN{}, openflow.PushMPLS{},
		openflow.PopMPLS{}, openflow.DecTTL{}, openflow.DecTTLIDs{}, openflow.SetTTL{}, openflow.SetMPLSTTL{}, openflow.DecMPLSTTL{},
		openflow.SetField{}, openflow.Load{}, openflow.Move{}, openflow.StackPush{}, openflow.StackPop{}, openflow.Resubmit{},
		openflow.Learn{}, openflow.Conjunction{}, openflow.CT{}, openflow.NAT{}, openflow.CTClear{}, openflow.Note{}, openflow.Exit{},
		openflow.FinTimeout{}, openflow.Multipath{}, openflow.Clone{}, openflow.CheckPktLarger{}, openflow.Meter{},
		openflow.ClearActions{}, openflow.WriteActions{}, openflow.WriteMetadata{}, openflow.GotoTable{}} {
		if name := strings.TrimPrefix(fmt.Sprintf("%T", a), "openflow."); !types[name] {
			t.Errorf("no line has %s", name)
		}
	}
}

const wordRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
