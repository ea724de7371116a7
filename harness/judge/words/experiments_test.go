package words

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const section = "## Predict, then run\n\n"

func experiment(number, question, answer string) string {
	return "### " + number + ". A title\n\n" + question + "\n\n<details><summary>The answer</summary>\n\n" + answer + "\n\n</details>\n\n"
}

func TestExperimentsAreReadFromTheLesson(t *testing.T) {
	o := workbook(t, map[string]string{"chapters/01-pipe/README.md": "# 1\n\n### 9. No experiment\n\n" + section +
		"Write down what you expect.\n\n" +
		experiment("1", "What comes?\n\n```sh\n### 5. a comment\nls\n```", "Here:\n\n"+shows("<!-- output exit=2: ls x -->", "ls: no x")+"\n\nNothing is there.") +
		experiment("2", "And now?", "The same.") + "## The steps\n\n### 3. Not this one\n"})
	all, err := Experiments(o.Root, "chapters/01-pipe/README.md")
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, "A title", all[0].Title)
	assert.Equal(t, "What comes?\n\n```sh\n### 5. a comment\nls\n```", all[0].Question)
	assert.Equal(t, []Piece{{Text: "Here:"}, {Command: "ls x", Exit: 2, Shown: "ls: no x"}, {Text: "Nothing is there."}}, all[0].Answer)
	assert.Equal(t, []Piece{{Text: "The same."}}, all[1].Answer)
}

func TestALessonHasAForm(t *testing.T) {
	for _, c := range []struct{ name, lesson, measure, problem string }{
		{"right", section + experiment("1", "What?", "This."), section + experiment("2", "What?", "That."), ""},
		{"no answer", section + "### 1. A title\n\nWhat?\n", "", "README.md:3: this experiment has no answer"},
		{"an answer that does not end", section + "### 1. A title\n\nWhat?\n\n<details><summary>x</summary>\n\nThis.\n\n## The steps\n", "", "README.md:3: this experiment has no answer"},
		{"no question", section + experiment("1", "Look at this.", "This."), "", "README.md:3: this experiment asks nothing"},
		{"a wrong number", section + experiment("1", "What?", "This.") + experiment("3", "What?", "This."), "", "should have the number 2"},
		{"not numbered on", section + experiment("1", "What?", "This."), section + experiment("1", "What?", "That."), "MEASURE.md:3: this experiment should have the number 2"},
		{"too long", strings.Repeat("word ", mostWords+1) + "\n", "", "README.md:1: this lesson has 4001 words"},
		{"what is measured may be longer", "# 1\n", strings.Repeat("word ", mostWords+1) + "\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := workbook(t, map[string]string{"chapters/01-pipe/README.md": c.lesson, "chapters/01-pipe/MEASURE.md": c.measure})
			var said string
			for _, r := range Check(context.Background(), o) {
				said += r.Problem
			}
			if c.problem == "" {
				assert.Empty(t, said)
			} else {
				assert.Contains(t, said, c.problem)
			}
		})
	}
}
