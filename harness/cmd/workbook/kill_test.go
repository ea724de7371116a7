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
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// kills is how often a run is killed. Every kill comes at a random moment; the
// seed is printed and WORKBOOK_KILL_SEED replays it.
const kills = 100

// Whatever is killed, at whatever moment, no process and no temporary file of
// the run is left: a closed terminal, the workbook, a test binary, a supervisor,
// and Ctrl-C.
func TestNothingIsLeftWhenARunIsKilled(t *testing.T) {
	program := buildWorkbook(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WORKBOOK_KILL_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("WORKBOOK_KILL_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ways := []struct {
		name string
		kill func(r *terminalRun)
	}{
		{"closed terminal", func(r *terminalRun) { r.terminal.Close() }},
		{"SIGKILL of the workbook", func(r *terminalRun) { r.cmd.Process.Kill() }},
		{"SIGKILL of a test binary", func(r *terminalRun) { r.killOne(".test") }},
		{"SIGKILL of a supervisor", func(r *terminalRun) { r.killOne("workbook supervisor") }},
		{"Ctrl-C", func(r *terminalRun) { r.terminal.WriteString("\x03") }},
	}
	for i := range kills {
		way := ways[i%len(ways)]
		r := startAtTerminal(t, program)
		// The moment is what varies here: nothing is waited for.
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		way.kill(r)
		r.mustBeGone(i, way.name)
	}
}

func buildWorkbook(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "workbook")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// terminalRun is `workbook test` on the reference, at a terminal of its own.
type terminalRun struct {
	t        *testing.T
	cmd      *exec.Cmd
	terminal *os.File
	tmp      string
	ended    chan struct{}
}

func startAtTerminal(t *testing.T, program string) *terminalRun {
	t.Helper()
	r := &terminalRun{t: t, tmp: t.TempDir(), ended: make(chan struct{})}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	r.cmd = exec.Command(program, "test", "--chapter", "1", "--impl", "reference")
	r.cmd.Dir = root
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp)
	r.terminal, err = pty.Start(r.cmd)
	require.NoError(t, err)
	go io.Copy(io.Discard, r.terminal)
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	return r
}

// processes lists the processes of this run, by the folder for temporary files
// in their environment: pid and command.
func (r *terminalRun) processes() map[int]string {
	found := map[int]string{}
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(r.t, err)
	for _, p := range paths {
		env, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(env, []byte("TMPDIR="+r.tmp)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		require.NoError(r.t, err)
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

func (r *terminalRun) mustBeGone(i int, way string) {
	r.t.Helper()
	what := fmt.Sprintf("kill %d, %s", i, way)
	select {
	case <-r.ended:
	case <-time.After(30 * time.Second):
		require.Fail(r.t, "the workbook does not end", "%s: %v", what, r.processes())
	}
	r.terminal.Close()
	deadline := time.Now().Add(20 * time.Second)
	for {
		processes := r.processes()
		left, err := os.ReadDir(r.tmp)
		require.NoError(r.t, err)
		if len(processes) == 0 && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			require.Fail(r.t, "something is left", "%s: %v %v", what, processes, left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
