package socket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// lackOfDescriptors is a part of step 13: what else has to go well in a server that has
// no descriptor left, or that works in another folder by now.
func lackOfDescriptors(l *lab.Lab) {
	for _, where := range []string{noDescriptor, otherFolder} {
		closes := l.Start(closesElsewhere, lab.Tell("folder", l.Dir()), lab.Tell("where", where))
		require.NoError(l, closes.Wait(), "Close() of a Listener %s", where)
	}
	require.NoError(l, l.Start(receivesWithoutDescriptors).Wait(), "RecvFile() in a process that has no descriptor left")
}

const (
	noDescriptor = "when the process has no descriptor left"
	otherFolder  = "at a relative path, when the process works in another folder"
)

var closesElsewhere = lab.NewRole("server that closes", func(c *lab.Child) error {
	if err := os.Chdir(c.Text("folder")); err != nil {
		return err
	}
	s, err := socket.Listen("closed")
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	reason := "does Close look for it from the folder in which the process works now?"
	if c.Text("where") == otherFolder {
		if err := os.Chdir("/"); err != nil {
			return err
		}
	} else {
		reason = "does Close need a descriptor for that, which it could have kept since Listen?"
		giveBack, err := noDescriptorLeft()
		if err != nil {
			return err
		}
		defer giveBack()
	}
	closeErr := s.Close()
	if _, err := os.Lstat(filepath.Join(c.Text("folder"), "closed")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the socket's file is still there (Close returned: %v): %s", closeErr, reason)
	}
	return closeErr
})

// receivesWithoutDescriptors gets a file when it has no descriptor for it, and one when
// it has.
var receivesWithoutDescriptors = lab.NewRole("receiver without a descriptor", func(c *lab.Child) error {
	a, b, err := socket.Pair()
	if err != nil {
		return fmt.Errorf("Pair(): %w", err)
	}
	r, _, err := os.Pipe()
	if err != nil {
		return err
	}
	for _, message := range []string{"asked for", "not asked for", "after it"} {
		if err := a.SendFile([]byte(message), r); err != nil {
			return fmt.Errorf("SendFile(): %w", err)
		}
	}
	giveBack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	p, f, err := b.RecvFile()
	switch {
	case err == nil && f == nil:
		return fmt.Errorf("RecvFile() returned %q, no file and no error: the kernel had no descriptor for the file, and says so in a flag only (MSG_CTRUNC)", p)
	case !errors.Is(err, unix.EMFILE) || f != nil:
		return fmt.Errorf("RecvFile() returned %q, the file %v and the error %v, where EMFILE is expected", p, f, err)
	}
	if err := expect(b, "not asked for"); err != nil {
		return fmt.Errorf("Recv(), which asks for no file, of a message for whose file there is no descriptor: %w", err)
	}
	if err := giveBack(); err != nil {
		return err
	}
	p, f, err = b.RecvFile()
	if err != nil || f == nil || string(p) != "after it" {
		return fmt.Errorf("RecvFile() of the next message, when there are descriptors again, returned %q, the file %v and the error %v", p, f, err)
	}
	return nil
})

// noDescriptorLeft makes each call fail that wants a descriptor in this process (EMFILE),
// until they are given back.
func noDescriptorLeft() (giveBack func() error, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	// Every number up to the highest one is taken, and the limit is there.
	var taken []*os.File
	giveBack = func() error {
		for _, f := range taken {
			f.Close()
		}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for {
		n, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return giveBack, err
		}
		taken = append(taken, os.NewFile(uintptr(n), "taken"))
		if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { used, _ := strconv.Atoi(e.Name()); return used > n }) {
			return giveBack, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n) + 1, Max: limit.Max})
		}
	}
}
