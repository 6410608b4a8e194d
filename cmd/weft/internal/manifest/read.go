package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

// Object is one object of a file.
type Object struct {
	Kind    *kind.Kind
	Message kind.Message
	File    string
	Line    int
	// Fields are the paths in the API of the fields that are there, empty or not.
	Fields []string
	// lines tells where each field is, by the field's path in the file.
	lines map[string]int
}

// Where is the file and line of a field, given by its path in the API ("metadata.name", "fixed_ips[1].ip_address"), or
// of the object when the field is not in the file.
func (o *Object) Where(path string) string {
	path = strings.TrimPrefix(path, "metadata.")
	for path != "" {
		if line, ok := o.lines[path]; ok {
			return at(o.File, line)
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return at(o.File, o.Line)
}

// Subject names the object in a message: subnet "blue-v4".
func (o *Object) Subject() string { return o.Kind.Subject(kind.Ref(o.Message)) }

func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// Problem is something wrong in a file.
type Problem struct {
	File string
	Line int
	Text string
}

func (p *Problem) Error() string { return at(p.File, p.Line) + ": " + p.Text }

// reader collects what it finds in one file.
type reader struct {
	file     string
	objects  []*Object
	problems []error
}

func (r *reader) wrong(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, &Problem{File: r.file, Line: n.Line, Text: fmt.Sprintf(format, args...)})
}

// Read reads all objects of one file. The errors are *Problem, or of the reader; with any of them the objects must not
// be used.
func Read(file string, in io.Reader) ([]*Object, []error) {
	r := &reader{file: file}
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %w", file, err)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(fromJSON(b)))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return r.objects, r.problems
		}
		if err != nil {
			return r.objects, append(r.problems, syntax(file, err))
		}
		r.document(doc.Content[0])
	}
}

// parserErrors are those for which yaml.v3 counts lines from 0 (yaml.v3 parserc.go and decode.go, func fail).
var parserErrors = []string{"did not find expected <document start>", "did not find expected node content",
	"did not find expected '-' indicator", "did not find expected key", "did not find expected ',' or ']'",
	"did not find expected ',' or '}'"}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax gives an error of the YAML reader our form.
func syntax(file string, err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	line, _ := strconv.Atoi(m[1])
	if slices.Contains(parserErrors, m[2]) {
		line++
	}
	return &Problem{File: file, Line: max(1, line), Text: m[2]}
}

func (r *reader) document(n *yaml.Node) {
	n = resolve(n)
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			r.document(e)
		}
	case n.Kind == yaml.MappingNode:
		r.object(n)
	case n.Tag == "!!null":
	default:
		r.wrong(n, "here should be an object: a line \"kind: network\" and more")
	}
}

// resolve follows an alias (*name) to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (r *reader) object(n *yaml.Node) {
	o := &Object{File: r.file, Line: n.Line, lines: map[string]int{}}
	fields := r.entries(n)
	for _, f := range fields {
		if f.key.Value == "kind" {
			o.Kind = r.kind(f.value)
			if o.Kind == nil {
				return
			}
		}
	}
	if o.Kind == nil {
		r.wrong(n, "no kind: write \"kind: \" and one of %s", strings.Join(kindWords(), ", "))
		return
	}
	o.Message = o.Kind.New()
	before := len(r.problems)
	for _, f := range fields {
		o.lines[f.key.Value] = f.key.Line
		if f.key.Value != "kind" {
			r.field(o, f)
		}
	}
	if len(r.problems) == before && kind.Identity(o.Message) == "" {
		r.wrong(n, "the %s has neither name nor id: applied twice, it would be made twice", o.Kind.Name)
	}
	r.objects = append(r.objects, o)
}

func (r *reader) kind(n *yaml.Node) *kind.Kind {
	k := kind.Find(n.Value)
	if k == nil {
		r.wrong(n, "kind %q is unknown%s", n.Value, suggest(n.Value, kindWords()))
	}
	return k
}

func kindWords() []string {
	var words []string
	for _, k := range kind.All {
		words = append(words, k.Name)
	}
	return words
}

// entry is one "key: value" of a mapping.
type entry struct{ key, value *yaml.Node }

// entries lists a mapping; what is there twice is a problem.
func (r *reader) entries(n *yaml.Node) []entry {
	first := map[string]int{}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		switch line, twice := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			r.wrong(n.Content[i], "here should be the name of a field")
		case twice:
			r.wrong(key, "%s is there twice, first in line %d", key.Value, line)
		default:
			first[key.Value] = key.Line
			out = append(out, entry{key, resolve(n.Content[i+1])})
		}
	}
	return out
}
