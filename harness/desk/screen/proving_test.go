package screen

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/verify"
)

// In a log a row is named that many others have overtaken, once. One that takes its time is not.
func TestARowThatDoesNotEndIsNamedInALog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	p := NewProving(f)
	p.Begin(verify.Plan{Rows: 1000})
	now := func(done int, running ...string) {
		p.Now(verify.Status{Rows: 1000, Done: done, Running: running})
	}
	for done := range 300 {
		name := []string{"slow", "slower"}[done/150]
		now(done, "05-shm/hangs", name) // a row has ended
		now(done, "05-shm/hangs", name, "the next")
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "  … 05-shm/hangs still runs: 200 rows have ended since it began\n", string(text))
}
