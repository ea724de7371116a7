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
	// os.ErrInvalid has the same text as EINVAL.
	nilFile = "A nil *os.File gives this error. Is the os.File nil? Did the constructor store it?"
)

// bareInvalid is os.ErrInvalid as a method of a nil *os.File returns it. EINVAL of
// an open file comes with the call's name: "write |1: invalid argument".
var bareInvalid = lazily(`(?m)(^got: +|the error: |\): )invalid argument$`)

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
	case strings.Contains(text, "resource temporarily unavailable"):
		return wouldBlock
	case bareInvalid().MatchString(text):
		return nilFile
	}
	return ""
}
