package console

import (
	"os"
	"os/exec"
	"testing"
)

// asProgram is set where the test binary is to be the program.
const asProgram = "IPCWORKBOOK_DEMO_TEST"

// Main is for the TestMain of a program's own tests, and does not return. Such a test builds
// nothing: the test binary is the program too, where [Program] has started it, and so are the
// program's own children, which inherit that.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) != "" {
		program()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Program is the program with these arguments, for [Start]. The tests call [Main].
func Program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}
