package procfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Who waits belongs to the lock of the same number, and to no other one.
func TestWhoHoldsUpALock(t *testing.T) {
	wanted := Lock{Kind: Flock, Write: true, PID: 20, End: -1}
	const (
		first  = "1: FLOCK  ADVISORY  WRITE 10 08:01:7 0 EOF\n"
		second = "2: FLOCK  ADVISORY  WRITE 11 08:01:8 0 EOF\n"
		other  = "2: -> FLOCK  ADVISORY  WRITE 19 08:01:8 0 EOF\n"
		waits  = "2: -> FLOCK  ADVISORY  WRITE 20 08:01:8 0 EOF\n"
	)
	for locks, pid := range map[string]int{
		first + second + other + waits: 11,
		second + waits + first:         11,
		first + waits:                  0, // the line between them was missed
		first + second:                 0,
		"3: LEASE\n" + second + waits:  11,
		"":                             0,
	} {
		require.Equal(t, pid, holderIn(locks, wanted), locks)
	}
}
