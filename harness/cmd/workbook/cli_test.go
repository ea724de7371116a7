package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// clone copies what a learner has, to be edited. Every clone has the same path, one
// after the other: so what Go has built for one of them it need not build for the next.
func clone(t *testing.T) string {
	t.Helper()
	to := cloneAt(t)
	require.NoError(t, copyWorkbook(to))
	return to
}

// cloneAt is the path of every clone.
func cloneAt(t *testing.T) string {
	t.Helper()
	to := filepath.Join(clones(), "workbook")
	require.NoDirExists(t, to, "one at a time")
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(to)) })
	return to
}

var clones = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "workbook-clones-")
	if err != nil {
		panic(err)
	}
	atTheEnd = func() { os.RemoveAll(dir) }
	return dir
})

// atTheEnd is what TestMain does when all tests have run.
var atTheEnd = func() {}

func copyWorkbook(to string) error {
	from, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	for _, name := range []string{"chapters", "solutions", "harness", "tools"} {
		if err := os.CopyFS(filepath.Join(to, name), fewer{os.DirFS(filepath.Join(from, name))}); err != nil {
			return err
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "Taskfile.yml", "task"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// fewer is a folder without the known-wrong solutions of other chapters than the first:
// they are most of a workbook's files, and nothing here asks for one.
type fewer struct{ fs.FS }

func (f fewer) ReadDir(name string) ([]fs.DirEntry, error) {
	if path.Base(name) == "wrong" && !strings.HasPrefix(name, "01-") {
		return nil, nil
	}
	return fs.ReadDir(f.FS, name)
}

// call runs a program and returns its exit status and what it wrote.
func call(t *testing.T, dir, program string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// The exit statuses are a contract: 0 all passed, 1 one did not, 2 wrong usage.
func TestExitStatusAndWords(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	empty := t.TempDir()
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "socket.go"), []byte("package socket\n"), 0o600))
	typo := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(typo, "pipe.go"), []byte("package pipe\n\nfunc New( {\n"), 0o600))
	for _, c := range []struct {
		args   string
		status int
		words  []string // on standard output or standard error
	}{
		{"test --chapter 1", 1, []string{"0 of 12 steps", "todo", "Edit chapters/01-pipe/pipe.go:"}},
		{"test --chapter 1 --impl reference", 0, []string{"12 of 12 steps", "All 12 steps pass."}},
		{"test --chapter pipe --step 3 --impl reference", 0, []string{"Step 3 passes."}},
		{"test --chapter 99", 2, []string{`no chapter "99"`, "1 (pipe)"}},
		{"test --chapter foo", 2, []string{`no chapter "foo"`}},
		{"test --chapter 1 --step 0", 2, []string{"has no step 0", "1 to 12"}},
		{"test --chapter 1 --step 13", 2, []string{"has no step 13"}},
		{"test --chapter 1 --step x", 2, []string{`not "x"`}},
		{"test --chapter 1 --impl /nowhere", 2, []string{"/nowhere", "no such file"}},
		{"test --chapter 1 --impl wrong/nothing", 2, []string{"01-no-cloexec"}},
		{"test --chapter 1 --impl " + empty, 1, []string{"does not build", "no Go file"}},
		{"test --chapter 1 --impl " + other, 1, []string{"package socket", "package pipe"}},
		{"test --chapters 1", 2, []string{"unknown flag"}},
		{"tset", 2, []string{"tset"}},
		{"hint --chapter 1 --step 5", 0, []string{"Hint 1 of 3", "level=2"}},
		{"hint --chapter 1 --step 5 --level 3", 0, []string{"Hint 3 of 3"}},
		{"hint --chapter 1 --step 5 --level 4", 2, []string{"level 1 to 3"}},
		{"hint --chapter 1", 0, []string{"Chapter 1, step 1:"}},
		{"hint --chapter 1 --impl wrong/05-reader-keeps-the-write-end", 0,
			[]string{"step 5:", "The last run hung, and this is what was seen:", "is blocked in", "Begin at the line", "Hint 1 of 3"}},
		{"hint --chapter 1 --impl wrong/01-dup-left-open", 0, []string{"step 1:", "left something behind:", "Begin where it is made.", "Hint 1 of 3"}},
		{"soak --chapter 1 --runs 0", 2, []string{"--runs"}},
		{"soak --chapter 1 --impl wrong/all --race", 2, []string{"neither with --gates nor with --race"}},
		{"soak --chapter 1 --runs 2 --impl wrong/10-limit-not-in-the-text", 1,
			[]string{"2 wrong", "but step 10 does not pass. In run 1 (seed 1)", "Again: task test chapter=1 step=10 seed=1 impl=wrong/"}},
		{"verify --chapter 99", 2, []string{`no chapter "99"`}},
		{"demo --chapter 1", 1, []string{"New is not written yet"}},
		{"demo --chapter 1 --impl " + other, 1, []string{"package socket"}},
		{"demo --chapter 1 --impl " + typo, 1, []string{"does not build", "pipe.go:3"}},
		{"doctor", 0, []string{"What is needed of this machine", "✓ Go", "kernel"}},
		{"list", 0, []string{"0 of 12 steps", "Next: chapter 1, step 1"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := call(t, root, program, strings.Fields(c.args)...)
			require.Equal(t, c.status, status, out+errs)
			for _, word := range c.words {
				require.Contains(t, out+errs, word)
			}
			require.NotContains(t, out+errs, "\x1b", "no colour where there is no terminal")
		})
	}
}

// What this machine lacks makes a step unsupported, never wrong, and it is told how to
// mend that.
func TestStepThatCannotRunHere(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	few := func(args string) (int, string, string) {
		return call(t, root, "sh", "-c", "ulimit -n 128; exec "+program+" "+args)
	}
	status, out, _ := few("test --chapter 1 --impl reference")
	require.Equal(t, 3, status, out)
	for _, word := range []string{"unsupported", "Nothing of yours is wrong", "doctor finds:", "open files", "ulimit -Hn"} {
		require.Contains(t, out, word)
	}
	status, out, _ = few("doctor")
	require.Equal(t, 3, status, out)
	require.Contains(t, out, "Some steps cannot run here.")
	status, out, _ = few("doctor --json")
	require.Equal(t, 3, status, out)
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &all), out)
	require.NotEmpty(t, all)

	// Programs for strangers to talk to.
	for _, c := range []string{"--chapter 2 --step 15", "--chapter 3 --step 14", "--chapter 3 --step 15"} {
		path, err := exec.LookPath("go")
		require.NoError(t, err)
		status, out, errs := call(t, root, "env", append([]string{"PATH=" + filepath.Dir(path), program, "test", "--impl", "reference"}, strings.Fields(c)...)...)
		require.Equal(t, 3, status, out+errs)
		require.Contains(t, out, "python3\n  found       not installed")
		require.Contains(t, out, "apt install python3")
	}
}

// With --json there is one document on standard output, and nothing else.
func TestJSONIsOneDocument(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	for impl, want := range map[string]verdict.Verdict{"reference": verdict.Pass, "chapters/01-pipe": verdict.Todo} {
		_, out, errs := call(t, root, program, "test", "--chapter", "1", "--json", "--impl", impl)
		require.Empty(t, errs)
		var r check.Result
		decoder := json.NewDecoder(strings.NewReader(out))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&r))
		require.False(t, decoder.More())
		require.Equal(t, want, r.Verdict)
		require.Equal(t, "pipe", r.Name)
		require.Len(t, r.Steps, 12)
		if want == verdict.Todo {
			require.Equal(t, "chapters/01-pipe/pipe.go", r.Steps[0].File)
			require.Positive(t, r.Steps[0].Line)
			require.Contains(t, r.Steps[0].Message, "not written yet")
		}
	}
}

// What a learner does to a clone, by accident or not, gets a clear word, and the
// tests that were handed out are the ones that judge.
func TestAClonesDamage(t *testing.T) {
	program := buildWorkbook(t)
	folder := "chapters/01-pipe"
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		status int
		words  []string
	}{
		{"an edited test", func(t *testing.T, dir string) {
			appendTo(t, dir+"/pipe_test.go", "\nfunc init() { panic(\"edited\") }\n")
		}, 1, []string{"pipe_test.go", "not as they were handed out", "todo"}},
		{"a deleted test", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir+"/pipe_test.go"))
		}, 1, []string{"pipe_test.go (missing)", "todo"}},
		{"an added test", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/my_test.go", []byte("package pipe\n\nfunc init() { panic(\"added\") }\n"), 0o600))
		}, 1, []string{"my_test.go (added)", "todo"}},
		{"an added file", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/more.go", []byte("package pipe\n\nfunc helper() {}\n\nvar _ = helper\n"), 0o600))
		}, 1, []string{"todo"}},
		{"an emptied stub", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/pipe.go", nil, 0o600))
		}, 1, []string{"does not build", "chapters/01-pipe/pipe.go:1"}},
		{"a deleted stub", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir+"/pipe.go"))
		}, 1, []string{"does not build", "no Go file"}},
		{"a deleted chapter", func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(dir))
		}, 2, []string{"chapters/01-pipe is missing", "git restore"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := clone(t)
			c.damage(t, filepath.Join(root, folder))
			status, out, errs := call(t, root, program, "test", "--chapter", "1")
			require.Equal(t, c.status, status, out+errs)
			for _, word := range c.words {
				require.Contains(t, out+errs, word)
			}
		})
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(old, text...), 0o600))
}

// ./task hands on the workbook's exit status, and the last words are the
// workbook's, not go-task's. It works from a folder below too.
func TestTheWrapperHandsOnTheStatus(t *testing.T) {
	root := clone(t)
	task := filepath.Join(root, "task")
	// The first run says so, and what it does; the next one does not.
	const first = "The first run here"
	status, out, errs := call(t, root, task, "list")
	require.Zero(t, status, out+errs)
	require.Contains(t, errs, first)
	require.Contains(t, errs, "This is once")
	require.NotContains(t, out, first)
	_, _, errs = call(t, root, task, "list")
	require.NotContains(t, errs, first)
	for _, c := range []struct {
		dir    string
		args   string
		status int
		last   string
	}{
		{".", "test chapter=1 step=1", 1, "Hint: ./task hint chapter=1 step=1"},
		{".", "test chapter=1 step=1 impl=reference", 0, "Step 1 passes."},
		{".", "test chapter=99", 2, "Choose one of: 1 (pipe)"},
		{"chapters/01-pipe", "test chapter=1 step=1", 1, "Hint: ../../task hint chapter=1 step=1"},
		{".", "test chapter=1;exit step=1", 2, "Choose one of: 1 (pipe)"},
		{"..", "test chapter=1 step=1", 1, "Hint: workbook/task hint chapter=1 step=1"},
		{"..", "test chapter=1 step=1 impl=workbook/solutions/01-pipe", 0, "Step 1 passes."},
		{".", "test chapter=1 stpe=3", 2, "test has no option stpe. It has: chapter step impl seed race verbose json"},
		{".", "test CHAPTER=1", 2, "test has no option CHAPTER."},
		{".", "verify json=1", 2, "verify has no option json. It has: chapter"},
		{".", "watch chapter=99", 2, "Choose one of: 1 (pipe)"},
		{".", "tset chapter=1", 2, "there is no task tset."},
		{".", "list", 0, "task test chapter=1"},
		{".", "chapter=1", 2, "stands behind the name of a task"},
		{".", "test chapter 1", 2, "Options are written as name=value"},
		{".", "test -step=1", 2, "without dashes"},
		{".", "demo chapter=1 -transfer", 2, "behind --"},
		{".", "test chapter=1 step=1 json=0 race=no", 1, "Hint: "},
		{".", "test chapter=1 step=1 json=x", 2, "true, 1, yes, false, 0 or no"},
		{".", "test chapter=1 seed=abc", 2, `seed= takes a whole number, and not "abc"`},
		{".", "hint chapter=1 step=1 level=0", 2, `none of level "0"`},
		{".", "hint chapter=1 step=1 level=3", 0, "level=1"},
	} {
		status, out, errs := call(t, filepath.Join(root, c.dir), task, strings.Fields(c.args)...)
		require.Equal(t, c.status, status, out+errs)
		lines := strings.Split(strings.TrimSpace(out+errs), "\n")
		require.Contains(t, lines[len(lines)-1], c.last)
	}
	status, out, errs = call(t, root, "sh", "-c", "./task doctor | head -1")
	require.Zero(t, status)
	require.Equal(t, "What is needed of this machine:\n", out)
	require.Empty(t, errs, "a reader that goes away is no failure")
	left, err := filepath.Glob(filepath.Join(root, ".workbook/status.*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
