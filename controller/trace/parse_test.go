package trace

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each .txt in testdata is what ovs-vswitchd 3.1.0 said in the demo's cloud; the .golden beside it is what was read of it.
func TestWhatTheSwitchSaysIsRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if filepath.Base(f) == "ports.txt" {
			continue
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			s, err := parse(read(t, filepath.Base(f)))
			if err != nil {
				t.Fatal(err)
			}
			got := tell(s)
			golden := strings.TrimSuffix(f, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(read(t, filepath.Base(golden)), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func tell(s said) string {
	var b strings.Builder
	for _, st := range s.steps {
		trivial := ""
		if st.Trivial() {
			trivial = " (trivial)"
		}
		fmt.Fprintf(&b, "%s %s%s\n", st.Bridge, st.Row(), trivial)
		for _, n := range st.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	for _, o := range s.outputs() {
		fmt.Fprintf(&b, "out %d %s > %s vlan %d", o.port, o.ethSrc, o.ethDst, o.vlan)
		if o.tunnel != nil {
			fmt.Fprintf(&b, " in %s to %v key %d", o.tunnel.kind, o.tunnel.dst, o.tunnel.key)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestPortsAreRead(t *testing.T) {
	ports, err := parsePorts(read(t, "ports.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ports {
		got = append(got, fmt.Sprintf("%s %s %d/%d %s", p.bridge, p.name, p.number, p.datapath, p.kind))
	}
	want := []string{
		"br-ex br-ex 65534/1 tap", "br-ex eth2 1/2 system", "br-ex phy-br-ex 2/0 patch",
		"br-int br-int 65534/6 tap", "br-int int-br-ex 1/0 patch", "br-int patch-tun 2/0 patch", "br-int tap15de90eb-5b 6/11 system",
		"br-int tap3ae19b76-f9 5/10 system", "br-int tap534e4f8c-86 4/9 system", "br-int tapa317a1ab-b5 7/13 system", "br-int tapdc09f9d2-2f 3/7 system",
		"br-phy br-phy 65534/4 tap", "br-phy eth1 1/3 system",
		"br-tun br-tun 65534/5 tap", "br-tun gre-0a5b000d 4/12 gre", "br-tun patch-int 1/0 patch", "br-tun vxlan-0a5b000c 3/8 vxlan", "br-tun vxlan-0a5b000d 2/8 vxlan",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"eth2"}, wires(ports, "br-ex")); d != "" {
		t.Errorf("wires (-want +got):\n%s", d)
	}
	if p := byDatapath(ports, 13); p == nil || p.name != "tapa317a1ab-b5" {
		t.Errorf("13 is %v", p)
	}
	if p := byDatapath(ports, 0); p != nil {
		t.Errorf("0 is %v", p)
	}
	if _, err := parsePorts("nothing of the kind\n"); err == nil {
		t.Error("ports are read of anything")
	}
}

// The kernel's datapath says otherwise how it wraps a packet (lib/odp-util.c, format_odp_tun_attr).
func TestActionsOfTheDatapath(t *testing.T) {
	for actions, want := range map[string]string{
		"set(tunnel(tun_id=0x2a,dst=192.0.2.2,ttl=64,tp_dst=4789,flags(df|key))),4,set(tunnel(tun_id=0x2a,dst=192.0.2.3,ttl=64,tp_dst=4789,flags(df|key))),4,2": "4 in  to 192.0.2.2 key 42; 4 in  to 192.0.2.3 key 42; 2",
		"set(tunnel(tun_id=0x2a,ipv6_dst=2001:db8::2,ttl=64)),4":                                                                             "4 in  to 2001:db8::2 key 42",
		"set(eth(src=fa:16:3e:00:00:02,dst=fa:16:3e:00:00:03)),push_vlan(vid=7,pcp=0),1,pop_vlan,clone(set(eth(dst=fa:16:3e:00:00:04)),2),3": "1 fa:16:3e:00:00:02 > fa:16:3e:00:00:03 vlan 7; 2 fa:16:3e:00:00:02 > fa:16:3e:00:00:04 vlan 0; 3 fa:16:3e:00:00:02 > fa:16:3e:00:00:03 vlan 0",
		"tnl_push(tnl_port(3),header(size=58,type=5,eth(dst=02:00:0a:5b:00:0d,src=02:00:0a:5b:00:0b,dl_type=0x0800),ipv4(src=10.91.0.11,dst=10.91.0.13,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=6081,csum=0x0),geneve(crit,vni=0x7)),out_port(4)),3": "3 in geneve to 10.91.0.13 key 7",
		"drop": "", "ct(commit,zone=1),recirc(0x4)": "", "meter(3),userspace(pid=1,slow_path(controller)),9": "9",
		strings.Repeat("clone(", 100) + "1" + strings.Repeat(")", 100): "",
	} {
		var got []string
		for _, o := range (said{parts: []part{{flow: "ip,in_port=1", actions: actions}}}).outputs() {
			s := fmt.Sprint(o.port)
			if o.ethSrc != "" {
				s += fmt.Sprintf(" %s > %s vlan %d", o.ethSrc, o.ethDst, o.vlan)
			}
			if o.tunnel != nil {
				s += fmt.Sprintf(" in %s to %v key %d", o.tunnel.kind, o.tunnel.dst, o.tunnel.key)
			}
			got = append(got, s)
		}
		if d := cmp.Diff(want, strings.Join(got, "; ")); d != "" {
			t.Errorf("%s (-want +got):\n%s", actions, d)
		}
	}
}

func TestWhatIsNoTraceIsRefused(t *testing.T) {
	for _, text := range []string{"", "Bad openflow flow syntax: in_port=1,foo=3: unknown field foo\n", "Flow: ip\n\nbridge(\"br-int\")\n----------------\n 0. priority 0\n    drop\n"} {
		if s, err := parse(text); err == nil {
			t.Errorf("of %q was read %v", text, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		f.Add(read(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parse(text); err == nil {
			s.outputs()
			for _, st := range s.steps {
				if st.Row() == "" {
					t.Errorf("step %+v has no row", st)
				}
				st.Trivial()
			}
		}
		if ports, err := parsePorts(text); err == nil {
			for _, p := range ports {
				wires(ports, p.bridge)
			}
		}
	})
}
