package residue

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// memoryFolder is where shm_open(3) and sem_open(3) keep their files
// (shm_overview(7), sem_overview(7)).
const memoryFolder = "/dev/shm"

// listFolder lists what lies in a folder, but not in those below it: a folder
// that was left behind is one thing.
func listFolder(folder string, found Objects) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		found.add(Object{Kind: kindOf(folder, e), Name: filepath.Join(folder, e.Name())})
	}
}

func kindOf(folder string, e fs.DirEntry) Kind {
	switch e.Type() {
	case fs.ModeSocket:
		return Socket
	case fs.ModeNamedPipe:
		return FIFO
	case fs.ModeDir:
		return Folder
	}
	switch {
	case folder != memoryFolder:
		return File
	case strings.HasPrefix(e.Name(), "sem."):
		return NamedSemaphore
	}
	return SharedMemory
}

// size says how large a file is.
func size(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	return count(int(info.Size()), "byte", "bytes")
}
