package lab

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/verdict"
)

// The same seed gives the same numbers; another choice, another process or
// another seed gives others.
func TestSourcesAreIndependent(t *testing.T) {
	seen := map[uint64]string{}
	for _, seed := range []string{"", "1", "2"} {
		t.Run("seed"+seed, func(t *testing.T) {
			t.Setenv("IPC_SEED", seed)
			l := New(t)
			require.Empty(t, l.again(), "nothing was drawn yet")
			for _, label := range []string{"sizes", "cut"} {
				n := l.Rand(label).Uint64()
				require.Equal(t, n, l.Rand(label).Uint64())
				require.Empty(t, seen[n])
				seen[n] = label
			}
			for range 2 {
				var n uint64
				p := l.Start(draws)
				p.Report(&n)
				require.Empty(t, seen[n])
				seen[n] = "process"
			}
			if seed == "2" {
				require.Contains(t, l.again(), "Again: IPC_SEED=2 go test -run '^TestSourcesAreIndependent/seed2$' ./harness/lab")
			}
		})
	}
	require.Equal(t, "Again: IPC_SEED=7 go test -run '^TestX$' ./chapters/01-pipe",
		verdict.Again(7, "TestX", folder+"/../../chapters/01-pipe"))
}

var draws = NewRole("draws", func(c *Child) error {
	c.Report(c.Rand("sizes").Uint64())
	return nil
})
