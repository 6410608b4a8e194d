package openflow

import (
	"encoding/binary"
	"fmt"
)

// properties walks a list of properties: type, length without padding, value, padding to 8 bytes (OpenFlow 1.5.1, 7.2).
func properties(b []byte, at int, each func(typ uint16, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return fmt.Errorf("property at byte %d: %w", at, errShort)
		}
		typ, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return fmt.Errorf("property %d at byte %d says that it is %d bytes long, of %d", typ, at, n, len(b))
		}
		if err := each(typ, b[4:n:n]); err != nil {
			return fmt.Errorf("property %d at byte %d: %w", typ, at, err)
		}
		n = min(n+pad8(n), len(b))
		b, at = b[n:], at+n
	}
	return nil
}

// appendProperty appends a property with its padding.
func appendProperty(b []byte, typ uint16, value []byte) []byte {
	start := len(b)
	b = appendU16(appendU16(b, typ), uint16(4+len(value)))
	return pad(append(b, value...), start)
}
