package pool

import (
	"testing"

	"ipcworkbook/harness/lab"
)

// TestMain lets the test binary be its own child: a process that is started to
// play a role plays it here, and runs no test. A worker is a program of it.
func TestMain(m *testing.M) { lab.Main(m) }
