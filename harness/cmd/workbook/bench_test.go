package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/lab/console"
	"ipcworkbook/harness/verdict"
)

func TestBenchAndReport(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	chapters, err := book.Chapters()
	require.NoError(t, err)
	have := func(n int) string { return fmt.Sprintf("%d of %d chapters are measured", n, len(chapters)) }
	for _, c := range []struct {
		args   string
		status int      // measured: how fast it was is not asserted
		words  []string // on standard output or standard error
	}{
		{"report", 0, []string{have(0), ".workbook/report.html"}},
		{"bench --chapter 99", 2, []string{`no chapter "99"`}},
		{"bench --chapter 1 --rounds 0", 2, []string{"--rounds"}},
		{"bench --chapter 1 --rounds x", 2, []string{`rounds= takes a whole number, and not "x"`}},
		{"bench --chapter 1 --benchmark Transfer", 2, []string{`no benchmark "Transfer"`, "Transfer/64B, Transfer/1KiB"}},
		{"bench --all --chapter 1", 2, []string{"no --chapter"}},
		{"bench --all --impl slow/byte-by-byte", 2, []string{"--impl reference only"}},
		{"bench --all --rounds 0", 2, []string{"--rounds"}},
		{"figures --chapter 5 --cores 2", 2, []string{"no figures of processes that have a core each"}},
		{"figures --all --table ladder", 2, []string{"--table peers, chart or screen"}},
		{"figures --chapter 1 --table chart", 2, []string{"--all"}},
		{"figures --all", 0, []string{"ring in memory", "there and back", "Medians of"}},
		{"figures --all --table chart", 0, []string{"Messages of 1 KiB", "ratio to the pipe"}},
		{"bench --chapter 1 --impl slow/nothing", 2, []string{"Choose one of"}},
		{"bench --chapter 1 --impl /nowhere", 2, []string{"/nowhere"}},
		{"bench --chapter 1", 1, []string{"0 of 6 benchmarks", "todo", "New is not written yet", "Edit chapters/01-pipe/pipe.go:"}},
		{"bench --chapter 1 --impl reference --rounds 1", measured, []string{"6 benchmarks", "1 round "}},
		{"report --out page.html", 0, []string{have(1), "page.html"}},
		{"report --out no/such/folder/page.html", 2, []string{"no such file or directory"}},
		{"report --out harness", 2, []string{"harness"}},
		{"figures --chapter 1 --table ladder", 0, []string{"reference", "plain"}},
		{"figures --chapter 1 --table x", 2, []string{"ladder"}},
		{"soak --chapter 1 --gates --runs 2", 0, []string{"One verdict for every gate in 2 runs", "2 todo"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := call(t, root, program, strings.Fields(c.args)...)
			if c.status == measured {
				wasMeasured(t, status, out+errs)
			} else {
				require.Equal(t, c.status, status, out+errs)
			}
			for _, word := range c.words {
				require.Contains(t, out+errs, word)
			}
			require.NotContains(t, out+errs, "\x1b", "no colour where there is no terminal")
		})
	}
	page, err := os.ReadFile(filepath.Join(root, "page.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "Transfer")
}

// measured stands for the exit status of a correct solution after a few rounds. Such few
// say nothing of its speed: it may be judged slow, and no more.
const measured = -1

func wasMeasured(t *testing.T, status int, said string) {
	t.Helper()
	require.Contains(t, []int{passed, failed}, status, said)
	for _, other := range []verdict.Verdict{verdict.Wrong, verdict.Hung, verdict.Crashed, verdict.Residue, verdict.Broken, verdict.Todo} {
		require.NotRegexp(t, `\b`+string(other)+`\b`, said)
	}
}

// All mechanisms are measured with the learner's code where its chapter is green, and with the
// reference elsewhere. Where neither is there the result says so.
func TestAllMechanismsSideBySide(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	solve(t, root)
	status, out, errs := call(t, root, program, "test", "--chapter", "1")
	require.Equal(t, 0, status, out+errs)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "solutions", "07-joinable")))

	status, out, errs = call(t, root, program, "bench", "--all", "--rounds", "1", "--json")
	require.Equal(t, 0, status, out+errs)
	require.Empty(t, errs)
	var r gauge.Side
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r))
	require.False(t, decoder.More())
	all, err := book.SideBySide()
	require.NoError(t, err)
	require.Len(t, r.Mechanisms, len(all.Mechanisms))
	for i, m := range r.Mechanisms {
		want := map[int]string{1: gauge.Yours, 7: ""}
		code, other := want[m.Chapter]
		if !other {
			code = gauge.Reference
		}
		require.Equal(t, code, m.Code, m.Name)
		for _, w := range r.Works {
			switch measure, there := m.Measured[w.Name]; {
			case there:
				require.Positive(t, measure.Median, "%s, %s", m.Name, w.Name)
				require.Positive(t, measure.Ratio, "%s, %s", m.Name, w.Name)
			case m.Chapter == 7:
				require.Contains(t, m.Lacks[w.Name], "is not in this copy")
			default:
				require.NotEmpty(t, all.Mechanisms[i].Lacks[w.Name], "%s, %s: %s", m.Name, w.Name, m.Lacks[w.Name])
				require.Equal(t, all.Mechanisms[i].Lacks[w.Name], m.Lacks[w.Name])
			}
		}
	}
	kept, err := gauge.KeptSide(root)
	require.NoError(t, err)
	require.Equal(t, r, *kept, "what was kept is what was shown")
	status, out, errs = call(t, root, program, "report", "--out", "-")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "All mechanisms side by side")
}

func TestBenchJSONIsOneDocument(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	status, out, errs := call(t, root, program, "bench", "--chapter", "1", "--impl", "reference", "--json", "--rounds", "2", "--benchmark", "PingPong")
	wasMeasured(t, status, out+errs)
	require.Empty(t, errs)
	var r gauge.Result
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r))
	require.False(t, decoder.More())
	require.Contains(t, []verdict.Verdict{verdict.Pass, verdict.Slow}, r.Verdict)
	require.Len(t, r.Benchmarks, 1)
	_, err := os.Stat(filepath.Join(root, ".workbook", "bench"))
	require.Error(t, err, "a part of the benchmarks does not take the place of a whole result")
}

// Ctrl-C in the middle: what was measured is shown, marked and kept.
func TestBenchStoppedByCtrlC(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	cmd := exec.Command(program, "bench", "--chapter", "1", "--impl", "reference", "--rounds", "1000")
	cmd.Dir = root
	tmp := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	c := console.Start(t, cmd, console.Timeout(2*time.Minute))
	c.Expect(`round 2 of 1000`)
	c.Interrupt()
	c.Expect(`Stopped after [12] of 1000 rounds`)
	require.Equal(t, 130, c.Wait())

	chapters, err := book.Chapters()
	require.NoError(t, err)
	results, err := gauge.Kept(root, chapters)
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Contains(t, results[0].Partial, "of 1000 rounds")
	require.Positive(t, results[0].Benchmarks[0].Ratio)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// On one core the two processes take turns. The note says so, and the limit of
// the ping-pong says why it is not there.
func TestBenchOnOneCore(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("taskset (util-linux) is not installed")
	}
	program := buildWorkbook(t)
	root := clone(t)
	status, out, errs := call(t, root, "taskset", "-c", "0", program, "bench", "--chapter", "1", "--impl", "reference", "--json", "--rounds", "2", "--benchmark", "PingPong")
	wasMeasured(t, status, out+errs)
	var r gauge.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, 1, r.Machine.Cores)
	require.Contains(t, r.Notes[0], "one core")
	require.Contains(t, r.Missing[gauge.Limit], "core")
	require.Nil(t, r.Benchmarks[0].SecondsPerOp[gauge.Limit])
}

// Figures that are kept are whole: a benchmark that was added later is in them, too.
func TestKeptFiguresAreWhole(t *testing.T) {
	chapters, err := book.Chapters()
	require.NoError(t, err)
	for _, c := range chapters {
		files, err := filepath.Glob(filepath.Join("../../..", c.Solution(), "testdata", "figures*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files, "chapter %d", c.Number)
		for _, file := range files {
			_, err := readFigures(file, c)
			require.NoError(t, err)
		}
	}
	all, err := gauge.ReadSide("../../../solutions/testdata/all.json")
	require.NoError(t, err)
	require.NoError(t, sideIsWhole(all))
}
