package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A learner who has solved chapter 1 takes a newer workbook, with the commands of
// docs/learners.md: another test, lesson, stub and title. Not a byte of the solution is
// lost, and it is judged by the new tests.
func TestNewerWorkbook(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git: ", err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "somebody")
		t.Setenv("GIT_"+who+"_EMAIL", "somebody@example.org")
	}
	program := buildWorkbook(t)
	upstream := filepath.Join(t.TempDir(), "upstream")
	require.NoError(t, copyWorkbook(upstream))
	in := func(dir, script string) {
		t.Helper()
		status, out, errs := call(t, dir, "sh", "-e", "-c", script)
		require.Zero(t, status, "%s\n%s%s", script, out, errs)
	}
	edit := func(name, old, with string) {
		t.Helper()
		path := filepath.Join(upstream, name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(text), old, name)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o644))
	}
	copied(t, ".gitignore", upstream)
	copied(t, "README.md", upstream)
	in(upstream, "git init -q -b main && git add -A && git commit -q -m first")

	learner := cloneAt(t) // where Go has built most of it already
	in(upstream, "git clone -q . "+learner)
	solve(t, learner)
	mine := solution(t, learner)
	in(learner, "./task test chapter=1")

	const said = "both ends are close-on-exec"
	edit("harness/judge/book/01-pipe.toml", said, said+", as before")
	edit("chapters/01-pipe/pipe_test.go", "// Step 1:", "// This is newer. Step 1:")
	edit("chapters/01-pipe/pipe.go", `todo.Err("New")`, `errors.Join(todo.Err("New"))`)
	edit("chapters/01-pipe/README.md", "\n## ", "\nThis is newer, too.\n\n## ")
	in(upstream, program+" seal && git commit -q -a -m second")

	in(learner, documented(t, "A newer workbook"))
	require.Equal(t, mine, solution(t, learner), "the learner's files")
	for name, word := range map[string]string{"pipe_test.go": "This is newer.", "README.md": "This is newer, too."} {
		text, err := os.ReadFile(filepath.Join(learner, "chapters/01-pipe", name))
		require.NoError(t, err)
		require.Contains(t, string(text), word)
	}
	status, out, errs := call(t, learner, "./task", "test", "chapter=1")
	require.Zero(t, status, out+errs)
	for _, word := range []string{said + ", as before", "All 12 steps pass."} {
		require.Contains(t, out, word)
	}
	require.NotContains(t, out, "not as they were handed out", "the tests in the folder are the new ones")
	status, out, _ = call(t, learner, "./task")
	require.Zero(t, status)
	require.Contains(t, out, "12 of 12 steps  done")
}

// copied copies a file of the workbook's root.
func copied(t *testing.T, name, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, name), text, 0o644))
}

// solution is the learner's own files, by name.
func solution(t *testing.T, root string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "chapters/01-pipe/*.go"))
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[filepath.Base(file)] = string(text)
	}
	return texts
}

// documented is the first block of commands below a heading of docs/learners.md.
func documented(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/learners.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "## "+heading+"\n")
	require.True(t, found, heading)
	_, rest, found = strings.Cut(rest, "```sh\n")
	require.True(t, found, heading)
	commands, _, found := strings.Cut(rest, "```")
	require.True(t, found, heading)
	return commands
}
