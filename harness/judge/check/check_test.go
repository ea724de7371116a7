package check_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// root is the workbook's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	require.NoError(t, err)
	return dir
}

func chapter(t *testing.T) book.Chapter {
	t.Helper()
	c, err := book.Find("1")
	require.NoError(t, err)
	return c
}

// reference returns the reference's files with edits.
func reference(t *testing.T, edits ...overlay.Edit) overlay.Impl {
	t.Helper()
	impl, err := overlay.Open(filepath.Join(root(t), chapter(t).Solution()))
	require.NoError(t, err)
	files, err := impl.Read()
	require.NoError(t, err)
	if len(edits) > 0 {
		require.NoError(t, overlay.Apply(files, edits))
	}
	return overlay.Memory("learner", files)
}

// plain returns the files of a correct solution that has only one.
func plain(t *testing.T) map[string][]byte {
	t.Helper()
	impl, err := overlay.Open(filepath.Join(root(t), chapter(t).Solution(), "testdata", "other", "plain"))
	require.NoError(t, err)
	files, err := impl.Read()
	require.NoError(t, err)
	return files
}

// run checks an implementation and asserts that nothing is left behind.
func run(t *testing.T, impl overlay.Impl, steps ...int) check.Result {
	t.Helper()
	return runLike(t, nil, trial{impl, steps})[0]
}

// trial is an implementation with the steps to run.
type trial struct {
	impl  overlay.Impl
	steps []int
}

// runLike checks several implementations, some side by side, and asserts that nothing is
// left behind. They are built as the recipe says, if there is one.
func runLike(t *testing.T, like *check.Recipe, trials ...trial) []check.Result {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	o := check.Options{Root: root(t), Chapter: chapter(t), Seed: 1, From: root(t), Like: like, Turns: check.NewTurns(runtime.NumCPU())}
	results := make([]check.Result, len(trials))
	var running errgroup.Group
	running.SetLimit(2 * runtime.NumCPU()) // most of their time they wait
	for i, trial := range trials {
		o := o
		o.Impl, o.Steps = trial.impl, trial.steps
		running.Go(func() (err error) {
			results[i], err = check.Run(context.Background(), o)
			return err
		})
	}
	require.NoError(t, running.Wait())
	require.Empty(t, processesWith(t, "TMPDIR="+tmp), "processes of the run")
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "temporary files of the run")
	return results
}

// processesWith lists the other processes that have something in their
// environment. A process that is being killed may take a moment to go.
func processesWith(t *testing.T, variable string) []string {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		var found []string
		paths, err := filepath.Glob("/proc/[0-9]*/environ")
		require.NoError(t, err)
		for _, p := range paths {
			if filepath.Base(filepath.Dir(p)) == fmt.Sprint(os.Getpid()) {
				continue
			}
			env, err := os.ReadFile(p)
			if err == nil && bytes.Contains(env, []byte(variable)) {
				command, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline"))
				found = append(found, p+" "+string(command))
			}
		}
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const inNew = `	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
`

const inSend = `	limit := MaxMessage
`

const imports = `	"syscall"

`

// Whatever learner code does, its step gets a verdict that says so, and no other
// step is hidden by it.
func TestLearnerCodeThatMisbehaves(t *testing.T) {
	atNew := func(code string) []overlay.Edit {
		return []overlay.Edit{{File: "pipe.go", Old: inNew, New: inNew + code}}
	}
	atSend := func(code string) []overlay.Edit {
		return []overlay.Edit{{File: "pipe.go", Old: inSend, New: inSend + code}}
	}
	with := func(edits []overlay.Edit, packages string) []overlay.Edit {
		return append(edits, overlay.Edit{File: "pipe.go", Old: imports, New: "\t\"syscall\"\n" + packages + "\n"})
	}
	end := overlay.Edit{File: "pipe.go", Old: "func mustBeFIFO(", New: "func init() { %s }\n\nfunc mustBeFIFO("}
	atInit := func(code string) []overlay.Edit {
		e := end
		e.New = fmt.Sprintf(e.New, code)
		return []overlay.Edit{e}
	}
	cases := []struct {
		name    string
		edits   []overlay.Edit
		step    int // that is run
		verdict verdict.Verdict
		words   []string
	}{
		{"panics in the test's process", atNew("\tif true {\n\t\tpanic(\"my mistake\")\n\t}\n"), 1,
			verdict.Crashed, []string{"panic: my mistake", "learner/pipe.go:"}},
		{"panics in a child", atSend("\tif os.Getenv(\"IPC_ROLE\") != \"\" {\n\t\tpanic(\"my mistake\")\n\t}\n"), 2,
			verdict.Crashed, []string{"producer (pid ", "panic: my mistake", "learner/pipe.go:"}},
		{"panics in a goroutine", atNew("\tgo func() { panic(\"my mistake\") }()\n\tselect {}\n"), 1,
			verdict.Crashed, []string{"panic: my mistake", "learner/pipe.go:"}},
		{"panics in init", atInit(`panic("my mistake")`), 1,
			verdict.Crashed, []string{"before any test ran", "panic: my mistake"}},
		{"prints and is wrong", atNew("\tfmt.Println(\"my debug line\")\n\tfmt.Fprintln(os.Stderr, \"and another\")\n\tos.Chdir(\"/\")\n"), 10,
			verdict.Residue, []string{"The test's process printed:", "  my debug line", "  and another"}},
		{"calls log.Fatal", with(atNew("\tlog.Fatal(\"my last words\")\n"), "\t\"log\"\n"), 1,
			verdict.Crashed, []string{"exit status 1", "printed:", "my last words"}},
		{"returns an error of the same words", []overlay.Edit{{File: "pipe.go", Old: "err = io.ErrUnexpectedEOF", New: "err = errors.New(\"unexpected EOF\")"}}, 6,
			verdict.Wrong, []string{"It has the same words, and yet it is another error"}},
		{"calls itself without end", atSend("\tif true {\n\t\treturn w.Send(p)\n\t}\n"), 2,
			verdict.Crashed, []string{"does it call itself without end?"}},
		{"lets the kernel write behind a variable",
			with(atNew("\tvar small int64\n\tsyscall.RawSyscall(syscall.SYS_FSTAT, 0, uintptr(unsafe.Pointer(&small)), 0)\n"), "\t\"unsafe\"\n"), 1,
			verdict.Crashed, []string{"smaller than what it writes there?"}},
		{"calls os.Exit(0)", atNew("\tos.Exit(0)\n"), 1, verdict.Crashed, []string{"os.Exit(0)"}},
		{"calls os.Exit(3)", atNew("\tos.Exit(3)\n"), 1, verdict.Crashed, []string{"exit status 3", "os.Exit"}},
		{"calls os.Exit(0) in init", atInit("os.Exit(0)"), 1, verdict.Crashed, []string{"before any test ran", "os.Exit"}},
		{"calls os.Exit(0) in a child", atSend("\tif os.Getenv(\"IPC_ROLE\") != \"\" {\n\t\tos.Exit(0)\n\t}\n"), 2,
			verdict.Crashed, []string{"producer (pid ", "exit status 0", "os.Exit"}},
		{"ends the goroutine", with(atNew("\truntime.Goexit()\n"), "\t\"runtime\"\n"), 1, verdict.Crashed, nil},
		{"loops for ever", atNew("\tfor {\n\t}\n"), 1, verdict.Hung, []string{"learner/pipe.go:", "CPU"}},
		{"hangs", atNew("\tselect {}\n"), 1, verdict.Hung, []string{"learner/pipe.go:"}},
		{"hangs in init", atInit("select {}"), 1, verdict.Hung, []string{"learner/pipe.go:"}},
		{"floods its output", atNew("\tfor i := range 200000 {\n\t\tprintln(\"flood\", i)\n\t\tos.Stdout.WriteString(\"flood flood flood\\n\")\n\t}\n"), 1,
			verdict.Pass, nil},
		{"floods its output for ever", atNew("\tfor {\n\t\tos.Stdout.WriteString(\"flood flood flood\\n\")\n\t}\n"), 1,
			verdict.Hung, []string{"learner/pipe.go:"}},
		{"allocates without end", atNew("\tvar all [][]byte\n\tfor {\n\t\tall = append(all, make([]byte, 1<<20))\n\t\tall[len(all)-1][0] = 1\n\t}\n"), 1,
			verdict.Crashed, []string{"1024 MiB", "RLIMIT_DATA"}},
		{"starts a grandchild that outlives it", with(atNew("\tif err := exec.Command(\"sleep\", \"1000\").Start(); err != nil {\n\t\treturn nil, nil, err\n\t}\n"), "\t\"os/exec\"\n"), 10,
			verdict.Residue, []string{"sleep (pid "}},
		{"starts a daemon", with(atNew("\tif err := exec.Command(\"setsid\", \"sh\", \"-c\", \"trap '' HUP TERM; sleep 1000 & sleep 1000\").Start(); err != nil {\n\t\treturn nil, nil, err\n\t}\n"), "\t\"os/exec\"\n"), 10,
			verdict.Residue, []string{"sleep (pid "}},
		{"closes the descriptors of others", atNew("\tfor fd := 3; fd < 100; fd++ {\n\t\tunix.Close(fd)\n\t}\n"), 1,
			verdict.Crashed, []string{"did not open"}},
		{"changes the working directory", atNew("\tos.Chdir(\"/\")\n"), 10, verdict.Residue, []string{"working directory"}},
		{"leaks a descriptor", atNew("\tunix.Open(\"/dev/null\", unix.O_RDONLY|unix.O_CLOEXEC, 0)\n"), 10,
			verdict.Residue, []string{"/dev/null"}},
		{"writes a false pass", atNew("\tos.Stdout.WriteString(\"\\x16--- PASS: TestBothEndsAreCloseOnExec (0.00s)\\n\")\n\tos.Exit(0)\n"), 1,
			verdict.Crashed, nil},
	}
	like, err := check.NewRecipe(t.Context(), check.Options{Root: root(t), Chapter: chapter(t), Impl: reference(t)})
	require.NoError(t, err)
	defer like.Close()
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{reference(t, c.edits...), []int{c.step}})
	}
	for i, r := range runLike(t, like, trials...) {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) {
			require.Len(t, r.Steps, 1)
			s := r.Steps[0]
			require.Equal(t, c.verdict, s.Verdict, s.Message)
			for _, word := range c.words {
				require.Contains(t, s.Message, word)
			}
			require.NotContains(t, s.Message, os.TempDir(), "no temporary path is shown")
			if c.verdict != verdict.Pass {
				require.Equal(t, "learner/pipe.go", s.File)
				require.Positive(t, s.Line)
			}
		})
	}
}

// One step's crash hides no other step.
func TestACrashHidesNoOtherStep(t *testing.T) {
	const asks = "\tif info.Mode()&os.ModeNamedPipe == 0 {\n"
	r := run(t, reference(t, overlay.Edit{File: "pipe.go", Old: asks, New: "\tif true {\n\t\tpanic(\"a FIFO\")\n\t}\n" + asks}))
	require.Equal(t, verdict.Crashed, r.Verdict)
	require.Len(t, r.Steps, len(chapter(t).Steps))
	for _, s := range r.Steps {
		want := verdict.Pass
		if s.Number == 9 {
			want = verdict.Crashed
		}
		require.Equal(t, want, s.Verdict, "step %d: %s", s.Number, s.Message)
	}
}

// A package that does not build is broken in every step, in the compiler's words.
func TestAPackageThatDoesNotBuildIsBroken(t *testing.T) {
	text := func(s string) map[string][]byte { return map[string][]byte{"pipe.go": []byte(s)} }
	good := plain(t)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		words []string
	}{
		{"no file", map[string][]byte{}, []string{"no Go file"}},
		{"an empty file", text(""), []string{"learner/pipe.go:1", "expected 'package'"}},
		{"an emptied package", text("package pipe\n"), []string{"has to declare", "New,", "Writer.Send", "Reader,"}},
		{"another package", text("package socket\n"), []string{"package socket", "package pipe"}},
		{"a syntax error", text("package pipe\n\nfunc New( {\n"), []string{"learner/pipe.go:3", "syntax error"}},
		{"a type error", text(strings.Replace(string(good["pipe.go"]), "return NewReader(r), NewWriter(w), nil", "return NewReader(r), 42, nil", 1)),
			[]string{"learner/pipe.go:", "42"}},
		{"a method that is missing", text(strings.Replace(string(good["pipe.go"]), "func (w *Writer) Capacity(", "func (w *Writer) capacity(", 1)),
			[]string{"It lacks Writer.Capacity."}},
		{"another signature", text(strings.Replace(string(good["pipe.go"]), "func (w *Writer) Capacity() (int, error)", "func (w *Writer) Capacity(of int) (n int, err error)", 1)),
			[]string{"Writer.Capacity has another signature", "in the stub: func() (int, error)", "here:        func(int) (int, error)"}},
		{"the import of the stub", text(strings.Replace(string(good["pipe.go"]), "import (", "import (\n\t\"ipcworkbook/harness/todo\"", 1)),
			[]string{"No function needs the import of harness/todo any more"}},
		{"two files that declare the same", map[string][]byte{"pipe.go": good["pipe.go"], "more.go": []byte("package pipe\n\nfunc New() {}\n")},
			[]string{"New redeclared"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, overlay.Memory("learner", c.files))
			require.Equal(t, verdict.Broken, r.Verdict, r.Message)
			require.Len(t, r.Steps, len(chapter(t).Steps))
			for _, word := range c.words {
				require.Contains(t, r.Message, word)
			}
			require.NotContains(t, r.Message, root(t))
			require.True(t, strings.HasPrefix(r.Steps[0].File, "learner"), r.Steps[0].File)
		})
	}
}

// The files of the chosen implementation are the ones that are built, and no
// other: a second file beside them is part of it, tests of its own are not.
func TestTheImplementationIsWhatIsBuilt(t *testing.T) {
	files := plain(t)
	dir := t.TempDir()
	split := strings.Replace(string(files["pipe.go"]), "func mustBeFIFO(", "func moved(", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pipe.go"), []byte(split), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more.go"), []byte(
		"package pipe\n\nimport \"os\"\n\nfunc mustBeFIFO(path string, info os.FileInfo) error { return moved(path, info) }\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pipe_test.go"), []byte("package pipe\n\nfunc TestMain() {}\n"), 0o600))
	impl, err := overlay.Open(dir)
	require.NoError(t, err)
	passed := run(t, impl)
	require.Equal(t, verdict.Pass, passed.Verdict, "%+v", passed.Steps)

	// A panic names the file that was built, not the one in the chapter's folder.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more.go"), []byte(
		"package pipe\n\nimport \"os\"\n\nfunc mustBeFIFO(path string, info os.FileInfo) error { panic(moved(path, info)) }\n"), 0o600))
	impl, err = overlay.Open(dir)
	require.NoError(t, err)
	r := run(t, impl, 9)
	require.Equal(t, verdict.Crashed, r.Verdict)
	require.Contains(t, r.Steps[0].Message, overlay.Relative(filepath.Join(dir, "more.go"), root(t))+":5")
}

// Verdicts do not depend on the machine: a run in which no test ran is a fault.
func TestNoTestIsNoPass(t *testing.T) {
	c := chapter(t)
	c.Steps = append([]book.Step{}, c.Steps...)
	c.Steps[0].Test = "TestThatIsNotThere"
	t.Setenv("TMPDIR", t.TempDir())
	r, err := check.Run(context.Background(), check.Options{
		Root: root(t), Chapter: c, Impl: reference(t), Steps: []int{1}, From: root(t),
	})
	require.NoError(t, err)
	require.Equal(t, verdict.Fault, r.Verdict)
	require.Contains(t, r.Steps[0].Message, "TestThatIsNotThere")
	require.Equal(t, verdict.Fault, verdict.Of(nil), "a chapter in which no step ran")
}

func TestStoppingLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(context.Background())
	b, err := check.Build(ctx, check.Options{Root: root(t), Chapter: chapter(t), Impl: reference(t), From: root(t)})
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, err := b.Run(ctx, 1)
		done <- err
	}()
	require.Eventually(t, func() bool {
		paths, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, p := range paths {
			env, err := os.ReadFile(p)
			if err == nil && bytes.Contains(env, []byte("TMPDIR="+tmp)) && bytes.Contains(env, []byte(verdict.EnvControl)) {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond, "a step has started")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	b.Close()
	require.Empty(t, processesWith(t, "TMPDIR="+tmp))
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// The line to edit is the one that ends the program, and not the function that
// the test happened to call.
func TestAnExitIsShownWhereItIs(t *testing.T) {
	impl := reference(t, overlay.Edit{File: "pipe.go", Old: "	var header [HeaderSize]byte\n	// io.EOF",
		New: "	os.Exit(3)\n	var header [HeaderSize]byte\n	// io.EOF"})
	r := run(t, impl, 3)
	require.Equal(t, verdict.Crashed, r.Verdict)
	files, err := impl.Read()
	require.NoError(t, err)
	require.Contains(t, strings.Split(string(files["pipe.go"]), "\n")[r.Steps[0].Line-1], "os.Exit(3)")
}

// A file in the chapter's own folder is told, though nobody is blamed for it.
func TestAFileInTheChaptersFolderIsTold(t *testing.T) {
	name := fmt.Sprintf("test-%d.log", os.Getpid())
	file := filepath.Join(root(t), chapter(t).Dir(), name)
	t.Cleanup(func() { os.Remove(file) })
	r := run(t, reference(t, overlay.Edit{File: "pipe.go", Old: inNew, New: inNew + fmt.Sprintf("\tos.WriteFile(%q, nil, 0o600)\n", name)}), 1)
	require.Equal(t, verdict.Pass, r.Verdict)
	require.Contains(t, r.Message, "something appeared in chapters/01-pipe: "+name)
}
