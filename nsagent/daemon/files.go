package daemon

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

const (
	// pidFile is where a daemon writes its process id.
	pidFile = "pid"
	// loadedFile says which process has read which content of the files.
	loadedFile = "loaded"
)

// passable lets others go through a directory without seeing what is in it.
const passable = 0o711

// makeDir makes a daemon's directory, and lets the daemon reach it, who is an ordinary user by then.
func (d *Daemons) makeDir(dir string) error {
	if err := os.MkdirAll(dir, passable); err != nil {
		return err
	}
	state := filepath.Dir(d.cfg.Root)
	for _, ours := range []string{state, d.cfg.Root, dir} {
		i, err := os.Stat(ours)
		if err != nil {
			return err
		}
		if mode := i.Mode().Perm(); mode&passable != passable {
			if err := os.Chmod(ours, mode|passable); err != nil {
				return err
			}
		}
	}
	for up := filepath.Dir(state); ; up = filepath.Dir(up) {
		i, err := os.Stat(up)
		if err != nil {
			return err
		}
		if i.Mode().Perm()&1 == 0 {
			return fmt.Errorf("%s is closed to others (mode %#o), and %s, which gives up root, could not read its files below it: chmod o+x %s, or choose another --state-dir",
				up, i.Mode().Perm(), d.cfg.Program, up)
		}
		if up == filepath.Dir(up) {
			return nil
		}
	}
}

// Files are the contents of files in a daemon's directory, by name.
type Files map[string]string

// Write brings the files up to date, and says whether any was not.
func (f Files) Write(dir string) (changed bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		c, e := Write(dir, name, f[name])
		changed, err = changed || c, errors.Join(err, e)
	}
	return changed, err
}

// stamp says that a process has read these contents.
func (f Files) stamp(pid int) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(sum, "%s %d %s", name, len(f[name]), f[name])
	}
	return fmt.Sprintf("%d %x\n", pid, sum.Sum(nil))
}

// Write replaces a file as a whole, unless it holds that already.
func Write(dir, name, text string) (changed bool, err error) {
	path := filepath.Join(dir, name)
	old, err := os.ReadFile(path)
	if err == nil && string(old) == text {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, renameio.WriteFile(path, []byte(text), 0o644, renameio.WithTempDir(dir), renameio.IgnoreUmask())
}

// Read is the content of a file, "" when there is none.
func Read(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return string(b)
}
