package explain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

// aside keeps the runtime from ending the program with "all goroutines are
// asleep": this goroutine waits for descriptor 4, and never ends.
func aside(f func()) func() {
	return func() {
		go unix.Read(4, make([]byte, 1))
		f()
	}
}

var (
	asideReceive = helper("aside receive", aside(chapter.Receive))
	asideNil     = helper("aside nil", aside(chapter.Nil))
	asideForever = helper("aside forever", aside(chapter.Forever))
	asideHour    = helper("aside hour", aside(chapter.Hour))
	asideGroup   = helper("aside group", aside(chapter.Group))
	asideCond    = helper("aside cond", aside(chapter.Cond))
	asideNotify  = helper("aside notify", aside(chapter.Notify))
	asideEcho    = helper("aside echo", aside(chapter.Echo))
	besideRole   = helper("echo beside a role", func() {
		roleOfTheLab()
		chapter.Echo()
	})
	sendBeside = helper("send beside", aside(func() {
		go chapter.NewConn(file(3)).Send(100_000)
		chapter.Receive()
	}))
	pump = helper("pump", aside(func() { chapter.Pump(file(3), 100_000) }))
)

// pointsTo checks that the line to edit is in that function.
func pointsTo(t *testing.T, e explain.Explanation, source, line string) {
	t.Helper()
	assert.Equal(t, filepath.Join(chapterFolder, source), e.File)
	text, err := os.ReadFile(filepath.Join(chapterFolder, source))
	require.NoError(t, err)
	assert.Contains(t, strings.Split(string(text), "\n")[e.Line-1], line)
}

// The writer is an effect: its reader waits inside itself, and comes first.
func TestWriterWhoseReaderWaitsInsideItself(t *testing.T) {
	for name, at := range map[string]struct{ helper, source, line string }{
		"receive": {asideReceive, "chapter.go", "<-make(chan int)"},
		"nil":     {asideNil, "goroutine.go", "c <- 1"},
		"forever": {asideForever, "chain.go", "select {}"},
		"hour":    {asideHour, "chain.go", "time.Sleep"},
		"group":   {asideGroup, "chain.go", "wg.Wait"},
		"cond":    {asideCond, "goroutine.go", "c.Wait"},
		"notify":  {asideNotify, "signal.go", "<-c"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			producer := start(t, "producer", send, nil, w)
			consumer := start(t, "the test", at.helper, nil, r, control(t))
			closeNow(t, r, w)
			pointsTo(t, explains(t, "chain-"+name, producer, consumer), at.source, at.line)
		})
	}
}

func TestWriterBeforeARelayWhoseReaderWaitsInsideItself(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	unix.Write(w2, []byte("a piece"))
	producer := start(t, "producer", rawSend, nil, w1)
	relay := start(t, procfs.Relay, waitFifth, []string{"IPC_CONTROL=5"}, r1, w2, control(t))
	consumer := start(t, "the test", asideReceive, nil, r2, control(t))
	closeNow(t, r1, w1, r2, w2)
	pointsTo(t, explains(t, "chain-relay", producer, relay, consumer), "chapter.go", "<-make(chan int)")
}

func TestReaderWhoseWriterWaitsInsideItself(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "the test", recv, nil, r)
	producer := start(t, "producer", asideNil, nil, w, control(t))
	closeNow(t, r, w)
	pointsTo(t, explains(t, "chain-read", consumer, producer), "goroutine.go", "c <- 1")
}

func TestWriterWhoseReaderIsAGoroutineOfItsOwnProcess(t *testing.T) {
	for name, at := range map[string]struct{ helper, source, line string }{
		"beside": {sendBeside, "chapter.go", "<-make(chan int)"},
		"pump":   {pump, "chain.go", "f.Write"}, // the other one waits for the writer
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			both := start(t, "the test", at.helper, nil, w, control(t), r)
			closeNow(t, r, w)
			pointsTo(t, explains(t, "chain-"+name, both), at.source, at.line)
		})
	}
}

// roleOfTheLab starts a process as the lab does: os/exec copies its output.
func roleOfTheLab() {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"HANG_HELPER=" + waitWord, "IPC_ROLE=producer", "IPC_CONTROL=3"}
	cmd.Stdout = new(strings.Builder)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "word")}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// The pipe that a role prints into is the lab's, and not the command's.
func TestOutputOfACommandBesideARole(t *testing.T) {
	parent := start(t, "the test", besideRole, nil, control(t))
	pids := family(t, parent, "producer")
	orphan := orphanOf(t, parent)
	e := explainFamily(t, "child-output-role", parent, append(pids, orphan))
	pointsTo(t, e, "chain.go", "Output()")
}

func TestWriterWhoseReaderWaitsForACommand(t *testing.T) {
	r, w := pipe(t)
	parent := start(t, "the test", asideEcho, nil, r, control(t))
	orphan := orphanOf(t, parent)
	producer := start(t, "producer", rawSend, nil, w)
	closeNow(t, r, w)
	hang(t, parent, producer)
	ps := append(read(t, parent, producer), orphan)
	e := explainFamily(t, "chain-echo", parent, ps)
	pointsTo(t, e, "chain.go", "Output()")
}

// orphanOf is the sleep that a shell left behind.
func orphanOf(t *testing.T, parent *child) (orphan procfs.Process) {
	t.Helper()
	hang(t, parent)
	eventually(t, "the grandchild is there", func() bool {
		pid := holderOf(read(t, parent)[0].Files, "sleep")
		if pid != 0 {
			orphan = readFamily(t, []int{parent.PID(), pid})[1]
		}
		return pid != 0
	})
	return orphan
}
