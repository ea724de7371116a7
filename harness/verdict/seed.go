package verdict

import (
	"fmt"
	"os"
	"path/filepath"
)

// Again is the line that tells how to replay a test under plain go test. Dir is
// the folder of its package.
func Again(seed uint64, test, dir string) string {
	return fmt.Sprintf("Again: %s=%d go test -run '^%s$' %s", EnvSeed, seed, test, fromRoot(dir))
}

// fromRoot is the folder as it is called in the module's root.
func fromRoot(dir string) string {
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			rel, _ := filepath.Rel(root, dir)
			return "./" + filepath.ToSlash(rel)
		}
		if root == filepath.Dir(root) {
			return "."
		}
	}
}
