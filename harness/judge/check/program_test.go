package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program that was just written can be executed, whatever else is started meanwhile.
func TestAProgramThatWasJustWrittenRuns(t *testing.T) {
	path, err := exec.LookPath("true")
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var others sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command(path).Run()
				}
			}
		})
	}
	dir := t.TempDir()
	for range 300 {
		program := filepath.Join(dir, "program")
		require.NoError(t, writeProgram(program, text))
		require.NoError(t, exec.Command(program).Run())
		require.NoError(t, os.Remove(program))
	}
	close(stop)
	others.Wait()
}
