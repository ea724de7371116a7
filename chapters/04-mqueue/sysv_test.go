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

// Step 14: System V: Get makes a queue, finds one that is there, and says which of the two
// it may not do.
func TestGetMakesAndFindsASystemVQueue(t *testing.T) {
	l := lab.New(t)
	key := l.Key()
	_, err := mqueue.Get(key, 0)
	require.ErrorIs(l, err, unix.ENOENT, "Get() without IPC_CREAT of a queue that is not there")
	require.ErrorContains(l, err, fmt.Sprintf("%#x", key), "Get() without IPC_CREAT: the text has the key, as ipcs(1) shows it")

	s, err := mqueue.Get(key, unix.IPC_CREAT|0o640)
	require.NoError(l, err, "Get() with IPC_CREAT")
	l.CloseAtEnd(removed(s.ID()))
	_, err = mqueue.Get(key, sysvNew)
	require.ErrorIs(l, err, unix.EEXIST, "Get() with IPC_CREAT and IPC_EXCL of a key that something has already: it may be another program's")
	require.ErrorContains(l, err, fmt.Sprintf("%#x", key), "Get() with IPC_EXCL: the text has the key")
	for _, flag := range []int{0, 0o600, unix.IPC_CREAT | 0o600} {
		other, err := mqueue.Get(key, flag)
		require.NoError(l, err, "Get(key, %#o) of a queue that is there", flag)
		require.Equal(l, s.ID(), other.ID(), "the id of a queue that is there")
	}

	for _, wide := range []int{key + 1<<32, key - 1<<33, math.MinInt32 - 1, -math.MaxUint32} {
		_, err := mqueue.Get(wide, 0)
		require.ErrorIs(l, err, unix.EINVAL, "Get() of key %#x: a key has 32 bits, and the kernel looks at no others", wide)
	}
	_, err = mqueue.Get(math.MinInt32, 0) // nobody has it, as a rule
	require.NotErrorIs(l, err, unix.EINVAL, "Get() of key %#x: that is the lowest number of 32 bits", math.MinInt32)

	stat, err := s.Stat()
	require.NoError(l, err, "Stat()")
	room := systemSetting(l, "kernel/msgmnb")
	require.Equal(l, mqueue.Stat{MaxBytes: room, UID: os.Geteuid(), Mode: 0o640}, stat, "Stat() of a new queue: struct msqid64_ds is in linux/msg.h and asm-generic/msgbuf.h")
	require.NoError(l, rawMsgsnd(s.ID(), 1, "hello"), "msgsnd() of the test's own")
	require.NoError(l, rawMsgsnd(s.ID(), 2, ""), "msgsnd() of the test's own")
	stat, err = s.Stat()
	require.NoError(l, err, "Stat()")
	require.Equal(l, mqueue.Stat{Messages: 2, Bytes: 5, MaxBytes: room, Sender: os.Getpid(), UID: os.Geteuid(), Mode: 0o640}, stat, "Stat() of a queue with two messages of 5 bytes together")
	receiver := l.Start(receivesOne, lab.Tell("id", strconv.Itoa(s.ID())))
	require.NoError(l, receiver.Wait(), "a process that receives")
	stat, err = s.Stat()
	require.NoError(l, err, "Stat()")
	require.Equal(l, receiver.PID(), stat.Receiver, "Stat(): who was the last to receive")
	require.Equal(l, 1, stat.Messages, "Stat(): messages")

	// Each call with IPC_PRIVATE makes one.
	first, err := mqueue.Get(unix.IPC_PRIVATE, 0o600)
	require.NoError(l, err, "Get(IPC_PRIVATE)")
	l.CloseAtEnd(removed(first.ID()))
	second, err := mqueue.Get(unix.IPC_PRIVATE, sysvNew)
	require.NoError(l, err, "Get(IPC_PRIVATE)")
	l.CloseAtEnd(removed(second.ID()))
	require.NotEqual(l, first.ID(), second.ID(), "Get(IPC_PRIVATE) the second time")

	// Owner and room may change (IPC_SET).
	owner := givenAway(l, second.ID(), 100)
	stat, err = second.Stat()
	require.NoError(l, err, "Stat()")
	require.Equal(l, mqueue.Stat{MaxBytes: 100, UID: owner, Mode: 0o600}, stat, "Stat() of a queue whose room or owner somebody has changed (IPC_SET): is it the queue's own room, and its owner, not its maker (uid, not cuid)?")

	require.NoError(l, s.Remove(), "Remove()")
	_, err = mqueue.Get(key, 0)
	require.ErrorIs(l, err, unix.ENOENT, "Get() after Remove()")
	_, err = s.Stat()
	require.ErrorIs(l, err, unix.EIDRM, "Stat() after Remove(): the kernel's own error is EINVAL")
	require.ErrorIs(l, s.Remove(), unix.EIDRM, "Remove() the second time: the kernel's own error is EINVAL")

	// What a crashed run left is removed, and the key is taken anew.
	maker := l.Start(makesSystemVAndDies, lab.Tell("key", strconv.Itoa(key)))
	require.Error(l, maker.Wait(), "the maker of the queue, which kills itself")
	old, err := mqueue.Get(key, 0)
	require.NoError(l, err, "Get() of what a killed process had made")
	l.CloseAtEnd(removed(old.ID()))
	stat, err = old.Stat()
	require.NoError(l, err, "Stat()")
	require.Equal(l, maker.PID(), stat.Sender, "Stat() of what a killed process left: who was the last to send")
	require.NoError(l, old.Remove(), "Remove()")
	fresh, err := mqueue.Get(key, sysvNew)
	require.NoError(l, err, "Get() with IPC_EXCL after Remove()")
	l.CloseAtEnd(removed(fresh.ID()))
	stat, err = fresh.Stat()
	require.NoError(l, err, "Stat()")
	require.Zero(l, stat.Messages, "messages in a new queue")

	l.RefusesCalls()
	require.NoError(l, l.Start(getsOnAFullMachine, lab.Tell("key", strconv.Itoa(l.Key()))).Wait(), "a process on a machine that allows no System V queue more (/proc/sys/kernel/msgmni)")
}

// getsOnAFullMachine is told what the kernel says where as many queues are there as it allows.
var getsOnAFullMachine = lab.NewRole("process on a machine that allows no System V queue more", func(c *lab.Child) error {
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	if err := c.RefuseCall(unix.ENOSPC, unix.SYS_MSGGET); err != nil {
		return err
	}
	_, err = mqueue.Get(key, sysvNew)
	switch text := fmt.Sprintf("%#x", key); {
	case !errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("Get() where the kernel says %q: all other errors are the kernel's own. Got: %v", unix.ENOSPC, err)
	case !strings.Contains(err.Error(), text):
		return fmt.Errorf("Get() where the kernel says %q: the key %s is in the text: %w", unix.ENOSPC, text, err)
	}
	return nil
})

var makesSystemVAndDies = lab.NewRole("System V maker that is killed", func(c *lab.Child) error {
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	s, err := mqueue.Get(key, sysvNew)
	if err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	if err := s.Send([]byte("left behind")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	c.Die()
	return nil
})

var receivesOne = lab.NewRole("System V receiver", func(c *lab.Child) error {
	id, err := strconv.Atoi(c.Text("id"))
	if err != nil {
		return err
	}
	_, text, err := rawMsgrcv(id)
	if err == nil && text != "hello" {
		return fmt.Errorf("received %q", text)
	}
	return err
})

// Step 15: System V: a message of n bytes arrives as n bytes, with its type, in another
// process and in memory of any size.
func TestSystemVMessageArrives(t *testing.T) {
	l := lab.New(t)
	s, key := system(l)
	most := systemSetting(l, "kernel/msgmax")

	memory := append(make([]byte, 0, 32), "hello, caller"...)
	require.NoError(l, s.Send(memory[:5]), `Send("hello")`)
	require.Equal(l, "hello, caller", string(memory), `the caller's memory after Send("hello")`)
	typ, text, err := rawMsgrcv(s.ID())
	require.NoError(l, err, `msgrcv() of the test's own, after Send("hello")`)
	require.Equal(l, "hello", text, `what Send("hello") sent: the type comes before the text and does not count as a part of it`)
	require.Equal(l, 1, typ, `the type of what Send("hello") sent: a long of C, in the machine's byte order`)

	for _, send := range []struct {
		what string
		f    func(p []byte, typ int) error
	}{{"SendType()", func(p []byte, typ int) error { return s.SendType(p, typ, never) }}, {"TrySend()", s.TrySend}} {
		for _, typ := range []int{1, 2, 1 << 40, math.MaxInt} {
			require.NoError(l, send.f([]byte("typed"), typ), "%s with type %d", send.what, typ)
			got, text, err := rawMsgrcv(s.ID())
			require.NoError(l, err, "msgrcv() of the test's own, after %s", send.what)
			require.Equal(l, fmt.Sprint(typ, " typed"), fmt.Sprint(got, " ", text), "type and text of what %s sent with type %d", send.what, typ)
		}
		for _, bad := range []int{0, -1, math.MinInt} {
			require.ErrorIs(l, send.f([]byte("x"), bad), unix.EINVAL, "%s with type %d", send.what, bad)
		}
		for _, size := range []int{most + 1, 1<<31 + 5, 1<<32 + 5} {
			p := pattern(most + 1)
			if size > len(p) {
				p = unreadable(l, size) // to copy so much before it is refused would be a mistake, too
			}
			err := send.f(p, 1)
			require.ErrorIs(l, err, unix.EMSGSIZE, "%s of %d bytes, where the machine allows %d: the kernel's own error is EINVAL, which says little", send.what, size, most)
			require.Contains(l, lab.Numbers(err), most, "the numbers in the text of %s of %d bytes: it names the limit", send.what, size)
		}
	}
	require.ErrorIs(l, s.Send(pattern(most+1)), unix.EMSGSIZE, "Send() of %d bytes, where the machine allows %d", most+1, most)
	_, _, err = rawMsgrcv(s.ID())
	require.ErrorIs(l, err, unix.ENOMSG, "the queue after messages were refused")

	require.NoError(l, s.Send(nil), "Send(nil)")
	require.NoError(l, s.Send([]byte{}), "Send() of an empty slice")
	require.NoError(l, expect(s, ""), "Recv() of an empty message: 0 bytes are no error")
	p, got, err := s.RecvType(nil, 0, never)
	require.NoError(l, err, "RecvType() of an empty message")
	require.Empty(l, p, "RecvType() of an empty message")
	require.Equal(l, 1, got, "RecvType(): the type of what Send() sent")

	require.NoError(l, rawMsgsnd(s.ID(), 7, "one"), "msgsnd() of the test's own")
	first, got, err := s.TryRecv(nil, 0)
	require.NoError(l, err, "TryRecv()")
	require.Equal(l, 7, got, "TryRecv(): the type")
	require.NoError(l, rawMsgsnd(s.ID(), math.MaxInt, "two"), "msgsnd() of the test's own")
	p, got, err = s.RecvType(make([]byte, 9), 0, never)
	require.NoError(l, err, "RecvType()")
	require.Equal(l, "two", string(p), "RecvType()")
	require.Equal(l, math.MaxInt, got, "RecvType(): a type is as large as a long of C")
	require.Equal(l, "one", string(first), "the first message, after a later one was received: does every call use the same buffer?")
	require.Less(l, cap(first), 100, "the memory of a message of 3 bytes: does it follow the message?")
	require.Less(l, keeps(l, func() []byte {
		require.NoError(l, rawMsgsnd(s.ID(), 1, "one"), "msgsnd() of the test's own")
		p, err := s.Recv()
		require.NoError(l, err, "Recv()")
		return p
	}), many*1000, "the memory that is in use while somebody keeps %d messages of 3 bytes: is each the beginning of memory for the largest message?", many)

	for _, size := range []int{0, 1, 20, most} {
		for _, room := range []int{0, 19, 20, 21, most, most + 9} {
			require.NoError(l, rawMsgsnd(s.ID(), 3, string(pattern(size))), "msgsnd() of the test's own")
			memory := []byte(strings.Repeat("m", room+8))
			buf := memory[: room/2 : room]
			got, err := s.RecvInto(buf)
			require.NoError(l, err, "RecvInto() of %d bytes, with memory for %d: too little for the kernel is E2BIG, and the message stays", size, room)
			l.SameBytes(pattern(size), got, "RecvInto() of %d bytes, with memory for %d", size, room)
			require.Equal(l, "mmmmmmmm", string(memory[room:]), "memory behind the caller's, after RecvInto()")
			if size <= room {
				require.Equal(l, room, cap(got), "capacity of what RecvInto() of %d bytes returned, with memory for %d: is it buf[:n]?", size, room)
			}
			if size <= room && room > 0 {
				require.Same(l, &memory[0], &got[:1][0], "where RecvInto() of %d bytes put them, with memory for %d: is it the caller's?", size, room)
			}
		}
	}
	require.NoError(l, rawMsgsnd(s.ID(), 1, "first"), "msgsnd() of the test's own")
	kept, err := s.RecvInto(make([]byte, 5))
	require.NoError(l, err, "RecvInto()")
	require.NoError(l, rawMsgsnd(s.ID(), 1, "later"), "msgsnd() of the test's own")
	require.NoError(l, expect(s, "later"), "Recv()")
	require.Equal(l, "first", string(kept), "a message in the caller's memory, after a later one was received")

	sizes := sizesUpTo(most, l.Rand("sizes"))[:5] // for so many there is room
	producer := l.Start(sendsSystemV, lab.Tell("key", strconv.Itoa(key)), lab.Tell("sizes", join(sizes)))
	for i, size := range sizes {
		p, got, err := s.RecvType(nil, 0, never)
		require.NoError(l, err, "RecvType() of message %d of a producer", i+1)
		l.SameBytes(pattern(size), p, "RecvType() of message %d of a producer, which has %d bytes", i+1, size)
		require.Equal(l, i+1, got, "the type of message %d of a producer", i+1)
	}
	l.MustShare(lab.SysVQueue, producer)
	producer.Exit()
}

var sendsSystemV = lab.NewRole("System V producer", func(c *lab.Child) error {
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	s, err := mqueue.Get(key, 0)
	if err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	for i, size := range strings.Split(c.Text("sizes"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		p := pattern(n)
		if err := s.SendType(p, i+1, never); err != nil {
			return fmt.Errorf("SendType() of %d bytes: %w", n, err)
		}
		clear(p)
	}
	c.Wait()
	return s.Close()
})

// systemSetting is a number below /proc/sys: "kernel/msgmax".
func systemSetting(l *lab.Lab, name string) int {
	text, err := os.ReadFile("/proc/sys/" + name)
	require.NoError(l, err, "reading /proc/sys/%s", name)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(l, err, "reading /proc/sys/%s", name)
	return n
}

// Step 16: System V: receive by type: one type, or the lowest up to a bound; in order
// within it.
func TestSystemVReceivesByType(t *testing.T) {
	l := lab.New(t)
	s, _ := system(l)
	sent := []int{5, 3, 9, 3, 5, 1, 9}
	for i, typ := range sent {
		require.NoError(l, rawMsgsnd(s.ID(), typ, strconv.Itoa(i)), "msgsnd() of the test's own")
	}
	for _, ask := range []struct{ typ, want int }{
		{9, 2},  // the oldest one of type 9
		{-4, 5}, // the lowest type up to 4 is 1
		{-4, 1}, // then 3, in order
		{-5, 3},
		{5, 0},
		{0, 4}, // the oldest one of all
		{0, 6},
	} {
		receive := s.TryRecv
		if ask.want%2 == 0 {
			receive = func(buf []byte, typ int) ([]byte, int, error) { return s.RecvType(buf, typ, never) }
		}
		var got []byte
		var typ int
		call := l.Call(fmt.Sprintf("RecvType() or TryRecv() with type %d", ask.typ), func() (err error) { got, typ, err = receive(nil, ask.typ); return err })
		call.ReturnsSoon(nil)
		require.Equal(l, strconv.Itoa(ask.want), string(got), "RecvType() or TryRecv() with type %d, of messages with the types %v, which are called 0 to 6: is the sign kept?", ask.typ, sent)
		require.Equal(l, sent[ask.want], typ, "the type of message %d", ask.want)
	}

	// The others stay, and one that does not fit wakes nobody.
	require.NoError(l, rawMsgsnd(s.ID(), 5, "five"), "msgsnd() of the test's own")
	for _, typ := range []int{4, 6, -4, math.MaxInt} {
		_, _, err := s.TryRecv(nil, typ)
		require.ErrorIs(l, err, mqueue.ErrEmpty, "TryRecv() with type %d, where only type 5 is there: ENOMSG", typ)
	}
	recv := l.Call("RecvType() with type 6", func() error {
		p, _, err := s.RecvType(nil, 6, never)
		if err != nil {
			return err
		}
		return same(p, "six")
	})
	recv.Blocks("only a message of type 5 is there")
	require.NoError(l, rawMsgsnd(s.ID(), 7, "seven"), "msgsnd() of the test's own")
	recv.Blocks("only messages of type 5 and 7 are there")
	require.NoError(l, rawMsgsnd(s.ID(), 6, "six"), "msgsnd() of the test's own")
	recv.Returns(nil)
	require.NoError(l, expect(s, "five"), "Recv(): it takes the oldest one, whatever its type is")
	require.NoError(l, rawMsgsnd(s.ID(), 3, "three"), "msgsnd() of the test's own")
	p, got, err := s.RecvType(nil, math.MinInt, never)
	require.NoError(l, err, "RecvType() with the most negative type: the lowest type of all")
	require.Equal(l, "3 three", fmt.Sprint(got, " ", string(p)), "RecvType() with the most negative type")
}
