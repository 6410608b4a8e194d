package nsbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Spec says what a box is to be.
type Spec struct {
	// Name is the hostname inside.
	Name string
	// Shared is a directory that every box sees at the same path, even below /run.
	Shared string
	// Socket is the path of the control socket, inside Shared. A path of at most 107 bytes (unix(7)).
	Socket string
	// Binds lays a directory of ours over an existing one: path inside → directory outside.
	Binds map[string]string
	// Leashed ends the box when its standard input does.
	Leashed bool
}

// argv is the command line of the box's init.
func (s Spec) argv() ([]string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("box %s: write spec: %w", s.Name, err)
	}
	return []string{initName, string(text)}, nil
}

// mount makes the box's own view of the file system: /proc and /sys of its namespaces, an empty /run, and Binds.
//
// All of /run is replaced, and not only /run/netns and /run/openvswitch, so that no empty directory stays behind
// outside and locks such as /run/xtables.lock are the box's own.
func (s Spec) mount() (err error) {
	// Nothing mounted here may be seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	shared, err := unix.Open(s.Shared, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.Shared, err)
	}
	defer func() { err = errors.Join(err, unix.Close(shared)) }()
	for _, m := range []struct{ kind, at, options string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"tmpfs", "/run", "mode=755"},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, unix.MS_NOSUID|unix.MS_NODEV, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	for _, dir := range []string{"/run/lock", "/run/netns", "/run/openvswitch"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("fill /run: %w", err)
		}
	}
	if inside(s.Shared, "/run") {
		if err := os.MkdirAll(s.Shared, 0o755); err != nil {
			return fmt.Errorf("fill /run: %w", err)
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", shared), s.Shared, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bring %s into the box: %w", s.Shared, err)
		}
	}
	for at, dir := range s.Binds {
		if err := unix.Mount(dir, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("lay %s over %s: %w", dir, at, err)
		}
	}
	return nil
}

// inside says whether path is below dir.
func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && rel != ".." && !strings.HasPrefix(rel, "../")
}
