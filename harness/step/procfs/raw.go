package procfs

import (
	"bytes"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// A look reads some files of /proc for each thread of a step, and there are many looks.
// os.ReadFile makes nine system calls of each: it asks how large the file is, whether it
// can be polled, and for its end. Here it is three.

// buffers are for files that are read and forgotten.
var buffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// glimpseOf reads a file of /proc of which 8 KiB are enough, and shows it. It reports
// whether the file could be read.
func glimpseOf(path string, show func(text []byte)) bool {
	fd, ok := open(path, unix.O_RDONLY)
	if !ok {
		return false
	}
	defer unix.Close(fd)
	return glimpseIn(fd, show)
}

// glimpseIn is glimpseOf for a file that is open, and may be looked at again.
func glimpseIn(fd int, show func(text []byte)) bool {
	buffer := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := unix.Pread(fd, buffer[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err == nil && show != nil {
			show(buffer[:n])
		}
		return err == nil
	}
}

func open(path string, flags int) (fd int, ok bool) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err == nil
		}
	}
}

// field is what stands behind a name in a file as status: "State:\tS (sleeping)".
func field(text []byte, name string) string {
	at := 0
	if !bytes.HasPrefix(text, []byte(name+":")) {
		if at = bytes.Index(text, []byte("\n"+name+":")) + 1; at == 0 {
			return ""
		}
	}
	value, _, _ := bytes.Cut(text[at+len(name)+1:], []byte("\n"))
	return string(bytes.TrimSpace(value))
}

// numbers returns the entries of a directory whose names are numbers, in
// ascending order. A directory that is gone has none.
func numbers(dir string) ([]int, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buffer := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := unix.ReadDirent(fd, buffer[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			ns := make([]int, 0, len(names))
			for _, name := range names {
				if n, err := strconv.Atoi(name); err == nil {
					ns = append(ns, n)
				}
			}
			return sorted(ns), err
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}
