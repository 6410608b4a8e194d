package manifest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// anyText draws what a YAML reader could take for something else.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringN(0, 8, -1), rapid.SampledFrom([]string{"yes", "null", "~", "1e3", "0x10", "010", "1:30:00", "52:54:00:12:34:56", "2026-03-04",
		"- a", "a: b", "a #b", "#", "'", `"`, "\\", "|", ">", "&a", "*a", "!!str x", "{", "[", "%", "@", "`", " lead", "trail ", "two\nlines", "\n", "tab\t", "\r\n", "\x1b[2J",
		"\u202e", "\u0085", "\u2028", "\ufeff", "端口", "\U0001f600", "\U000e0001", "=", "<<", "---", "...", "? x", "true", ".inf", "none"}))
}

// fill sets fields of a message at random, so that they differ from their empty value.
func fill(rt *rapid.T, m protoreflect.Message, fd protoreflect.FieldDescriptor, label string) {
	text := anyText().Filter(func(s string) bool { return s != "" })
	scalar := func() protoreflect.Value {
		switch fd.Kind() {
		case protoreflect.BoolKind:
			return protoreflect.ValueOfBool(rapid.Bool().Draw(rt, label))
		case protoreflect.Int32Kind:
			return protoreflect.ValueOfInt32(rapid.Int32Min(1).Draw(rt, label))
		case protoreflect.Uint32Kind:
			return protoreflect.ValueOfUint32(rapid.Uint32Min(1).Draw(rt, label))
		case protoreflect.BytesKind:
			return protoreflect.ValueOfBytes(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, -1), rapid.Map(text, func(s string) []byte { return []byte(s) }),
				rapid.Just([]byte("base64:x")), rapid.Just([]byte("#cloud-config\nusers:\n- name: a\n\n  x\n"))).Draw(rt, label))
		}
		return protoreflect.ValueOfString(text.Draw(rt, label))
	}
	n := rapid.IntRange(1, 3).Draw(rt, label+" count")
	switch {
	case fd.IsMap():
		for range n {
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString(anyText().Draw(rt, label+" key")).MapKey(), protoreflect.ValueOfString(anyText().Draw(rt, label)))
		}
	case fd.IsList() && fd.Message() != nil:
		list := m.Mutable(fd).List()
		for range n {
			e := list.NewElement().Message()
			for i := range e.Descriptor().Fields().Len() {
				if fd := e.Descriptor().Fields().Get(i); !kind.ServerSets(fd) {
					fill(rt, e, fd, label)
				}
			}
			list.Append(protoreflect.ValueOfMessage(e))
		}
	case fd.IsList():
		for range n {
			m.Mutable(fd).List().Append(scalar())
		}
	default:
		m.Set(fd, scalar())
	}
}

// anyObject draws an object with any of the fields that people set.
func anyObject(rt *rapid.T) kind.Message {
	k := rapid.SampledFrom(kind.All).Draw(rt, "kind")
	m := k.New()
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.Name == "id" || rapid.Bool().Draw(rt, "has "+f.Name) {
			holder, fd := k.Locate(m, f.Name)
			fill(rt, holder, fd, f.Name)
		}
	}
	return m
}

// Whatever is in an object, it can be written, is one line per line on a terminal, and is read back as it was.
func TestWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := anyObject(rt)
		var yamlText, jsonText bytes.Buffer
		if err := WriteYAML(screen.New(&yamlText, false), Wanted(m, func(_, id string) string { return "named " + id })); err != nil {
			rt.Fatal(err)
		}
		if err := WriteJSON(screen.New(&jsonText, false), Wanted(m, nil), "  "); err != nil {
			rt.Fatal(err)
		}
		for _, text := range []string{yamlText.String(), jsonText.String()} {
			objects, errs := Read("f", strings.NewReader(text))
			if len(errs) > 0 || len(objects) != 1 {
				rt.Fatalf("%d objects, %v:\n%s", len(objects), errs, text)
			}
			if d := cmp.Diff(m, objects[0].Message, protocmp.Transform()); d != "" {
				rt.Fatalf("(-written +read):\n%s\n%s", d, text)
			}
		}
	})
}

// What the server sets is read over, but for the etag, which guards against changes by others.
func TestReadOnlyFieldsAreReadOver(t *testing.T) {
	m := &weftv1.Port{Metadata: &weftv1.Metadata{Id: "p", Etag: "7", Generation: 3, Revision: 9}, Status: &weftv1.PortStatus{Status: "ACTIVE"}}
	var b bytes.Buffer
	if err := WriteYAML(&b, Whole(m)); err != nil {
		t.Fatal(err)
	}
	objects, errs := Read("f", &b)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := &weftv1.Port{Metadata: &weftv1.Metadata{Id: "p", Etag: "7"}}
	if d := cmp.Diff(proto.Message(want), proto.Message(objects[0].Message), protocmp.Transform()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWhereFieldsAre(t *testing.T) {
	_, errs := Read("f.yaml", strings.NewReader(`# a comment

kind: port
metadata_is_flat: no
`))
	if len(errs) != 1 || errs[0].Error() != "f.yaml:4: port has no field metadata_is_flat" {
		t.Errorf("errors: %v", errs)
	}
	objects, errs := Read("f.yaml", strings.NewReader(`# a comment

kind: port
name: a
fixed_ips:
- subnet_id: s
  ip_address: x
- {ip_address: y}
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for path, want := range map[string]string{"metadata.name": "f.yaml:4", "name": "f.yaml:4", "fixed_ips": "f.yaml:5", "fixed_ips[0].ip_address": "f.yaml:7",
		"fixed_ips[1].ip_address": "f.yaml:8", "fixed_ips[1].subnet_id": "f.yaml:8", "fixed_ips[7].x": "f.yaml:5", "network_id": "f.yaml:3", "": "f.yaml:3"} {
		if got := objects[0].Where(path); got != want {
			t.Errorf("Where(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestAliasesAndMergedKeys(t *testing.T) {
	objects, errs := Read("f", strings.NewReader("kind: &k network\nname: &n a\nlabels: &l {x: *n}\n---\nkind: network\nname: b\ndescription: &d text\nlabels: {y: *d}\n"))
	if len(errs) > 0 || len(objects) != 2 || objects[0].Message.GetMetadata().GetLabels()["x"] != "a" {
		t.Errorf("aliases: %v %v", objects, errs)
	}
	_, errs = Read("f", strings.NewReader("- kind: network\n  name: a\n- kind: network\n  <<: {mtu: 1}\n  name: b\n"))
	if len(errs) != 1 || errs[0].Error() != "f:4: network has no field <<" {
		t.Errorf("merge key: %v", errs)
	}
}

func TestLinesOfSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"kind: network\nname: a\nmtu: [1\nlabels: x\n": "f:3: ",
		"kind: network\nname: a: b\n":                  "f:2: mapping values are not allowed in this context",
		"kind: network\n\tname: a\n":                   "f:2: found a tab character that violates indentation",
		"kind: network\nname: \"a\n":                   "f:",
		"kind: {a\n":                                   "f:2: did not find expected ',' or '}'",
		"kind: network\n- a\n":                         "f:2: did not find expected key",
		"\x00":                                         "f:1: control characters are not allowed",
		"a: *b\n":                                      "f:1: unknown anchor 'b' referenced",
	} {
		_, errs := Read("f", strings.NewReader(text))
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want) {
			t.Errorf("%q: %v, want %q", text, errs, want)
		}
	}
}

func TestJSONOfOtherPrograms(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind": "network", "name": "\ud83d\ude00\u00e9\/\"\\ud83d"}`: "\U0001f600é/\"\\ud83d",
		`[{"kind": "network", "name": "a\\\ud83d\ude00"}]`:             "a\\\U0001f600",
	} {
		objects, errs := Read("f.json", strings.NewReader(text))
		if len(errs) > 0 || len(objects) != 1 || objects[0].Message.GetMetadata().GetName() != want {
			t.Errorf("%s: %v %v, want %q", text, objects, errs, want)
		}
	}
	for _, text := range []string{`{"kind": "network", "name": "\ud83d"}`, `{"kind": "network", "name": "\u`, `{"\`} {
		if _, errs := Read("f.json", strings.NewReader(text)); len(errs) != 1 {
			t.Errorf("%s: %v", text, errs)
		}
	}
}

func TestSuggestions(t *testing.T) {
	words := fieldNames(kind.Port)
	for wrong, want := range map[string]string{"netwrok_id": "; did you mean network_id?", "network": "; did you mean network_id?", "fixedips": "; did you mean fixed_ips?",
		"mac": "; did you mean mac_address?", "Name": "; did you mean name?", "admin-state-up": "; did you mean admin_state_up?", "qqqq": "", "x": ""} {
		if got := suggest(wrong, words); got != want {
			t.Errorf("suggest(%q) = %q, want %q", wrong, got, want)
		}
	}
}

func TestLoadDirectories(t *testing.T) {
	dir := t.TempDir()
	if _, errs := Load([]string{dir}, nil); len(errs) != 1 || !strings.Contains(errs[0].Error(), "no *.yaml, *.yml or *.json in the directory") {
		t.Errorf("empty directory: %v", errs)
	}
	for name, text := range map[string]string{"b.yml": "kind: network\nname: b\n", "a.json": `{"kind":"network","name":"a"}`, "c.yaml": "kind: network\nname: c\n", "d.txt": "not read"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "e.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	objects, errs := Load([]string{dir, "-"}, strings.NewReader("kind: network\nname: z\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var names []string
	for _, o := range objects {
		names = append(names, o.Message.GetMetadata().GetName())
	}
	if want := []string{"a", "b", "c", "z"}; !cmp.Equal(names, want) {
		t.Errorf("read %v, want %v", names, want)
	}
}

func TestSameNameInTwoNetworksIsTwoObjects(t *testing.T) {
	text := "kind: port\nname: a\nnetwork_id: x\n---\nkind: port\nname: a\nnetwork_id: y\n---\nkind: network\nname: a\n"
	if _, errs := Load([]string{"-"}, strings.NewReader(text)); len(errs) > 0 {
		t.Errorf("%v", errs)
	}
	text += "---\nkind: port\nname: a\nnetwork_id: x\n"
	_, errs := Load([]string{"-"}, strings.NewReader(text))
	if len(errs) != 1 || errs[0].Error() != `stdin:12: port "a" is there twice, first at stdin:1` {
		t.Errorf("%v", errs)
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("../cli/testdata/files/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("kind: port\nname: a\ninstance: {hostname: \"\", user_data: \"base64:/w==\"}\n---\nkind: port\nname: b\ninstance: {hostname: \"\"}\n"))
	f.Add([]byte("kind: port\nname: a\nfixed_ips: &x\n- *x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		objects, errs := Read("f", bytes.NewReader(b))
		if len(errs) > 0 {
			return
		}
		for _, o := range objects {
			var out bytes.Buffer
			if err := WriteYAML(&out, Wanted(o.Message, nil)); err != nil {
				t.Fatal(err)
			}
			again, errs := Read("again", &out)
			if len(errs) > 0 || len(again) != 1 || !proto.Equal(again[0].Message, without(o.Message)) {
				t.Fatalf("%v, read again as %v: %v", o.Message, again, errs)
			}
		}
	})
}

// without is an object without its etag, which files keep and exports do not.
func without(m kind.Message) kind.Message {
	m = proto.Clone(m).(kind.Message)
	m.GetMetadata().Etag = ""
	return m
}
