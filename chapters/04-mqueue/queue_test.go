package mqueue_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// Step 1: Open makes a queue, finds one that is there, and says which of the two it may
// not do.
func TestOpenMakesAndFindsAQueue(t *testing.T) {
	l := lab.New(t)
	wanted := mqueue.Attr{MaxMessages: 4, MaxSize: 100}
	name := named(l, "jobs")

	_, err := mqueue.Open(name, unix.O_RDWR, 0o600, &wanted)
	require.ErrorIs(l, err, unix.ENOENT, "Open() without O_CREAT of a queue that is not there")
	require.ErrorContains(l, err, name, "Open() without O_CREAT of a queue that is not there: the text names it")
	require.False(l, exists(l, name), "a queue after an Open() without O_CREAT: was it made all the same?")

	q, err := mqueue.Open(name, unix.O_RDWR|unix.O_CREAT, 0o600, &wanted)
	require.NoError(l, err, "Open() with O_CREAT: has the kernel got the name without its slash?")
	l.CloseAtEnd(q)
	lab.CollectGarbage()
	l.MustBe("Open()", q, lab.MessageQueue)
	require.Equal(l, "reading and writing", l.Access(q), "Open() with O_RDWR")
	require.Equal(l, "close-on-exec", l.OnExec(q), "Open(): is O_CLOEXEC asked for when the queue is opened?")
	require.Equal(l, wanted, attrOf(l, q), "the attributes of what Open() made: the second number of struct mq_attr is mq_maxmsg, the third mq_msgsize")
	attr, err := q.Attr()
	require.NoError(l, err, "Attr()")
	require.Equal(l, wanted, attr, "Attr()")

	rawSend(l, q, "hello", 0)
	_, err = mqueue.Open(name, create, 0o600, &wanted)
	require.ErrorIs(l, err, unix.EEXIST, "Open() with O_CREAT and O_EXCL of a queue that is there")
	require.ErrorContains(l, err, name, "Open() with O_CREAT and O_EXCL of a queue that is there: the text names it")
	for _, access := range []struct {
		flag int
		says string
	}{{unix.O_RDONLY, "reading"}, {unix.O_WRONLY, "writing"}, {unix.O_RDWR | unix.O_CREAT, "reading and writing"}} {
		other, err := mqueue.Open(name, access.flag, 0o600, &wanted)
		require.NoError(l, err, "Open() of a queue that is there, for %s", access.says)
		l.CloseAtEnd(other)
		require.Equal(l, access.says, l.Access(other), "Open() of a queue that is there: is the flag passed on?")
		attr, err := other.Attr()
		require.NoError(l, err, "Attr()")
		require.Equal(l, mqueue.Attr{MaxMessages: 4, MaxSize: 100, Messages: 1}, attr, "Attr() of a queue that was there, with a message in it")
	}

	// The kernel would open it without a word.
	descriptors := openDescriptors(l)
	for _, other := range []mqueue.Attr{{MaxMessages: 4, MaxSize: 99}, {MaxMessages: 4, MaxSize: 101}, {MaxMessages: 3, MaxSize: 100}, {MaxMessages: 5, MaxSize: 100}} {
		_, err := mqueue.Open(name, unix.O_RDWR|unix.O_CREAT, 0o600, &other)
		require.ErrorIs(l, err, mqueue.ErrAttr, "Open() with O_CREAT and attributes %d × %d, where a queue has 4 × 100: are those of the queue asked for afterwards?", other.MaxMessages, other.MaxSize)
		require.Subset(l, lab.Numbers(err, name), []int{4, 100, other.MaxMessages, other.MaxSize}, "the numbers in the text of Open() with other attributes: the text has those of the queue, and those that were asked for")
		q, err := mqueue.Open(name, unix.O_RDWR, 0o600, &other)
		require.NoError(l, err, "Open() without O_CREAT: it takes the queue as it is")
		require.NoError(l, q.Close(), "Close()")
	}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(l, err, "reading /proc/self/fd")
	require.LessOrEqual(l, len(entries), descriptors, "the descriptors that are open after an Open() was refused: is the queue closed then?")
	require.Equal(l, 1, attrOf(l, q).Messages, "messages in the queue after an Open() was refused")

	for _, bad := range []mqueue.Attr{{MaxMessages: 0, MaxSize: 100}, {MaxMessages: 4, MaxSize: 0}, {MaxMessages: -1, MaxSize: 100}, {MaxMessages: 4, MaxSize: -1}, {MaxMessages: 1 << 40, MaxSize: 100}, {}} {
		name := named(l, "bad")
		_, err := mqueue.Open(name, create, 0o600, &bad)
		require.ErrorIs(l, err, unix.EINVAL, "Open() of a new queue of %d messages of %d bytes", bad.MaxMessages, bad.MaxSize)
		require.False(l, exists(l, name), "a queue of %d messages of %d bytes: was it made all the same?", bad.MaxMessages, bad.MaxSize)
	}

	l.RefusesCalls()
	var made string
	l.Start(makesAtOnce, lab.Tell("name", named(l, "once"))).Report(&made)
	require.Equal(l, "close-on-exec", made, "Open() where F_SETFD is refused: does a second call set it? A program that another goroutine starts in between inherits the queue.")
	for _, umask := range []string{"0", "077"} {
		var mode string
		l.Start(makesWithPermissions, lab.Tell("name", named(l, "mode")), lab.Tell("umask", umask)).Report(&mode)
		want := map[string]string{"0": "-rw-rw----", "077": "-rw-------"}[umask]
		require.Equal(l, want, mode, "permissions of what Open(…, 0660, …) made where the umask is %s: are they the third argument of mq_open(2), and is the umask left alone?", umask)
	}
	require.NoError(l, l.Start(hasNoneLeft, lab.Tell("name", name), lab.Tell("new", named(l, "new"))).Wait(), "Open() without a free descriptor")

	// Another process may make or remove a queue of that name between any two calls.
	betweenCalls(l, heldOpener, "a queue", func(does string) string {
		return "Open() with O_CREAT while another process " + does + " a queue of that name: is it one call of the kernel, which makes the queue or finds it?"
	})
	atEachOpen(l, heldOpener, "a queue", "Open() with O_CREAT while another process makes and removes a queue of that name in turn: is it one call of the kernel, which makes the queue or finds it?")
}

var heldOpener = lab.NewRole("opener that is held", func(c *lab.Child) error {
	return heldCalls(c, func(name string) string {
		q, err := mqueue.Open(name, unix.O_RDWR|unix.O_CREAT, 0o600, &mqueue.Attr{MaxMessages: 4, MaxSize: 100})
		if err != nil {
			return "the error: " + err.Error()
		}
		return errorOr(q.Close(), "a queue")
	})
})

var makesAtOnce = lab.NewRole("maker of a queue", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	q, err := mqueue.Open(c.Text("name"), create, 0o600, &mqueue.Attr{MaxMessages: 1, MaxSize: 10})
	if err != nil {
		return fmt.Errorf("Open(): %w", err)
	}
	conn, err := q.SyscallConn()
	if err != nil {
		return err
	}
	var flags int
	if err := conn.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0) }); err != nil {
		return err
	}
	c.Report(map[bool]string{true: "close-on-exec", false: "inherited"}[flags&unix.FD_CLOEXEC != 0])
	return q.Close()
})

var makesWithPermissions = lab.NewRole("maker of a queue for a group", func(c *lab.Child) error {
	return showsPermissions(c, "Open()", func(name string) (*mqueue.Queue, error) {
		return mqueue.Open(name, create, 0o660, &mqueue.Attr{MaxMessages: 1, MaxSize: 10})
	})
})

// showsPermissions makes a queue under a umask, and reports its permissions.
func showsPermissions(c *lab.Child, what string, makes func(name string) (*mqueue.Queue, error)) error {
	mask, err := strconv.ParseInt(c.Text("umask"), 8, 32)
	if err != nil {
		return err
	}
	unix.Umask(int(mask))
	q, err := makes(c.Text("name"))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	conn, err := q.SyscallConn()
	if err != nil {
		return err
	}
	var s unix.Stat_t
	if err := conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &s) }); err != nil {
		return err
	}
	if now := unix.Umask(int(mask)); now != int(mask) {
		return fmt.Errorf("%s changed the umask to %#o: it belongs to the whole process", what, now)
	}
	c.Report(os.FileMode(s.Mode & 0o777).String())
	return q.Close()
}

var hasNoneLeft = lab.NewRole("process without a free descriptor", func(c *lab.Child) error {
	return errors.Join(
		noneLeft("Open() of a queue that is there", func() error {
			_, err := mqueue.Open(c.Text("name"), unix.O_RDWR, 0, nil)
			return err
		}),
		noneLeft("Open() of a new queue", func() error {
			_, err := mqueue.Open(c.Text("new"), create, 0o600, &mqueue.Attr{MaxMessages: 1, MaxSize: 10})
			return err
		}))
})

// openDescriptors counts what is open in the test's process.
func openDescriptors(l *lab.Lab) int {
	lab.CollectGarbage()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(l, err, "reading /proc/self/fd")
	return len(entries)
}

// Step 2: a name is a slash and up to 255 bytes without another one.
func TestNamesHaveOneSlash(t *testing.T) {
	l := lab.New(t)
	attr := mqueue.Attr{MaxMessages: 1, MaxSize: 10}
	short := l.Name("a")
	longest := named(l, "a"+strings.Repeat("b", 1+mqueue.MaxName-len(short)))
	require.Len(l, longest, 1+mqueue.MaxName)

	for _, bad := range []struct {
		name string
		want unix.Errno
	}{
		{"", unix.EINVAL}, {short[1:], unix.EINVAL}, {short + "\x00", unix.EINVAL}, {"/", unix.ENOENT},
		{"/" + short, unix.EACCES}, {short + "/", unix.EACCES}, {short + "/b", unix.EACCES}, {longest + "c", unix.ENAMETOOLONG},
	} {
		shown := fmt.Sprintf("%q", bad.name)
		if len(shown) > 60 {
			shown = "of a name of 256 bytes behind its slash"
		}
		_, err := mqueue.Open(bad.name, create, 0o600, &attr)
		require.ErrorIs(l, err, bad.want, "Open() %s", shown)
		_, err = mqueue.Renew(bad.name, 0o600, attr)
		require.ErrorIs(l, err, bad.want, "Renew() %s: the errors are those of Open", shown)
		require.ErrorIs(l, mqueue.Unlink(bad.name), bad.want, "Unlink() %s: the errors are those of Open", shown)
		require.False(l, exists(l, short), "a queue %q after Open() and Renew() %s: is something cut off the name?", short, shown)
	}

	for _, good := range []string{named(l, "good"), longest} {
		q, err := mqueue.Open(good, create, 0o600, &attr)
		require.NoError(l, err, "Open() of a name of %d bytes", len(good))
		l.CloseAtEnd(q)
		require.True(l, exists(l, good), "a queue of that name, after Open() of a name of %d bytes: it is the whole name, but for the slash", len(good))
		require.NoError(l, mqueue.Unlink(good), "Unlink() of a name of %d bytes", len(good))
		require.False(l, exists(l, good), "a queue of that name, after Unlink()")
		err = mqueue.Unlink(good)
		require.ErrorIs(l, err, unix.ENOENT, "Unlink() of a name that is gone")
		require.ErrorContains(l, err, good, "Unlink() of a name that is gone: the text has the name")
	}
}

// Step 3: a message of n bytes arrives as n bytes in another process, an empty one too.
func TestMessageArrivesInAnotherProcess(t *testing.T) {
	l := lab.New(t)
	const most = 1000
	q, name := queue(l, 8, most)

	memory := append(make([]byte, 0, 32), "hello, caller"...)
	require.NoError(l, q.Send(memory[:5]), `Send("hello")`)
	require.Equal(l, "hello, caller", string(memory), `the caller's memory after Send("hello")`)
	require.Equal(l, 1, attrOf(l, q).Messages, `messages in the queue after Send("hello"): did a call fail unseen?`)
	message, priority := rawReceive(l, q)
	require.Equal(l, "hello", message, `what Send("hello") sent: a queue keeps boundaries, so there is no frame`)
	require.Zero(l, priority, `the priority of what Send("hello") sent`)

	rawSend(l, q, "hello", 0)
	require.NoError(l, expect(q, "hello"), "Recv(): the kernel takes no memory that is smaller than the queue's largest message (EMSGSIZE), however small this one is")

	require.NoError(l, q.Send(nil), "Send(nil)")
	require.Equal(l, 1, attrOf(l, q).Messages, "messages in the queue after Send(nil): an empty message is one")
	require.NoError(l, q.Send([]byte{}), "Send() of an empty slice")
	rawSend(l, q, "one", 0)
	first, err := q.Recv()
	require.NoError(l, err, "Recv() of an empty message: 0 bytes are no error")
	require.Empty(l, first, "Recv() of an empty message")
	require.NoError(l, expect(q, ""), "Recv() of the second empty message")
	first, err = q.Recv()
	require.NoError(l, err, "Recv()")
	rawSend(l, q, "two", 0)
	require.NoError(l, expect(q, "two"), "Recv()")
	require.Equal(l, "one", string(first), "the first message, after a later one was received: does every Recv use the same buffer?")
	require.Less(l, cap(first), most/2, "the memory of a message of 3 bytes: does it follow the message, and not the queue?")
	require.Less(l, keeps(l, func() []byte {
		rawSend(l, q, "one", 0)
		p, err := q.Recv()
		require.NoError(l, err, "Recv()")
		return p
	}), many*most/2, "the memory that is in use while somebody keeps %d messages of 3 bytes: is each the beginning of memory for the largest message?", many)

	// By name, and by a descriptor that was handed over.
	sizes := sizesUpTo(most, l.Rand("sizes"))[:8] // for so many there is room
	require.NoError(l, l.Start(sendsPatterns, lab.Tell("name", name), lab.Tell("sizes", join(sizes))).Wait(), "the producer")
	for i, size := range sizes {
		require.NoError(l, expect(q, string(pattern(size))), "Recv() of message %d, which has %d bytes", i+1, size)
	}
	require.NoError(l, q.Send([]byte("hello")), `Send("hello")`)
	receiver := l.Start(receives, lab.Give("queue", q))
	var received string
	receiver.Report(&received)
	require.Equal(l, "hello", received, "Recv() in a process that was handed a copy of the descriptor")

	// Whoever shares a descriptor sees its flags change.
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		f, err := rawOpen(name, unix.O_RDWR|mode, 0, 0, 0)
		require.NoError(l, err, "mq_open() of the test's own")
		shared := l.File(f)
		before := flagsOf(l, shared)
		q := mqueue.NewQueue(f)
		l.CloseAtEnd(q)
		require.NoError(l, q.Send([]byte("hello")), `Send("hello") on a descriptor that was handed over`)
		require.NoError(l, expect(q, "hello"), "Recv() on a descriptor that was handed over")
		require.Equal(l, before, flagsOf(l, shared), "a descriptor that was handed over, after NewQueue(), Send() and Recv(): the flags belong to all who share it.")
	}
	before := flagsOf(l, again(l, name, unix.O_RDWR))
	require.Equal(l, before, flagsOf(l, q), "a descriptor after Send() and Recv(): has a call made it blocking?")
}

var sendsPatterns = lab.NewRole("producer", func(c *lab.Child) error {
	q, err := mqueue.Open(c.Text("name"), unix.O_WRONLY, 0, nil)
	if err != nil {
		return fmt.Errorf("Open(): %w", err)
	}
	lab.CollectGarbage()
	for size := range strings.SplitSeq(c.Text("sizes"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		p := pattern(n)
		if err := q.Send(p); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", n, err)
		}
		clear(p) // the message is the kernel's by now
	}
	return q.Close()
})

var receives = lab.NewRole("consumer", func(c *lab.Child) error {
	q := mqueue.NewQueue(c.File("queue"))
	lab.CollectGarbage()
	message, err := q.Recv()
	if err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	c.Report(string(message))
	return q.Close()
})

// join writes numbers as a role takes them: "1,2,3".
func join(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}

// Step 4: a message can be received into the caller's memory, of whatever size that is.
func TestMessageFitsAnyBuffer(t *testing.T) {
	l := lab.New(t)
	const most = 1000
	q, _ := queue(l, 4, most)

	for _, size := range []int{0, 1, 20, 999, most} {
		for _, room := range []int{0, 1, 19, 20, 21, most - 1, most, most + 1, 3 * most} {
			rawSend(l, q, string(pattern(size)), 0)
			memory := []byte(strings.Repeat("m", room+8))
			buf := memory[: room/2 : room]
			got, err := q.RecvInto(buf)
			require.NoError(l, err, "RecvInto() of %d bytes, with memory for %d: the kernel wants memory for the queue's largest message (%d bytes), whatever the caller has", size, room, most)
			l.SameBytes(pattern(size), got, "RecvInto() of %d bytes, with memory for %d", size, room)
			require.Equal(l, "mmmmmmmm", string(memory[room:]), "memory behind the caller's, after RecvInto() of %d bytes", size)
			if size > room {
				copy(got, "changed")
				require.Equal(l, strings.Repeat("m", room), string(buf[:room]), "the caller's memory for %d bytes, after RecvInto() of %d: it gets new memory, and none of this", room, size)
				continue
			}
			require.Equal(l, room, cap(got), "capacity of what RecvInto() of %d bytes returned, with memory for %d: is it buf[:n]?", size, room)
			if room > 0 {
				require.Same(l, &memory[0], &got[:1][0], "where RecvInto() of %d bytes put them, with memory for %d: is it the caller's?", size, room)
			}
		}
	}

	buf := make([]byte, 0, most)
	rawSend(l, q, "first", 0)
	_, err := q.RecvInto(buf)
	require.NoError(l, err, "RecvInto()")
	least := uint64(math.MaxUint64)
	for range 10 { // others may take memory meanwhile
		rawSend(l, q, string(pattern(most)), 0)
		least = min(least, lab.Allocated(func() { buf, err = q.RecvInto(buf) }))
		require.NoError(l, err, "RecvInto()")
	}
	require.Less(l, least, uint64(most/2), "bytes that RecvInto() allocated, with memory for the largest message: is the caller's used?")

	// Nor does the first call take any.
	first, firstName := queue(l, 1, 8000)
	least = math.MaxUint64
	for range 5 {
		q := again(l, firstName, unix.O_RDWR)
		rawSend(l, first, "first", 0)
		buf := make([]byte, 8000)
		least = min(least, lab.Allocated(func() { _, err = q.RecvInto(buf) }))
		require.NoError(l, err, "RecvInto()")
	}
	require.Less(l, least, uint64(8000/2), "bytes that the first RecvInto() of a Queue allocated, with memory for exactly the largest message: is the caller's used?")

	// What was lent once is not used for another message.
	small := make([]byte, 5)
	rawSend(l, q, "first", 0)
	kept, err := q.RecvInto(small)
	require.NoError(l, err, "RecvInto()")
	large := make([]byte, most)
	rawSend(l, q, string(pattern(most)), 0)
	large, err = q.RecvInto(large)
	require.NoError(l, err, "RecvInto()")
	rawSend(l, q, "later", 0)
	require.NoError(l, expect(q, "later"), "Recv()")
	rawSend(l, q, "again", 0)
	third, err := q.RecvInto(make([]byte, 2))
	require.NoError(l, err, "RecvInto()")
	rawSend(l, q, "other", 0)
	_, err = q.RecvInto(make([]byte, 2))
	require.NoError(l, err, "RecvInto()")
	require.Equal(l, "first", string(kept), "a message in the caller's memory, after later ones were received: does the Queue keep what it was lent?")
	l.SameBytes(pattern(most), large, "a message in the caller's memory, after later ones were received: does the Queue keep what it was lent?")
	require.Less(l, cap(third), most/2, "the memory of a message of 5 bytes, for which the caller's was too small: does it follow the message, and not the queue?")
	require.Equal(l, "again", string(third), "a message in new memory, after a later one was received: is that memory used again?")

	// A message of the largest size gets memory of its own, too.
	for _, room := range []int{0, 5} {
		rawSend(l, q, string(pattern(most)), 0)
		kept, err := q.RecvInto(make([]byte, room))
		require.NoError(l, err, "RecvInto()")
		rawSend(l, q, strings.Repeat("x", most), 0)
		_, err = q.RecvInto(make([]byte, room))
		require.NoError(l, err, "RecvInto()")
		l.SameBytes(pattern(most), kept, "a message of the largest size, received with memory for %d, after a later one was received: is the Queue's own memory handed out?", room)
	}

	// Two goroutines, each with a queue of its own, at once.
	var atOnce []*lab.Call
	for _, letter := range []string{"a", "b"} {
		q, _ := queue(l, 1, 8000)
		text := strings.Repeat(letter, 8000)
		atOnce = append(atOnce, l.Call("Send() and Recv() while another goroutine does so with another queue: do queues share memory?", func() error {
			for range 5000 {
				if err := errors.Join(q.Send([]byte(text)), expect(q, text)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, call := range atOnce {
		call.Returns(nil)
	}
}

// Step 5: a message that is too large is EMSGSIZE, and nothing is sent.
func TestTooLargeIsEMSGSIZE(t *testing.T) {
	l := lab.New(t)
	const most = 1000
	q, name := queue(l, 4, most)

	for _, size := range []int{most + 1, 2 * most, 1<<31 + 5, 1<<32 + 5} {
		err := q.Send(unreadable(l, size))
		require.ErrorIs(l, err, unix.EMSGSIZE, "Send() of %d bytes, where %d are the limit", size, most)
		require.Contains(l, lab.Numbers(err, name), most, "the numbers in the text of Send() of %d bytes: it names the limit", size)
		require.Zero(l, attrOf(l, q).Messages, "messages in the queue after Send() of %d bytes was refused", size)
	}
	require.NoError(l, q.Send(pattern(most)), "Send() of the largest message, after larger ones were refused")
	require.NoError(l, expect(q, string(pattern(most))), "Recv() of the largest message")

	// Somebody makes a queue of that name, with smaller messages. Who has the old one
	// open goes on with it.
	require.NoError(l, rawUnlink(name), "mq_unlink() of the test's own")
	smaller, err := rawOpen(name, create, 0o600, 2, 10)
	require.NoError(l, err, "mq_open() of the test's own")
	l.CloseAtEnd(smaller)
	other := again(l, name, unix.O_RDWR)
	err = other.Send(pattern(most))
	require.ErrorIs(l, err, unix.EMSGSIZE, "Send() of %d bytes to a queue that somebody else has made, whose messages have 10 at most", most)
	require.Contains(l, lab.Numbers(err, name), 10, "the numbers in the text of Send() to a queue that somebody else has made: the limit is that of the queue")
	require.NoError(l, other.Send(pattern(10)), "Send() of the largest message of a queue that somebody else has made")
	require.NoError(l, expect(other, string(pattern(10))), "Recv() from a queue that somebody else has made")
	require.NoError(l, q.Send(pattern(most)), "Send() to the old queue: is it still the descriptor that was opened?")
	require.NoError(l, expect(q, string(pattern(most))), "Recv() from the old queue")
}
