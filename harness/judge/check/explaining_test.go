package check

import (
	"context"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// hangs is a step in which ten processes wait for each other's messages.
const hangs = `package pipe_test

import (
	"testing"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

func TestTenProcessesHang(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	for range 10 {
		l.Start(waits, lab.Give("r", r), lab.Give("w", w))
	}
}

var waits = lab.NewRole("waits", func(c *lab.Child) error {
	_ = c.File("w")
	_, err := pipe.NewReader(c.File("r")).Recv()
	return err
})
`

// BenchmarkExplaining measures how long it takes to explain a hang of ten
// processes, from its deadline to the text.
func BenchmarkExplaining(b *testing.B) {
	root, err := filepath.Abs("../../..")
	require.NoError(b, err)
	c, err := book.Find("1")
	require.NoError(b, err)
	impl, err := overlay.Open(filepath.Join(root, c.Solution()))
	require.NoError(b, err)
	tests := maps.Clone(c.Tests())
	tests["hangs_test.go"] = []byte(hangs)
	b.Setenv("TMPDIR", b.TempDir())
	built, err := Build(context.Background(), Options{Root: root, Chapter: c, Impl: impl, Tests: tests, From: root})
	require.NoError(b, err)
	defer built.Close()
	require.Empty(b, built.broken.Message)
	var sum time.Duration
	for range b.N {
		report, err := launch.Run(context.Background(), verdict.Spec{
			Path: built.binary, Args: []string{"-test.run=^TestTenProcessesHang$"},
			Dir: filepath.Join(root, c.Dir()), Env: []string{"GOTRACEBACK=all", "TMPDIR=" + built.tmp}, Deadline: 200 * time.Millisecond,
		}, nil, nil, nil)
		require.NoError(b, err)
		require.Equal(b, verdict.Hung, report.Finding.Verdict, report.Finding.Message)
		sum += report.Explaining
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "ms/explanation")
	b.ReportMetric(0, "ns/op")
}
