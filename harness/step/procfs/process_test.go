package procfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/internal/hangtest"
	"ipcworkbook/harness/step/procfs"
)

func TestReadTellsFilesAndRoles(t *testing.T) {
	r, w := pipe(t)
	c := start(t, "consumer", readForEver, nil, r, w)
	hang(t, c)
	p, err := procfs.Read(c.PID())
	require.NoError(t, err)
	assert.Equal(t, "consumer", p.Role)
	assert.Equal(t, os.Getpid(), p.Parent)
	require.NoError(t, p.FilesErr)
	ends := map[int]procfs.File{}
	for _, f := range p.Files {
		ends[f.FD] = f
	}
	assert.Equal(t, procfs.Pipe, ends[3].Kind)
	assert.True(t, ends[3].Reads() && !ends[3].Writes(), "3 is the read end")
	assert.True(t, ends[4].Writes() && !ends[4].Reads(), "4 is the write end")
	assert.Equal(t, ends[3].Inode, ends[4].Inode)
	assert.Equal(t, ends[3].Target, ends[4].Target)

	_, err = procfs.Read(1 << 30)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestWhatMayNotBeReadIsLeftOut(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	p, err := procfs.Read(1)
	require.NoError(t, err)
	assert.ErrorIs(t, p.FilesErr, os.ErrPermission)
	assert.NotEmpty(t, p.Role)
}

func TestAMessageQueueIsNoFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "jobs")
	require.NoError(t, err)
	defer f.Close()
	name, err := unix.BytePtrFromString(fmt.Sprintf("procfs-%d", os.Getpid()))
	require.NoError(t, err)
	q, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	require.Zero(t, errno)
	defer unix.Close(int(q))
	unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)

	r, _ := pipe(t)
	c := start(t, "consumer", readForEver, nil, r, int(f.Fd()), int(q))
	hang(t, c)
	p := hangtest.Read(t, c)[0]
	assert.Equal(t, procfs.Regular, p.File(4).Kind)
	assert.Equal(t, procfs.MQueue, p.File(5).Kind)
	assert.True(t, p.File(5).Queue.Unlinked)
}

// A kernel can lack unix_diag. Then nobody tells which sockets belong together.
func TestSocketsWithoutSockDiag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(l)
	require.NoError(t, unix.Bind(l, &unix.SockaddrUnix{Name: path}))
	require.NoError(t, unix.Listen(l, 1))
	r, _ := pipe(t)
	c := start(t, "server", readForEver, nil, r, l)
	hang(t, c)

	p := hangtest.Read(t, c)[0]
	s := p.Socket(p.File(4))
	require.NotNil(t, s)
	assert.False(t, p.NoPeers)
	assert.Equal(t, procfs.PlaceKept, s.Place)
	assert.Equal(t, 0, s.Waiting)

	defer procfs.WithoutSockDiag()()
	p = hangtest.Read(t, c)[0]
	s = p.Socket(p.File(4))
	require.NotNil(t, s)
	assert.True(t, p.NoPeers)
	assert.Equal(t, path, s.Name)
	assert.True(t, s.Listening)
	assert.Equal(t, procfs.PlaceUnknown, s.Place)
	assert.Equal(t, -1, s.Waiting)
}
