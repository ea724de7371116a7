package peers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"ipcworkbook/harness/judge/peers"
)

// Each peer that is a pool checks all results by itself.
func TestAPoolReturnsEveryResult(t *testing.T) {
	for _, k := range []kind{{"pool", peers.C}, {"pool", peers.Python}, {"pool-async", peers.Python}, {"pool-busy1", peers.Python}, {"pool-busy2", peers.Python}} {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, size := range []int{8, 1000, 65536} {
				for _, count := range []int{1, 2, 300} {
					l := runPeer(t, p.Argv, "tasks", size, count).measured(t)
					assert.Equal(t, count, l.Messages)
					assert.Positive(t, l.Seconds)
					assert.Greater(t, l.Whole, l.Seconds)
				}
			}
			for _, words := range [][]any{{"tasks"}, {"tasks", 7, 1}, {"tasks", 64, 0}, {"tasks", 64, "x"}, {"tasks", 64, 1, 1}, {"transfer", 64, 1}} {
				o := runPeer(t, p.Argv, words...)
				assert.Equal(t, 2, o.status, "%v", words)
				assert.Contains(t, o.errors, "usage: ")
			}
		})
	}
}
