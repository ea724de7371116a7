package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// An error that tells its own cause gives the reason, whatever the step guesses.
func TestReasonsOfErrors(t *testing.T) {
	_, ofNil := (*os.File)(nil).Read(nil)
	_, connOfNil := (*os.File)(nil).SyscallConn()
	const guess = "The step's own guess?"
	for _, c := range []struct {
		err  error
		want string
	}{
		{unix.EBADF, badDescriptor},
		{&os.PathError{Op: "read", Path: "|1", Err: unix.EBADF}, badDescriptor},
		{fmt.Errorf("Send(): %w", unix.EAGAIN), wouldBlock},
		{fmt.Errorf("fcntl F_OFD_SETLK: %w", unix.EAGAIN), lockIsHeld},
		{fmt.Errorf("flock: %w", unix.EAGAIN), lockIsHeld},
		{fmt.Errorf("connect: %w", unix.EAGAIN), backlogIsFull},
		{fmt.Errorf("fork/exec /bin/true: %w", unix.EAGAIN), tooManyTasks},
		{os.NewSyscallError("poll", unix.EINTR), interrupted},
		{fmt.Errorf("EINTR, as the test knows: %w", unix.EINTR), guess},
		{os.ErrNoDeadline, notPolled},
		{&os.PathError{Op: "set", Path: "|1", Err: os.ErrNoDeadline}, notPolled},
		{ofNil, nilFile},
		{connOfNil, nilFile},
		{fmt.Errorf("Recv(): %w", ofNil), nilFile},
		{os.NewSyscallError("fcntl", unix.EINVAL), guess},
		{&os.PathError{Op: "write", Path: "|1", Err: unix.EINVAL}, guess},
		{errors.New("no"), guess},
	} {
		for form, f := range map[string]failure{
			"of testify":     testified(func(r recorder) { require.NoError(r, c.err, "Send(): "+guess) }),
			"of Returns":     {Verdict: verdict.Wrong, Detail: []string{"got:      " + orNone(c.err)}, Reason: guess},
			"of SyscallConn": {Verdict: verdict.Wrong, Detail: []string{"got:      " + c.err.Error()}, Reason: guess},
		} {
			require.Contains(t, f.finding().Message, "\n\n"+c.want, "%v, %s", c.err, form)
		}
	}
	expected := failure{Verdict: verdict.Wrong, Detail: []string{"expected: the error: bad file descriptor", "got:      no error"}}
	require.NotContains(t, expected.finding().Message, badDescriptor)
}

// testified returns a failure of testify as ours.
func testified(fails func(recorder)) (f failure) {
	fails(func(text string) { f = parse(text) })
	return f
}

// An error that is too long for a line is shown whole where a process ended with it, and
// not twice.
func TestACutErrorIsMadeWhole(t *testing.T) {
	long := "the first words " + strings.Repeat("and more ", 50)
	f := testified(func(r recorder) { require.NoError(r, errors.New(long), "Send()") })
	require.NotContains(t, f.text(), long)
	f.whole("another error: " + long)
	require.NotContains(t, f.text(), long)
	f.whole(long + "\nand a second line")
	require.Equal(t, 1, strings.Count(f.text(), "the first words"))
	require.Contains(t, f.text(), "got:      "+long)
	require.NotContains(t, f.text(), "bytes more")
}

// One error may have the words of another one, and mean something else.
func TestSameWords(t *testing.T) {
	for _, c := range []struct {
		came, want string
		same       bool
	}{
		{"EOF", "EOF", true},
		{"unexpected EOF", "EOF", false},
		{"read: unexpected EOF\nclose: EOF", "EOF", true},
		{"setsockopt: invalid argument", "invalid argument", true},
		{`"EOF"`, "EOF", true},
		{"pipe: message too large: 5 bytes", "message too large", true},
		{"invalid argument", "EOF", false},
		{"EOF", "", false},
	} {
		require.Equal(t, c.same, sameWords(c.came, c.want), "%q and %q", c.came, c.want)
	}
}
