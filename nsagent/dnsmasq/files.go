package dnsmasq

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// passable lets others go through a directory without seeing what is in it.
const passable = 0o711

// makeDir makes the directory of a network, and lets dnsmasq reach it, who is an ordinary user by then.
func (v *Servers) makeDir(dir string) error {
	if err := os.MkdirAll(dir, passable); err != nil {
		return err
	}
	for _, ours := range []string{filepath.Dir(v.root), v.root, dir} {
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
	for up := filepath.Dir(filepath.Dir(v.root)); ; up = filepath.Dir(up) {
		i, err := os.Stat(up)
		if err != nil {
			return err
		}
		if i.Mode().Perm()&1 == 0 {
			return fmt.Errorf("%s is closed to others (mode %#o), and dnsmasq, which gives up root, could not read its files below it: chmod o+x %s, or choose another --state-dir", up, i.Mode().Perm(), up)
		}
		if up == filepath.Dir(up) {
			return nil
		}
	}
}

// write brings the files up to date, and says whether any was not.
func (t texts) write(dir string) (changed bool, err error) {
	for name, text := range map[string]string{hostFile: t.host, addnFile: t.addn, optsFile: t.opts} {
		c, e := write(dir, name, text)
		changed, err = changed || c, errors.Join(err, e)
	}
	return changed, err
}

// stamp says that a process has read these contents.
func (t texts) stamp(pid int) string {
	sum := sha256.New()
	for _, s := range []string{t.host, t.addn, t.opts} {
		fmt.Fprintf(sum, "%d %s", len(s), s)
	}
	return fmt.Sprintf("%d %x\n", pid, sum.Sum(nil))
}

// write replaces a file as a whole, unless it holds that already.
func write(dir, name, text string) (changed bool, err error) {
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

// read is the content of a file, "" when there is none.
func read(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return string(b)
}
