package replay

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/weft-sdn/weft/openflow"
)

// format is the number in a file's last message. A reader refuses any other.
const format = 1

// Interface says which interface a port number means.
type Interface struct {
	Name string `json:"name"`
	// IfaceID is external_ids:iface-id: names like vnet0 are given to one VM after the other.
	IfaceID string `json:"iface_id,omitempty"`
}

// Set is the flows of a bridge at a revision.
type Set struct {
	Bridge   string
	Revision int64
	// Meters are those that the flows name.
	Meters []openflow.MeterMod
	Flows  []openflow.FlowMod
	Ports  map[uint32]Interface
}

// A file is a stream of OpenFlow messages, which ovs-ofctl ofp-parse prints: a flow-mod for each row, a meter-mod for each meter, echo replies whose
// payload is JSON of some ports (map[uint32]Interface), and at the end an echo request whose payload is a trailer.
type trailer struct {
	Format   int    `json:"format"`
	Bridge   string `json:"bridge"`
	Revision int64  `json:"revision"`
	Flows    int    `json:"flows"`
	SHA256   string `json:"sha256"` // of everything before
}

// portsPerMessage keeps a message of ports shorter than 64 KiB.
const portsPerMessage = 256

// path is the file of a bridge's flows.
func path(dir, bridge string) string { return filepath.Join(dir, "flows-"+bridge) }

// writer writes a set row by row, so that a large one need not be in memory.
type writer struct {
	file *renameio.PendingFile
	out  *bufio.Writer
	sum  hash.Hash
	buf  []byte
	n    int
}

func create(dir, bridge string) (*writer, error) {
	f, err := renameio.NewPendingFile(path(dir, bridge), renameio.WithTempDir(dir), renameio.WithPermissions(0o600))
	if err != nil {
		return nil, err
	}
	w := &writer{file: f, sum: sha256.New()}
	w.out = bufio.NewWriterSize(io.MultiWriter(f, w.sum), 64<<10)
	return w, nil
}

// add writes one row.
func (w *writer) add(m *openflow.FlowMod, v openflow.Version) error {
	w.n++
	return w.write(m, v)
}

func (w *writer) write(m openflow.Message, v openflow.Version) error {
	w.buf = m.Append(w.buf[:0], v, 0)
	if len(w.buf) > openflow.MaxMessageLen {
		return fmt.Errorf("a message of %d bytes is longer than any may be", len(w.buf))
	}
	_, err := w.out.Write(w.buf)
	return err
}

// commit puts the file in its place, durably.
func (w *writer) commit(v openflow.Version, bridge string, revision int64, ports map[uint32]Interface) error {
	for numbers := range slices.Chunk(slices.Sorted(maps.Keys(ports)), portsPerMessage) {
		some := map[uint32]Interface{}
		for _, n := range numbers {
			some[n] = ports[n]
		}
		payload, err := json.Marshal(some)
		if err != nil {
			return err
		}
		if _, err := w.out.Write((&openflow.EchoReply{Data: payload}).Append(nil, v, 0)); err != nil {
			return err
		}
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	end, err := json.Marshal(trailer{format, bridge, revision, w.n, hex.EncodeToString(w.sum.Sum(nil))})
	if err != nil {
		return err
	}
	if _, err := w.file.Write((&openflow.EchoRequest{Data: end}).Append(nil, v, 0)); err != nil {
		return err
	}
	return w.file.CloseAtomicallyReplace()
}

// drop removes a file that was not committed, and does nothing to one that was.
func (w *writer) drop() error { return w.file.Cleanup() }

// load reads a bridge's set. Nil without an error: there is none.
func load(dir, bridge string) (*Set, error) {
	b, err := os.ReadFile(path(dir, bridge))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := decode(b, bridge)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path(dir, bridge), err)
	}
	return s, nil
}

func decode(b []byte, bridge string) (*Set, error) {
	s := &Set{Bridge: bridge, Ports: map[uint32]Interface{}}
	for at := 0; at < len(b); {
		h, err := openflow.ParseHeader(b[at:])
		if err != nil || at+int(h.Length) > len(b) {
			return nil, fmt.Errorf("at byte %d it is not a message", at)
		}
		msg := b[at : at+int(h.Length)]
		if at == 0 {
			s.Flows = make([]openflow.FlowMod, 0, len(b)/len(msg)) // most are as long
		}
		switch h.Type {
		case openflow.TypeFlowMod:
			m, err := openflow.ParseFlowMod(msg, h.Version)
			if err != nil {
				return nil, fmt.Errorf("at byte %d: %w", at, err)
			}
			s.Flows = append(s.Flows, *m)
		case openflow.TypeMeterMod:
			_, m, err := openflow.Parse(msg)
			if err != nil {
				return nil, fmt.Errorf("at byte %d: %w", at, err)
			}
			meter, ok := m.(*openflow.MeterMod)
			if !ok {
				return nil, fmt.Errorf("at byte %d there is a meter-mod of %v", at, h.Version)
			}
			s.Meters = append(s.Meters, *meter)
		case openflow.TypeEchoReply:
			if err := json.Unmarshal(msg[openflow.HeaderLen:], &s.Ports); err != nil {
				return nil, fmt.Errorf("at byte %d: ports: %w", at, err)
			}
		case openflow.TypeEchoRequest:
			if at+len(msg) != len(b) {
				return nil, errors.New("something follows its end")
			}
			return s, s.check(b[:at], msg[openflow.HeaderLen:])
		default:
			return nil, fmt.Errorf("at byte %d there is a %v", at, h.Type)
		}
		at += len(msg)
	}
	return nil, errors.New("its end is missing")
}

func (s *Set) check(flows, end []byte) error {
	var t trailer
	if err := json.Unmarshal(end, &t); err != nil {
		return fmt.Errorf("its end: %w", err)
	}
	sum := sha256.Sum256(flows)
	switch {
	case t.Format != format:
		return fmt.Errorf("it is of format %d, and this agent reads %d", t.Format, format)
	case t.SHA256 != hex.EncodeToString(sum[:]) || t.Flows != len(s.Flows):
		return errors.New("its checksum is wrong")
	case t.Bridge != s.Bridge:
		return fmt.Errorf("it is of %s", t.Bridge)
	}
	s.Revision = t.Revision
	return nil
}
