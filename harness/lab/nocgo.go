//go:build !cgo

package lab

import (
	"math"
	"os"
	"time"

	"ipcworkbook/harness/verdict"
)

// A program without cgo is ended by Go's runtime when no goroutine can go on by itself
// ("all goroutines are asleep"). A process that waits for a signal that it ignores is such
// a one, and a right solution. A timer that is far away tells the runtime that something is
// still to come, so on a machine without a C compiler a step ends as on any other.
func init() {
	if os.Getenv(verdict.EnvRole) != "" {
		time.AfterFunc(math.MaxInt64, func() {})
	}
}
