package lab

import (
	"strings"

	"ipcworkbook/harness/verdict"
)

// Some errors say more about their cause than the step can guess.
const (
	// EBADF: close(2) came first, or read(2) and write(2) were mixed up.
	badDescriptor = "The descriptor is not open, or not open for this direction.\n" +
		"Is a write end read from, or a read end written to?\n" +
		"Or was an os.File dropped, and only its number kept? The garbage collector closes a file that nobody refers to."
	// EAGAIN, see read(2), write(2) and fcntl(2).
	wouldBlock = "That is EAGAIN: the call would have to wait, and was told not to.\n" +
		"A raw system call on a non-blocking descriptor never waits.\n" +
		"Read and Write of os.File do. So do Read and Write of its SyscallConn, until your function returns true."
	// EAGAIN, too: fcntl(2), flock(2).
	lockIsHeld = "That is EAGAIN, and of a lock it says that somebody else holds it (fcntl(2), flock(2)).\n" +
		"It is the answer of a call that does not wait for the lock (F_SETLK, F_OFD_SETLK, LOCK_NB)."
	// EAGAIN, too: connect(2) of a Unix domain socket, see unix(7).
	backlogIsFull = "That is EAGAIN, and of connect(2) to a Unix domain socket it says that the server's backlog is full.\n" +
		"Nothing tells when there is room again: it passes when the server accepts. Try again after a pause."
	// EAGAIN, too: fork(2), pthread_create(3).
	tooManyTasks = "That is EAGAIN, and of fork(2) or clone(2) it says that there may be no more processes or threads."
	// EINTR, see signal(7). The Go runtime interrupts its own threads with SIGURG at any time.
	interrupted = "That is EINTR: a signal has come, and this call is not restarted by the kernel (signal(7)).\n" +
		"It has failed in nothing: make it again. A Go program has signals always; the runtime sends SIGURG to its own threads."
	// os.ErrNoDeadline: os.NewFile gives the poller only what does not block at that moment.
	notPolled = "The runtime's poller does not know this descriptor, so it has no deadlines, and Close wakes nobody who waits.\n" +
		"Did the descriptor block when os.NewFile saw it? Only one with O_NONBLOCK, of a kind that epoll(7) takes, comes to the poller."
	// os.ErrInvalid has the same text as EINVAL.
	nilFile = "A nil *os.File gives this error. Is the os.File nil? Did the constructor store it?"
)

// bareInvalid is os.ErrInvalid as a method of a nil *os.File returns it. EINVAL of
// an open file comes with the call's name: "write |1: invalid argument".
var bareInvalid = lazily(`(?m)(^got: +|the error: |\): )invalid argument$`)

// wouldBlockOf is EAGAIN with the words before it, which name the call that got it.
var wouldBlockOf = lazily(`(?m)[^\n]*resource temporarily unavailable`)

// ofWouldBlock says what EAGAIN means of the call that is named before it.
func ofWouldBlock(said string) string {
	for _, c := range []struct{ reason, words string }{
		{lockIsHeld, "lock LK LOCK"}, {backlogIsFull, "connect"}, {tooManyTasks, "fork clone"},
	} {
		for word := range strings.FieldsSeq(c.words) {
			if strings.Contains(said, word) {
				return c.reason
			}
		}
	}
	return wouldBlock
}

// fromError gives the reason that an error has by itself, or nothing. An error
// that was expected is no reason. A fault of the workbook has none for a learner.
func (f failure) fromError() string {
	if f.Verdict == verdict.Fault {
		return ""
	}
	var came []string
	for _, d := range append(append([]string{}, f.Detail...), f.Beside...) {
		if !strings.HasPrefix(d, "expected: ") {
			came = append(came, d)
		}
	}
	text := strings.Join(came, "\n")
	switch {
	case strings.Contains(text, "bad file descriptor"):
		return badDescriptor
	case wouldBlockOf().MatchString(text):
		return ofWouldBlock(wouldBlockOf().FindString(text))
	case strings.Contains(text, "interrupted system call") && !strings.Contains(f.Call+f.Reason+text, "EINTR"):
		return interrupted
	case strings.Contains(text, "file type does not support deadline"):
		return notPolled
	case bareInvalid().MatchString(text):
		return nilFile
	}
	return ""
}
