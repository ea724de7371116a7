package lab

import (
	"time"

	"github.com/stretchr/testify/require"
)

// Tasks measures b.N tasks of a pool of processes. Do hands all of them over, takes all their
// results, and checks each of them. What comes before it, the start of the workers, is
// start-up.
//
// What the workers use is not counted: they are the learner's processes, and not the lab's.
func (m *Bench) Tasks(do func(count int) error) {
	m.t.Helper()
	m.start = time.Since(m.begun)
	m.b.SetBytes(int64(m.size))
	m.twice(func() { require.NoError(m, do(m.b.N), "%d tasks", m.b.N) })
}
