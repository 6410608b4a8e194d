package model

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of free text.
const (
	// MaxText is how many characters a name, a description, a project, a device or a label may have.
	MaxText = 255
	// MaxLabels is how many labels an object may have.
	MaxLabels = 64
)

// violations collects what is wrong with one object.
type violations []Violation

func (v *violations) add(field, format string, args ...any) {
	*v = append(*v, Violation{field, fmt.Sprintf(format, args...)})
}

// text judges free text; only descriptions may have several lines.
func (v *violations) text(field, s string) {
	if !utf8.ValidString(s) {
		v.add(field, "is not valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(s); n > MaxText {
		v.add(field, "has %d characters; at most %d are allowed", n, MaxText)
	}
	lines := field == "metadata.description"
	for _, r := range s {
		if !unicode.IsGraphic(r) && !(lines && (r == '\n' || r == '\t')) {
			v.add(field, "contains the unprintable character %U; remove it", r)
			return
		}
	}
}

func (v *violations) uuid(field, s string) {
	if id, err := uuid.Parse(s); err != nil {
		v.add(field, "%q is not a UUID: write e.g. 3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f", s)
	} else if id.String() != s {
		v.add(field, "%q is not in the canonical form; write %s", s, id)
	}
}

// hostname takes what Linux machines are really called: letters, digits, '-', '_' and '.' (RFC 1123 2.1 lacks '_').
func (v *violations) hostname(field, s string) {
	ok := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-_.", r)
	}
	switch {
	case s == "":
		v.add(field, "is empty; give the hostname")
	case len(s) > 253:
		v.add(field, "has %d characters; a hostname has at most 253", len(s))
	case strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) >= 0, strings.ContainsRune("-_.", rune(s[0])):
		v.add(field, "%q is not a hostname: use letters, digits, '-', '_' and '.', and begin with a letter or digit", s)
	}
}

// meta judges what all objects have in common, but for the id.
func (v *violations) meta(m *Meta) {
	v.text("metadata.name", m.Name)
	v.text("metadata.project_id", m.ProjectID)
	v.text("metadata.description", m.Description)
	if len(m.Labels) > MaxLabels {
		v.add("metadata.labels", "there are %d; at most %d are allowed", len(m.Labels), MaxLabels)
		return
	}
	keys := make([]string, 0, len(m.Labels))
	for k := range m.Labels {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k == "" {
			v.add("metadata.labels", "a key is empty")
		} else {
			v.text("metadata.labels", k)
		}
		v.text(fmt.Sprintf("metadata.labels[%q]", k), m.Labels[k])
	}
}

// id judges an id that may still be empty, because the store makes one then.
func (v *violations) id(m *Meta) {
	if m.ID != "" {
		v.uuid("metadata.id", m.ID)
	}
}
