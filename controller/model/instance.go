package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of what the metadata service tells a machine.
const (
	// MaxUserData is in bytes; Nova's limit too.
	MaxUserData = 64 << 10
	// MaxPublicKeys is how many SSH keys there may be, each of at most MaxPublicKey bytes.
	MaxPublicKeys = 64
	MaxPublicKey  = 16 << 10
	// MaxInstanceMeta is how many free keys and values there may be: Nova's quota of metadata items.
	MaxInstanceMeta = 128
)

func (v *violations) instance(n *Instance) {
	if n == nil {
		return
	}
	if n.Hostname != "" {
		v.label("instance.hostname", n.Hostname)
	}
	if len(n.UserData) > MaxUserData {
		v.add("instance.user_data", "has %d bytes; at most %d are allowed: have it fetch the rest", len(n.UserData), MaxUserData)
	}
	if len(n.PublicKeys) > MaxPublicKeys {
		v.add("instance.public_keys", "there are %d; at most %d are allowed", len(n.PublicKeys), MaxPublicKeys)
	} else {
		for _, name := range slices.Sorted(maps.Keys(n.PublicKeys)) {
			v.key("instance.public_keys", name)
			field, key := fmt.Sprintf("instance.public_keys[%q]", name), n.PublicKeys[name]
			switch {
			case key == "":
				v.add(field, "is empty")
			case len(key) > MaxPublicKey:
				v.add(field, "has %d bytes; at most %d are allowed", len(key), MaxPublicKey)
			case strings.ContainsFunc(strings.TrimSuffix(key, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f }):
				v.add(field, "is more than one line; give one public key, e.g. ssh-ed25519 AAAA… name")
			}
		}
	}
	if len(n.Meta) > MaxInstanceMeta {
		v.add("instance.meta", "there are %d; at most %d are allowed", len(n.Meta), MaxInstanceMeta)
		return
	}
	for _, k := range slices.Sorted(maps.Keys(n.Meta)) {
		v.key("instance.meta", k)
		v.text(fmt.Sprintf("instance.meta[%q]", k), n.Meta[k])
	}
}

func (v *violations) key(field, k string) {
	if k == "" {
		v.add(field, "a key is empty")
		return
	}
	v.text(field, k)
}

// label takes one label of a host's name in DNS (RFC 1123 2.1).
func (v *violations) label(field, s string) {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
	}
	if len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool { return !ok(r) }) || s[0] == '-' || s[len(s)-1] == '-' {
		v.add(field, "%q is not a hostname without domain: use 1..63 letters, digits and '-', which neither begins nor ends it", s)
	}
}
