package mqueue_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// Step 22: what a machine allows is a setting. Both kinds go by what it is, and not by what it is
// on most of them.
func TestLimitsAreTheMachines(t *testing.T) {
	l := lab.New(t)
	require.NoError(l, l.Start(isElsewhere, lab.Tell("new", named(l, "new")),
		lab.Setting("fs/mqueue/msg_default", elsewhere.MaxMessages), lab.Setting("fs/mqueue/msgsize_default", elsewhere.MaxSize),
		lab.Setting("fs/mqueue/msg_max", elsewhereMost.MaxMessages), lab.Setting("fs/mqueue/msgsize_max", elsewhereMost.MaxSize)).Wait(),
		"a process on a machine whose settings are others (/proc/sys/fs/mqueue)")
	for _, most := range []int{100, 20_000} {
		there := l.Start(isElsewhereBySysV, lab.Tell("most", strconv.Itoa(most)), lab.Setting("kernel/msgmax", most), lab.Setting("kernel/msgmnb", 65_536))
		require.NoError(l, there.Wait(), "a process on a machine that allows messages of %d bytes (/proc/sys/kernel/msgmax)", most)
	}
}

// What a queue has for which nothing is asked, and what is allowed, on a machine that is not set as usual.
var elsewhere, elsewhereMost = mqueue.Attr{MaxMessages: 3, MaxSize: 200}, mqueue.Attr{MaxMessages: 5, MaxSize: 20_000}

var isElsewhere = lab.NewRole("process on a machine with other limits of queues", func(c *lab.Child) error {
	name := c.Text("new")
	what := fmt.Sprintf("where /proc/sys/fs/mqueue allows %d messages of %d bytes, and %d of %d are the default", elsewhereMost.MaxMessages, elsewhereMost.MaxSize, elsewhere.MaxMessages, elsewhere.MaxSize)
	plain, err := mqueue.Open(name, create, 0o600, nil)
	if err != nil {
		return fmt.Errorf("Open() without attributes, %s: %w", what, err)
	}
	attr, err := plain.Attr()
	if err != nil {
		return fmt.Errorf("Attr(), %s: %w", what, err)
	}
	if attr.MaxMessages != elsewhere.MaxMessages || attr.MaxSize != elsewhere.MaxSize {
		return fmt.Errorf("Open() without attributes, %s: nil leaves them to the kernel, and got: %+v", what, attr)
	}
	if err := errors.Join(plain.Close(), mqueue.Unlink(name)); err != nil {
		return err
	}
	large, err := mqueue.Open(name, create, 0o600, &elsewhereMost)
	if err != nil {
		return fmt.Errorf("Open() with %d messages of %d bytes, %s: the kernel knows what is allowed: %w", elsewhereMost.MaxMessages, elsewhereMost.MaxSize, what, err)
	}
	message := pattern(elsewhereMost.MaxSize)
	if err := large.Send(message); err != nil {
		return fmt.Errorf("Send() of %d bytes, %s: %w", len(message), what, err)
	}
	got, err := large.Recv()
	if err != nil {
		return fmt.Errorf("Recv() of %d bytes, %s: %w", len(message), what, err)
	}
	if string(got) != string(message) {
		return fmt.Errorf("Recv() of %d bytes, %s: %s", len(message), what, lab.Difference(message, got))
	}
	if err := errors.Join(large.Close(), mqueue.Unlink(name)); err != nil {
		return err
	}
	if _, err := mqueue.Open(name, create, 0o600, &mqueue.Attr{MaxMessages: elsewhereMost.MaxMessages + 1, MaxSize: 10}); !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("Open() with %d messages, %s: expected %q, and got: %v", elsewhereMost.MaxMessages+1, what, unix.EINVAL, err)
	}
	need := mqueue.QueueBytes(elsewhere)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit); err != nil {
		return err
	}
	limit.Cur = uint64(need - 1)
	if err := unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &limit); err != nil {
		return err
	}
	_, err = mqueue.Open(name, create, 0o600, nil)
	switch {
	case !errors.Is(err, mqueue.ErrLimit):
		return fmt.Errorf("Open() without attributes, %s, with RLIMIT_MSGQUEUE %d: expected ErrLimit, and got: %v", what, limit.Cur, err)
	case !strings.Contains(err.Error(), strconv.Itoa(need)):
		return fmt.Errorf("Open() without attributes, %s, with RLIMIT_MSGQUEUE %d: what this queue needs is %d bytes here: %w", what, limit.Cur, need, err)
	}
	return nil
})

var isElsewhereBySysV = lab.NewRole("process on a machine with another limit of messages", func(c *lab.Child) error {
	most, err := strconv.Atoi(c.Text("most"))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("where /proc/sys/kernel/msgmax is %d", most)
	s, err := mqueue.Get(unix.IPC_PRIVATE, 0o600)
	if err != nil {
		return fmt.Errorf("Get(IPC_PRIVATE): %w", err)
	}
	defer s.Remove()
	p := pattern(most + 1)
	for _, send := range []struct {
		what string
		f    func(p []byte) error
	}{{"Send()", s.Send}, {"SendType()", func(p []byte) error { return s.SendType(p, 1, never) }}, {"TrySend()", func(p []byte) error { return s.TrySend(p, 1) }}} {
		if err := send.f(p); !errors.Is(err, unix.EMSGSIZE) {
			return fmt.Errorf("%s of %d bytes, %s: expected %q, and got: %v", send.what, len(p), what, unix.EMSGSIZE, err)
		} else if !strings.Contains(err.Error(), strconv.Itoa(most)) {
			return fmt.Errorf("%s of %d bytes, %s: the text names the limit, as it is here: %w", send.what, len(p), what, err)
		}
		if err := send.f(p[:most]); err != nil {
			return fmt.Errorf("%s of %d bytes, %s: %w", send.what, most, what, err)
		}
		got, err := s.Recv()
		if err != nil {
			return fmt.Errorf("Recv() of %d bytes, %s: %w", most, what, err)
		}
		if string(got) != string(p[:most]) {
			return fmt.Errorf("Recv() of %d bytes, %s: %s", most, what, lab.Difference(p[:most], got))
		}
	}
	return nil
})
