package lab

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"ipcworkbook/harness/verdict"
)

// Rand returns a source of random numbers for one choice of the test; the label
// names the choice. The numbers follow from the run's seed, the test and the
// label. So a new choice does not shift the others, and a failure can be
// replayed: it says which seed it was.
func (l *Lab) Rand(label string) *rand.Rand {
	l.useSeed()
	return source(l.seed(), l.t.Name(), label)
}

// Rand is [Lab.Rand] for a role. Two processes never share a source, also when
// they play the same role.
func (c *Child) Rand(label string) *rand.Rand {
	c.line.send(message{Seeded: true})
	return source(c.given.Seed, c.given.Stream, label)
}

// source makes a stream of its own for every list of words.
func source(seed uint64, words ...string) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %q", seed, words))))
}

// seed is the run's, or 1 where nobody chose one.
func (l *Lab) seed() uint64 {
	text := os.Getenv(verdict.EnvSeed)
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		l.Fault("%s is no seed: %v", verdict.EnvSeed, err)
	}
	return seed
}

// useSeed notes that how the step ends may depend on the seed. The supervisor is
// told at once: a step that hangs or crashes has no last word.
func (l *Lab) useSeed() {
	if l.seeded.CompareAndSwap(false, true) {
		up.send(verdict.Event{Kind: verdict.Seeded, Test: l.t.Name()})
	}
}

// again tells how to replay the test, if its seed had any part in it.
func (l *Lab) again() string {
	if !l.seeded.Load() {
		return ""
	}
	return "\n" + verdict.Again(l.seed(), l.t.Name(), folder) + "\n"
}
