package lab

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Two processes that map the same thing share it; the same words in two files
// do not.
func TestSharedMappings(t *testing.T) {
	l := New(t)
	memory, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	f := os.NewFile(uintptr(memory), "memory")
	l.CloseAtEnd(f)
	require.NoError(t, f.Truncate(4096))
	other, err := os.Create(t.TempDir() + "/other")
	require.NoError(t, err)
	l.CloseAtEnd(other)
	require.NoError(t, other.Truncate(4096))

	one, two := l.Start(maps, Give("memory", f)), l.Start(maps, Give("memory", f))
	third := l.Start(maps, Give("memory", other))
	for _, p := range []*Process{one, two, third} {
		var mapped bool
		p.Report(&mapped)
		p.MustUse(SharedMapping)
	}
	l.MustShare(SharedMapping, one, two)
	found := failing(t, func(l *Lab) { l.MustShare(SharedMapping, one, third) })
	require.Contains(t, found, "they share a shared mapping")
	require.Contains(t, found, "/memfd:memory (deleted), a shared mapping")
	for _, p := range []*Process{one, two, third} {
		p.Exit()
	}
}

var maps = NewRole("maps", func(c *Child) error {
	err := control(c.File("memory"), func(fd int) error {
		_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	})
	c.Report(true)
	c.Wait()
	return err
})

func private(t *testing.T, l *Lab) {
	t.Helper()
	f, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	l.CloseAtEnd(f)
	require.NoError(t, f.Truncate(4096))
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		m, err := unix.Mmap(int(fd), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, syscall.MAP_PRIVATE)
		require.NoError(t, err)
		l.closers = append(l.closers, func() { unix.Munmap(m) })
	}))
}

// A System V queue leaves no descriptor: the kernel says who sent and who
// received last. A segment is a mapping.
func TestSystemV(t *testing.T) {
	l := New(t)
	queue, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	require.Zero(t, errno)
	defer unix.Syscall(unix.SYS_MSGCTL, queue, unix.IPC_RMID, 0)
	message := [2]int64{1}
	_, _, errno = unix.Syscall6(unix.SYS_MSGSND, queue, uintptr(unsafe.Pointer(&message)), 8, 0, 0, 0)
	require.Zero(t, errno)
	l.MustUse(SysVQueue)
	p := l.Start(receivesSysV, Tell("queue", fmt.Sprint(queue)))
	var text string
	p.Report(&text)
	p.MustUse(SysVQueue)
	l.MustShare(SysVQueue, p)
	p.Exit()

	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0o600)
	require.NoError(t, err)
	segment, err := unix.SysvShmAttach(id, 0, 0)
	require.NoError(t, err)
	_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	require.NoError(t, err)
	l.MustUse(SharedMapping)
	used := l.uses(os.Getpid(), SharedMapping, l.own)
	require.True(t, slices.ContainsFunc(used, func(o object) bool { return strings.Contains(o.shown, "/SYSV00000000") }), used)
	require.NoError(t, unix.SysvShmDetach(segment))
}

// Of a message that is handed to one who waits the kernel notes the thread.
func TestSystemVMessageThatIsHandedOver(t *testing.T) {
	l := New(t)
	queue, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	require.Zero(t, errno)
	defer unix.Syscall(unix.SYS_MSGCTL, queue, unix.IPC_RMID, 0)
	p := l.Start(receivesSysVInAThread, Tell("queue", fmt.Sprint(queue)))
	p.Blocks("there is no message")
	message := [2]int64{1}
	_, _, errno = unix.Syscall6(unix.SYS_MSGSND, queue, uintptr(unsafe.Pointer(&message)), 8, 0, 0, 0)
	require.Zero(t, errno)
	var thread int
	p.Report(&thread)
	require.NotEqual(t, p.PID(), thread)
	l.MustShare(SysVQueue, p)
	p.Exit()
}

var receivesSysVInAThread = NewRole("receives in a thread", func(c *Child) error {
	var queue uintptr
	if _, err := fmt.Sscan(c.Text("queue"), &queue); err != nil {
		return err
	}
	var receive func(done chan<- error)
	receive = func(done chan<- error) {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			go receive(done) // not in the first thread
			select {}
		}
		var message [2]int64
		if _, _, errno := unix.Syscall6(unix.SYS_MSGRCV, queue, uintptr(unsafe.Pointer(&message)), 8, 0, 0, 0); errno != 0 {
			done <- errno
			return
		}
		c.Report(unix.Gettid())
		done <- nil
		select {} // the thread stays
	}
	done := make(chan error)
	go receive(done)
	if err := <-done; err != nil {
		return err
	}
	c.Wait()
	return nil
})

var receivesSysV = NewRole("receives", func(c *Child) error {
	var queue uintptr
	if _, err := fmt.Sscan(c.Text("queue"), &queue); err != nil {
		return err
	}
	var message [2]int64
	_, _, errno := unix.Syscall6(unix.SYS_MSGRCV, queue, uintptr(unsafe.Pointer(&message)), 8, 0, 0, 0)
	c.Report(fmt.Sprint(errno))
	c.Wait()
	return nil
})
