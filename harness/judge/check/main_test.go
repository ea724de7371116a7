package check_test

import (
	"fmt"
	"os"
	"testing"

	"ipcworkbook/harness/step/supervisor"
)

// TestMain lets this test binary be the supervisors that check starts.
func TestMain(m *testing.M) {
	supervisor.Enter()
	if err := harmed(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
	os.Exit(m.Run())
}
