package gauge

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePeersFilesAreOnADisk(t *testing.T) {
	if !inMemory("/dev/shm") {
		t.Skip("/dev/shm is no tmpfs here")
	}
	root := t.TempDir()
	if inMemory("/var/tmp") && inMemory(root) {
		t.Skip("no folder here is on a disk")
	}
	dir, remove := onDisk("/dev/shm", root)
	assert.False(t, inMemory(dir), "%s is in memory", dir)
	require.DirExists(t, dir)
	remove()
	assert.NoDirExists(t, dir)
}

func TestTheFolderForTemporaryFilesIsGoodEnoughOnADisk(t *testing.T) {
	tmp := t.TempDir()
	if inMemory(tmp) {
		t.Skip("it is in memory here")
	}
	dir, remove := onDisk(tmp, "/none")
	remove()
	assert.Empty(t, dir)
	_, err := os.Stat(tmp)
	assert.NoError(t, err, "it is not ours to remove")
}
