package mqueue_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// Step 19: permissions: who is not allowed to cannot open it, in either kind.
func TestStrangersAreRefused(t *testing.T) {
	l := lab.New(t)
	l.RefusesCalls()
	name := named(l, "jobs")
	f, err := rawOpen(name, create, 0o600, 2, 20)
	require.NoError(l, err, "mq_open() of the test's own")
	l.CloseAtEnd(f)
	_, key := system(l)

	// Where the kernel refuses, that is returned: here it refuses as if it were so.
	require.NoError(l, l.Start(isRefused, lab.Tell("name", name), lab.Tell("key", strconv.Itoa(key))).Wait(), "a process that the kernel refuses (EACCES)")

	require.NoError(l, f.Chmod(0o602), "giving others the permission to send")
	stranger := l.Start(stranger, lab.Tell("name", name), lab.Tell("key", strconv.Itoa(key)))
	var became string
	stranger.Report(&became)
	if became != "" {
		l.Unsupported("This test needs another user, and it may not become one: %s. (./task test chapter=4 as root may.)", became)
	}
	require.NoError(l, stranger.Wait(), "a process of another user")
}

var isRefused = lab.NewRole("process that is refused", func(c *lab.Child) error {
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	for _, number := range []uint32{unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK, unix.SYS_MSGGET, unix.SYS_MSGCTL, unix.SYS_MSGSND, unix.SYS_MSGRCV} {
		if err := c.RefuseCall(unix.EACCES, number); err != nil {
			return err
		}
	}
	attr := mqueue.Attr{MaxMessages: 1, MaxSize: 10}
	_, open := mqueue.Open(c.Text("name"), unix.O_RDWR, 0, nil)
	_, made := mqueue.Open(c.Text("name"), create, 0o600, &attr)
	_, renewed := mqueue.Renew(c.Text("name"), 0o600, attr)
	_, got := mqueue.Get(key, unix.IPC_CREAT|0o600)
	s := mqueue.NewSysV(0)
	_, stat := s.Stat()
	_, recv := s.Recv()
	_, _, try := s.TryRecv(nil, 0)
	return errors.Join(refusal("Open()", open), refusal("Open() of a new queue", made), refusal("Renew()", renewed), refusal("Unlink()", mqueue.Unlink(c.Text("name"))),
		refusal("Get()", got), refusal("Stat()", stat), refusal("Remove()", s.Remove()),
		refusal("SysV.Send()", s.Send(nil)), refusal("SysV.TrySend()", s.TrySend(nil, 1)), refusal("SysV.Recv()", recv), refusal("SysV.TryRecv()", try))
})

// refusal says what is wrong with the error of a call that is not allowed. It is EACCES, or
// EPERM where only the owner may do something.
func refusal(what string, err error) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return nil
	}
	return fmt.Errorf("%s: expected EACCES or EPERM, and got: %v", what, err)
}

var stranger = lab.NewRole("stranger", func(c *lab.Child) error {
	const nobody = 65534
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		c.Report(strings.ReplaceAll(err.Error(), "\n", ", "))
		return nil
	}
	c.Report("")
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	_, both := mqueue.Open(c.Text("name"), unix.O_RDWR, 0, nil)
	_, read := mqueue.Open(c.Text("name"), unix.O_RDONLY, 0, nil)
	write, err := mqueue.Open(c.Text("name"), unix.O_WRONLY, 0, nil)
	if err != nil {
		return fmt.Errorf("Open() with O_WRONLY, which is all that others may: %w", err)
	}
	_, renewed := mqueue.Renew(c.Text("name"), 0o600, mqueue.Attr{MaxMessages: 1, MaxSize: 10})
	_, asked := mqueue.Get(key, 0o600)
	_, made := mqueue.Get(key, unix.IPC_CREAT|0o600)
	// Without permissions in its flag msgget(2) asks for none, and the calls fail.
	s, err := mqueue.Get(key, 0)
	if err != nil {
		return fmt.Errorf("Get(key, 0), which asks for no permission: %w", err)
	}
	_, recv := s.Recv()
	_, stat := s.Stat()
	return errors.Join(write.Send([]byte("hello")), write.Close(),
		refusal("Open() with O_RDWR", both), refusal("Open() with O_RDONLY", read), refusal("Renew()", renewed), refusal("Unlink()", mqueue.Unlink(c.Text("name"))),
		refusal("Get() with 0600", asked), refusal("Get() with IPC_CREAT and 0600 of a queue that is there (is it looked for without permissions?)", made),
		refusal("SysV.Recv()", recv), refusal("SysV.Send()", s.Send(nil)), refusal("SysV.Stat()", stat), refusal("SysV.Remove()", s.Remove()))
})

// Step 20: ipcmk(1), ipcs(1) and ipcrm(1) make, see and remove the queues of Get.
func TestToolsOfTheShellSeeTheQueue(t *testing.T) {
	l := lab.New(t)
	ipcmk, ipcs, ipcrm := l.Program("ipcmk"), l.Program("ipcs"), l.Program("ipcrm")

	made := l.Run(exec.Command(ipcmk, "-Q", "-p", "0600")).Says("ipcmk -Q")
	id, err := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(made))
	require.NoError(l, err, "the id that ipcmk prints: %q", made)
	l.CloseAtEnd(removed(id))
	theirs := mqueue.NewSysV(id)
	require.NoError(l, theirs.Send([]byte("hello")), "Send() to a queue that ipcmk has made")
	stat, err := theirs.Stat()
	require.NoError(l, err, "Stat() of a queue that ipcmk has made")
	require.Equal(l, uint32(0o600), stat.Mode, "Stat() of a queue that ipcmk has made with 0600")
	require.Equal(l, 1, stat.Messages, "Stat() of a queue that ipcmk has made")
	l.Run(exec.Command(ipcrm, "-q", strconv.Itoa(id))).Says("ipcrm -q")
	require.ErrorIs(l, theirs.Send([]byte("x")), unix.EIDRM, "Send() to a queue that ipcrm has removed")

	s, key := system(l)
	require.NoError(l, s.SendType([]byte("hello"), 5, never), "SendType()")
	row := regexp.MustCompile(fmt.Sprintf(`(?m)^0x%08x\s+%d\s+.*\b600\s+5\s+1\s*$`, key, s.ID()))
	require.Regexp(l, row, l.Run(exec.Command(ipcs, "-q")).Says("ipcs -q"), "ipcs -q: a line with the key, the id, the permissions, 5 bytes, 1 message")
	recv := l.Call("RecvType() with type 4", func() error { _, _, err := s.RecvType(nil, 4, never); return err })
	recv.Blocks("only a message of type 5 is there")
	l.Run(exec.Command(ipcrm, "-Q", fmt.Sprintf("%#x", key))).Says("ipcrm -Q")
	recv.ReturnsSoon(unix.EIDRM)
}

// Step 21: programs in C and in Python exchange messages with queues of either kind,
// priorities and types included.
func TestQueueTalksToCAndPython(t *testing.T) {
	l := lab.New(t)
	cc, python := l.Program("cc"), l.Program("python3")
	source, binary := filepath.Join(l.Dir(), "peer.c"), filepath.Join(l.Dir(), "peer")
	require.NoError(l, os.WriteFile(source, []byte(cProgram), 0o600), "writing the program in C")
	l.Run(exec.Command(cc, "-Wall", "-o", binary, source, "-lrt")).Says("cc")
	talks(l, "a program in C", func(args ...string) *exec.Cmd { return exec.Command(binary, args...) })
	talks(l, "a program in Python", func(args ...string) *exec.Cmd {
		return exec.Command(python, append([]string{"-c", pythonProgram}, args...)...)
	})
}

// talks exchanges messages with a program that knows nothing of this package. It sends
// each one back, with a priority or a type that is one more.
func talks(l *lab.Lab, who string, command func(args ...string) *exec.Cmd) {
	sent := []string{"hello", "", string(pattern(100)), "the last"}
	to, toName := queue(l, 4, 100)
	back, backName := queue(l, 4, 200)
	for i, text := range sent {
		require.NoError(l, to.SendPriority([]byte(text), 10*i, never), "SendPriority()")
	}
	l.Run(command("posix", toName, backName, strconv.Itoa(len(sent)))).Says(who)
	for i := len(sent) - 1; i >= 0; i-- {
		got, priority, err := back.RecvPriority(nil, never)
		require.NoError(l, err, "RecvPriority() of what %s has sent", who)
		l.SameBytes([]byte(sent[i]), got, "RecvPriority() of what %s has received and sent back", who)
		require.Equal(l, 10*i+1, priority, "the priority of what %s has sent", who)
	}

	theirs, theirKey := system(l)
	mine, myKey := system(l)
	for i, text := range sent {
		require.NoError(l, theirs.SendType([]byte(text), 1+10*i, never), "SendType()")
	}
	l.Run(command("sysv", strconv.Itoa(theirKey), strconv.Itoa(myKey), strconv.Itoa(len(sent)))).Says(who)
	for i := range sent {
		got, typ, err := mine.RecvType(nil, 2+10*i, never)
		require.NoError(l, err, "RecvType() of what %s has sent", who)
		l.SameBytes([]byte(sent[i]), got, "RecvType() of what %s has received and sent back", who)
		require.Equal(l, 2+10*i, typ, "the type of what %s has sent", who)
	}
}

const cProgram = `
#include <err.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

static void posix(const char *in, const char *out, int count)
{
	mqd_t from = mq_open(in, O_RDONLY), to = mq_open(out, O_WRONLY);
	struct mq_attr attr;
	unsigned int priority;
	char text[8192];

	if (from == (mqd_t)-1 || to == (mqd_t)-1)
		err(1, "mq_open");
	if (mq_getattr(from, &attr) != 0 || attr.mq_msgsize != 100 || attr.mq_maxmsg != 4)
		errx(1, "the queue has other attributes than 4 messages of 100 bytes");
	while (count-- > 0) {
		ssize_t n = mq_receive(from, text, sizeof text, &priority);

		if (n < 0)
			err(1, "mq_receive");
		if (mq_send(to, text, n, priority + 1) != 0)
			err(1, "mq_send");
	}
}

static void sysv(key_t in, key_t out, int count)
{
	int from = msgget(in, 0), to = msgget(out, 0);
	struct {
		long type;
		char text[8192];
	} message;

	if (from < 0 || to < 0)
		err(1, "msgget");
	while (count-- > 0) {
		ssize_t n = msgrcv(from, &message, sizeof message.text, 0, 0);

		if (n < 0)
			err(1, "msgrcv");
		message.type++;
		if (msgsnd(to, &message, n, 0) != 0)
			err(1, "msgsnd");
	}
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "posix") == 0)
		posix(argv[2], argv[3], atoi(argv[4]));
	else if (argc == 5)
		sysv(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	return 0;
}
`

const pythonProgram = `
import ctypes, os, sys

libc = ctypes.CDLL(None, use_errno=True)
if not hasattr(libc, "mq_open"):  # before glibc 2.34
    libc = ctypes.CDLL("librt.so.1", use_errno=True)
libc.mq_receive.restype = libc.msgrcv.restype = ctypes.c_ssize_t
libc.mq_send.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint]
libc.mq_receive.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_uint)]
libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]


def check(result, call):
    if result < 0:
        sys.exit("%s: %s" % (call, os.strerror(ctypes.get_errno())))
    return result


class Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * 8192)]


kind, source, target, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if kind == "posix":
    incoming = check(libc.mq_open(source.encode(), os.O_RDONLY), "mq_open")
    outgoing = check(libc.mq_open(target.encode(), os.O_WRONLY), "mq_open")
    memory, priority = ctypes.create_string_buffer(8192), ctypes.c_uint()
    for _ in range(count):
        n = check(libc.mq_receive(incoming, memory, 8192, ctypes.byref(priority)), "mq_receive")
        check(libc.mq_send(outgoing, memory, n, priority.value + 1), "mq_send")
else:
    incoming = check(libc.msgget(int(source), 0), "msgget")
    outgoing = check(libc.msgget(int(target), 0), "msgget")
    message = Message()
    for _ in range(count):
        n = check(libc.msgrcv(incoming, ctypes.byref(message), 8192, 0, 0), "msgrcv")
        message.type += 1
        check(libc.msgsnd(outgoing, ctypes.byref(message), n, 0), "msgsnd")
`
