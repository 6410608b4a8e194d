package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

const (
	lockName = "weft.lock"
	// newDirBytes is what a fresh data directory needs: segments of the write-ahead log, which etcd allocates beforehand, and
	// the database, with room to grow. oldDirBytes is the least with which an existing one is opened.
	newDirBytes = 160 << 20
	oldDirBytes = 16 << 20
)

// claim makes the data directory if need be and takes it for this process, before etcd touches it: etcd itself waits
// for ever for a locked database, and ends the process when the disk is full. It returns what it found there, or nil.
func claim(dir string) (_ *os.File, found *onDisk, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, dirError(dir, err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, dirError(dir, err)
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil, dirError(dir, err)
		}
		by := make([]byte, 32)
		n, _ := lock.ReadAt(by, 0)
		return nil, nil, inUse(dir, strings.TrimSpace(string(by[:n])))
	}
	db := filepath.Join(dir, "member", "snap", "db")
	_, err = os.Stat(db)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, nil, dirError(dir, err)
	}
	if err = enoughSpace(dir, fresh); err != nil {
		return nil, nil, err
	}
	if !fresh {
		if found, err = readable(dir, db); err != nil {
			return nil, nil, err
		}
	}
	if err = lock.Truncate(0); err != nil {
		return nil, nil, dirError(dir, err)
	}
	if _, err = fmt.Fprintf(lock, "%d\n", os.Getpid()); err != nil {
		return nil, nil, dirError(dir, err)
	}
	return lock, found, nil
}

func inUse(dir, pid string) error {
	who := "another process"
	if pid != "" {
		who = "process " + pid
	}
	return fmt.Errorf("data directory %s is in use by %s: stop it, or choose another directory", dir, who)
}

func enoughSpace(dir string, fresh bool) error {
	need := uint64(oldDirBytes)
	if fresh {
		need = newDirBytes
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return dirError(dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < need {
		return fmt.Errorf("data directory %s has %d MiB of disk space left, but needs %d MiB: free some, or choose another directory",
			dir, free>>20, need>>20)
	}
	return nil
}

// dirError names the directory and the remedy for what the operating system said.
func dirError(dir string, err error) error {
	remedy := "check the path and its permissions"
	switch {
	case errors.Is(err, unix.EROFS):
		remedy = "it is on a read-only file system: remount it, or choose another directory"
	case errors.Is(err, fs.ErrPermission):
		remedy = "make it writable for the user that the controller runs as, or choose another directory"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		remedy = "the disk is full: free some space, or choose another directory"
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EEXIST):
		remedy = "a file is in the way: choose another directory"
	}
	return fmt.Errorf("data directory %s cannot be used: %w: %s", dir, err, remedy)
}

// readable walks through the whole database. A damaged page would make the library panic in a goroutine of etcd, which
// nobody can catch; here it can be caught, and the pages will be in memory when etcd wants them.
func readable(dir, file string) (found *onDisk, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(dir, fmt.Sprintf("database: %v", p))
		}
	}()
	db, err := bolt.Open(file, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Millisecond})
	if errors.Is(err, bolterrors.ErrTimeout) {
		// A plain etcd server runs on the directory.
		return nil, inUse(dir, "")
	}
	if err != nil {
		return nil, damaged(dir, "database: "+err.Error())
	}
	defer db.Close()
	if found, err = walk(db); err != nil {
		return nil, damaged(dir, "database: "+err.Error())
	}
	return found, nil
}

// damaged is the error for a directory whose contents etcd could not read.
func damaged(dir, why string) error {
	if strings.Contains(why, unix.ENOSPC.Error()) {
		return dirError(dir, unix.ENOSPC)
	}
	return fmt.Errorf("data directory %s is damaged: %s: restore it from a backup, or move it away to begin with an empty store", dir, why)
}
