package words

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Experiment is one of a lesson's: a question to guess at, and what answers it. The
// lesson's text is its only source. In the section "Predict, then run" each is a heading
// "### 3. Title", the question, and the answer between <details> and </details>.
type Experiment struct {
	Number   int
	File     string // "MEASURE.md"
	Title    string
	Question string  // Markdown
	Answer   []Piece // in the order of the lesson
	line     int
}

// Piece is a text of an answer, or a command with what it printed for the lesson.
type Piece struct {
	Text    string // Markdown; "" where there is a command
	Command string // for sh, in the workbook's root
	Exit    int    // the status that it ends with
	Shown   string
}

const predictHeading = "## Predict, then run"

var (
	experimentLine = regexp.MustCompile(`^### (\d+)\. (.+)$`)
	detailsLine    = regexp.MustCompile(`^<details><summary>.+</summary>$`)
)

// Experiments are those of some files of the workbook, in their order.
func Experiments(root string, files ...string) (all []Experiment, err error) {
	for _, file := range files {
		d, err := read(root, file)
		if err != nil {
			return nil, err
		}
		some, _ := d.experiments()
		for i := range some {
			some[i].File = filepath.Base(file)
		}
		all = append(all, some...)
	}
	return all, nil
}

// experiments reads a document's. What has not their form is a problem.
func (d *document) experiments() (all []Experiment, problems []problem) {
	inFence := map[int]bool{}
	for _, f := range d.fences {
		for n := f.line; n <= f.end; n++ {
			inFence[n] = true
		}
	}
	outputs := map[int]output{} // by the line of their comment
	for _, o := range d.outputs {
		outputs[o.line] = o
	}
	const (
		before = iota // the first experiment
		asks
		answers
		answered
	)
	state := before
	inside := false
	var text []string
	e := &Experiment{}
	paragraph := func() string {
		s := strings.TrimSpace(strings.Join(text, "\n"))
		text = nil
		return s
	}
	complain := func(line int, why string) { problems = append(problems, problem{line, why}) }
	end := func() {
		if state == asks || state == answers {
			complain(e.line, "this experiment has no answer between <details><summary>…</summary> and </details>: task predict asks what it finds there")
		}
		if state != before {
			all = append(all, *e)
		}
		state, e = before, &Experiment{}
	}
	for i := 0; i < len(d.lines); i++ {
		n, line := i+1, d.lines[i]
		if !inFence[n] && strings.HasPrefix(line, "## ") {
			if inside {
				end()
			}
			inside = line == predictHeading
			continue
		}
		if !inside {
			continue
		}
		m := experimentLine.FindStringSubmatch(line)
		switch o, shows := outputs[n]; {
		case inFence[n]:
			text = append(text, line)
		case m != nil:
			end()
			paragraph()
			number, _ := strconv.Atoi(m[1])
			state, e = asks, &Experiment{Number: number, Title: m[2], line: n}
		case detailsLine.MatchString(line) && state == asks:
			if e.Question = paragraph(); !strings.Contains(e.Question, "?") {
				complain(e.line, "this experiment asks nothing: its question stands before <details>")
			}
			state = answers
		case line == "</details>" && state == answers:
			if s := paragraph(); s != "" {
				e.Answer = append(e.Answer, Piece{Text: s})
			}
			state = answered
		case shows && state == answers:
			if s := paragraph(); s != "" {
				e.Answer = append(e.Answer, Piece{Text: s})
			}
			e.Answer = append(e.Answer, Piece{Command: o.command, Exit: o.exit, Shown: strings.Join(o.fence.body, "\n")})
			for i < len(d.lines) && strings.TrimSpace(d.lines[i]) != endLine {
				i++
			}
		default:
			text = append(text, line)
		}
	}
	if inside {
		end()
	}
	return all, problems
}

// lesson checks the form of a lesson: its experiments, numbered over all of its files, and
// its length.
func (c *checker) lesson() {
	dir, file := filepath.Split(c.doc.file)
	part := slices.Index(LessonFiles, file)
	if filepath.Dir(filepath.Clean(dir)) != "chapters" || part < 0 {
		return
	}
	all, problems := c.doc.experiments()
	c.problems = append(c.problems, problems...)
	first := 1
	for _, other := range LessonFiles[:part] {
		if d, err := read(c.Root, dir+other); err == nil {
			before, _ := d.experiments()
			first += len(before)
		}
	}
	for i, e := range all {
		if e.Number != first+i {
			c.wrong(e.line, "this experiment should have the number %d", first+i)
		}
	}
	if words := len(strings.Fields(strings.Join(c.doc.lines, "\n"))); file == "README.md" && words > mostWords {
		c.wrong(1, "this lesson has %d words, and %d is the most that is read to its end", words, mostWords)
	}
}

// mostWords is how long a lesson may be, with all that it shows.
const mostWords = 4000

// Show runs the command of an experiment as a shown output is made, and passes on what it
// prints while it runs. It says how the command ended, and why that is not to be trusted,
// or "".
func Show(ctx context.Context, root, command string, to io.Writer) (exit int, problem string) {
	r := newRunner(root, time.Minute)
	r.live = to
	res := r.start(ctx, command)
	return res.exit, res.problem
}

// Cannot says that a status other than the one that was expected means that this machine
// cannot show a command.
func Cannot(exit, expected int) bool {
	return exit != expected && (exit == unsupported || exit == notFound)
}
