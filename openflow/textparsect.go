package openflow

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ct reads the arguments of a ct action. NAT stands before exec in the text, and first in Exec.
func (r *actionReader) ct(s string) (Action, error) {
	a := CT{Table: NoTable}
	err := eachPart(s, func(key, value string) (err error) {
		switch key {
		case "commit":
			a.Commit = true
		case "force":
			a.Force = true
		case "table":
			if err = parseInto(&a.Table, value); err == nil && a.Table == NoTable {
				err = errors.New("there is no table 255")
			}
		case "zone":
			if parseInto(&a.Zone, value) != nil {
				a.ZoneSrc, err = parseSubfield(value)
			}
		case "alg":
			a.ALG, err = parseALG(value)
		case "nat":
			var nat Action
			nat, err = parseNATText(value)
			a.Exec = append(a.Exec, nat)
		case "exec":
			var acts []Action
			acts, err = r.inner(value)
			a.Exec = append(a.Exec, acts...)
		default:
			err = errUnknownPart
		}
		return err
	})
	if err == nil && a.Force && !a.Commit {
		err = errors.New("force needs commit")
	}
	return a, err
}

func parseALG(s string) (uint16, error) {
	switch s {
	case "ftp":
		return 21, nil
	case "tftp":
		return 69, nil
	}
	v, err := parseUint(s, 16)
	if err != nil {
		err = fmt.Errorf("%q is none of ftp, tftp and a port number", s)
	}
	return uint16(v), err
}

func parseNATText(s string) (Action, error) {
	a := NAT{}
	err := eachPart(s, func(key, value string) error {
		flag := map[string]NATFlags{"src": NATSource, "dst": NATDestination, "persistent": NATPersistent, "hash": NATHash,
			"random": NATRandom}[key]
		if flag == 0 {
			return errUnknownPart
		}
		a.Flags |= flag
		if flag == NATSource || flag == NATDestination {
			return a.parseRange(value)
		}
		return nil
	})
	switch {
	case err != nil:
	case a.Flags&NATSource != 0 && a.Flags&NATDestination != 0:
		err = errors.New("src and dst exclude each other")
	case a.Flags&NATHash != 0 && a.Flags&NATRandom != 0:
		err = errors.New("hash and random exclude each other")
	case a.Flags != 0 && a.Flags&(NATSource|NATDestination) == 0:
		err = errors.New("flags need src or dst")
	}
	return a, err
}

// parseRange reads ADDR[-ADDR][:PORT[-PORT]]; an IPv6 address before a port is in brackets.
func (a *NAT) parseRange(s string) (err error) {
	if s == "" {
		return nil
	}
	if a.Min, s, err = cutAddr(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "-") {
		if a.Max, s, err = cutAddr(s[1:]); err != nil {
			return err
		}
		if a.Max.Is4() != a.Min.Is4() || a.Max.Less(a.Min) {
			return fmt.Errorf("no range from %v to %v", a.Min, a.Max)
		}
	}
	if s == "" {
		return nil
	}
	if s[0] != ':' {
		return fmt.Errorf("%q is no port", s)
	}
	from, to, isRange := strings.Cut(s[1:], "-")
	if err := parseInto(&a.PortMin, from); err != nil {
		return err
	}
	if isRange {
		if err := parseInto(&a.PortMax, to); err != nil {
			return err
		}
		if a.PortMax < a.PortMin {
			return fmt.Errorf("no range from %d to %d", a.PortMin, a.PortMax)
		}
	}
	return nil
}

// cutAddr takes an address off the front of s.
func cutAddr(s string) (netip.Addr, string, error) {
	text, rest := s, ""
	if inner, after, ok := strings.Cut(s, "]"); ok && s[0] == '[' {
		text, rest = inner[1:], after
	} else if n := strings.IndexByte(s, '-'); n >= 0 {
		text, rest = s[:n], s[n:]
		if strings.Count(text, ":") == 1 {
			// 192.0.2.1:1000-2000: the hyphen is the ports'.
			n = strings.IndexByte(s, ':')
			text, rest = s[:n], s[n:]
		}
	} else if strings.Count(s, ":") == 1 {
		n := strings.IndexByte(s, ':')
		text, rest = s[:n], s[n:]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() {
		return netip.Addr{}, "", fmt.Errorf("%q is no address", text)
	}
	return addr, rest, nil
}
