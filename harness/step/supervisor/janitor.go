package supervisor

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ipcworkbook/harness/step/residue"
)

// tidy waits until whoever started this process says so, by closing the pipe on
// standard input, or has ended. It removes the folder of the run then, and what
// the steps left in the kernel. Whoever is killed by SIGKILL cannot do that.
func tidy(folder string) {
	word := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(word)
	}()
	select {
	case <-word:
	case <-gone(parentFD):
	}
	// A supervisor that was not told cleans up first; a compiler may still write
	// into the folder. Nothing of the run is started any more, so this ends.
	for range 500 {
		if !inUse(folder) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	err := residue.CleanUp(folder)
	for range 100 {
		// Whoever is just being killed may still make a file.
		if removeErr := os.RemoveAll(folder); removeErr == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "workbook: removing what a step left in the kernel:", err)
		os.Exit(4)
	}
	os.Exit(0)
}

// inUse reports whether a process has this folder, or one below it, as its folder
// for temporary files: all that a run starts has.
func inUse(folder string) bool {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	own := filepath.Join("/proc", strconv.Itoa(os.Getpid()), "environ")
	for _, path := range paths {
		if path == own {
			continue
		}
		if env, err := os.ReadFile(path); err == nil && bytes.Contains(env, []byte("TMPDIR="+folder)) {
			return true
		}
	}
	return false
}
