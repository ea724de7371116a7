package book

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"testing/fstest"

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
			require.LessOrEqual(t, len(s.Title), 62, "in 80 columns there is room for a verdict behind it: %s step %d", c.Folder(), s.Number)
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
		require.ErrorContains(t, err, fmt.Sprintf("1 to %d", len(c.Steps)))
	}
}

func TestABenchmarkThatIsNotWellFormedIsAnError(t *testing.T) {
	good := Benchmark{Name: "Transfer/1KiB", Title: "a title", Kind: "transfer", Size: 1, Messages: 1, Cores: 1, Gate: 0.5, Fast: 0.8, Peer: "pipe", Edit: "New"}
	require.Empty(t, good.problem())
	for want, change := range map[string]func(*Benchmark){
		"have to be given":    func(b *Benchmark) { b.Peer = "" },
		"its kind":            func(b *Benchmark) { b.Kind = "transfr" },
		"has to be above 0":   func(b *Benchmark) { b.Gate = 0 },
		"fast not below it":   func(b *Benchmark) { b.Fast = 0.4 },
		"have to be positive": func(b *Benchmark) { b.Messages = 0 },
		"cores is 0":          func(b *Benchmark) { b.Cores = 0 },
	} {
		b := good
		change(&b)
		require.Contains(t, b.problem(), want)
	}
}

// What the maintainers read of the kinds of mistakes is what verify asks for, in its order.
func TestTheKindsOfMistakesAreToldToMaintainers(t *testing.T) {
	text, err := os.ReadFile("../../../docs/maintainers.md")
	require.NoError(t, err)
	var told, known []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(text, -1) {
		told = append(told, string(row[1]))
	}
	for _, kind := range Kinds {
		known = append(known, kind.Name)
	}
	require.Equal(t, known, told)
}

// A maintainer writes a chapter, and seals it afterwards.
func TestAChapterThatIsNotSealedYet(t *testing.T) {
	c, err := read(fstest.MapFS{"09-new.toml": {Data: []byte("number = 9\nname = \"new\"\ntitle = \"new\"\n")}}, "09-new.toml")
	require.NoError(t, err)
	require.Empty(t, c.Tests())
	require.Empty(t, c.Stub())
}
