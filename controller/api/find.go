package api

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
)

// minPrefix is how many characters of an id are enough to name an object.
const minPrefix = 4

// maxHints is how many suggestions one request is given: each looks at all objects of a kind.
const maxHints = 3

// maxCandidates is how many objects an error about an ambiguous name lists.
const maxCandidates = 10

// errNoSuch says that nothing is called so.
type errNoSuch struct {
	kind state.Kind
	ref  string
	// hint is empty, or begins with "; ".
	hint string
}

func (e *errNoSuch) Error() string {
	return fmt.Sprintf("%s %q does not exist%s", store.Singular(e.kind), e.ref, e.hint)
}

// errAmbiguous says that several objects are called so.
type errAmbiguous struct {
	kind       state.Kind
	ref        string
	candidates []store.Ref
	total      int
}

func (e *errAmbiguous) Error() string {
	list := make([]string, len(e.candidates))
	for i, c := range e.candidates {
		list[i] = c.String()
	}
	more := ""
	if n := e.total - len(list); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%q could be %s%s; give the id", e.ref, strings.Join(list, ", "), more)
}

// find looks an object up by its id, its name, or the beginning of its id, in this order. Names and beginnings count only
// among the objects that in holds for (nil: all), and must be unique there. The error is *errNoSuch or *errAmbiguous.
func find(s state.Snapshot, k state.Kind, ref string, in func(any) bool) (any, error) {
	if id, err := uuid.Parse(ref); err == nil && k != state.Hosts {
		ref = id.String()
	}
	if obj := s.Object(k, ref); obj != nil {
		return obj, nil
	}
	obj, err := findNamed(s, k, ref, in)
	if missing := (*errNoSuch)(nil); errors.As(err, &missing) && len(ref) >= minPrefix {
		return only(k, ref, s.ByIDPrefix(k, strings.ToLower(ref)), in)
	}
	return obj, err
}

// findNamed looks an object up by its name alone; a host also by its id, which is one, and a floating IP by its address.
func findNamed(s state.Snapshot, k state.Kind, name string, in func(any) bool) (any, error) {
	if obj := s.Object(k, name); obj != nil && k == state.Hosts {
		return obj, nil
	}
	obj, err := only(k, name, s.Named(k, name), in)
	if missing := (*errNoSuch)(nil); k == state.FloatingIPs && errors.As(err, &missing) {
		if address, bad := model.ParseAddr(name); bad == nil {
			return only(k, name, addressed(s, address), in)
		}
	}
	return obj, err
}

// addressed are the floating IPs with an address: one in each external network that has it.
func addressed(s state.Snapshot, address netip.Addr) iter.Seq[any] {
	return func(yield func(any) bool) {
		for f := range s.FloatingIPsByAddress(address) {
			if !yield(f) {
				return
			}
		}
	}
}

// only takes the one object that in holds for (nil: any).
func only(k state.Kind, ref string, objs iter.Seq[any], in func(any) bool) (any, error) {
	var found any
	amb := &errAmbiguous{kind: k, ref: ref}
	for obj := range objs {
		if in != nil && !in(obj) {
			continue
		}
		found = obj
		amb.total++
		if amb.total <= maxCandidates {
			amb.candidates = append(amb.candidates, refTo(k, obj))
		}
	}
	switch amb.total {
	case 0:
		return nil, &errNoSuch{kind: k, ref: ref}
	case 1:
		return found, nil
	}
	return nil, amb
}

// suggest adds to an *errNoSuch which objects could have been meant. It looks at all objects of the kind, so that budget,
// which it counts down, bounds how often that is done for one request.
func suggest(s state.Snapshot, err error, in func(any) bool, budget *int) {
	var e *errNoSuch
	if !errors.As(err, &e) || *budget <= 0 {
		return
	}
	if _, err := uuid.Parse(e.ref); err == nil {
		return // programs write whole ids, and do not misspell them
	}
	*budget--
	if len(e.ref) > 0 && len(e.ref) < minPrefix {
		for range s.ByIDPrefix(e.kind, e.ref) {
			e.hint = fmt.Sprintf("; the beginning of an id needs %d characters", minPrefix)
			return
		}
	}
	var names []string
	for obj := range s.ByIDPrefix(e.kind, "") {
		if in != nil && !in(obj) {
			continue
		}
		if m := metaOf(obj); m.Name != "" {
			names = append(names, m.Name)
		}
		switch o := obj.(type) {
		case *model.Host:
			names = append(names, o.ID)
		case *model.FloatingIP:
			names = append(names, o.Address.String())
		}
	}
	e.hint = didYouMean(e.ref, names)
}

// metaOf is the Meta of an object that people ask for.
func metaOf(obj any) *model.Meta {
	switch o := obj.(type) {
	case *model.Network:
		return &o.Meta
	case *model.Subnet:
		return &o.Meta
	case *model.Port:
		return &o.Meta
	case *model.Host:
		return &o.Meta
	case *model.Router:
		return &o.Meta
	case *model.FloatingIP:
		return &o.Meta
	case *model.PortForwarding:
		return &o.Meta
	case *model.SecurityGroup:
		return &o.Meta
	case *model.SecurityGroupRule:
		return &o.Meta
	case *model.AddressGroup:
		return &o.Meta
	case *model.QoSPolicy:
		return &o.Meta
	}
	panic(fmt.Sprintf("api: a %T has no Meta", obj))
}

// refTo names an object for people.
func refTo(k state.Kind, obj any) store.Ref {
	m := metaOf(obj)
	r := store.Ref{Kind: k, ID: m.ID}
	if m.Name != m.ID {
		r.Name = m.Name
	}
	if f, ok := obj.(*model.FloatingIP); ok && r.Name == "" {
		r.Name = spellAddr(f.Address)
	}
	return r
}

// kinds are the kinds of objects that people ask for, each after those that it refers to.
var kinds = []state.Kind{state.Hosts, state.AddressGroups, state.SecurityGroups, state.SecurityGroupRules, state.QoSPolicies, state.Networks, state.Subnets, state.Ports,
	state.Routers, state.FloatingIPs, state.PortForwardings}

// kindNamed finds a kind by the word for one of it, as requests spell it.
func kindNamed(word string) (state.Kind, error) {
	for _, k := range kinds {
		if store.Singular(k) == word {
			return k, nil
		}
	}
	return "", fmt.Errorf("%q is no kind of object; choose one of %s", word, strings.Join(words(), ", "))
}

// words are the words of all kinds, sorted.
func words() []string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = store.Singular(k)
	}
	slices.Sort(words)
	return words
}
