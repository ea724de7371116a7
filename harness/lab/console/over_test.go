package console

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatProcShowsOfAProcessThatHasEnded(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (cat) Z 1 7":        true,
		"7 (cat) X 0 -1":       true, // it is just being reaped
		"7 (cat) S 1 7":        false,
		"7 (cat) R 1 7":        false,
		"7 (a) Z b) S 1 7":     false, // a name may have anything in it
		"7 (X) X (Z) Z) Z 1 7": true,
	} {
		require.Equal(t, want, over(stat), stat)
	}
}
