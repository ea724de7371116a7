package launch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"ipcworkbook/harness/verdict"
)

// Folder makes a folder for temporary files. It is gone when remove was called,
// or when this process has ended, even by SIGKILL: a helper process sees to it
// (package supervisor, tidy). With the folder goes what steps left in the kernel
// under the names that they were given.
func Folder() (dir string, remove func(), err error) {
	// The helper comes first, so that there is no moment in which the folder is
	// there and nobody would remove it.
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("workbook-%08x", rand.Uint32()))
	janitor, err := command(verdict.Helper)
	if err != nil {
		return "", nil, err
	}
	janitor.Env = append(janitor.Env, verdict.EnvTidy+"="+dir)
	word, err := janitor.StdinPipe() // its end is the word to tidy
	if err != nil {
		return "", nil, err
	}
	janitor.Stderr = os.Stderr
	if err := start(janitor); err != nil {
		return "", nil, err
	}
	remove = func() {
		word.Close()
		if janitor.Wait() != nil {
			os.RemoveAll(dir) // the helper itself was killed
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}
