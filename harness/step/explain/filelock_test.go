package explain_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
)

var (
	exclusive     = helper("flock", func() { chapter.Flock(4, unix.LOCK_EX) })
	sharedLock    = helper("shared flock", func() { chapter.Flock(4, unix.LOCK_SH) })
	exclusiveStay = helper("flock and stay", func() { chapter.Flock(4, unix.LOCK_EX); stay() })
	sharedStay    = helper("shared flock and stay", func() { chapter.Flock(4, unix.LOCK_SH); stay() })
	flockTwice    = helper("flock twice", func() { chapter.Flock(4, unix.LOCK_EX); chapter.Flock(5, unix.LOCK_EX) })
	flockClose    = helper("flock and close", func() { chapter.Flock(4, unix.LOCK_EX); unix.Close(4); stay() })
	flockEnd      = helper("flock and end", func() { chapter.Flock(4, unix.LOCK_EX) })

	record     = helper("record", func() { chapter.Record(4, unix.F_SETLKW, unix.F_WRLCK, 0, 100) })
	recordStay = helper("record and stay", func() {
		chapter.Record(4, unix.F_SETLKW, unix.F_WRLCK, 200, 0)
		chapter.Record(4, unix.F_SETLKW, unix.F_RDLCK, 50, 10)
		stay()
	})
	ofdLock  = helper("OFD lock", func() { chapter.Record(4, unix.F_OFD_SETLKW, unix.F_RDLCK, 0, 0) })
	ofdStay  = helper("OFD lock and stay", func() { chapter.Record(4, unix.F_OFD_SETLKW, unix.F_WRLCK, 10, 0); stay() })
	ofdTwice = helper("OFD lock twice", func() {
		chapter.Record(4, unix.F_OFD_SETLKW, unix.F_WRLCK, 0, 0)
		chapter.Record(5, unix.F_OFD_SETLKW, unix.F_WRLCK, 10, 1)
	})
	ofdUpgrade = helper("OFD upgrade", func() {
		chapter.Record(4, unix.F_OFD_SETLKW, unix.F_RDLCK, 0, 0)
		unix.Read(3, make([]byte, 1))
		chapter.Record(4, unix.F_OFD_SETLKW, unix.F_WRLCK, 0, 0)
	})
	bothLocks = helper("two locks", func() {
		chapter.Flock(4, unix.LOCK_EX)
		unix.Read(3, make([]byte, 1))
		chapter.Flock(5, unix.LOCK_EX)
	})
)

// lockFile opens a file as many times as wanted. Nobody but the test has the
// descriptors yet.
func lockFile(t *testing.T, name string, times int) []int {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var fds []int
	for range times {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		fds = append(fds, fd)
	}
	return fds
}

func TestLockThatAnotherProcessHolds(t *testing.T) {
	for name, by := range map[string]struct{ holds, wants string }{
		"flock":        {exclusiveStay, exclusive},
		"flock-shared": {exclusiveStay, sharedLock},
		"record":       {recordStay, record},
		"ofd":          {ofdStay, ofdLock},
		"ofd-record":   {ofdStay, record},
		"record-ofd":   {recordStay, ofdLock},
	} {
		t.Run(name, func(t *testing.T) {
			fds := lockFile(t, "a.lock", 2)
			producer := start(t, "producer", by.holds, []string{"IPC_CONTROL=3"}, control(t), fds[0])
			hang(t, producer)
			consumer := start(t, "consumer", by.wants, nil, control(t), fds[1])
			closeNow(t, fds...)
			explains(t, "lock-"+name, consumer, producer)
		})
	}
}

func TestLockThatTheProcessHoldsItself(t *testing.T) {
	for name, by := range map[string]string{"flock": flockTwice, "ofd": ofdTwice} {
		t.Run(name, func(t *testing.T) {
			fds := lockFile(t, "a.lock", 2)
			consumer := start(t, "consumer", by, nil, control(t), fds[0], fds[1])
			closeNow(t, fds...)
			explains(t, "lock-"+name+"-itself", consumer)
		})
	}
}

func TestExclusiveLockBesideSharedOnes(t *testing.T) {
	fds := lockFile(t, "a.lock", 3)
	first := start(t, "first", sharedStay, []string{"IPC_CONTROL=3"}, control(t), fds[0])
	second := start(t, "second", sharedStay, []string{"IPC_CONTROL=3"}, control(t), fds[1])
	hang(t, first, second)
	writer := start(t, "writer", exclusive, nil, control(t), fds[2])
	closeNow(t, fds...)
	explains(t, "lock-readers", writer, first, second)
}

func TestLockThatACopyKeeps(t *testing.T) {
	for name, by := range map[string]string{"closed": flockClose, "ended": flockEnd} {
		t.Run(name, func(t *testing.T) {
			fds := lockFile(t, "a.lock", 2)
			copied := start(t, "child", waitWord, []string{"IPC_CONTROL=3"}, control(t), fds[0])
			producer := start(t, "producer", by, []string{"IPC_CONTROL=3"}, control(t), fds[0])
			var ended []explain.Ended
			if by == flockEnd {
				untilEnded(t, producer)
				ended = []explain.Ended{{Role: "producer", PID: producer.PID(), How: "exit status 0"}}
			} else {
				hang(t, producer)
			}
			consumer := start(t, "consumer", exclusive, nil, control(t), fds[1])
			closeNow(t, fds...)
			all := []*child{consumer, copied}
			if by == flockClose {
				all = append(all, producer)
			}
			explainEnded(t, "lock-copy-"+name, ended, all...)
		})
	}
}

func TestLockThatAProcessOutsideOfTheStepHolds(t *testing.T) {
	fds := lockFile(t, "a.lock", 2)
	require.NoError(t, unix.Flock(fds[0], unix.LOCK_EX))
	consumer := start(t, "consumer", exclusive, nil, control(t), fds[1])
	closeNow(t, fds[1])
	explains(t, "lock-outside", consumer)
}

// The holder may be somebody whose descriptors may not be looked at. Here none
// are found because the file is told to be another one.
func TestLockWhoseHolderOnlyTheKernelNames(t *testing.T) {
	for name, by := range map[string]struct{ holds, wants string }{
		"flock":  {exclusiveStay, exclusive},
		"record": {recordStay, record},
		"ofd":    {ofdStay, ofdLock},
	} {
		t.Run(name, func(t *testing.T) {
			fds := lockFile(t, "a.lock", 2)
			producer := start(t, "producer", by.holds, []string{"IPC_CONTROL=3"}, control(t), fds[0])
			hang(t, producer)
			consumer := start(t, "consumer", by.wants, nil, control(t), fds[1])
			closeNow(t, fds...)
			hang(t, consumer)
			ps := read(t, consumer)
			dumped := dumps(t, ps, false, consumer)
			for i := range ps[0].Files {
				ps[0].Files[i].Inode = 0
			}
			e := explained(explain.Case{Processes: ps, Dumps: dumped, Folder: chapterFolder, After: time.Second})
			golden(t, "lock-named-"+name, e.Text)
		})
	}
}

func TestTwoLocksInDifferentOrder(t *testing.T) {
	first, second := lockFile(t, "first.lock", 2), lockFile(t, "second.lock", 2)
	explainPair(t, "lock-order", bothLocks, [2][]int{{first[0], second[0]}, {second[1], first[1]}})
}

func TestTwoReadersWantToWrite(t *testing.T) {
	fds := lockFile(t, "a.lock", 2)
	explainPair(t, "lock-upgrade", ofdUpgrade, [2][]int{{fds[0]}, {fds[1]}})
}

// explainPair starts two processes that take a lock, lets both go on when they
// have it, and explains why they hang.
func explainPair(t *testing.T, name, by string, fds [2][]int) {
	t.Helper()
	var both []*child
	var ends []int
	for i, role := range []string{"left", "right"} {
		r, w := pipe(t)
		both = append(both, start(t, role, by, nil, append([]int{r}, fds[i]...)...))
		closeNow(t, r)
		closeNow(t, fds[i]...)
		ends = append(ends, w)
	}
	hang(t, both...)
	closeNow(t, ends...)
	eventually(t, "both wait for a lock", func() bool {
		return (inCall(t, both[0], "flock") || inCall(t, both[0], "fcntl")) && (inCall(t, both[1], "flock") || inCall(t, both[1], "fcntl"))
	})
	explains(t, name, both...)
}

func TestLockWithoutADump(t *testing.T) {
	fds := lockFile(t, "a.lock", 2)
	consumer := start(t, "consumer", flockTwice, []string{"HANG_DEAF=1"}, control(t), fds[0], fds[1])
	closeNow(t, fds...)
	hang(t, consumer)
	e := explained(explain.Case{Processes: read(t, consumer), After: time.Second})
	golden(t, "lock-no-dump", e.Text)
}
