package limits

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A failure is blamed on a limit only if it says so, and if nothing is left.
func TestBlame(t *testing.T) {
	var left error
	me := fmt.Sprint(os.Getpid())
	all := []Limit{{
		Name: "spoons", Key: "kitchen.spoons", Mend: "wash up", words: []string{"no spoon", "soup"},
		left: func() error { return left },
		most: func() (uint64, bool) { return 12, true },
		used: func(pid string) int { return map[string]int{me: 7}[pid] },
	}}
	require.Empty(t, Blame("the soup: no spoon", all), "there are spoons")
	left = unix.EMFILE
	require.Empty(t, Blame("the soup: too hot", all))
	said := Blame("the soup: no spoon", all)
	for _, word := range []string{"nothing left of what the step needs: spoons, of which there are 12 (kitchen.spoons).\n", "The most have: ", "(pid " + me + ") 7.\n", "To have more: wash up"} {
		require.Contains(t, said, word)
	}
	require.Len(t, UsedUp(all), 1)
}

// On a machine that is not short of anything nothing is used up, and what this process
// has is counted.
func TestWhatThisProcessHas(t *testing.T) {
	all := All(t.TempDir())
	byName := map[string]Limit{}
	for _, l := range all {
		byName[l.Name] = l
		require.NotEmpty(t, l.words, l.Name)
		require.NotEmpty(t, l.Mend, l.Name)
	}
	me := "self"
	instances := byName["inotify instances"]
	watched := byName["inotify watches"]
	before, watchesBefore := instances.used(me), watched.used(me)
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Skip("no inotify instance is left: ", err)
	}
	defer unix.Close(fd)
	_, err = unix.InotifyAddWatch(fd, os.TempDir(), unix.IN_MODIFY)
	require.NoError(t, err)
	require.Equal(t, before+1, instances.used(me))
	require.Equal(t, watchesBefore+1, watched.used(me))
	require.Positive(t, byName["processes and threads"].used(me))
	require.Error(t, room("/proc"), "a file system without room")
}

// A user whose queues may have no more bytes: the kernel says "too many open files".
func TestBytesForQueues(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit))
	if ofQueue(unix.EMFILE) != nil {
		t.Skip("this user has no bytes left for queues")
	}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &unix.Rlimit{Cur: 1000, Max: limit.Max}))
	defer unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &limit)
	said := Blame("Open() of a new queue: too many open files", queues())
	require.Contains(t, said, "bytes for POSIX queues, of which there are 1000 (RLIMIT_MSGQUEUE")
	require.Contains(t, Blame("the user's bytes for message queues are used up: RLIMIT_MSGQUEUE allows 1000, this …", queues()), "RLIMIT_MSGQUEUE, for all", "what the stub of chapter 4 calls it")
	require.Empty(t, Blame("Open() of a new queue: file exists", queues()))
	require.Empty(t, Blame("Open() of a new queue: invalid argument", queues()), "that is allowed here")
	require.NoError(t, ofQueue(unix.ENOSPC), "it was refused for another reason")
	require.NoError(t, systemVQueue())
}

// A user of whose signals no more may wait: the kernel says that something is unavailable.
func TestSignalsThatWait(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_SIGPENDING, &limit))
	if queueSignal() != nil {
		t.Skip("of this user's signals no more may wait")
	}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_SIGPENDING, &unix.Rlimit{Cur: 0, Max: limit.Max}))
	defer unix.Setrlimit(unix.RLIMIT_SIGPENDING, &limit)
	all := []Limit{pendingSignals}
	said := Blame("Queue(SIGRTMIN, 7): sigqueue: resource temporarily unavailable", all)
	require.Contains(t, said, "signals that wait in queues, of which there are 0 (RLIMIT_SIGPENDING")
	require.Contains(t, Blame("no more signals of this user may wait (RLIMIT_SIGPENDING)", all), "ulimit -i", "what the stub of chapter 6 calls it")
	require.Empty(t, Blame("Recv(): resource temporarily unavailable", all))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_SIGPENDING, &limit))
	require.NoError(t, queueSignal())
}

// What waits in a process is found.
func TestSignalsThatWaitInAProcess(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGUSR2 - 1)
	require.NoError(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before))
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	require.NoError(t, unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR2))
	me := fmt.Sprintf("self/task/%d", unix.Gettid())
	require.Equal(t, 1, signalsWaiting(me))
	require.NoError(t, take(&set, &unix.Timespec{}))
	require.Zero(t, signalsWaiting(me))
}
