package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
)

// BenchmarkOverhead measures, for each chapter, what `workbook test` takes on the
// reference, and beside it what `go test` takes, in turn: time, and processor time of all
// that they start. The figures are reported, not asserted: they depend on the machine.
func BenchmarkOverhead(b *testing.B) {
	root, err := filepath.Abs("../../..")
	require.NoError(b, err)
	program := buildWorkbook(b)
	chapters, err := book.Chapters()
	require.NoError(b, err)
	for _, c := range chapters {
		reference, err := overlay.Open(filepath.Join(root, c.Solution()))
		require.NoError(b, err)
		b.Run(c.Folder(), func(b *testing.B) {
			over, err := overlay.Make(b.TempDir(), filepath.Join(root, c.Dir()), reference, c.Tests())
			require.NoError(b, err)
			run := func(name string, args ...string) (took, used time.Duration) {
				cmd := exec.Command(name, args...)
				cmd.Dir = root
				begun := time.Now()
				out, err := cmd.CombinedOutput()
				require.NoError(b, err, "%s", out)
				return time.Since(begun), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			goTest := func() (took, used time.Duration) {
				return run("go", "test", "-count=1", "-overlay", over.File, "./"+c.Dir())
			}
			workbook := func() (took, used time.Duration) {
				return run(program, "test", "--chapter", c.Name, "--impl", "reference")
			}
			goTest() // both are compiled
			workbook()
			var theirs, theirCPU, ours, ourCPU time.Duration
			for b.Loop() {
				took, used := goTest()
				theirs, theirCPU = theirs+took, theirCPU+used
				took, used = workbook()
				ours, ourCPU = ours+took, ourCPU+used
			}
			n := float64(b.N)
			b.ReportMetric(theirs.Seconds()/n, "s/go-test")
			b.ReportMetric(theirCPU.Seconds()/n, "cpu-s/go-test")
			b.ReportMetric(ours.Seconds()/n, "s/workbook-test")
			b.ReportMetric(ourCPU.Seconds()/n, "cpu-s/workbook-test")
		})
	}
}
