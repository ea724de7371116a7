package explain_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

var (
	notify    = helper("notify", chapter.Notify)
	ignore    = helper("ignore", chapter.Ignore)
	reap      = helper("reap", chapter.Reap)
	late      = helper("late", chapter.Late)
	fetch     = helper("fetch", func() { chapter.Fetch(unix.SIGUSR1) })
	fetchTwo  = helper("fetch two", func() { chapter.Fetch(unix.SIGUSR1, 36) })
	bareFetch = helper("bare fetch", chapter.BareFetch)
	suspend   = helper("suspend", chapter.Suspend)
	pause     = helper("pause", chapter.Pause)
	allOfThem = helper("everything", chapter.Everything)
	noQuit    = helper("ignores SIGQUIT", chapter.IgnoresQuit)
	signalFD  = helper("signalfd", func() { chapter.SignalFD(0, unix.SIGUSR1) })
	twoFD     = helper("signalfd for two", func() { chapter.SignalFD(0, unix.SIGUSR1, unix.SIGUSR2) })
	pollFD    = helper("signalfd in the poller", func() { chapter.SignalFD(unix.SFD_NONBLOCK, unix.SIGUSR1) })
	blocked   = helper("blocked", func() {
		// The lab does so before it starts a child: the mask is inherited.
		runtime.LockOSThread()
		var set unix.Sigset_t
		set.Val[0] = 1<<(unix.SIGUSR1-1) | 1<<(unix.SIGUSR2-1)
		unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
		os.Setenv("HANG_HELPER", os.Getenv("THEN"))
		unix.Exec("/proc/self/exe", os.Args, os.Environ())
	})
)

func TestWaitForASignal(t *testing.T) {
	for name, by := range map[string]string{
		"notify": notify, "ignored": ignore, "fetch": fetch, "two": fetchTwo,
		"pause": pause, "suspend": suspend, "fd": signalFD, "fd-poller": pollFD,
	} {
		t.Run(name, func(t *testing.T) {
			consumer := start(t, "consumer", by, nil)
			explains(t, "signal-"+name, consumer)
		})
	}
}

// inherits starts a helper in a process whose threads all block SIGUSR1 and
// SIGUSR2.
func inherits(t *testing.T, role, by string, fds ...int) *child {
	t.Helper()
	c := start(t, role, blocked, []string{"THEN=" + by}, fds...)
	eventually(t, "it has started again", func() bool {
		env, _ := os.ReadFile("/proc/" + strconv.Itoa(c.PID()) + "/environ")
		return contains(env, "HANG_HELPER="+by)
	})
	hang(t, c)
	return c
}

func TestSignalsThatWaitSomewhere(t *testing.T) {
	t.Run("other signal", func(t *testing.T) {
		for name, by := range map[string]string{"fetch": fetch, "fd": signalFD} {
			consumer := inherits(t, "consumer", by)
			require.NoError(t, unix.Kill(consumer.PID(), unix.SIGUSR2))
			explains(t, "signal-other-"+name, consumer)
		}
	})
	t.Run("other process", func(t *testing.T) {
		for name, by := range map[string]string{"notify": notify, "fetch": fetch} {
			r, _ := pipe(t)
			consumer := start(t, "consumer", by, nil)
			producer := inherits(t, "producer", waitWord, r)
			require.NoError(t, unix.Kill(producer.PID(), unix.SIGUSR1))
			explains(t, "signal-elsewhere-"+name, consumer, producer)
		}
	})
	t.Run("blocked by the mask of the call", func(t *testing.T) {
		consumer := inherits(t, "consumer", suspend)
		require.NoError(t, unix.Kill(consumer.PID(), unix.SIGUSR1))
		explains(t, "signal-suspend-blocked", consumer)
	})
	t.Run("nothing sent", func(t *testing.T) {
		explains(t, "signal-none", inherits(t, "consumer", fetch))
		explains(t, "signal-none-fd", inherits(t, "consumer", twoFD))
	})
}

func TestSIGCHLDThatCameAlready(t *testing.T) {
	t.Run("late", func(t *testing.T) {
		consumer := start(t, "consumer", late, nil)
		explainFamily(t, "signal-late", consumer, family(t, consumer, "true"))
	})
	t.Run("one for two", func(t *testing.T) {
		// How many SIGCHLD come for two children is not certain: what is, is
		// that in the end it waits for one more.
		consumer := start(t, "consumer", reap, nil)
		hang(t, consumer)
		pids := append([]int{consumer.PID()}, procfs.Descendants(consumer.PID())...)
		ps := readFamily(t, pids)
		e := explained(explain.Case{Processes: ps, Dumps: dumps(t, ps[:1], false, consumer), Folder: chapterFolder, After: time.Second})
		require.Contains(t, e.Text, "signal.Notify")
	})
}

func TestWaitForASignalWithoutADump(t *testing.T) {
	for name, by := range map[string]string{"fetch": fetch, "fd": signalFD} {
		t.Run(name, func(t *testing.T) {
			deaf := start(t, "consumer", by, []string{"HANG_DEAF=1"})
			hang(t, deaf)
			e := explained(explain.Case{Processes: read(t, deaf), Folder: chapterFolder, After: time.Second})
			golden(t, "signal-no-dump-"+name, e.Text)
		})
	}
}

func TestWaitForASignalInABareSystemCall(t *testing.T) {
	consumer := start(t, "consumer", bareFetch, nil)
	eventually(t, "it waits", func() bool { return inCall(t, consumer, "rt_sigtimedwait") })
	explainNow(t, "signal-bare", false, consumer)
}

// A program that catches or ignores SIGQUIT is made to dump, so that its line is known too.
func TestADumpThatIsForced(t *testing.T) {
	for name, by := range map[string]string{"caught": allOfThem, "ignored": noQuit} {
		t.Run(name, func(t *testing.T) {
			consumer := start(t, "consumer", by, nil)
			hang(t, consumer)
			ps := read(t, consumer)
			require.True(t, ps[0].IsGo())
			require.NoError(t, ps[0].ForceDump(false))
			e := explained(explain.Case{Processes: ps, Dumps: dumpsOf(t, consumer), Folder: chapterFolder, After: 2 * time.Second})
			golden(t, "signal-forced-"+name, e.Text)
		})
	}
}
