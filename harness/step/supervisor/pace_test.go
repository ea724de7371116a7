package supervisor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A machine is as slow as its work shows on the average, and not as its start was.
func TestPaceIsThatOfAllWork(t *testing.T) {
	p := &pace{start: 1}
	require.Less(t, p.slower(), slowest)
	require.Equal(t, 1, p.pieces)
	p.spent += 1000 * usualPiece // from here on this machine is slow
	require.Equal(t, slowest, p.slower())
	p.spent, p.pieces = 10*usualPiece*1000+usualPiece*500, 1000
	require.Equal(t, 10, p.slower())
	require.Equal(t, 20, (&pace{start: 20}).slower(), "what the start showed stays")
}
