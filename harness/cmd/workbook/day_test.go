package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
	"ipcworkbook/harness/step/procfs"
)

var setting = regexp.MustCompile(`^[A-Z]+=`)

// terminal starts the workbook at a terminal of its own.
// An argument such as PAGER=less is for its environment.
func terminal(t *testing.T, root, program string, args ...string) (*console.Console, *exec.Cmd) {
	t.Helper()
	var env []string
	for len(args) > 0 && setting.MatchString(args[len(args)-1]) {
		env, args = append(env, args[len(args)-1]), args[:len(args)-1]
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "PAGER=cat")
	cmd.Env = append(cmd.Env, env...)
	return console.Start(t, cmd, console.Timeout(2*time.Minute)), cmd
}

// at runs one command at a terminal of its own, and returns its exit status and what
// stood on the screen.
func at(t *testing.T, root, program string, args ...string) (status int, text string) {
	t.Helper()
	c, _ := terminal(t, root, program, args...)
	status = c.Wait()
	return status, c.Transcript()
}

// solve puts the reference in the place of the stub, as if the learner had written it.
func solve(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "solutions/01-pipe/*.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "chapters/01-pipe", filepath.Base(file)), text, 0o644))
	}
}

// A learner asks what is next, tries, asks for hints, solves the chapter, looks at the
// reference, and begins anew.
func TestALearnersDay(t *testing.T) {
	program, root := buildWorkbook(t), clone(t)
	says := func(status int, words []string, args ...string) string {
		t.Helper()
		got, text := at(t, root, program, args...)
		require.Equal(t, status, got, text)
		for _, word := range words {
			require.Contains(t, text, word)
		}
		return text
	}
	says(0, []string{"1  pipe", "[..........]   0 of 12 steps", "Next: chapter 1, step 1", "run   task test chapter=1"})
	says(2, []string{"chapter 1 was not run yet", "anyway=1"}, "solution", "--chapter", "1")

	// Without a chapter it is the first unfinished one.
	says(1, []string{"Chapter 1 · pipe", "Step 1 is next"}, "test")

	// One level a call, and the last one again and again.
	for _, level := range []string{"Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"} {
		says(0, []string{level}, "hint")
	}

	solve(t, root)
	says(0, []string{"edited since"})
	says(2, []string{"edited since it was run"}, "solution", "--chapter", "1")
	says(0, []string{"All 12 steps pass."}, "test", "--chapter", "1")
	says(0, []string{"[##########]  12 of 12 steps  done", "Next: chapter 2, step 1"})
	says(0, []string{"declarations are the same in both"}, "solution", "--chapter", "1")

	// Another way to write one function. Another comment is no other way.
	pipe := filepath.Join(root, "chapters/01-pipe/pipe.go")
	text, err := os.ReadFile(pipe)
	require.NoError(t, err)
	const plain = "func (w *Writer) Close() error"
	require.Contains(t, string(text), plain)
	write := func(mine string) {
		require.NoError(t, os.WriteFile(pipe, []byte(strings.Replace(string(text), plain, mine+plain, 1)), 0o644))
	}
	write("// My own words.\n")
	require.NotContains(t, says(0, nil, "solution", "--chapter", "1", "--anyway"), "My own words.")
	write("func mine() { println(`my own way`) }\n\n")
	says(0, []string{"Only your version has mine."}, "solution", "--chapter", "1", "--anyway")
	says(0, []string{"my own way", "yours, pipe.go:", "the reference: nothing of this name"}, "solution", "--chapter", "1", "--anyway", "--of", "mine")
	require.NotContains(t, says(0, []string{"yours, pipe.go:", "the reference, pipe.go:"}, "solution", "--chapter", "1", "--anyway", "--of", "Send"), "my own way")
	says(2, []string{`nothing is declared as "Sent"`, "Writer.Send"}, "solution", "--chapter", "1", "--anyway", "--of", "Sent")

	// Reset gives back the stub, keeps what was there, and touches nothing else.
	own := filepath.Join(root, "chapters/01-pipe/more.go")
	require.NoError(t, os.WriteFile(own, []byte("package pipe\n"), 0o644))
	before := tree(t, root)
	out := says(0, []string{"as it was handed out again", "more.go, pipe.go, raw.go", "cp -p "}, "reset", "--chapter", "1")
	stub, err := os.ReadFile(pipe)
	require.NoError(t, err)
	require.Contains(t, string(stub), "todo.Err")
	require.NoFileExists(t, own)
	for name, text := range tree(t, root) {
		if !strings.HasPrefix(name, "chapters/01-pipe/") {
			require.Equal(t, before[name], text, name)
		}
	}
	says(0, []string{"Nothing was changed"}, "reset", "--chapter", "1")
	says(0, []string{" 0 of 12 steps"})
	says(2, []string{"say which chapter"}, "reset")

	// The command that it shows brings all of it back.
	_, back, _ := strings.Cut(out, "To have it back:")
	sh := exec.Command("sh", "-c", strings.TrimSpace(back))
	sh.Dir = root
	output, err := sh.CombinedOutput()
	require.NoError(t, err, "%s: %s", back, output)
	for name, text := range tree(t, root) {
		require.Equal(t, before[name], text, name)
	}
}

// tree are the files of a clone, but for those that the workbook keeps for itself.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() && d.Name() == ".workbook" {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			files[rel] = string(text)
		}
		return nil
	}))
	return files
}

// A hundred quick saves, by writing and by renaming, some of them during a run: what
// is shown in the end is the last one, and nothing of the earlier runs is left.
func TestWatchFollowsAHundredSaves(t *testing.T) {
	program, root := buildWorkbook(t), clone(t)
	c, cmd := terminal(t, root, program, "watch", "--chapter", "1")
	c.Expect(`0 of 12 steps`)
	c.Expect(`\[q\]uit\n`)

	pipe := filepath.Join(root, "chapters/01-pipe/pipe.go")
	stub, err := os.ReadFile(pipe)
	require.NoError(t, err)
	for i := range 100 {
		text := stub
		if i%3 == 0 {
			text = []byte("package pipe\n\nfunc broken( {\n")
		}
		if i%2 == 0 {
			require.NoError(t, os.WriteFile(pipe, text, 0o644))
			continue
		}
		require.NoError(t, os.WriteFile(pipe+"~", text, 0o644))
		require.NoError(t, os.Rename(pipe+"~", pipe))
	}
	solve(t, root)
	c.Expect(`All 12 steps pass\.\n`)
	c.Expect(`\[q\]uit\n`)
	// One helper stays: it will remove what the next build needs.
	require.Eventually(t, func() bool { return len(procfs.Children(cmd.Process.Pid)) <= 1 }, 20*time.Second, 20*time.Millisecond,
		"processes of earlier runs: %v", procfs.Children(cmd.Process.Pid))

	// The keys.
	c.Send("h")
	c.Expect(`Every step passes: no hint is needed\.`)
	c.Send("a")
	c.Expect(`Every step passes\.\n\n\[h\]int`)
	require.NoError(t, os.WriteFile(pipe, []byte("package pipe\n\nfunc broken( {\n"), 0o644))
	c.Expect(`does not build(?s:.*)\[q\]uit\n`)
	c.Send("h")
	c.Expect(`the compiler's words are above`)
	require.NoError(t, os.WriteFile(pipe, stub, 0o644))
	require.NoError(t, os.Remove(filepath.Join(root, "chapters/01-pipe/raw.go")))
	c.Expect(`Step 1 is next`)
	c.Expect(`\[q\]uit\n`)
	c.Send("h")
	c.Expect(`step 1: (?s:.*)Hint 1 of 3`)
	c.Send("h")
	c.Expect(`step 1: (?s:.*)Hint 2 of 3`)
	c.Send("a")
	c.Expect(`Step 2 is next(?s:.*)Step 12 is next(?s:.*)\[q\]uit\n`)
	c.Send("n")
	c.Expect(`Chapter 2 · file`)
	c.Expect(`\[q\]uit\n`)
	c.Send("q")
	require.Equal(t, 0, c.Wait())
}

// Without a terminal there are no keys and nothing is cleared; Ctrl-C ends it.
func TestWatchWithoutATerminal(t *testing.T) {
	program, root := buildWorkbook(t), clone(t)
	cmd := exec.Command(program, "watch", "--chapter", "1")
	cmd.Dir = root
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	text := make([]byte, 0, 1<<16)
	for !strings.Contains(string(text), "Hint: ") {
		n, err := out.Read(text[len(text):cap(text)])
		require.NoError(t, err, "%s", text)
		text = text[:len(text)+n]
	}
	require.NotContains(t, string(text), "\x1b")
	require.NotContains(t, string(text), "q quit")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
}
