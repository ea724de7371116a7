package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// kills is how often a run is killed. Every kill comes at a random moment; the
// seed is printed and WORKBOOK_KILL_SEED replays it.
const kills = 100

// Whatever is killed, at whatever moment, nothing of the run is left: no process,
// no queue, segment or semaphore, no file of a socket, no temporary file. Killed
// are the terminal, the workbook, a test binary, a supervisor; and Ctrl-C is
// typed. What runs is chapter 1, or a step that makes all of these things, with
// namespaces of its own and without.
func TestNothingIsLeftWhenARunIsKilled(t *testing.T) {
	program := buildWorkbook(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WORKBOOK_KILL_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("WORKBOOK_KILL_SEED=%d", seed)
	ways := []struct {
		name string
		kill func(r *terminalRun)
	}{
		{"closed terminal", func(r *terminalRun) { r.terminal.Close() }},
		{"SIGKILL of the workbook", func(r *terminalRun) { r.cmd.Process.Kill() }},
		{"SIGKILL of a test binary", func(r *terminalRun) { r.killOne("pipe.test") }},
		{"SIGKILL of a supervisor", func(r *terminalRun) { r.killOne("workbook supervisor") }},
		{"Ctrl-C", func(r *terminalRun) { r.terminal.WriteString("\x03") }},
	}
	runs := []struct {
		name    string
		program []string
		env     []string
	}{
		{"chapter 1", []string{program, "test", "--chapter", "1", "--impl", "reference"}, nil},
		{"litter", []string{"/proc/self/exe"}, []string{"WORKBOOK_LITTER=1"}},
		{"litter without namespaces", []string{"/proc/self/exe"}, []string{"WORKBOOK_LITTER=1", verdict.EnvTogether + "=1"}},
	}
	// Some at a time: each knows its own processes by their folder for temporary files.
	for lane := range sideBySide {
		moments := rand.New(rand.NewPCG(seed, uint64(lane)))
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < kills; i += sideBySide {
				way, run := ways[i%len(ways)], runs[i%len(runs)]
				r := startAtTerminal(t, run.program, run.env)
				// The moment is what varies here: nothing is waited for.
				time.Sleep(time.Duration(moments.IntN(1500)) * time.Millisecond)
				way.kill(r)
				r.mustBeGone(fmt.Sprintf("kill %d of %s: %s", i, run.name, way.name))
			}
		})
	}
}

// patience is for a machine that has much else to do: after the kill of one supervisor the
// other steps go on to their end. What hangs is found all the same.
const patience = 3 * time.Minute

// sideBySide is how many runs go on at a time.
const sideBySide = 4

// buildWorkbook builds the workbook's program, once for all tests.
func buildWorkbook(t testing.TB) string {
	t.Helper()
	program, err := built()
	require.NoError(t, err)
	return program
}

var built = sync.OnceValues(func() (string, error) {
	program := filepath.Join(clones(), "program")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

// terminalRun is a run at a terminal of its own.
type terminalRun struct {
	t        *testing.T
	cmd      *exec.Cmd
	terminal *os.File
	tmp      string
	notes    string // what it made, if it notes that
	ended    chan struct{}
}

func startAtTerminal(t *testing.T, program, env []string) *terminalRun {
	t.Helper()
	r := &terminalRun{t: t, tmp: t.TempDir(), notes: filepath.Join(t.TempDir(), "notes"), ended: make(chan struct{})}
	r.cmd = exec.Command(program[0], program[1:]...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, "LITTER_NOTES="+r.notes)
	r.cmd.Env = append(r.cmd.Env, env...)
	terminal, err := pty.Start(r.cmd)
	require.NoError(t, err)
	// pty has called File.Fd, so a Read of it blocks, and Close would wait for the
	// Read: the terminal would stay open (golang/go#22934).
	fd, err := unix.FcntlInt(terminal.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetNonblock(fd, true))
	require.NoError(t, terminal.Close())
	r.terminal = os.NewFile(uintptr(fd), "terminal")
	t.Cleanup(func() { r.terminal.Close() })
	endsWithTheTest(t, r.cmd, r.tmp)
	go io.Copy(io.Discard, r.terminal)
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	return r
}

// endsWithTheTest ends a run before its folder for temporary files goes, also when the test
// has failed: there it has noted what is to be removed of it.
func endsWithTheTest(t *testing.T, cmd *exec.Cmd, tmp string) {
	t.Cleanup(func() {
		cmd.Process.Kill()
		for end := time.Now().Add(patience); len(processesOf(t, tmp)) > 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// processes lists the processes of this run.
func (r *terminalRun) processes() map[int]string { return processesOf(r.t, r.tmp) }

// processesOf lists the processes of a run, by the folder for temporary files in their
// environment: pid and command.
func processesOf(t *testing.T, tmp string) map[int]string {
	found := map[int]string{}
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, p := range paths {
		env, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(env, []byte("TMPDIR="+tmp)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		require.NoError(t, err)
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline"))
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(p), "exe"))
		found[pid] = exe + " " + strings.ReplaceAll(string(command), "\x00", " ")
	}
	return found
}

// killOne kills a process whose command contains a word, if there is one now.
func (r *terminalRun) killOne(word string) {
	for pid, command := range r.processes() {
		if strings.Contains(command, word) {
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

func (r *terminalRun) mustBeGone(what string) {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		require.Fail(r.t, "the workbook does not end", "%s: %v", what, r.processes())
	}
	r.terminal.Close()
	deadline := time.Now().Add(patience)
	for {
		processes := r.processes()
		left, err := os.ReadDir(r.tmp)
		require.NoError(r.t, err)
		if len(processes) == 0 && len(left) == 0 {
			mustBeGone(r.t, r.notes, what)
			return
		}
		if time.Now().After(deadline) {
			require.Fail(r.t, "something is left", "%s: %v %v", what, processes, left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
