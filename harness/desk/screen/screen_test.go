package screen_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

var update = flag.Bool("update", false, "write what came into testdata/*.golden")

// A step of each verdict, as a learner may meet it. The messages are short here;
// what they say is the business of other rooms.
var steps = map[verdict.Verdict]check.Step{
	verdict.Todo:    {Message: "New()   (pipe_test.go:21)\n  expected: no error\n  got:      New is not written yet (pipe.go:86)", File: "pipe.go", Line: 86},
	verdict.Wrong:   {Message: "Recv()\n  expected: \"hello\"\n  got:      \"\"\n\nWas one Read taken for one message?", File: "pipe.go", Line: 120, Seed: 7},
	verdict.Hung:    {Message: "2 s passed and the test was still waiting.\n\n  consumer (pid 8) is blocked in read(2) at pipe.go:91, (*Reader).Recv", File: "pipe.go", Line: 91},
	verdict.Crashed: {Message: "consumer (pid 8) ended: panic: my mistake\n\nYour code and the test, innermost first:\n  pipe.go:120  …/01-pipe.(*Reader).Recv", File: "pipe.go", Line: 120},
	verdict.Residue: {Message: "after the step   (pipe_test.go:21)\n  descriptors are still open that were not open before it:\n  fd 7 is pipe:[41], a read end", File: "pipe.go", Line: 86},
	verdict.Unsupported: {Message: "An unsynced write in the test's folder shows no dirty pages (cachestat(2)): its file system is tmpfs.\n" +
		"TMPDIR=DIR with a DIR on ext4 or xfs would do."},
	verdict.Fault: {Message: "the workbook itself\n  starting consumer: fork/exec /proc/self/exe: resource temporarily unavailable"},
	verdict.Pass:  {},
}

func result(v verdict.Verdict) check.Result {
	step := steps[v]
	step.Number, step.Test, step.Title, step.Verdict = 2, "TestSecond", "the second claim", v
	return check.Result{Chapter: 1, Name: "pipe", Verdict: verdict.Of([]verdict.Verdict{verdict.Pass, v}), Steps: []check.Step{
		{Number: 1, Test: "TestFirst", Title: "the first claim", Verdict: verdict.Pass}, step,
	}}
}

func shown(t *testing.T, r check.Result) string {
	t.Helper()
	var b bytes.Buffer
	screen.To(&b, "task").Result(r)
	return b.String()
}

// Each verdict has a look of its own, and --json says the same.
func TestEachVerdictHasALookOfItsOwn(t *testing.T) {
	looks := map[string]verdict.Verdict{}
	for v := range steps {
		t.Run(string(v), func(t *testing.T) {
			r := result(v)
			got := shown(t, r)
			golden(t, string(v), got)

			lines := strings.Split(got, "\n")
			look := strings.NewReplacer("2", "", "the second claim", "", " ", "").Replace(lines[4])
			require.NotContains(t, looks, look, "two verdicts that look alike")
			looks[look] = v
			if v != verdict.Pass {
				require.Contains(t, lines[4], string(v), "the word says what the sign says")
			}

			text, err := json.Marshal(r)
			require.NoError(t, err)
			var back check.Result
			require.NoError(t, json.Unmarshal(text, &back))
			require.Equal(t, r, back)
		})
	}
}

// The next thing is one that can be mended, where there is one.
func TestAStepThatCannotRunHereIsNotTheNextThing(t *testing.T) {
	r := result(verdict.Unsupported)
	third := check.Step{Number: 3, Title: "the third claim", Verdict: verdict.Wrong, Message: "Send()"}
	r.Steps = append(r.Steps, third)
	r.Verdict = verdict.Wrong
	require.Contains(t, shown(t, r), "Step 3 is wrong: the third claim")
}

func TestARefusalOfNamespacesIsSaidOnce(t *testing.T) {
	r := result(verdict.Pass)
	r.Note = "Steps run without namespaces of their own here (mounting /proc: operation not permitted)."
	require.Equal(t, 1, strings.Count(shown(t, r), "without namespaces"))
}

func TestABrokenPackageIsShownInTheCompilersWords(t *testing.T) {
	r := check.Result{Chapter: 1, Name: "pipe", Verdict: verdict.Broken, Steps: []check.Step{
		{Number: 1, Title: "the first claim", Verdict: verdict.Broken, Message: "pipe.go:9:2: undefined: x", File: "pipe.go", Line: 9},
	}}
	golden(t, "broken", shown(t, r))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "go test -update writes it")
	require.Equal(t, string(want), got)
}

// A hang is told in a small window: what the test was doing, who is blocked and why come
// first, and one line says how the rest is shown.
func TestALongHangIsCutAtAParagraph(t *testing.T) {
	paragraph := func(name string, lines int) string {
		return "\n\n  " + name + strings.Repeat("\n  and a line about it", lines-1)
	}
	hang := func(lines ...int) check.Result {
		r := result(verdict.Hung)
		r.Steps[1].Message = "2 s passed and the test was still waiting at pipe_test.go:7:\n      recv.Returns(nil)"
		for i, n := range lines {
			r.Steps[1].Message += paragraph(string(rune('A'+i)), n)
		}
		return r
	}
	for _, c := range []struct {
		name  string
		lines []int
		all   bool
		cut   int
	}{
		{"what fits is there", []int{5, 6}, false, 0}, // 2 + 1 + 5 + 1 + 6 = 15
		{"two lines are no reason to cut", []int{9, 2, 2}, false, 0},
		{"what does not fit is counted", []int{5, 7}, false, 7},
		{"who is blocked is always there", []int{20, 3, 2}, false, 5},
		{"all of it", []int{20, 3, 2}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			s := screen.To(&b, "task")
			s.Options, s.Verbose = "impl=reference", c.all
			s.Result(hang(c.lines...))
			require.Contains(t, b.String(), "recv.Returns(nil)\n\n    A\n")
			last := string(rune('A' + len(c.lines) - 1))
			if c.cut == 0 {
				require.Contains(t, b.String(), "\n    "+last+"\n")
				require.NotContains(t, b.String(), "verbose=1")
				return
			}
			require.NotContains(t, b.String(), "\n    "+last+"\n")
			require.Contains(t, b.String(), fmt.Sprintf("… %d lines more: task test chapter=1 step=2 verbose=1 impl=reference\n", c.cut))
		})
	}
}
