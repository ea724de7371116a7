package procfs

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// DirtyPages returns how many pages of a file the page cache has and the disk has not
// yet (cachestat(2), Linux 6.5).
func DirtyPages(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stat unix.Cachestat_t
	var errno error
	err = raw.Control(func(fd uintptr) {
		// A range of length 0 reaches to the end of the file.
		errno = os.NewSyscallError("cachestat", unix.Cachestat(uint(fd), &unix.CachestatRange{}, &stat, 0))
	})
	// A page that is being written back is no longer dirty, nor on the disk yet.
	return int(stat.Dirty + stat.Writeback), errors.Join(err, errno)
}

// NoDirtyPages says why the dirty pages of a file in this folder cannot be counted, or
// "". It tries more than once: somebody may call sync(2) in between.
func NoDirtyPages(dir string) string {
	for range 3 {
		// The folder may be everybody's: the file is nobody else's.
		f, err := os.CreateTemp(dir, ".probe-*")
		if err != nil {
			return err.Error()
		}
		defer os.Remove(f.Name())
		_, err = f.Write(make([]byte, 1<<10))
		if err = errors.Join(err, f.Close()); err != nil {
			return err.Error()
		}
		n, err := DirtyPages(f.Name())
		switch {
		case errors.Is(err, syscall.ENOSYS):
			return "this kernel has no cachestat(2), which came with Linux 6.5"
		case err != nil:
			return err.Error()
		case n > 0:
			return ""
		}
	}
	return dir + " shows no dirty page after a write: is it tmpfs or overlayfs?"
}

// DirtyPlaces are the folders outside of the one for temporary files in which a file may
// have dirty pages where that one shows none. Root is the workbook's, which gets one for
// that; it may be "".
func DirtyPlaces(root string) []string {
	places := []string{"/var/tmp"}
	if root != "" {
		own := filepath.Join(root, ".workbook", "tmp")
		_ = os.MkdirAll(own, 0o700) // if it fails, so does what comes
		places = append(places, own)
	}
	return places
}
