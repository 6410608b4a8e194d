package statefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// format is the number in the first line of the file. A reader refuses any other.
const format = 1

const fileName = "desired-state"

// State is what outlives the agent.
type State struct {
	// Epoch is the highest mastership epoch that was seen.
	Epoch uint64
	// Revision is the store revision that the resources stand for.
	Revision int64
	// Resources is the whole desired state, sorted by name.
	Resources []*nodev1.Resource
}

// CorruptError says that a state was there and could not be believed.
type CorruptError struct {
	// Aside is where the file is now.
	Aside string
	Err   error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the saved desired state is not right (%v); it was set aside as %s, and nothing is removed from this host until a controller has sent the whole state", e.Err, e.Aside)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Load reads the state. Without a file it is empty; the error is a *CorruptError when there was one that is not right,
// which is then out of the way.
func (d *Dir) Load() (State, error) {
	path := filepath.Join(d.path, fileName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("saved desired state: %w", err)
	}
	s, err := decode(b)
	if err == nil {
		return s, nil
	}
	aside := path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000000000")
	if err := os.Rename(path, aside); err != nil {
		return State{}, fmt.Errorf("saved desired state: set aside: %w", err)
	}
	return State{}, &CorruptError{aside, err}
}

// Save replaces the state. When it returns without an error the state is on disk; otherwise the former one is.
func (d *Dir) Save(s State) error {
	b, err := encode(s)
	if err == nil {
		err = renameio.WriteFile(filepath.Join(d.path, fileName), b, 0o600, renameio.WithTempDir(d.path))
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		return fmt.Errorf("save the desired state: %w", err)
	}
	return nil
}

// syncDir makes the renaming itself durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// encode is a line of text, then a SyncResponse in protobuf's binary form, which keeps fields that this version does
// not know for a later one that does.
func encode(s State) ([]byte, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&nodev1.SyncResponse{Epoch: s.Epoch,
		Message: &nodev1.SyncResponse_Delta{Delta: &nodev1.Delta{Full: true, Revision: s.Revision, Upserts: s.Resources}}})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return append(fmt.Appendf(nil, "weft-nsagent desired-state %d %x\n", format, sum), body...), nil
}

func decode(b []byte) (State, error) {
	line, body, ok := bytes.Cut(b, []byte("\n"))
	var number int
	var want string
	if _, err := fmt.Sscanf(string(line[:min(len(line), 120)]), "weft-nsagent desired-state %d %s", &number, &want); err != nil || !ok {
		return State{}, errors.New("it does not begin as a desired state does")
	}
	if number != format {
		return State{}, fmt.Errorf("it is of format %d, and this agent reads %d", number, format)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
		return State{}, errors.New("its checksum is wrong")
	}
	m := &nodev1.SyncResponse{}
	if err := proto.Unmarshal(body, m); err != nil {
		return State{}, err
	}
	return State{Epoch: m.Epoch, Revision: m.GetDelta().GetRevision(), Resources: m.GetDelta().GetUpserts()}, nil
}
