package book

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindKnowsAChapterByNumberAndName(t *testing.T) {
	for _, what := range []string{"1", "01", "pipe", "01-pipe"} {
		c, err := Find(what)
		require.NoError(t, err, what)
		require.Equal(t, 1, c.Number, what)
	}
	for _, what := range []string{"", "0", "99", "pip", "foo"} {
		_, err := Find(what)
		require.ErrorContains(t, err, "1 (pipe)", "the error for %q lists the choices", what)
	}
}

func TestEveryStepHasAClaimAndHints(t *testing.T) {
	chapters, err := Chapters()
	require.NoError(t, err)
	for _, c := range chapters {
		require.NotEmpty(t, c.Steps, c.Folder())
		for _, s := range c.Steps {
			require.NotEmpty(t, s.Title, "%s step %d", c.Folder(), s.Number)
			require.NotEmpty(t, s.Edit, "%s step %d", c.Folder(), s.Number)
			require.GreaterOrEqual(t, len(s.Hints), 2, "hints of %s step %d", c.Folder(), s.Number)
		}
	}
}

func TestNoSuchStep(t *testing.T) {
	c, err := Find("1")
	require.NoError(t, err)
	for _, n := range []int{-1, 0, len(c.Steps) + 1} {
		_, err := c.Step(n)
		require.ErrorContains(t, err, "1 to 11")
	}
}
