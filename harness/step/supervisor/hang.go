package supervisor

import (
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

const (
	// silence is how long the supervisor waits for the next piece of a dump
	// before it looks whether one is still to come.
	silence = 10 * time.Millisecond

	// maxLooks bounds the wait for a program that gives no dump and does not
	// stand still either.
	maxLooks = 50
)

// hang explains a step that does not go on. It looks before it asks for dumps,
// because a program that dumps ends, and its end sets others free.
func (s *step) hang(spinning bool) {
	begun := time.Now()
	defer func() { s.report.Explaining = time.Since(begun) }()
	var c explain.Case
	for _, pid := range s.pids() {
		// A process that ended meanwhile is no part of the hang.
		if p, err := procfs.Read(pid); err == nil {
			c.Processes = append(c.Processes, p)
		}
	}
	// The first process that ends gives the others an end of file. Copies of
	// their descriptors in this process keep them waiting where they wait.
	c.Held = procfs.Hold(c.Processes)
	defer c.Held.Release()
	c.Dumps = s.ask(c.Processes, spinning)
	c.Spinning = spinning
	if s.looked != nil {
		c.Before = *s.looked
	}
	c.Folder = s.spec.Dir
	c.After = time.Since(s.phaseEnd.Add(-s.spec.Deadline)).Round(time.Second)
	c.Ended = s.ended
	e := explain.Explain(c)
	s.report.TestFile, s.report.TestLine = e.TestFile, e.TestLine
	if s.cause.Verdict != "" {
		// Somebody waits for a process that crashed or failed: that is the news.
		s.found(s.cause.Verdict, s.cause.Message+"\n\nThe rest of the step was waiting then.\n"+e.Text)
		s.report.Finding.File, s.report.Finding.Line = s.cause.File, s.cause.Line
		return
	}
	s.found(verdict.Hung, e.Text)
	s.report.Finding.File, s.report.Finding.Line = e.File, e.Line
}

// ask asks the processes of the step for the runtime's dump and returns what
// comes, by pid. A Go program that does not answer SIGQUIT is made to. A process is asked before its children: their ends would end its
// wait for them. The test is an exception, and the last: its end kills the
// processes that the lab started, in the middle of their dumps. It is stopped until then:
// the end of a process that its own code has started would let it go on, and fail elsewhere.
func (s *step) ask(processes []procfs.Process, spinning bool) map[int][]byte {
	s.dumping.Store(true)
	if len(processes) == 0 {
		return nil
	}
	unix.Kill(processes[0].PID, unix.SIGSTOP)
	for _, generation := range append(generations(processes[1:]), processes[:1]) {
		var pids []int
		var silent []procfs.Process
		for _, p := range generation {
			if p.IsGo() {
				silent = append(silent, p)
			}
			if !p.CatchesQUIT() {
				continue // it would only die of it, or ignore it
			}
			// A thread that gets the signal itself shows its own stack too.
			unix.Tgkill(p.PID, p.DumpThread(spinning), unix.SIGQUIT)
			unix.Kill(p.PID, unix.SIGCONT) // a stopped one cannot answer
			pids = append(pids, p.PID)
		}
		s.dumps.wait(pids)
		s.force(silent, spinning)
	}
	return s.dumps.taken()
}

// force makes those dump that have said nothing: they catch or ignore SIGQUIT.
func (s *step) force(processes []procfs.Process, spinning bool) {
	came := s.dumps.taken()
	var pids []int
	for _, p := range processes {
		if came[p.PID] == nil && p.ForceDump(spinning) == nil {
			unix.Kill(p.PID, unix.SIGCONT) // a stopped one cannot answer
			pids = append(pids, p.PID)
		}
	}
	if len(pids) > 0 {
		s.dumps.wait(pids)
	}
}

// generations sorts processes: first those whose parent is not among them, then
// their children, and so on.
func generations(all []procfs.Process) (sorted [][]procfs.Process) {
	for len(all) > 0 {
		isChild := func(p procfs.Process) bool {
			return slices.ContainsFunc(all, func(q procfs.Process) bool { return q.PID == p.Parent })
		}
		var now, later []procfs.Process
		for _, p := range all {
			if isChild(p) {
				later = append(later, p)
			} else {
				now = append(now, p)
			}
		}
		if len(now) == 0 {
			now, later = all, nil // pids that were used again: any order will do
		}
		sorted, all = append(sorted, now), later
	}
	return sorted
}

// dumps are the runtime's dumps that come on the crash line, by the pid of the
// process that sent them. They are read all the time: a program that crashes
// would wait otherwise until its dump is taken.
type dumps struct {
	line syscall.RawConn
	more chan struct{} // something came

	mu          sync.Mutex
	byPID       map[int][]byte
	packets     int    // that came
	data        []byte // of one packet
	credentials []byte
}

func collect(crash *os.File) *dumps {
	d := &dumps{
		byPID: map[int][]byte{}, more: make(chan struct{}, 1),
		data: make([]byte, 64<<10), credentials: make([]byte, unix.CmsgSpace(unix.SizeofUcred)),
	}
	var err error
	if d.line, err = crash.SyscallConn(); err == nil {
		go d.read()
	}
	return d
}

// maxDump is how much of one process's dump is kept.
const maxDump = 4 << 20

// read reads until the last writer has gone.
func (d *dumps) read() {
	_ = d.line.Read(func(fd uintptr) (over bool) {
		over = d.take(int(fd))
		select {
		case d.more <- struct{}{}:
		default:
		}
		return over
	})
}

// take reads what is there, and reports whether no more will come. What it has returned is
// kept already.
func (d *dumps) take(fd int) (over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		n, oobn, _, _, err := unix.Recvmsg(fd, d.data, d.credentials, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		}
		d.packets++
		if pid, ok := sender(d.credentials[:oobn]); ok && len(d.byPID[pid]) < maxDump {
			d.byPID[pid] = append(d.byPID[pid], d.data[:n]...)
		}
	}
}

// came reads what is there now, and returns how many packets have come in all, whoever read
// them. Who waits for a dump must not take its reader for the program: it may wait for a processor.
func (d *dumps) came() int {
	_ = d.line.Control(func(fd uintptr) { d.take(int(fd)) })
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.packets
}

// wait waits until the processes have ended, or do not go on and say nothing. A
// program that catches or ignores SIGQUIT lives on. One that spins never stands
// still: it is given a number of looks. One that waits for its turn on a busy machine gets more.
func (d *dumps) wait(pids []int) {
	before, last := d.came(), procfs.Look(pids)
	for looks, unmoved := 0, 0; looks < maxLooks; {
		select {
		case <-d.more:
			continue
		default:
			procfs.Pause(silence)
		}
		now := procfs.Look(pids)
		came := d.came() // after the look: what has ended has said all before
		still := now.Asleep() && now.SameAs(last)
		switch {
		case came > before:
			looks = 0
		case !now.Alive(), still && !goesOn(pids) && procfs.Look(pids).SameAs(now):
			return
		case still, now.CPU() > last.CPU():
			looks++
		default:
			if unmoved++; unmoved%10 == 0 {
				looks++
			}
		}
		before, last = came, now
	}
}

// goesOn reports whether one of them that sleeps is in the middle of its dump. That goes to
// standard error as well, and the pipe may be full; and before it the runtime sleeps for a
// millisecond, until all goroutines stand still. On a busy machine that takes longer.
func goesOn(pids []int) bool {
	if d, ok := procfs.Alarm(pids); ok && d <= silence {
		return true
	}
	return slices.ContainsFunc(pids, func(pid int) bool {
		p, err := procfs.Read(pid)
		return err == nil && slices.ContainsFunc(p.Threads, func(t procfs.Thread) bool { return t.Syscall == "write" })
	})
}

// taken returns what came.
func (d *dumps) taken() map[int][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.byPID)
}

// sender returns the pid that the kernel put beside a packet.
func sender(oob []byte) (int, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			return int(cred.Pid), true
		}
	}
	return 0, false
}
