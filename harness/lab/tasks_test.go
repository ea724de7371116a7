package lab

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// All tasks are asked for twice, and the second time is measured.
func TestTasksAreMeasuredTheSecondTime(t *testing.T) {
	var counts []int
	r := testing.Benchmark(func(b *testing.B) {
		m := NewBench(b, 8)
		counts = nil
		m.Tasks(func(count int) error { counts = append(counts, count); return nil })
		assert.Equal(b, b.N, m.measured.Messages)
		assert.GreaterOrEqual(b, m.measured.Whole, m.measured.Seconds)
	})
	assert.Equal(t, []int{r.N, r.N}, counts)
}
