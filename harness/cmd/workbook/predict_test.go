package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/judge/book"
)

// lesson is as small as a lesson can be: an answer that is produced, one that the reader
// has to look at elsewhere, and one that this machine cannot show.
const lesson = `# 1 · pipe

## Predict, then run

### 1. Counting

How many lines does this print? Read [the idea](#the-idea) **first**.

` + "```sh\nseq 3\n```" + `

<details><summary>The output, and why</summary>

<!-- output: seq 3; exit 1 -->
` + "```text\nwhat it was once\n```" + `
<!-- end -->

It counts
from one.

</details>

### 2. Elsewhere

This needs two terminals. Who is killed?

<details><summary>The answer</summary>

The consumer.

</details>

## The steps
`

const measuredLesson = `# 1 · pipe: measure

## Predict, then run

### 3. What is not here

Is it fast?

<details><summary>The output</summary>

<!-- output: exit 3 -->
` + "```text\nvery fast\n```" + `
<!-- end -->

</details>
`

// predictable is a workbook that has no more than this lesson.
func predictable(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module ipcworkbook\n", "chapters/01-pipe/README.md": lesson, "chapters/01-pipe/MEASURE.md": measuredLesson,
	} {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

// A reader guesses, sees it run, and is asked again on another day.
func TestPredict(t *testing.T) {
	program, root := buildWorkbook(t), predictable(t)
	c, _ := terminal(t, root, program, "predict", "--chapter", "1")
	c.Expect(`Chapter 1, experiment 1 of 3: Counting\n\nHow many lines does this print\? Read the idea first\.\n\n    seq 3\n`)
	c.Expect(`An empty line ends your guess\.\n`)
	c.SendLine("four,")
	c.SendLine("as I count from zero")
	c.SendLine("")
	c.Expect(`It runs now:\n\n    1\n    2\n    3\n`)
	c.Expect(`ended with exit status 1\. For the lesson it was 0, and it printed:\n\n    what it was once\n`)
	c.Expect(`It counts from one\.\n\nYou expected:\n\n    four,\n    as I count from zero\n`)
	c.SendLine("n")
	c.Expect(`Next: task predict chapter=1\n`)
	require.Equal(t, 0, c.Wait())
	require.NotContains(t, c.Transcript(), "\x1b", "NO_COLOR is set")

	c, _ = terminal(t, root, program, "predict")
	c.Expect(`experiment 2 of 3: Elsewhere`)
	c.SendLine("the producer")
	c.SendLine("")
	c.Expect(`in another terminal\. Then press Enter\.\n`)
	c.SendLine("")
	c.Expect(`\nThe consumer\.\n\nYou expected:\n\n    the producer\n`)
	c.EndOfFile() // no word on whether it was right
	require.Equal(t, 0, c.Wait())

	c, _ = terminal(t, root, program, "predict", "--experiment", "3")
	c.Expect(`experiment 3 of 3 \(MEASURE\.md\): What is not here`)
	c.SendLine("yes")
	c.SendLine("")
	c.Expect(`This machine cannot show it \(exit status 3\)\. Elsewhere it printed:\n\n    very fast\n`)
	c.SendLine("y")
	c.Expect(`All 3 experiments of chapter 1 were asked\. On another day:\n  task predict chapter=1 again=1\n`)
	require.Equal(t, 0, c.Wait())

	for _, words := range [][]string{{"predict"}, {"predict", "--chapter", "1"}} {
		_, text := at(t, root, program, words...)
		require.Contains(t, text, "All 3 experiments of chapter 1 were asked.")
	}
	_, text := at(t, root, program, "predict", "--again")
	require.Contains(t, text, "Nothing is to be asked again today")

	// On another day what was guessed wrong comes first, however late it was asked.
	file := filepath.Join(root, ".workbook/guesses/01-pipe.json")
	pipe, err := book.Find("1")
	require.NoError(t, err)
	guesses, err := progress.Guesses(root, pipe)
	require.NoError(t, err)
	require.Len(t, guesses, 3)
	require.Equal(t, []string{"no", "", "yes"}, []string{guesses[0].Right, guesses[1].Right, guesses[2].Right})
	for i := range guesses {
		guesses[i].At = guesses[i].At.Add(-48 * time.Hour)
	}
	guesses[0].At = guesses[0].At.Add(time.Hour)
	older, err := json.Marshal(guesses)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, older, 0o600))
	c, _ = terminal(t, root, program, "predict", "--again")
	c.Expect(`experiment 1 of 3: Counting`)
	c.SendLine("three")
	c.SendLine("")
	c.Expect(`You expected:\n\n    three\n`)
	c.SendLine("y")
	c.Expect(`On ` + guesses[0].At.Local().Format(time.DateOnly) + ` you expected:\n\n    four,\n    as I count from zero\n\nNext: task predict chapter=1 again=1\n`)
	require.Equal(t, 0, c.Wait())
	_, text = at(t, root, program, "predict", "--again", "--chapter", "2")
	require.Contains(t, text, "chapters/02-file")
}

// A course may hand chapters out without their solutions.
func TestPredictWithoutTheSolutions(t *testing.T) {
	program, root := buildWorkbook(t), predictable(t)
	path := filepath.Join(root, "chapters/01-pipe/README.md")
	text := strings.Replace(lesson, "output: seq 3; exit 1", "output: ./task demo chapter=1 impl=reference", 1)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	c, _ := terminal(t, root, program, "predict", "--chapter", "1")
	c.SendLine("three")
	c.SendLine("")
	c.Expect(`(?s)It needs the reference, which is not in this copy.*solutions/01-pipe.*Elsewhere it\s+printed:\n\n    what it was once\n`)
	c.SendLine("n")
	require.Equal(t, 0, c.Wait())

	for _, words := range [][]string{{"test", "--impl", "reference"}, {"test", "--impl", "wrong/01-any"}, {"demo", "--impl", "reference"}, {"solution", "--anyway"}} {
		status, said := at(t, root, program, append(words, "--chapter", "1")...)
		require.Equal(t, 2, status, "%v", words)
		require.Contains(t, strings.Join(strings.Fields(said), " "), "the folder solutions/01-pipe is missing", "%v", words)
	}
}

// What is not guessed does not run, and what was guessed is never written over.
func TestPredictRefuses(t *testing.T) {
	program, root := buildWorkbook(t), predictable(t)
	for _, c := range []struct {
		name, input string
		args        []string
		words       string
	}{
		{"no guess", "", []string{"predict"}, "nothing was guessed, so nothing was run"},
		{"empty lines", "\n\n\n", []string{"predict"}, "nothing was guessed, so nothing was run"},
		{"no such experiment", "x\n", []string{"predict", "--chapter", "1", "--experiment", "4"}, `has the experiments 1 to 3, not "4"`},
		{"no number", "x\n", []string{"predict", "--chapter", "1", "--experiment", "one"}, `not "one"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, said := callWith(t, root, c.input, program, c.args...)
			require.Equal(t, 2, status, said)
			require.Contains(t, said, c.words)
			require.NotContains(t, said, "It runs now")
			require.NoDirExists(t, filepath.Join(root, ".workbook/guesses"))
		})
	}
	t.Run("damaged guesses", func(t *testing.T) {
		file := filepath.Join(root, ".workbook/guesses/01-pipe.json")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte("[{"), 0o600))
		status, said := callWith(t, root, "x\n\n\n", program, "predict", "--chapter", "1")
		require.Equal(t, 2, status, said)
		require.Contains(t, said, "01-pipe.json is damaged")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "[{", string(text))
	})
	t.Run("Ctrl-C while it runs", func(t *testing.T) {
		root := predictable(t)
		lesson := strings.Replace(lesson, "seq 3; exit 1", "echo begun; sleep 1000", 1)
		require.NoError(t, os.WriteFile(filepath.Join(root, "chapters/01-pipe/README.md"), []byte(lesson), 0o644))
		c, _ := terminal(t, root, program, "predict")
		c.SendLine("long")
		c.SendLine("")
		c.Expect(`begun\n`)
		c.Interrupt()
		c.Expect(`nothing was left running`)
		require.Equal(t, 130, c.Wait())
		pipe, err := book.Find("1")
		require.NoError(t, err)
		guesses, err := progress.Guesses(root, pipe)
		require.NoError(t, err)
		require.Len(t, guesses, 1, "what was guessed is kept")
	})
	t.Run("60 columns", func(t *testing.T) {
		c, _ := terminal(t, predictable(t), "sh", "-c", "stty cols 60; exec "+program+" predict --experiment 3")
		c.SendLine("yes")
		c.SendLine("")
		c.Expect(`Elsewhere it\nprinted:\n`)
		c.EndOfFile()
		require.Equal(t, 0, c.Wait())
		for line := range strings.Lines(c.Transcript()) {
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 60, line)
		}
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		root := predictable(t)
		c, _ := terminal(t, root, program, "predict")
		c.Expect(`An empty line ends your guess\.\n`)
		c.Interrupt()
		require.Equal(t, 130, c.Wait())
		require.NoDirExists(t, filepath.Join(root, ".workbook/guesses"))
	})
}

// callWith runs a program with this standard input.
func callWith(t *testing.T, dir, input, program string, args ...string) (status int, said string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(input)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}
