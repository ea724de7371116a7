package explain_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

var (
	queueReceive     = helper("queue receive", func() { chapter.QueueReceive(3) })
	bareQueueReceive = helper("bare queue receive", func() { chapter.BareQueueReceive(3) })
	queueFlood       = helper("queue flood", func() { chapter.QueueFlood(3) })
	queueDrain       = helper("queue drain", func() { chapter.QueueDrain(3) })
	epolledReceive   = helper("epolled receive", func() { chapter.EpolledReceive(3) })
	polledReceive    = helper("polled receive", func() { chapter.PolledReceive(os.NewFile(3, "queue")) })
)

// newMQueue makes a queue of four messages, which goes when the test ends. At the
// level of system calls its name has no slash.
func newMQueue(t *testing.T) (name string) {
	name = fmt.Sprintf("explain-%d-%s", os.Getpid(), regexp.MustCompile(`\W+`).ReplaceAllString(t.Name(), "-"))
	makeMQueue(t, name)
	t.Cleanup(func() { removeMQueue(name) })
	return name
}

func makeMQueue(t *testing.T, name string) {
	attr := [8]int{1: 4, 2: 100} // messages, bytes
	p, err := unix.BytePtrFromString(name)
	require.NoError(t, err)
	flags := unix.O_CREAT | unix.O_EXCL | unix.O_RDWR | unix.O_CLOEXEC
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), uintptr(flags), 0o600, uintptr(unsafe.Pointer(&attr)), 0, 0)
	require.Zero(t, errno)
	unix.Close(int(fd))
}

func removeMQueue(name string) {
	p, _ := unix.BytePtrFromString(name)
	unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(p)), 0, 0)
}

func openMQueue(t *testing.T, name string, flags int) int {
	p, err := unix.BytePtrFromString(name)
	require.NoError(t, err)
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), uintptr(flags|unix.O_CLOEXEC), 0, 0, 0, 0)
	require.Zero(t, errno)
	t.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

var queuePattern = regexp.MustCompile(`/explain-[\w-]+`)

func explainQueues(t *testing.T, name string, children ...*child) explain.Explanation {
	t.Helper()
	hang(t, children...)
	return explainQueuesRead(t, name, true, read(t, children...), children...)
}

func explainQueuesRead(t *testing.T, name string, dump bool, ps []procfs.Process, children ...*child) explain.Explanation {
	t.Helper()
	c := explain.Case{Processes: ps, Folder: chapterFolder, After: 2 * time.Second}
	if dump {
		c.Dumps = dumps(t, ps, false, children...)
	}
	e := explained(c)
	text := queuePattern.ReplaceAllString(e.Text, "/jobs")
	if os.Geteuid() != 0 { // who may not look at everybody cannot say "nobody"
		text = strings.ReplaceAll(text, "No process was found that has it open", "Nobody has it open")
	}
	golden(t, "mqueue-"+name, text)
	return e
}

func TestMQueueReceiveWhenEmpty(t *testing.T) {
	t.Run("sender", func(t *testing.T) {
		name := newMQueue(t)
		r, w := openMQueue(t, name, unix.O_RDONLY), openMQueue(t, name, unix.O_WRONLY)
		consumer := start(t, "consumer", queueReceive, nil, r)
		producer := idleWith(t, "producer", w)
		closeNow(t, r, w)
		explainQueues(t, "receive", consumer, producer)
	})
	t.Run("nobody", func(t *testing.T) {
		r := openMQueue(t, newMQueue(t), unix.O_RDONLY)
		consumer := start(t, "consumer", queueReceive, nil, r)
		closeNow(t, r)
		explainQueues(t, "receive-nobody", consumer)
	})
	t.Run("itself", func(t *testing.T) {
		r := openMQueue(t, newMQueue(t), unix.O_RDWR)
		consumer := start(t, "consumer", queueDrain, nil, r)
		closeNow(t, r)
		explainQueues(t, "receive-itself", consumer)
	})
	t.Run("bare", func(t *testing.T) {
		r := openMQueue(t, newMQueue(t), unix.O_RDONLY)
		consumer := start(t, "consumer", bareQueueReceive, nil, r)
		closeNow(t, r)
		explainQueuesRead(t, "receive-bare", true, readIn(t, consumer, "mq_timedreceive"), consumer)
	})
	t.Run("poller", func(t *testing.T) {
		r := openMQueue(t, newMQueue(t), unix.O_RDONLY|unix.O_NONBLOCK)
		consumer := start(t, "consumer", polledReceive, nil, r)
		closeNow(t, r)
		explainQueues(t, "receive-poller", consumer)
	})
	t.Run("epoll", func(t *testing.T) {
		r := openMQueue(t, newMQueue(t), unix.O_RDONLY)
		consumer := start(t, "consumer", epolledReceive, nil, r)
		closeNow(t, r)
		explainQueues(t, "receive-epoll", consumer)
	})
}

func TestMQueueWithoutADump(t *testing.T) {
	for name, by := range map[string]string{"raw": queueReceive, "poller": polledReceive} {
		t.Run(name, func(t *testing.T) {
			flags := unix.O_RDONLY
			if by == polledReceive {
				flags |= unix.O_NONBLOCK
			}
			r := openMQueue(t, newMQueue(t), flags)
			consumer := start(t, "consumer", by, []string{"HANG_DEAF=1"}, r)
			closeNow(t, r)
			hang(t, consumer)
			explainQueuesRead(t, "receive-deaf-"+name, false, read(t, consumer), consumer)
		})
	}
}

func TestMQueueSendWhenFull(t *testing.T) {
	for _, name := range []string{"consumer", "nobody"} {
		t.Run(name, func(t *testing.T) {
			queue := newMQueue(t)
			w := openMQueue(t, queue, unix.O_WRONLY)
			all := []*child{start(t, "producer", queueFlood, nil, w)}
			closeNow(t, w)
			if name == "consumer" {
				r := openMQueue(t, queue, unix.O_RDONLY)
				all = append(all, idleWith(t, "consumer", r))
				closeNow(t, r)
			}
			explainQueues(t, "send-"+name, all...)
		})
	}
}

func TestMQueueUnlinkedAndMadeAnew(t *testing.T) {
	name := newMQueue(t)
	old := openMQueue(t, name, unix.O_RDONLY)
	consumer := start(t, "consumer", queueReceive, nil, old)
	removeMQueue(name)
	makeMQueue(t, name)
	w := openMQueue(t, name, unix.O_WRONLY)
	producer := start(t, "producer", queueFlood, nil, w)
	closeNow(t, old, w)
	explainQueues(t, "unlinked", consumer, producer)
}

func TestMQueueTwoReceiversWaitForEachOther(t *testing.T) {
	questions := newMQueue(t)
	t.Run("answers", func(t *testing.T) {
		answers := newMQueue(t)
		qr, qw := openMQueue(t, questions, unix.O_RDONLY), openMQueue(t, questions, unix.O_WRONLY)
		ar, aw := openMQueue(t, answers, unix.O_RDONLY), openMQueue(t, answers, unix.O_WRONLY)
		left := start(t, "left", queueReceive, nil, qr, aw)
		right := start(t, "right", queueReceive, nil, ar, qw)
		closeNow(t, qr, qw, ar, aw)
		explainQueues(t, "ring-receive", left, right)
	})
}
