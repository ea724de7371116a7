package explain_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

// shared is the word of the memory behind descriptor 4.
func shared() *uint32 { return chapter.Word(4, unix.MAP_SHARED) }

var (
	futexWait    = helper("futex", func() { w := shared(); chapter.Futex(w, chapter.Wait, *w) })
	futexPrivate = helper("private futex", func() { chapter.Futex(shared(), chapter.Wait|chapter.Private, 0) })
	futexBitset  = helper("bitset futex", func() { chapter.Futex(shared(), chapter.WaitBitset, 0) })
	futexCopy    = helper("futex in a copy", func() { chapter.Futex(chapter.Word(4, unix.MAP_PRIVATE), chapter.Wait, 0) })
	futexHeap    = helper("futex in the heap", func() { chapter.Futex(new(uint32), chapter.Wait, 0) })
	futexKeeper  = helper("futex beside a goroutine that keeps its thread", func() { go chapter.Keep(); chapter.Futex(new(uint32), chapter.Wait, 0) })
	futexAnon    = helper("futex in anonymous memory", func() {
		b, _ := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		chapter.Futex((*uint32)(unsafe.Pointer(&b[0])), chapter.Wait, 0)
	})
	futexSegment = helper("futex in a segment", func() {
		b, _ := unix.SysvShmAttach(numbersOf("SHM")[0], 0, 0)
		chapter.Futex((*uint32)(unsafe.Pointer(&b[8])), chapter.Wait, 0)
	})
	bareFutex   = helper("bare futex", func() { chapter.BareFutex(shared(), 0) })
	segmentStay = helper("attach and stay", func() { unix.SysvShmAttach(numbersOf("SHM")[0], 0, 0); stay() })
	mapStay     = helper("map and stay", func() { shared(); stay() })
	copyStay    = helper("map a copy and stay", func() { chapter.Word(4, unix.MAP_PRIVATE); stay() })
	pidStay     = helper("write the pid and stay", func() { *shared() = uint32(os.Getpid()); stay() })
	pidWait     = helper("write the pid and wait", func() {
		w := shared()
		*w = uint32(os.Getpid())
		chapter.Futex(w, chapter.Wait, *w)
	})
	flagStay = helper("write the pid with a flag and stay", func() { *shared() = uint32(os.Getpid()) | 1<<31; stay() })
	pidEnd   = helper("write the pid and end", func() { *shared() = uint32(os.Getpid()) })
	piLock   = helper("PI lock", func() { chapter.Futex(shared(), chapter.LockPI, 0) })
	piStay   = helper("PI lock and stay", func() {
		runtime.LockOSThread()
		chapter.Futex(shared(), chapter.LockPI, 0)
		stay()
	})
	piTwice = helper("PI lock in two goroutines", func() {
		runtime.LockOSThread()
		chapter.Futex(shared(), chapter.LockPI, 0)
		go chapter.Futex(shared(), chapter.LockPI, 0)
		stay()
	})
)

// memory is a file of two pages that is handed over as descriptor 4.
func memory(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Ftruncate(fd, 2*int64(os.Getpagesize())))
	return fd
}

// set changes the word in the memory, and wakes nobody.
func set(t *testing.T, fd int, value uint32) {
	t.Helper()
	_, err := unix.Pwrite(fd, binary.NativeEndian.AppendUint32(nil, value), int64(os.Getpagesize())+64)
	require.NoError(t, err)
}

func TestFutexOfSharedMemory(t *testing.T) {
	for name, test := range map[string]struct {
		waits, other string
		then         uint32 // what the word is changed to, unless 0
		after        bool   // the consumer starts after the other one is there
	}{
		"unchanged":  {waits: futexWait, other: mapStay},
		"lost":       {waits: futexWait, other: mapStay, then: 1},
		"private":    {waits: futexPrivate, other: mapStay, then: 1},
		"bitset":     {waits: futexBitset, other: mapStay, then: 1},
		"copy":       {waits: futexCopy, other: mapStay, then: 1},
		"other-copy": {waits: futexWait, other: copyStay},
		"alone":      {waits: futexWait, other: waitWord},
		"pid":        {waits: futexWait, other: pidStay, after: true},
		"pid-flag":   {waits: futexWait, other: flagStay, after: true},
		"pi":         {waits: piLock, other: piStay, after: true},
	} {
		t.Run(name, func(t *testing.T) {
			fd := memory(t, filepath.Join(t.TempDir(), "a.shm"))
			producer := start(t, "producer", test.other, []string{"IPC_CONTROL=3"}, control(t), fd)
			if test.after {
				hang(t, producer)
			}
			consumer := start(t, "consumer", test.waits, nil, control(t), fd)
			hang(t, consumer)
			if test.then != 0 {
				set(t, fd, test.then)
			}
			explains(t, "futex-"+name, consumer, producer)
		})
	}
}

func TestFutexOfAProcessAlone(t *testing.T) {
	for name, by := range map[string]string{
		"heap": futexHeap, "keeper": futexKeeper, "anonymous": futexAnon, "itself": pidWait, "pi-itself": piTwice,
	} {
		t.Run(name, func(t *testing.T) {
			fd := memory(t, filepath.Join(t.TempDir(), "a.shm"))
			explains(t, "futex-"+name, start(t, "consumer", by, nil, control(t), fd))
		})
	}
}

func TestFutexWithAPidThatHasEnded(t *testing.T) {
	fd := memory(t, filepath.Join(t.TempDir(), "a.shm"))
	producer := start(t, "producer", pidEnd, nil, control(t), fd)
	untilEnded(t, producer)
	consumer := start(t, "consumer", futexWait, nil, control(t), fd)
	explainEnded(t, "futex-ended", []explain.Ended{{Role: "producer", PID: producer.PID(), How: "exit status 0"}}, consumer)
}

func TestFutexOfMemoryThatWasMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.shm")
	old := memory(t, path)
	consumer := start(t, "consumer", futexWait, nil, control(t), old)
	hang(t, consumer)
	require.NoError(t, os.Remove(path))
	producer := start(t, "producer", mapStay, []string{"IPC_CONTROL=3"}, control(t), memory(t, path))
	explains(t, "futex-anew", consumer, producer)
}

func TestFutexOfOtherKindsOfMemory(t *testing.T) {
	t.Run("memfd", func(t *testing.T) {
		fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		require.NoError(t, unix.Ftruncate(fd, 2*int64(os.Getpagesize())))
		consumer := start(t, "consumer", futexWait, nil, control(t), fd)
		explains(t, "futex-memfd", consumer, start(t, "producer", mapStay, []string{"IPC_CONTROL=3"}, control(t), fd))
	})
	t.Run("segment", func(t *testing.T) {
		remove := remover(t)
		id, err := unix.SysvShmGet(int(aKey()), 4096, unix.IPC_CREAT|unix.IPC_EXCL|0o600)
		require.NoError(t, err)
		remove("shm", id)
		env := append([]string{"IPC_CONTROL=3"}, "SHM="+msgEnv(id)[0][len("MSG="):])
		consumer := start(t, "consumer", futexSegment, env[1:], control(t))
		explains(t, "futex-segment", consumer, start(t, "producer", segmentStay, env, control(t)))
	})
}

func TestFutexInABareSystemCall(t *testing.T) {
	fd := memory(t, filepath.Join(t.TempDir(), "a.shm"))
	consumer := start(t, "consumer", bareFutex, nil, control(t), fd)
	explainBare(t, "futex-bare", "futex", consumer)
}

// explainBare is explains for a thread in a RawSyscall. The runtime's monitor
// signals such a thread every 10 ms, so a look can hit it while it runs: this
// one is repeated until it finds the thread asleep in the call.
func explainBare(t *testing.T, name, call string, c *child) {
	t.Helper()
	var ps []procfs.Process
	eventually(t, "it is in "+call, func() bool {
		ps = read(t, c)
		return slices.ContainsFunc(ps[0].Threads, func(t procfs.Thread) bool {
			return t.State == 'S' && !t.Running && t.Syscall == call && (call != "futex" || t.Futex != nil)
		})
	})
	e := explained(explain.Case{
		Processes: ps,
		Dumps:     dumps(t, ps, false, c),
		Folder:    chapterFolder,
		After:     2 * time.Second,
	})
	golden(t, name, e.Text)
}

func TestFutexWithoutADump(t *testing.T) {
	fd := memory(t, filepath.Join(t.TempDir(), "a.shm"))
	consumer := start(t, "consumer", futexPrivate, []string{"HANG_DEAF=1"}, control(t), fd)
	hang(t, consumer)
	e := explained(explain.Case{Processes: read(t, consumer), After: time.Second})
	golden(t, "futex-no-dump", e.Text)
}

var (
	wordPattern    = regexp.MustCompile(`(word is|thread|that is|and) \d{3,}|\d{3,}( is (?:the pid|a thread) of)`)
	addressPattern = regexp.MustCompile(`address 0x[0-9a-f]+`)
)

// normalFutex is the part of normal that is about this.
func normalFutex(s string) string {
	s = wordPattern.ReplaceAllStringFunc(s, func(m string) string {
		return regexp.MustCompile(`\d{3,}`).ReplaceAllString(m, "PID")
	})
	return addressPattern.ReplaceAllString(s, "address 0x1")
}
