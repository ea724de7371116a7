package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/supervisor"
	"ipcworkbook/harness/verdict"
)

// TestMain lets this test binary be a workbook whose only step makes all kinds of
// things that outlive their makers, in the test and in a child.
func TestMain(m *testing.M) {
	supervisor.Enter()
	if os.Getenv("WORKBOOK_LITTER") == "" {
		code := m.Run()
		atTheEnd()
		os.Exit(code)
	}
	if err := litter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func litter() error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	c, err := book.Find("1")
	if err != nil {
		return err
	}
	impl, err := overlay.Open(filepath.Join(root, c.Solution()))
	if err != nil {
		return err
	}
	source, err := os.ReadFile("testdata/litter_test.go.txt")
	if err != nil {
		return err
	}
	tests := map[string][]byte{"main_test.go": c.Tests()["main_test.go"], "litter_test.go": source}
	c.Steps = []book.Step{{Number: 1, Test: "TestLitter", Title: "litters", Edit: "New"}}
	// As in main: whoever started this may have had signals ignored.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b, err := check.Build(ctx, check.Options{Root: root, Chapter: c, Impl: impl, Tests: tests, From: root})
	if err != nil {
		return err
	}
	defer b.Close()
	for range 8 { // or until it is killed
		r, err := b.Run(ctx, 0)
		if err != nil || r.Verdict != "residue" {
			return fmt.Errorf("%v %+v", err, r)
		}
		notes, err := os.ReadFile(os.Getenv("LITTER_NOTES"))
		if err != nil {
			return err
		}
		for _, name := range ipcName.FindAllString(r.Steps[0].Message, -1) {
			if !strings.Contains(string(notes), "name "+name+"\n") {
				return fmt.Errorf("%s is somebody else's:\n%s", name, r.Steps[0].Message)
			}
		}
	}
	return nil
}

var ipcName = regexp.MustCompile(`/ipc-[0-9a-z-]+`)

// Two runs at the same time, on a machine without namespaces: each tells only of
// what is its own, and in the end nothing of either is left.
func TestTwoRunsAtOnceDoNotMeet(t *testing.T) {
	var runs []*exec.Cmd
	var notes []string
	for range 2 {
		cmd, tmp := exec.Command("/proc/self/exe"), t.TempDir()
		notes = append(notes, filepath.Join(t.TempDir(), "notes"))
		cmd.Env = append(os.Environ(), "WORKBOOK_LITTER=1", verdict.EnvTogether+"=1", "LITTER_NOTES="+notes[len(notes)-1], "TMPDIR="+tmp)
		cmd.Stderr = &strings.Builder{}
		require.NoError(t, cmd.Start())
		endsWithTheTest(t, cmd, tmp)
		runs = append(runs, cmd)
	}
	for i, cmd := range runs {
		require.NoError(t, cmd.Wait(), "%v", cmd.Stderr)
		mustBeGone(t, notes[i], "run "+fmt.Sprint(i+1))
	}
}

// mustBeGone asserts that nothing is left of what is noted in a file: lines of
// "name /ipc-…" and "key 123".
func mustBeGone(t *testing.T, notes, what string) {
	t.Helper()
	text, err := os.ReadFile(notes)
	if os.IsNotExist(err) {
		return // it was killed before it made anything
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var key int
		var name string
		if n, _ := fmt.Sscanf(line, "key %d\n", &key); n == 1 {
			for _, call := range []uintptr{unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_SHMGET} {
				_, _, errno := unix.Syscall(call, uintptr(key), 0, 0)
				require.Equal(t, unix.ENOENT, errno, "%s: system call %d finds key %d", what, call, key)
			}
		}
		if n, _ := fmt.Sscanf(line, "name %s\n", &name); n == 1 {
			p, err := unix.BytePtrFromString(name[1:])
			require.NoError(t, err)
			_, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), unix.O_RDONLY, 0, 0, 0, 0)
			require.Equal(t, unix.ENOENT, errno, "%s: the queue %s", what, name)
			require.NoFileExists(t, "/dev/shm"+name, what)
			require.NoFileExists(t, "/dev/shm/sem."+name[1:], what)
		}
	}
}
