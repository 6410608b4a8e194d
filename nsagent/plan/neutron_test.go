package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ourWords translates what Neutron calls differently, and leaves out what ip adds of its own.
var ourWords = strings.NewReplacer("neutron-l3-agent-", "weft-l3-", "neutron-dhcp-age-", "weft-dhcp-", "neutron-postrouting-bottom", "weft-postrouting-bottom",
	"tapd0678fc4-4d", "ns-d0678fc4-4d", " scope link", "", " pref medium", "", " metric 1024", "", " metric 256", "",
	// Both ends of a pair have an address that follows from the router's id, and not one by chance.
	"c2:8c:96:2b:72:fe", "0a:f5:a4:ba:ae:42", "12:8c:12:6d:74:2a", "0a:02:c6:32:9f:94")

// leftOut are lines of Neutron's that we have no counterpart of, and why.
var leftOut = []struct{ pattern, why string }{
	{`weft-(l3|dhcp)-scope|--(set-)?x?mark 0x4000000|0xffff0000`, "address scopes are not built"},
	{`-j weft-l3-floatingip$`, "an empty chain"},
	{`-t mangle -A weft-\w+-PREROUTING -j weft-\w+-mark$`, "an empty chain where there is no gateway"},
	{`filter-top|-t filter -A weft-l3-FORWARD|weft-\w+-local`, "empty chains"},
	{`-A (INPUT|FORWARD|OUTPUT|POSTROUTING|PREROUTING) -j weft-`, "chains that would be empty are left out, and so are jumps into them"},
	{`fe80::a9fe:a9fe|ip6tables -t filter -A weft-l3-INPUT -m mark --mark 0x1/0xffff -j ACCEPT`, "metadata over IPv6 is not built"},
	{`weft-l3-(fip-)?pf`, "port forwardings are rules of one chain, not a chain each"},
	{`ip_nonlocal_bind = 1`, "we announce addresses by a packet socket, which needs no address"},
	{`^(address|route|neighbour): .*(10\.0\.3\.|10\.0\.2\.|10\.0\.1\.(2|154) |fd00:1::(1b6|f816:3eff:fe79:8fe6) dev qr)`, "ports that are not in this test's cloud"},
	{`^route: fd00:1::/64 dev sg-d2f21bf8-8b`, "learned from a router advertisement, which we do not accept"},
	{`^route: default via fd00:1:: dev ns-|--dport 546`, "the DHCP server serves IPv4"},
	{`-j weft-l3-float-snat$|-j weft-l3-snat$`, "in the fip namespace nothing is translated"},
}

// TestNeutron holds each line of a real Neutron's namespaces against ours, and lists all in testdata.
func TestNeutron(t *testing.T) {
	ours, _ := Build(readAll(t, cloud()))
	files, err := filepath.Glob("testdata/neutron/*.txt")
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	used := map[string]bool{}
	var out strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		have := map[string]bool{}
		for _, l := range ours[name].lines() {
			have[l.Section+": "+l.Text] = true
		}
		fmt.Fprintf(&out, "%s\n", name)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(ourWords.Replace(strings.TrimSpace(line)))
			state := "same"
			if !have[line] {
				state = why(line, used)
			}
			if state == "" {
				t.Errorf("%s: %s: we have no such line", name, line)
			}
			fmt.Fprintf(&out, "  %-6s %s\n", strings.TrimPrefix(state, "no: "), line)
		}
	}
	for _, x := range leftOut {
		if !used[x.pattern] {
			t.Errorf("nothing is left out because of %q", x.pattern)
		}
	}
	golden(t, "neutron.txt", out.String())
}

func why(line string, used map[string]bool) string {
	for _, x := range leftOut {
		if regexp.MustCompile(x.pattern).MatchString(line) {
			used[x.pattern] = true
			return "[" + x.why + "]"
		}
	}
	return ""
}
