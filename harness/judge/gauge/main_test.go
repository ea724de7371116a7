package gauge_test

import (
	"os"
	"testing"

	"ipcworkbook/harness/step/supervisor"
)

// TestMain lets this test binary be the supervisors of the turns.
func TestMain(m *testing.M) {
	supervisor.Enter()
	os.Exit(m.Run())
}
