package procfs

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// opening returns what a thread that is in open(2) wants to open.
func opening(pid int, t Thread) *File {
	dir, addr, flags, ok := openArgs(t)
	if !ok {
		return nil
	}
	path := pathAt(pid, dir, addr)
	if path == "" {
		return nil
	}
	f := &File{FD: -1, Target: path, Flags: flags, Filled: -1, Capacity: -1}
	// The process may have another root, and other mounts, than we have.
	var st unix.Stat_t
	switch err := unix.Stat(procPath(pid, "root")+path, &st); err {
	case nil:
		f.Kind, f.Dev, f.Inode = kind(path, st.Mode), uint64(st.Dev), st.Ino
	case unix.ENOENT:
		f.Target += deleted // it was there, or the call would have failed
	}
	return f
}

// openArgs are the arguments of a thread that opens a path: the directory that
// a relative path starts from, the path's address, the flags.
func openArgs(t Thread) (dir int, path uint64, flags int, ok bool) {
	switch t.Syscall {
	case "openat":
		return t.FD(), t.Args[1], int(t.Args[2]), true
	case "open": // amd64 only
		return unix.AT_FDCWD, t.Args[0], int(t.Args[1]), true
	}
	return 0, 0, 0, false
}

// pathAt reads a path from the memory of a process and makes it absolute.
func pathAt(pid, dir int, addr uint64) string {
	mem, err := os.Open(procPath(pid, "mem"))
	if err != nil {
		return ""
	}
	defer mem.Close()
	// One read of PATH_MAX can cross into a page that is not there. Then it is
	// short, which is fine as long as the NUL is in it.
	b := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(b, int64(addr))
	end := bytes.IndexByte(b[:n], 0)
	if end <= 0 {
		return ""
	}
	path := string(b[:end])
	if filepath.IsAbs(path) {
		return path
	}
	base := procPath(pid, "cwd")
	if dir != unix.AT_FDCWD {
		base = procPath(pid, "fd", strconv.Itoa(dir))
	}
	if base, err = os.Readlink(base); err != nil {
		return ""
	}
	return filepath.Join(base, path)
}
