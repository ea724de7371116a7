package explain_test

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
)

// operations reads "0:-1 1:2 0:1undo" from the environment.
func operations() []chapter.Operation {
	var ops []chapter.Operation
	for _, f := range strings.Fields(os.Getenv("OPS")) {
		num, op, _ := strings.Cut(f, ":")
		n, _ := strconv.Atoi(num)
		op, undo := strings.CutSuffix(op, "undo")
		o, _ := strconv.Atoi(op)
		next := chapter.Operation{Num: uint16(n), Op: int16(o)}
		if undo {
			next.Flags = chapter.SemUndo
		}
		ops = append(ops, next)
	}
	return ops
}

var (
	sem       = helper("semop", func() { chapter.Sem(numbersOf("SEM")[0], operations()...) })
	semWithin = helper("semtimedop", func() {
		chapter.SemWithin(numbersOf("SEM")[0], operations()[0], unix.Timespec{Sec: 3600})
	})
	bareSem  = helper("bare semop", func() { chapter.BareSem(numbersOf("SEM")[0], operations()[0]) })
	semTwice = helper("semop twice", func() {
		chapter.Sem(numbersOf("SEM")[0], operations()...)
		chapter.Sem(numbersOf("SEM")[0], operations()...)
	})
	semStay = helper("semop and stay", func() { chapter.Sem(numbersOf("SEM")[0], operations()...); stay() })
)

// newSet makes semaphores. A value of -1 is left as semget(2) made it.
func newSet(t *testing.T, key uintptr, mode uintptr, values ...int) int {
	t.Helper()
	remove := remover(t)
	id, _, errno := unix.Syscall(unix.SYS_SEMGET, key, uintptr(len(values)), unix.IPC_CREAT|unix.IPC_EXCL|mode)
	require.Zero(t, errno)
	remove("sem", int(id))
	for i, v := range values {
		if v >= 0 {
			const setVal = 16
			_, _, errno := unix.Syscall6(unix.SYS_SEMCTL, id, uintptr(i), setVal, uintptr(v), 0, 0)
			require.Zero(t, errno)
		}
	}
	return int(id)
}

func semEnv(id int, ops string) []string { return []string{"SEM=" + strconv.Itoa(id), "OPS=" + ops} }

func TestSemaphoreWhoseTakerIsThere(t *testing.T) {
	id := newSet(t, aKey(), 0o600, 1)
	producer := start(t, "producer", semStay, staying(semEnv(id, "0:-1")), control(t))
	hang(t, producer)
	first := start(t, "consumer", sem, semEnv(id, "0:-1"))
	inCallOf(t, first, "semop")
	second := start(t, "second consumer", semWithin, semEnv(id, "0:-1"))
	inCallOf(t, second, "semtimedop")
	explains(t, "sysv-sem-held", first, second, producer)
}

func TestSemaphoreWhoseLastUserHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		value int
		op    string
	}{
		"taker": {1, "0:-1"},
		"giver": {0, "0:1undo"},
	} {
		t.Run(name, func(t *testing.T) {
			id := newSet(t, aKey(), 0o600, test.value)
			producer := start(t, "producer", sem, semEnv(id, test.op))
			untilEnded(t, producer)
			consumer := start(t, "consumer", sem, semEnv(id, "0:-1"))
			ended := []explain.Ended{{Role: "producer", PID: producer.PID(), How: "exit status 0"}}
			explainEnded(t, "sysv-sem-ended-"+name, ended, consumer)
		})
	}
}

func TestSemaphoreOperations(t *testing.T) {
	for name, test := range map[string]struct {
		by     string
		ops    string
		values []int
	}{
		"itself":   {semTwice, "0:-1", []int{1}},
		"unset":    {sem, "0:-1", []int{-1}},
		"zero":     {sem, "0:0", []int{2}},
		"many":     {sem, "0:-1 1:0 2:-3", []int{1, 0, 2}},
		"together": {sem, "0:-2 0:-2", []int{3}},
		"bare":     {bareSem, "0:-1", []int{-1}},
	} {
		t.Run(name, func(t *testing.T) {
			id := newSet(t, aKey(), 0o600, test.values...)
			c := start(t, "consumer", test.by, semEnv(id, test.ops))
			if name != "bare" {
				explains(t, "sysv-sem-"+name, c)
				return
			}
			explainBare(t, "sysv-sem-"+name, "semop", c)
		})
	}
}

func TestSemaphoreThatMayNotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	id := newSet(t, aKey(), 0o200, -1)
	explains(t, "sysv-sem-refused", start(t, "consumer", sem, semEnv(id, "0:-1")))
}

// The holder gives its dump first and ends, so the waiter goes on before it
// gives its own. /proc saw where it hung.
func TestSemaphoreThatIsGivenBackBeforeTheDump(t *testing.T) {
	id := newSet(t, aKey(), 0o600, 1)
	producer := start(t, "producer", semStay, staying(semEnv(id, "0:-1undo")), control(t))
	hang(t, producer)
	waiter := start(t, "the test", semStay, semEnv(id, "0:-1"), control(t))
	hang(t, waiter)
	ps := read(t, waiter, producer)
	all := dumps(t, ps[1:], false, producer)
	inCallOf(t, waiter, "read")
	maps.Copy(all, dumps(t, ps[:1], false, waiter))
	e := explained(explain.Case{Processes: ps, Dumps: all, Folder: chapterFolder, After: time.Second})
	golden(t, "sysv-sem-went-on", e.Text)
}
