package house

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/weft-sdn/weft/"

// file is a Go file of the house.
type file struct {
	// path from the root of the repository; pkg is its directory.
	path, pkg string
	test      bool
	generated bool
	lines     int
	syntax    *ast.File
}

// imports lists the import paths of a file.
func (f file) imports() []string {
	var paths []string
	for _, i := range f.syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		paths = append(paths, p)
	}
	return paths
}

// read parses all Go files of the repository.
func read(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) && name != root {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || filepath.Dir(name) == root {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		lines, err := countLines(name)
		if err != nil {
			return err
		}
		files = append(files, file{
			path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			generated: ast.IsGenerated(syntax), lines: lines, syntax: syntax,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func countLines(name string) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		n++
	}
	return n, scanner.Err()
}

// matches says whether a package is what a pattern means.
func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

// roomOf finds the most exact line of the plan for a package.
func roomOf(pkg string) (room, bool) {
	var best room
	found := false
	for _, r := range plan {
		if matches(r.pattern, pkg) && (!found || len(r.pattern) > len(best.pattern)) {
			best, found = r, true
		}
	}
	return best, found
}

// wrongImport says what is wrong with one import of our own, or nothing.
func wrongImport(from, to string) string {
	a, okA := roomOf(from)
	b, okB := roomOf(to)
	if !okA || !okB {
		return "" // told by TestEveryPackageHasARoom
	}
	if b.floor < a.floor || from == to {
		return ""
	}
	if b.floor > a.floor {
		return fmt.Sprintf("%s (floor %d) imports upward: %s (floor %d)", from, a.floor, to, b.floor)
	}
	for _, s := range sideways {
		if matches(s.from, from) && matches(s.to, to) {
			return ""
		}
	}
	return fmt.Sprintf("%s imports sideways: %s is on floor %d too", from, to, b.floor)
}

func TestEveryPackageHasARoom(t *testing.T) {
	told := map[string]bool{}
	for _, f := range read(t) {
		if _, ok := roomOf(f.pkg); !ok && !told[f.pkg] {
			told[f.pkg] = true
			t.Errorf("%s: not in the plan: give it a floor in plan_test.go, and say why", f.pkg)
		}
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, f := range read(t) {
		if f.test {
			continue // tests may use any fixture
		}
		for _, imported := range f.imports() {
			if to, ok := strings.CutPrefix(imported, module); ok {
				if wrong := wrongImport(f.pkg, to); wrong != "" {
					t.Errorf("%s: %s", f.path, wrong)
				}
			}
		}
	}
}

func TestControllerAndAgentAreStrangers(t *testing.T) {
	for _, f := range read(t) {
		for _, imported := range f.imports() {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			for i, from := range strangers {
				if matches(from, f.pkg) && matches(strangers[1-i], to) {
					t.Errorf("%s imports %s: they meet over proto only", f.path, to)
				}
			}
		}
	}
}

func TestFixturesStayInTests(t *testing.T) {
	for _, f := range read(t) {
		for _, imported := range f.imports() {
			if strings.HasPrefix(imported, module) && strings.HasSuffix(imported, "test") && !f.test &&
				!strings.HasPrefix(f.pkg, "test/") {
				t.Errorf("%s imports the fixture %s", f.path, imported)
			}
		}
	}
}

func TestModulesHaveOneOwner(t *testing.T) {
	for _, f := range read(t) {
		for _, imported := range f.imports() {
			for _, o := range owners {
				if imported != o.module && !strings.HasPrefix(imported, o.module+"/") {
					continue
				}
				if !slices.ContainsFunc(o.by, func(pattern string) bool { return matches(pattern, f.pkg) }) {
					t.Errorf("%s imports %s: only %v may (%s)", f.path, imported, o.by, o.why)
				}
			}
		}
	}
}

func TestLowerFloorsArePure(t *testing.T) {
	for _, f := range read(t) {
		if r, ok := roomOf(f.pkg); !ok || r.floor > pureFloor || f.test || f.generated || strings.HasSuffix(f.pkg, "test") {
			continue
		}
		for _, wrong := range impurities(f.syntax) {
			t.Errorf("%s: %s", f.path, wrong)
		}
	}
}

// impurities lists what a file has that a pure one may not.
func impurities(syntax *ast.File) []string {
	var wrong []string
	allowed := map[string][]string{} // by the name that the file uses
	for _, i := range syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		names, listed := impure[p]
		switch {
		case !listed:
		case names == nil:
			wrong = append(wrong, "imports "+p)
		case i.Name != nil:
			wrong = append(wrong, "imports "+p+" under another name")
		default:
			allowed[path.Base(p)] = names
		}
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			wrong = append(wrong, "starts a goroutine")
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok || pkg.Obj != nil { // a local variable of the package's name
				return true
			}
			if names, ok := allowed[pkg.Name]; ok && !slices.Contains(names, n.Sel.Name) {
				wrong = append(wrong, "uses "+pkg.Name+"."+n.Sel.Name)
			}
		}
		return true
	})
	return wrong
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range read(t) {
		if !f.generated && f.lines > maxLines {
			t.Errorf("%s: %d lines; split it before it passes %d", f.path, f.lines, maxLines)
		}
	}
}

// The rules themselves, on imports that do not exist.
func TestRules(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"controller/view", "controller/state", ""},
		{"controller/state", "controller/view", "controller/state (floor 2) imports upward: controller/view (floor 3)"},
		{"ofapps/brint", "ofapps/brtun", "ofapps/brint imports sideways: ofapps/brtun is on floor 4 too"},
		{"controller/ofconn", "openflow/channel", ""},
		{"openflow/channel", "controller/ofconn", "openflow/channel imports sideways: controller/ofconn is on floor 6 too"},
		{"nsagent/agent", "nsagent/statefile", ""},
		{"nsagent/statefile", "ovsdb", "nsagent/statefile imports sideways: ovsdb is on floor 6 too"},
		{"cmd/weft", "test/lab", ""},
		{"cmd/weft-controller", "cmd/weft/internal/cli", "cmd/weft-controller imports sideways: cmd/weft/internal/cli is on floor 8 too"},
		{"controller/store", "test/lab", "controller/store (floor 6) imports upward: test/lab (floor 8)"},
	} {
		if got := wrongImport(c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: got %q, want %q", c.from, c.to, got, c.want)
		}
	}

	syntax, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import ("net"; "net/netip"; "os"; "time"; clock "time")
var a netip.Addr
func f() time.Duration { go f(); time.Sleep(time.Second); _, _ = net.ParseMAC(""); _, _ = net.Dial("", ""); return clock.Since(time.Time{}) }
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"imports os", "imports time under another name", "starts a goroutine", "uses time.Sleep", "uses net.Dial"}
	if d := cmp.Diff(want, impurities(syntax)); d != "" {
		t.Errorf("impurities (-want +got):\n%s", d)
	}
}
