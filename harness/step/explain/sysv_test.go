package explain_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/internal/hangtest"
)

// numbersOf reads "3 7 1" from the environment.
func numbersOf(name string) []int {
	var ns []int
	for _, f := range strings.Fields(os.Getenv(name)) {
		n, _ := strconv.Atoi(f)
		ns = append(ns, n)
	}
	return ns
}

// stay waits for a word that never comes. As in a role of the lab, that is the
// control line.
func stay() { unix.Read(3, make([]byte, 1)) }

var (
	msgReceive    = helper("msgrcv", func() { a := numbersOf("MSG"); chapter.MsgReceive(a[0], a[1]) })
	msgReceiveAll = helper("msgrcv all", func() {
		for a := numbersOf("MSG"); ; {
			chapter.MsgReceive(a[0], a[1])
		}
	})
	msgSend = helper("msgsnd", func() { a := numbersOf("MSG"); chapter.MsgSend(a[0], a[1], a[2]) })
	msgFill = helper("msgsnd until full", func() {
		for a := numbersOf("MSG"); ; {
			chapter.MsgSend(a[0], a[1], a[2])
		}
	})
	msgSendStay = helper("msgsnd and stay", func() { a := numbersOf("MSG"); chapter.MsgSend(a[0], a[1], a[2]); stay() })
)

// aKey is a key that no other run of these tests has.
func aKey() uintptr { return uintptr(0x1bc<<22 | os.Getpid()) }

func newQueue(t *testing.T, key uintptr) int {
	t.Helper()
	remove := remover(t)
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, key, unix.IPC_CREAT|unix.IPC_EXCL|0o600, 0)
	require.Zero(t, errno)
	remove("msg", int(id))
	return int(id)
}

func msgEnv(n ...int) []string {
	var words []string
	for _, i := range n {
		words = append(words, strconv.Itoa(i))
	}
	return []string{"MSG=" + strings.Join(words, " ")}
}

// staying is the environment of a helper that calls stay.
func staying(env []string) []string { return append(env, "IPC_CONTROL=3") }

func inCallOf(t *testing.T, c *child, call string) {
	t.Helper()
	eventually(t, "it is in "+call, func() bool { return inCall(t, c, call) })
}

func untilEnded(t *testing.T, c *child) {
	t.Helper()
	select {
	case <-c.Ended:
	case <-time.After(hangtest.Patience):
		t.Fatal("it does not end")
	}
}

func TestSystemVReceiveOfATypeThatNobodySends(t *testing.T) {
	id := newQueue(t, aKey())
	producer := start(t, "producer", msgSendStay, staying(msgEnv(id, 1, 10)), control(t))
	hang(t, producer)
	again := start(t, "producer", msgSend, msgEnv(id, 2, 14))
	untilEnded(t, again)
	consumer := start(t, "consumer", msgReceive, msgEnv(id, 7))
	hang(t, consumer)
	explainEnded(t, "sysv-receive-type", []explain.Ended{{Role: "producer", PID: again.PID(), How: "exit status 0"}}, consumer, producer)
	assertUntouched(t, id, again.PID())
}

// assertUntouched looks whether the explanation left the messages where they
// were, and itself out of the queue's records.
func assertUntouched(t *testing.T, id, sender int) {
	t.Helper()
	b, err := os.ReadFile("/proc/sysvipc/msg")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[1] == strconv.Itoa(id) {
			assert.Equal(t, []string{"24", "2", strconv.Itoa(sender), "0"}, f[3:7], "cbytes qnum lspid lrpid")
			return
		}
	}
	t.Error("the queue is gone")
}

// explainEnded is explains for a step of which some processes have ended already.
func explainEnded(t *testing.T, name string, ended []explain.Ended, children ...*child) {
	t.Helper()
	hang(t, children...)
	ps := read(t, children...)
	e := explained(explain.Case{
		Processes: ps,
		Dumps:     dumps(t, ps, false, children...),
		Folder:    chapterFolder,
		After:     2 * time.Second,
		Ended:     ended,
	})
	golden(t, name, e.Text)
}

func TestSystemVReceiveFromAQueue(t *testing.T) {
	for name, kind := range map[string]int{"any": 0, "lowest": -3} {
		t.Run(name, func(t *testing.T) {
			id := newQueue(t, unix.IPC_PRIVATE)
			if kind < 0 {
				sender := start(t, "producer", msgSend, msgEnv(id, 4, 100))
				untilEnded(t, sender)
			}
			explains(t, "sysv-receive-"+name, start(t, "consumer", msgReceive, msgEnv(id, kind)))
		})
	}
}

func TestSystemVReceiveOfOneMessageTooMany(t *testing.T) {
	id := newQueue(t, aKey())
	producer := start(t, "producer", msgSendStay, staying(msgEnv(id, 1, 10)), control(t))
	hang(t, producer)
	consumer := start(t, "consumer", msgReceiveAll, msgEnv(id, 1))
	explains(t, "sysv-receive-empty", consumer, producer)
}

func TestSystemVSendIntoAFullQueue(t *testing.T) {
	id := newQueue(t, aKey())
	setCapacity(t, id, 16384)
	consumer := start(t, "consumer", msgReceive, msgEnv(id, 7))
	inCallOf(t, consumer, "msgrcv")
	producer := start(t, "producer", msgFill, msgEnv(id, 1, 3000))
	explains(t, "sysv-send-full", producer, consumer)
}

func TestSystemVSendOfAMessageThatNeverFits(t *testing.T) {
	id := newQueue(t, aKey())
	setCapacity(t, id, 1000)
	explains(t, "sysv-send-large", start(t, "producer", msgSend, msgEnv(id, 1, 3000)))
}

// setCapacity sets msg_qbytes: the default differs between machines.
func setCapacity(t *testing.T, id, bytes int) {
	t.Helper()
	var status struct {
		perm    unix.SysvIpcPerm
		_       [3]int64
		_, _    uint64
		qbytes  uint64
		_, _    int32
		_, _, _ uint64
	}
	p := uintptr(unsafe.Pointer(&status))
	_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), unix.IPC_STAT, p)
	require.Zero(t, errno)
	status.qbytes = uint64(bytes)
	_, _, errno = unix.Syscall(unix.SYS_MSGCTL, uintptr(id), unix.IPC_SET, p)
	require.Zero(t, errno)
}

func TestSystemVWithoutADump(t *testing.T) {
	queue, set := newQueue(t, unix.IPC_PRIVATE), newSet(t, aKey(), 0o600, -1)
	consumer := start(t, "consumer", msgReceive, append(msgEnv(queue, 7), "HANG_DEAF=1"))
	producer := start(t, "producer", sem, append(semEnv(set, "0:-1"), "HANG_DEAF=1"))
	hang(t, consumer, producer)
	e := explained(explain.Case{Processes: read(t, consumer, producer), After: time.Second})
	golden(t, "sysv-no-dump", e.Text)
}

var (
	systemVPattern = regexp.MustCompile(`(queue|set|segment) \d+ \(`)
	keyPattern     = regexp.MustCompile(`key 0x[0-9a-f]+`)
)

// normalSystemV is the part of normal that is about this.
func normalSystemV(s string) string {
	return keyPattern.ReplaceAllString(systemVPattern.ReplaceAllString(s, "$1 N ("), "key 0x1")
}
