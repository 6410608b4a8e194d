package model

import "strings"

// Violation is one wrong field: its path as the API spells it ("cidr", "fixed_ips[1].ip_address", "metadata.name"),
// and what is wrong with it together with the remedy, lower case, without the field's name.
type Violation struct {
	Field   string
	Message string
}

// Invalid is the error of a request with wrong fields. It lists every one of them.
type Invalid struct {
	Violations []Violation
}

// Error lists all violations in one line.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = v.Field + ": " + v.Message
	}
	return strings.Join(parts, "; ")
}
