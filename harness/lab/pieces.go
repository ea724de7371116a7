package lab

import (
	"math/rand/v2"
	"time"
)

const (
	// largest is the largest piece. It is no more than a page, and than what a
	// socket with the smallest buffer takes at once.
	largest = 2048

	// small is how many pieces are small, and how large such a piece may be. The
	// pieces after them are large: a long message would take long otherwise.
	small     = 256
	smallSize = 128

	// A relay pauses no more often and no longer than this.
	pauses        = 20
	shortestPause = time.Millisecond
	longestPause  = 2 * time.Millisecond
)

// pieces decides how large the next piece is, and how long to pause before it.
type pieces struct {
	rand          *rand.Rand
	sizes         []int
	passed, pause int
}

func (p *pieces) next() int {
	p.passed++
	switch {
	case p.passed > small:
		return 1 + p.rand.IntN(largest)
	case p.rand.IntN(2) == 0:
		return min(largest, p.sizes[p.rand.IntN(len(p.sizes))])
	}
	return 1 + p.rand.IntN(p.rand.IntN(smallSize)+1) // the smaller, the more frequent
}

func (p *pieces) wait() {
	if d := p.nextPause(); d > 0 {
		time.Sleep(d)
	}
}

// nextPause is 0 for most pieces. The first one is always late.
func (p *pieces) nextPause() time.Duration {
	if p.passed > 0 && (p.pause == pauses || p.rand.IntN(2) == 0) {
		return 0
	}
	p.pause++
	return shortestPause + time.Duration(p.rand.Int64N(int64(longestPause-shortestPause)))
}
