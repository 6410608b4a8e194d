package metadata

import (
	"net/http"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Versions of the two trees. They differ in nothing that this service tells.
var (
	ec2Versions       = []string{"1.0", "2009-04-04", "latest"}
	openStackVersions = []string{"2018-08-27", "latest"}
)

// tree is what a port may know: contents by path.
type tree map[string]entry

type entry struct {
	kind string // of content
	body []byte
}

const plain = "text/plain; charset=utf-8"

func (t tree) add(path, kind string, body []byte) { t[path] = entry{kind, body} }

func (t tree) text(path, text string) {
	if text != "" {
		t.add(path, plain, []byte(text))
	}
}

// builtin answers a question out of what the agent knows of the caller's port.
func (t *tokens) builtin(w http.ResponseWriter, r *http.Request, who *plan.Caller) {
	if r.Method == http.MethodPut && r.URL.Path == tokenPath {
		t.issue(w, r, who)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Connection", "close") // there may be a body, which nobody reads
		http.Error(w, "this metadata service only answers; it takes nothing", http.StatusMethodNotAllowed)
		return
	}
	if !t.valid(r, who) {
		http.Error(w, "the token is not one of this machine's, or has ended: ask for another", http.StatusUnauthorized)
		return
	}
	e, ok := lookup(r.URL.Path, who)
	if !ok {
		http.Error(w, "there is no such metadata", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", e.kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(e.body)
}

// lookup finds what a path leads to: a content, or the names below it.
func lookup(path string, who *plan.Caller) (entry, bool) {
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
	switch {
	case len(parts) == 0:
		return listing(append(slices.Clone(ec2Versions), "openstack")), true
	case parts[0] != "openstack":
		if !slices.Contains(ec2Versions, parts[0]) {
			return entry{}, false
		}
		return ec2(who).find(parts[1:])
	case len(parts) == 1:
		return listing(openStackVersions), true
	case !slices.Contains(openStackVersions, parts[1]):
		return entry{}, false
	}
	return openStack(who).find(parts[2:])
}

func listing(names []string) entry { return entry{plain, []byte(strings.Join(names, "\n"))} }

// find finds a content, or lists what is below: a name with more below it ends with a slash.
func (t tree) find(parts []string) (entry, bool) {
	path := strings.Join(parts, "/")
	if e, ok := t[path]; ok {
		return e, true
	}
	prefix := path + "/"
	if path == "" {
		prefix = ""
	}
	var names []string
	for p := range t {
		if rest, ok := strings.CutPrefix(p, prefix); ok {
			if name, _, deeper := strings.Cut(rest, "/"); deeper {
				names = append(names, name+"/")
			} else {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	// What has a content and more below it is named once.
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(names, n+"/") })
	return listing(names), len(names) > 0
}
