package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkOverhead measures what `workbook test` adds to what `go test` takes
// for the same chapter, the reference in the place of the stub. The two are run
// in turn. The figure is reported, not asserted: it depends on the machine.
func BenchmarkOverhead(b *testing.B) {
	root, err := filepath.Abs("../../..")
	require.NoError(b, err)
	program := filepath.Join(b.TempDir(), "workbook")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(b, err, "%s", out)

	overlay := filepath.Join(b.TempDir(), "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "chapters/01-pipe/pipe.go"): filepath.Join(root, "solutions/01-pipe/testdata/other/plain/pipe.go"),
	}})
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(overlay, text, 0o600))

	run := func(name string, args ...string) time.Duration {
		cmd := exec.Command(name, args...)
		cmd.Dir = root
		begun := time.Now()
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", out)
		return time.Since(begun)
	}
	goTest := func() time.Duration {
		return run("go", "test", "-count=1", "-overlay", overlay, "./chapters/01-pipe")
	}
	workbook := func() time.Duration {
		return run(program, "test", "--chapter", "1", "--impl", "reference")
	}
	goTest() // both are compiled
	workbook()
	var theirs, ours time.Duration
	for b.Loop() {
		theirs += goTest()
		ours += workbook()
	}
	n := float64(b.N)
	b.ReportMetric(theirs.Seconds()/n, "s/go-test")
	b.ReportMetric(ours.Seconds()/n, "s/workbook-test")
	b.ReportMetric((ours-theirs).Seconds()/n, "s-added")
}
