package signals_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// boxed are the signals of most inboxes here.
var boxed = []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, real0, real1, real2}

// inbox reports what it receives: at each word it takes all that is there.
var inbox = lab.NewRole("process with an inbox", func(c *lab.Child) error {
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	c.Report("open")
	return takesAll(c, b)
})

// takesAll takes all that is there, at each word.
func takesAll(c *lab.Child, b *signals.Inbox) error {
	for {
		c.Wait()
		var all []signals.Info
		for {
			info, err := b.RecvUntil(time.Unix(1, 0))
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return fmt.Errorf("RecvUntil(): %w", err)
			}
			all = append(all, info)
		}
		c.Report(all)
		if len(all) == 0 {
			return b.Close()
		}
	}
}

// received is all that is in a process's inbox.
func received(p *lab.Process) (all []signals.Info) {
	p.Go()
	p.Report(&all)
	return all
}

// Step 8: Queue carries a number, and its receiver learns who has sent it.
func TestQueueCarriesANumber(t *testing.T) {
	l := lab.New(t)
	p := started(l, inbox, lab.Blocked(boxed...))
	var want []signals.Info
	for _, value := range []int{7, 0, -1, math.MaxInt32, math.MinInt32} {
		require.NoError(l, signals.Queue(p.PID(), real1, value), "Queue() with the number %d", value)
		want = append(want, signals.Info{Signal: real1, Value: value, PID: os.Getpid(), UID: os.Getuid(), Queued: true})
	}
	require.Equal(l, want, received(p), "what RecvUntil() returned of five that Queue() has sent: its deadline has passed, and what is there is returned all the same.")

	// Without a number.
	require.NoError(l, signals.Send(p.PID(), real1), "Send() of a real-time signal")
	got := received(p)
	require.Len(l, got, 1, "what RecvUntil() returned after Send()")
	got[0].Value = 0
	require.Equal(l, signals.Info{Signal: real1, PID: os.Getpid(), UID: os.Getuid()}, got[0], "what RecvUntil() returned of one that Send() has sent")

	// By a process whose group and whose effective user have other numbers than its user, where it may have that.
	other := l.Start(queuesAsAnother, lab.Tell("pid", strconv.Itoa(p.PID())))
	require.NoError(l, other.Wait(), "a process that sends by Queue()")
	require.Equal(l, []signals.Info{{Signal: real2, Value: 8, PID: other.PID(), UID: os.Getuid(), Queued: true}}, received(p),
		"what RecvUntil() returned of one that another process has sent by Queue(): is the user that of getuid(2)?")

	// Sent by the bare system call. The kernel checks neither pid nor user.
	raws := func(code int) {
		require.NoError(l, l.Start(queuesRaw, lab.Tell("pid", strconv.Itoa(p.PID())), lab.Tell("code", strconv.Itoa(code))).Wait(), "a process that sends by rt_sigqueueinfo(2)")
	}
	raws(-1)
	require.Equal(l, []signals.Info{{Signal: real2, Value: -77, PID: aPID, UID: aUser, Queued: true}}, received(p),
		"what RecvUntil() returned of one that another process has sent by rt_sigqueueinfo(2), with a large pid and a large number of a user")
	const siTimer, siMesgq = -2, -3 // timer_create(2), mq_notify(3)
	for _, code := range []int{siTimer, siMesgq} {
		raws(code)
		got = received(p)
		require.Len(l, got, 1, "what RecvUntil() returned of one signal")
		require.Equal(l, false, got[0].Queued, "Info.Queued of a signal whose code is %d: of the negative codes SI_QUEUE (-1) alone is that of sigqueue(3); -2 is SI_TIMER, -3 is SI_MESGQ.", code)
	}
	require.Empty(l, received(p), "what RecvUntil() returned when there is nothing more")
	require.NoError(l, p.Wait(), "the process with the inbox")

	// Received by the bare system call.
	raw := started(l, receivesRaw, lab.Blocked(real1))
	require.NoError(l, signals.Queue(raw.PID(), real1, -5), "Queue()")
	require.Equal(l, fmt.Sprintf("signal 36, code -1 (SI_QUEUE is -1), number -5, from %d of user %d", os.Getpid(), os.Getuid()), said(raw),
		"what a signalfd(2) shows of one that Queue() has sent")
	require.NoError(l, raw.Wait(), "the process with a signalfd")
	require.ErrorIs(l, signals.Queue(raw.PID(), real1, 1), unix.ESRCH, "Queue() to a process that has ended")
}

// rawInfo is a siginfo_t, on machines of 64 bits.
type rawInfo struct {
	signo, errno, code, _ int32
	pid, uid              int32
	value                 uint64
	_                     [96]byte
}

// The sender of a signal as it says itself.
const aPID, aUser = 4_000_037, 1_000_003

var queuesAsAnother = lab.NewRole("process that sends as another group", func(c *lab.Child) error {
	pid, err := strconv.Atoi(c.Text("pid"))
	if err != nil {
		return err
	}
	uid, gid := syscall.Getuid(), syscall.Getgid()
	_ = syscall.Setresgid(gid+1, gid+1, gid) // only root may
	_ = syscall.Setresuid(uid, uid+1, uid)
	return errors.Join(signals.Queue(pid, real2, 8), syscall.Setresuid(uid, uid, uid), syscall.Setresgid(gid, gid, gid))
})

var queuesRaw = lab.NewRole("process that sends by itself", func(c *lab.Child) error {
	pid, err := strconv.Atoi(c.Text("pid"))
	if err != nil {
		return err
	}
	code, err := strconv.Atoi(c.Text("code"))
	if err != nil {
		return err
	}
	number := int32(-77)
	info := rawInfo{signo: int32(real2), code: int32(code), pid: aPID, uid: aUser, value: uint64(uint32(number))}
	if _, _, errno := unix.RawSyscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(real2), uintptr(unsafe.Pointer(&info))); errno != 0 {
		return fmt.Errorf("rt_sigqueueinfo(): %w", errno)
	}
	return nil
})

var receivesRaw = lab.NewRole("process that receives by itself", func(c *lab.Child) error {
	set := unix.Sigset_t{}
	set.Val[0] = 1 << (real1 - 1)
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("signalfd(): %w", err)
	}
	defer unix.Close(fd)
	c.Report("open")
	var info unix.SignalfdSiginfo
	p := unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))
	for {
		if _, err = unix.Read(fd, p); err != unix.EINTR {
			break
		}
	}
	c.Report(fmt.Sprintf("signal %d, code %d (SI_QUEUE is -1), number %d, from %d of user %d", info.Signo, info.Code, info.Int, info.Pid, info.Uid))
	return err
})

// Step 9: standard signals become one, real-time ones are all kept; the lowest comes first.
func TestRealTimeSignalsQueue(t *testing.T) {
	l := lab.New(t)
	p := started(l, inbox, lab.Blocked(boxed...))
	var want []string
	for n := range 20 {
		for _, sig := range []syscall.Signal{real2, real0, unix.SIGUSR2, real1, unix.SIGUSR1} {
			require.NoError(l, signals.Queue(p.PID(), sig, n), "Queue()")
		}
	}
	for range 1000 {
		require.NoError(l, signals.Send(p.PID(), unix.SIGUSR1), "Send()")
	}
	for _, sig := range boxed {
		for n := range 20 {
			if sig >= real0 || n == 0 {
				want = append(want, fmt.Sprintf("%s with %d", called(sig), n))
			}
		}
	}
	var got []string
	for _, info := range received(p) {
		got = append(got, fmt.Sprintf("%s with %d", called(info.Signal), info.Value))
	}
	require.Equal(l, strings.Join(want, ", "), strings.Join(got, ", "), "what RecvUntil() returned of 20 signals each of five kinds, and 1000 SIGUSR1 more: the first of a standard one, all real-time ones, the lowest number first.")
	// One that comes later and is lower is taken first.
	for _, sig := range []syscall.Signal{real1, real2, real1, unix.SIGUSR2} {
		require.NoError(l, signals.Queue(p.PID(), sig, 1), "Queue()")
	}
	var order []int
	for _, info := range received(p) {
		order = append(order, int(info.Signal))
	}
	require.Equal(l, []int{12, 36, 36, 37}, order, "signals in the order in which RecvUntil() returned them")
	p.Kill()

	// What came before there was an Inbox is kept.
	one := started(l, takesOne, lab.Blocked(boxed...))
	for n := range 3 {
		require.NoError(l, signals.Queue(one.PID(), real2, n), "Queue() to a process that blocks the signal, and has no Inbox yet")
	}
	one.Go()
	require.Equal(l, "real-time signal 37 with 0, <nil>", said(one), "what RecvUntil() returned first of three that were sent before OpenInbox(): what is pending stays so.")

	// One is taken at a time: the next look is at what is there then.
	require.NoError(l, signals.Queue(one.PID(), real0, 9), "Queue() of a lower one, when two of the higher are left")
	one.Go()
	require.Equal(l, "real-time signal 35 with 9, <nil>", said(one), "what RecvUntil() returned next: were several read at once, and kept?")
	one.Kill()
}

var takesOne = lab.NewRole("process that takes one at a time", func(c *lab.Child) error {
	c.Report("not open yet")
	c.Wait()
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	for {
		info, err := b.RecvUntil(time.Unix(1, 0))
		c.Report(fmt.Sprintf("%s with %d, %v", called(info.Signal), info.Value, bare(err)))
		c.Wait()
	}
})

// Step 10: an Inbox is for signals that every thread of the process blocks.
func TestOnlyWhatIsBlocked(t *testing.T) {
	l := lab.New(t)
	for _, sigs := range [][]syscall.Signal{nil, {unix.SIGKILL}, {unix.SIGUSR1, unix.SIGSTOP}, {0}, {unix.SIGUSR1, 65}, {1<<32 + unix.SIGUSR1}, {33}, {34}} {
		_, err := signals.OpenInbox(sigs...)
		require.ErrorIs(l, err, signals.ErrSignal, "OpenInbox() for the signals %v", numbers(sigs))
	}
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGCHLD, unix.SIGSEGV} {
		_, err := signals.OpenInbox(sig)
		require.ErrorIs(l, err, signals.ErrNotBlocked, "OpenInbox() for %s, in a process that blocks nothing", called(sig))
	}
	both := []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, real1}
	for _, one := range []struct {
		what, names string
		role        *lab.Role
		blocks      []syscall.Signal
	}{
		{"in a process that blocks SIGUSR1 and real-time signal 36, for these two and SIGUSR2", "SIGUSR2", opensTooMany, []syscall.Signal{unix.SIGUSR1, real1}},
		{"in a process that blocks SIGUSR1 alone, for this one and signal 64: a mask has 64 bits.", `SIGRTMIN\+|\b64\b`, opensLast, []syscall.Signal{unix.SIGUSR1}},
		{"in a process of which one thread alone does not block SIGUSR2: a mask belongs to a thread.", "SIGUSR2", opensBesideOne, both},
		{"after Listen() for the same signal: the runtime lets one thread take it then", "SIGUSR2", opensAfterListen, both},
	} {
		p := l.Start(one.role, lab.Blocked(one.blocks...))
		text := said(p)
		require.Contains(l, text, signals.ErrNotBlocked.Error(), "the error of OpenInbox() "+one.what)
		require.Regexp(l, regexp.MustCompile(one.names), text, "the error of OpenInbox() "+one.what+": does it name the signal that is not blocked?")
		require.NoError(l, p.Wait(), "the process with the inbox")
	}
	own := l.Start(opensInOwnThread)
	require.Contains(l, said(own), signals.ErrNotBlocked.Error(), "the error of OpenInbox() in a process of which only the calling thread blocks SIGUSR2")
	require.NoError(l, own.Wait(), "the process with the inbox")

	// Where nobody can look at the threads there is no Inbox.
	for n, isHeld := 0, true; isHeld; n++ {
		calls := l.Calls()
		blind := l.Start(opensBlindly, calls.HandOver())
		calls.Of(blind)
		isHeld = calls.Hold(n)
		calls.Refuse(unix.EMFILE, -1, "", "openat")
		calls.Go()
		calls.Reports("an error", "OpenInbox() of a signal that no thread blocks, in a process that may not open the files in /proc any more: are the errors of the look returned?")
		blind.Kill()
	}

	// A thread may end between the list of threads and the look at it.
	for n := range 6 {
		r, w := aPipe(l)
		calls := l.Calls()
		p := l.Start(opensWhileOneEnds, lab.Blocked(unix.SIGUSR1), lab.HandOver("pipe", r), calls.HandOver())
		calls.Of(p)
		calls.Hold(n)
		require.NoError(l, w.Close(), "closing, so that the thread ends")
		l.Rests()
		calls.Go()
		calls.Reports("open", "OpenInbox() while a thread of the process ends: one that is gone is no error, and needs no mask.")
		p.Kill()
	}
	p := started(l, inbox, lab.Blocked(boxed...))
	p.Kill()
}

// opensWhileOneEnds has threads more, which end with the pipe. A program's first thread never ends:
// of three that goroutines hold it is one at most.
var opensWhileOneEnds = lab.NewRole("process of which a thread ends", func(c *lab.Child) error {
	raw, err := c.File("pipe").SyscallConn()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ready := make(chan bool)
	for range 2 {
		go func() {
			runtime.LockOSThread()
			ready <- true
			_ = raw.Control(func(fd uintptr) {
				for p := []unix.PollFd{{Fd: int32(fd)}}; p[0].Revents == 0; {
					_, _ = unix.Poll(p, -1)
				}
			})
		}()
		<-ready
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	b, err := signals.OpenInbox(unix.SIGUSR1)
	if err != nil {
		c.Report(fmt.Sprint(err))
		return nil
	}
	c.Report("open")
	return b.Close()
})

var opensBlindly = lab.NewRole("process that cannot look at its threads", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	_, _ = os.Stat("/") // held here, it may open nothing at all
	if b, err := signals.OpenInbox(unix.SIGUSR1); err == nil {
		c.Report("no error")
		return b.Close()
	}
	c.Report("an error")
	return nil
})

// opening reports the error of OpenInbox, and looks that no descriptor is left.
func opening(c *lab.Child, sigs ...syscall.Signal) error {
	r, w, err := os.Pipe() // Go's poller is there then, with descriptors of its own
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	b, opened := signals.OpenInbox(sigs...)
	if opened == nil {
		c.Report("no error")
		return b.Close()
	}
	after, err := os.ReadDir("/proc/self/fd")
	if err == nil && len(after) != len(before) {
		err = fmt.Errorf("OpenInbox() returned an error and has left %d descriptors open: %v", len(after)-len(before), links(after))
	}
	if err == nil && !errors.Is(opened, signals.ErrNotBlocked) {
		err = fmt.Errorf("OpenInbox(): expected ErrNotBlocked, and got: %v", opened)
	}
	c.Report(opened.Error())
	return err
}

func links(fds []os.DirEntry) (all []string) {
	for _, fd := range fds {
		link, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		all = append(all, link)
	}
	return all
}

var opensTooMany = lab.NewRole("process that blocks too few", func(c *lab.Child) error {
	return opening(c, unix.SIGUSR1, unix.SIGUSR2, real1)
})

var opensLast = lab.NewRole("process that does not block the last one", func(c *lab.Child) error {
	return opening(c, unix.SIGUSR1, signals.MaxSignal)
})

var opensBesideOne = lab.NewRole("process with one thread that does not block", func(c *lab.Child) error {
	ready, done := make(chan error), make(chan struct{})
	defer close(done)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		set := unix.Sigset_t{}
		set.Val[0] = 1 << (unix.SIGUSR2 - 1)
		ready <- unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
		<-done
	}()
	if err := <-ready; err != nil {
		return err
	}
	return opening(c, unix.SIGUSR1, unix.SIGUSR2)
})

var opensAfterListen = lab.NewRole("process that listens and opens", func(c *lab.Child) error {
	s, err := signals.Listen(unix.SIGUSR2)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	return errors.Join(opening(c, unix.SIGUSR2, real1), s.Close())
})

var opensInOwnThread = lab.NewRole("process that blocks in one thread", func(c *lab.Child) error {
	runtime.LockOSThread()
	set := unix.Sigset_t{}
	set.Val[0] = 1 << (unix.SIGUSR2 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		return err
	}
	return opening(c, unix.SIGUSR2)
})
