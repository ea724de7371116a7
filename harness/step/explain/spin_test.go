package explain_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

var (
	spinRead    = helper("spin read", func() { unix.SetNonblock(3, true); chapter.SpinRead(3) })
	spinEnd     = helper("spin end", func() { chapter.SpinRead(3) })
	spinWrite   = helper("spin write", func() { unix.SetNonblock(3, true); chapter.SpinWrite(3) })
	spinDefault = helper("spin default", func() { chapter.Default(make(chan int)) })
	spinGosched = helper("spin gosched", func() { chapter.Gosched(new(atomic.Bool)) })
	spinShared  = helper("spin shared", func() { chapter.Shared(3) })
	spinHasty   = helper("spin hasty", chapter.Hasty)
	sleepy      = helper("sleepy", looping(func() { chapter.Sleepy(new(atomic.Bool)) }))
	sleepyRaw   = helper("sleepy raw", looping(func() { chapter.SleepyRaw(3) }))
	sleepyGone  = helper("gone", looping(chapter.Gone))
)

// burns waits until a process has used a good deal of CPU time.
func burns(t *testing.T, c *child) {
	t.Helper()
	eventually(t, "it uses CPU time", func() bool {
		return procfs.Look([]int{c.PID()}).CPU() > 300*time.Millisecond
	})
}

func TestSpinOfEveryKind(t *testing.T) {
	r, w := pipe(t)
	ended, gone := pipe(t)
	closeNow(t, gone)
	flag, err := os.Create(filepath.Join(t.TempDir(), "flag.shm"))
	require.NoError(t, err)
	defer flag.Close()
	require.NoError(t, flag.Truncate(4096))
	for name, by := range map[string]struct {
		helper string
		fd     int
		shows  string
	}{
		"read":    {spinRead, r, "in read(2)"},
		"end":     {spinEnd, ended, "in read(2)"},
		"write":   {spinWrite, w, "in write(2)"},
		"zombie":  {spinHasty, r, "in kill(2)"},
		"default": {spinDefault, r, "Default"},
		"gosched": {spinGosched, r, "runtime.Gosched"},
		"shared":  {spinShared, int(flag.Fd()), "Shared"},
	} {
		t.Run(name, func(t *testing.T) {
			// The runtime shows a thread where the signal has found it: in its call
			// nearly always, and on another thread's stack once in a while. So it
			// is asked again, in a new process.
			var text string
			for range 10 {
				text = explainSpin(t, by.helper, by.fd)
				if strings.Contains(text, by.shows) {
					break
				}
			}
			golden(t, "spin-"+name, text)
		})
	}
}

func explainSpin(t *testing.T, by string, fd int) string {
	c := start(t, "consumer", by, nil, fd)
	burns(t, c)
	ps := readFamily(t, append([]int{c.PID()}, procfs.Descendants(c.PID())...))
	return explained(explain.Case{
		Processes: ps, Dumps: dumps(t, ps[:1], true, c),
		Spinning: true, Folder: chapterFolder, After: 2 * time.Second,
	}).Text
}

func TestSpinThatSleeps(t *testing.T) {
	for name, by := range map[string]string{"goroutine": sleepy, "raw": sleepyRaw, "zombie": sleepyGone} {
		t.Run(name, func(t *testing.T) {
			r, _ := pipe(t)
			c := start(t, "consumer", by, nil, r)
			pids := []int{c.PID()}
			eventually(t, "it has come to its loop, and its child has ended", func() bool {
				pids = append(pids[:1], procfs.Descendants(c.PID())...)
				return slept(t, c) && (by != sleepyGone || len(pids) == 2 && zombie(pids[1]))
			})
			before := procfs.Look(pids)
			hung := explain.Case{Before: before, Folder: chapterFolder, After: 20 * time.Second}
			eventually(t, "it has come back to where it sleeps", func() bool {
				if !procfs.Look(pids).Asleep() || procfs.Look(pids).SameAs(before) {
					return false
				}
				hung.Processes = nil
				for _, pid := range pids {
					p, _ := procfs.Read(pid)
					hung.Processes = append(hung.Processes, p)
				}
				return by != sleepyRaw || strings.Contains(explained(hung).Text, "went on and came back")
			})
			hung.Dumps = dumps(t, hung.Processes[:1], false, c)
			e := explained(hung)
			golden(t, "spin-sleep-"+name, e.Text)
		})
	}
}

// looping tells when it comes to its loop, by a descriptor that it did not have.
func looping(f func()) func() {
	return func() {
		unix.Dup3(0, inLoop, unix.O_CLOEXEC)
		f()
	}
}

const inLoop = 77

// zombie reports whether it is the command true, which has ended. It is not the
// one that os.StartProcess makes to try what clone(2) can do.
func zombie(pid int) bool {
	p, err := procfs.Read(pid)
	return err == nil && p.Zombie && p.Role == "true"
}

func slept(t *testing.T, c *child) bool {
	for _, f := range read(t, c)[0].Files {
		if f.FD == inLoop {
			return true
		}
	}
	return false
}

func contains(b []byte, s string) bool { return strings.Contains(string(b), s) }
