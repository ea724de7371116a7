package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/procfs"
	"ipcworkbook/harness/verdict"
)

// silence is how long the supervisor waits for the next piece of a dump. A
// program that catches or ignores SIGQUIT gives none.
const silence = 100 * time.Millisecond

// hang explains a step that does not go on. It looks before it asks for dumps,
// because a program that dumps ends, and its end sets others free.
func (s *step) hang(spinning bool) {
	var c procfs.Case
	for _, pid := range s.pids() {
		// A process that ended meanwhile is no part of the hang.
		if p, err := procfs.Read(pid); err == nil {
			c.Processes = append(c.Processes, p)
		}
	}
	// The first process that ends gives the others an end of file. Copies of
	// their descriptors in this process keep them waiting where they wait.
	release := procfs.Hold(c.Processes)
	c.Dumps = s.dumps(c.Processes, spinning)
	release()
	c.Spinning = spinning
	c.Folder = s.spec.Dir
	c.After = time.Since(s.phaseEnd.Add(-s.spec.Deadline)).Round(time.Second)
	c.Ended = s.ended
	e := procfs.Explain(c)
	if s.cause.Verdict != "" {
		// Somebody waits for a process that crashed: the crash is the news.
		s.found(s.cause.Verdict, s.cause.Message+"\n\nThe rest of the step was waiting then.\n"+e.Text)
		s.report.Finding.File, s.report.Finding.Line = s.cause.File, s.cause.Line
		return
	}
	s.found(verdict.Hung, e.Text)
	s.report.Finding.File, s.report.Finding.Line = e.File, e.Line
}

// dumps asks every process of the step for the runtime's dump, all at once, and
// returns what comes, by pid.
func (s *step) dumps(processes []procfs.Process, spinning bool) map[int][]byte {
	dumps := map[int][]byte{}
	s.dumping.Store(true)
	for _, p := range processes {
		// A thread that gets the signal itself shows its own stack too.
		unix.Tgkill(p.PID, p.DumpThread(spinning), unix.SIGQUIT)
	}
	data := make([]byte, 64<<10)
	credentials := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	conn, err := s.crash.SyscallConn()
	if err != nil {
		return dumps
	}
	for {
		s.crash.SetReadDeadline(time.Now().Add(silence))
		var n, oobn int
		var recvErr error
		err := conn.Read(func(fd uintptr) bool {
			n, oobn, _, _, recvErr = unix.Recvmsg(int(fd), data, credentials, 0)
			return recvErr != unix.EAGAIN
		})
		if err != nil || recvErr != nil || n == 0 {
			return dumps
		}
		if pid, ok := sender(credentials[:oobn]); ok {
			dumps[pid] = append(dumps[pid], data[:n]...)
		}
	}
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
