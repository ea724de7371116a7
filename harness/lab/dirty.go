package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// DirtyPages returns how many pages of a file are in the page cache and not yet
// on the disk (cachestat(2), Linux 6.5).
func (l *Lab) DirtyPages(path string) int {
	l.t.Helper()
	n, err := procfs.DirtyPages(path)
	if err != nil {
		l.Fault("counting the dirty pages of %s: %v", path, err)
	}
	return n
}

// DirtyPath is [Lab.Path] for a file whose dirty pages can be counted. Not every
// file system has any: tmpfs has no disk behind it, and overlayfs does not tell.
// So it tries out some folders: the one for temporary files, /var/tmp, and
// .workbook/tmp in the workbook's root. If none will do, missing says why, and
// the path is that of Path.
func (l *Lab) DirtyPath(what string) (path, missing string) {
	l.t.Helper()
	own := l.Path(what)
	problem := procfs.NoDirtyPages(filepath.Dir(own))
	if problem == "" {
		return own, ""
	}
	problems := []string{problem}
	for _, place := range procfs.DirtyPlaces(root()) {
		dir, remove, err := folderIn(place)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if problem := procfs.NoDirtyPages(dir); problem != "" {
			if !slices.Contains(problems, problem) { // a kernel without it says so everywhere
				problems = append(problems, problem)
			}
			remove()
			continue
		}
		l.closers = append(l.closers, remove)
		return filepath.Join(dir, what), ""
	}
	return own, "No folder was found in which the kernel counts dirty pages (cachestat(2)):\n" + strings.Join(problems, "\n")
}

// root is the workbook's folder: the one above the chapter's that has .workbook. It is
// "" as long as none has.
func root() string {
	for dir := folder; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, ".workbook")); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// folderIn makes a folder outside of the step's own. Who made it has it locked. So
// what a SIGKILL left is known by its lock, which is free, and removed by the next
// one who comes.
func folderIn(place string) (dir string, remove func(), err error) {
	const pattern = "workbook-dirt-"
	left, _ := filepath.Glob(filepath.Join(place, pattern+"*"))
	for _, old := range left {
		info, err := os.Stat(old)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // who has just made it has not locked it yet
		}
		if lock, err := lockFolder(old); err == nil {
			os.RemoveAll(old)
			lock.Close()
		}
	}
	dir, err = os.MkdirTemp(place, pattern)
	if err != nil {
		return "", nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return dir, func() { os.RemoveAll(dir); lock.Close() }, nil
}

func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
