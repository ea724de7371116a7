package gauge

import (
	"os"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// onDisk is a folder for the peers' files, or "" where tmp is good enough: theirs for
// temporary files, which is below it. Often that is in memory. Then a peer that waits
// for the disk would measure nothing, and the chapters' code uses another folder too
// (Lab.DirtyPath).
func onDisk(tmp, root string) (dir string, remove func()) {
	if !inMemory(tmp) {
		return "", func() {}
	}
	for _, place := range procfs.DirtyPlaces(root) {
		if inMemory(place) {
			continue
		}
		if dir, err := os.MkdirTemp(place, "workbook-peers-"); err == nil {
			return dir, func() { os.RemoveAll(dir) }
		}
	}
	return "", func() {}
}

func inMemory(dir string) bool {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return err == nil && (s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC)
}
