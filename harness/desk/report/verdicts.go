package report

import (
	"fmt"
	"html/template"
	"path/filepath"

	"ipcworkbook/harness/judge/gauge"
)

// chapterVerdicts is one chapter in the table of verdicts.
type chapterVerdicts struct {
	Heading, Title, Anchor string
	Mark                   mark
	Partial                bool
	Message                string
	Rows                   []judged
}

// judged is one benchmark: the ratio on an axis with its gates.
type judged struct {
	Anchor, Name, Title string
	Mark                mark
	Message, Place      string

	Ratio, Interval string
	Gate, Fast      string
	FastWord        string // "reached", "not yet"
	Rounds          string
	Plot            *ratioPlot
}

// ratioPlot is drawn: the ratio as a dot with its interval, and the gates.
type ratioPlot struct {
	Short, One, Gate, Fast template.CSS // where; Short is the width of what is not enough
	Dot                    template.CSS
	Whisker                *whisker
	Beyond                 bool
}

// ratioMax ends the axis of the ratios: a reference that is left far behind is
// told by the figure.
const ratioMax = 1.5

func chapterVerdict(r run) chapterVerdicts {
	c := chapterVerdicts{
		Heading: r.heading(), Title: r.title(), Anchor: r.anchor,
		Mark: newMark(r.Verdict), Partial: r.Partial != "", Message: r.Message,
	}
	for i, b := range r.Benchmarks {
		c.Rows = append(c.Rows, newJudged(r, i, b))
	}
	return c
}

func newJudged(r run, i int, b gauge.Benchmark) judged {
	j := judged{
		Anchor: r.benchmarkAnchor(i), Name: b.Name, Title: b.Title,
		Mark: newMark(b.Verdict), Message: b.Message, Place: place(b),
		Ratio: "–", Gate: formatRatio(b.Gate), Fast: formatRatio(b.Fast),
		Rounds: plural(b.Rounds, "round"),
	}
	if fewRounds(b.Rounds) != "" {
		j.Rounds = "all " + j.Rounds
	}
	if !known(b.Ratio) {
		return j
	}
	j.Ratio = formatRatio(b.Ratio, b.Gate, b.Fast)
	j.Interval = "not known"
	if known(b.Low, b.High) {
		j.Interval = fmt.Sprintf("%s – %s", formatRatio(b.Low), formatRatio(b.High))
	}
	if known(b.Fast) {
		j.FastWord = "not yet"
		if b.Ratio >= b.Fast {
			j.FastWord = "reached"
		}
	}
	j.Plot = newRatioPlot(b)
	return j
}

func newRatioPlot(b gauge.Benchmark) *ratioPlot {
	s := scale{max: ratioMax}
	p := &ratioPlot{
		One:    percent("left", s.part(1)),
		Dot:    percent("left", s.part(b.Ratio)),
		Beyond: b.Ratio > s.max,
	}
	if known(b.Gate) {
		p.Gate = percent("left", s.part(b.Gate))
		p.Short = percent("width", s.part(b.Gate))
	}
	if known(b.Fast) {
		p.Fast = percent("left", s.part(b.Fast))
	}
	p.Whisker = newWhisker(s, b.Low, b.High)
	return p
}

// place is where the message points to: "pipe.go:58".
func place(b gauge.Benchmark) string {
	if b.File == "" {
		return ""
	}
	file := b.File
	if filepath.IsAbs(file) {
		file = filepath.Base(file)
	}
	if b.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, b.Line)
}
