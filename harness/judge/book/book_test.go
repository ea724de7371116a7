package book

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// The course in README has each chapter, with as many steps as it has. The hours follow from them.
func TestTheCourseIsThatOfTheBook(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	chapters, err := Chapters()
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| \[.*\]\((.*)/README\.md\) \|.*\| (\d+) \| (\d+) \|[^|]*\|$`).FindAllSubmatch(text, -1)
	require.Len(t, rows, len(chapters))
	for i, c := range chapters {
		var told []string
		for _, column := range rows[i][1:] {
			told = append(told, string(column))
		}
		hours := 2 + len(c.Steps)/2
		require.Equal(t, []string{fmt.Sprint(c.Number), c.Dir(), fmt.Sprint(len(c.Steps)), fmt.Sprint(hours)}, told)
	}
}

// 3.8 is step 8 of chapter 3. A step that is moved or taken out is looked for in docs, too: a number
// beyond the last step is found here, another one is for who moves it.
func TestStepsThatDocsNameAreThere(t *testing.T) {
	text, err := os.ReadFile("../../../docs/choosing.md")
	require.NoError(t, err)
	chapters, err := Chapters()
	require.NoError(t, err)
	named := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for _, m := range regexp.MustCompile(`\b([1-8])\.(\d+)\b`).FindAllStringSubmatch(line, -1) {
			chapter, _ := strconv.Atoi(m[1])
			step, _ := strconv.Atoi(m[2])
			_, err := chapters[chapter-1].Step(step)
			require.NoError(t, err, line)
			named++
		}
	}
	require.Greater(t, named, 30)
}

// One work for all mechanisms: what it names is there.
func TestAllMechanismsSideBySide(t *testing.T) {
	all, err := SideBySide()
	require.NoError(t, err)
	chapters, err := Chapters()
	require.NoError(t, err)
	for _, c := range chapters {
		require.True(t, slices.ContainsFunc(all.Mechanisms, func(m Mechanism) bool { return m.Chapter == c.Number }), "no mechanism is of chapter %d", c.Number)
	}
	works := []Work{{Name: "a"}, {Name: "b"}}
	for want, m := range map[string]Mechanism{
		"":                       {Does: map[string]string{"a": "X"}, Lacks: map[string]string{"b": "why"}},
		"it does \"b\"":          {Does: map[string]string{"a": "X"}},
		"it does \"a\"":          {Does: map[string]string{"a": "X", "b": "Y"}, Lacks: map[string]string{"a": "why"}},
		"there is no work \"c\"": {Does: map[string]string{"a": "X", "b": "Y", "c": "Z"}},
	} {
		if got := m.problem(works); want == "" {
			require.Empty(t, got)
		} else {
			require.Contains(t, got, want)
		}
	}
	_, err = allIn(fstest.MapFS{allFile: {Data: []byte("[[work]]\nname = \"a\"\nsise = 1\n")}})
	require.ErrorContains(t, err, "sise")
	_, err = allIn(fstest.MapFS{allFile: {Data: []byte("")}})
	require.ErrorContains(t, err, "no work or no mechanism")
}
