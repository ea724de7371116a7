package screen

import (
	"fmt"
	"strings"
	"time"

	"ipcworkbook/harness/judge/verify"
	"ipcworkbook/harness/verdict"
)

// Law shows one row as soon as it is known.
func (s Screen) Law(r verify.Row) {
	sign, v, saw := signs[verdict.Pass], verdict.Pass, r.Saw
	switch {
	case r.Unstable:
		sign, v, saw = signs[verdict.Wrong], verdict.Wrong, "unstable"
	case r.Problem != "":
		sign, v, saw = signs[verdict.Wrong], verdict.Wrong, "does not hold"
	case r.Skipped != "":
		sign, v, saw = signs[verdict.Unsupported], verdict.Unsupported, "skipped: "+r.Skipped
	}
	left := fmt.Sprintf("  %s %-8s %-8s %s", sign, r.Chapter, Names(r.Law), r.What)
	switch {
	case !r.Kept.IsZero():
		saw += "  kept " + r.Kept.Local().Format("2006-01-02 15:04")
	case r.Took > 0:
		saw += fmt.Sprintf(" %6.2f s", r.Took.Seconds())
	}
	s.Line("%s", s.paint(v, s.ends(left, saw)))
	for line := range strings.Lines(r.Problem) {
		s.Line("        %s", strings.TrimRight(line, "\n"))
	}
}

// Plan says what is to come, before the first row.
func (s Screen) Plan(p verify.Plan) {
	text := fmt.Sprintf("%d rows are to be proven", p.Rows)
	if p.Rows == 1 {
		text = "1 row is to be proven"
	}
	if p.Kept > 0 {
		text = fmt.Sprintf("%d rows; %d of them were proven on this machine for the same files, and are kept", p.Rows, p.Kept)
	}
	if p.Last > 0 {
		text += fmt.Sprintf("; all of them took %s the last time", span(p.Last))
	}
	s.Paragraph(text + ".")
	s.Line("")
}

// Names returns a law's number and name.
func Names(law int) string { return fmt.Sprintf("%d %s", law, verify.Laws[law]) }

// fewRows are as many as are still on the screen at the end. wholeAgain are as many of those
// that fail as are shown a second time with all that was said.
const (
	fewRows    = 12
	wholeAgain = 5
)

// Failed shows once more what does not hold, among so many rows that it is out of sight.
func (s Screen) Failed(rows []verify.Row) {
	if len(rows) <= fewRows {
		return
	}
	n := 0
	for _, r := range rows {
		if r.Problem == "" {
			continue
		}
		if n == 0 {
			s.Line("\nWhat does not hold:\n")
		}
		if n++; n > wholeAgain {
			r.Problem = "is said above"
		}
		s.Law(r)
		s.Line("        Again: %s verify row='%s/%s'", s.task, r.Chapter, r.What)
	}
}

// Laws shows the table at the end: a line for each chapter and law.
func (s Screen) Laws(rows []verify.Row) {
	type key struct {
		chapter string
		law     int
	}
	var order []key
	sums := map[key][]verify.Row{}
	for _, r := range rows {
		k := key{r.Chapter, r.Law}
		if sums[k] == nil {
			order = append(order, k)
		}
		sums[k] = append(sums[k], r)
	}
	s.Line("\n  %-14s %-11s %8s %8s %8s %9s", "chapter", "law", "passed", "failed", "skipped", "time")
	for _, k := range order {
		passed, failed, skipped := verify.Count(sums[k])
		var took time.Duration
		for _, r := range sums[k] {
			took += r.Took
		}
		v := verdict.Pass
		if failed > 0 {
			v = verdict.Wrong
		}
		s.Line("%s", s.paint(v, fmt.Sprintf("  %-14s %-11s %8d %8d %8d %7.1f s",
			k.chapter, Names(k.law), passed, failed, skipped, took.Seconds())))
	}
}
