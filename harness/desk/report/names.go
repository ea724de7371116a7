package report

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
	"ipcworkbook/harness/verdict"
)

var humanNames = map[string]string{
	gauge.Yours: "yours", gauge.Reference: "reference", gauge.Python: "Python",
	gauge.C: "C", gauge.Limit: "limit", gauge.Memcpy: "memcpy",
}

var meaning = map[string]string{
	gauge.Yours:     "the code that is judged",
	gauge.Reference: "the workbook’s own solution, in Go",
	gauge.Python:    "the same work in Python",
	gauge.C:         "the same work in C",
	gauge.Limit:     "the same bytes through memory that two processes share",
	gauge.Memcpy:    "the same bytes, copied once, in one process",
}

// contestant is the name that is shown.
func (r run) contestant(c string) string {
	if c == gauge.Yours {
		return r.yours()
	}
	return cmp.Or(humanNames[c], c)
}

// yours is the name of what is judged: "yours", or whose code it is.
func (r run) yours() string {
	switch {
	case r.Impl == "":
		return humanNames[gauge.Yours]
	case r.Impl == gauge.Reference:
		return "reference, judged" // the other one is "reference"
	case filepath.IsAbs(r.Impl):
		return filepath.Base(r.Impl)
	}
	return r.Impl
}

// class is the contestant's name in page.css.
func class(contestant string) string {
	if humanNames[contestant] == "" {
		return "other"
	}
	return contestant
}

// mechanism is what a benchmark's name says beside its kind and its size:
// "FIFO" of "FIFO/1KiB", nothing of "Transfer/1KiB".
func mechanism(b gauge.Benchmark) string {
	var parts []string
	for part := range strings.SplitSeq(b.Name, "/") {
		for _, kind := range []string{"Transfer", "PingPong"} {
			part = strings.TrimSuffix(part, kind)
		}
		if part != "" && !isSize(part, b.Size) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

func isSize(text string, size int) bool {
	return slices.Contains([]string{
		strings.ReplaceAll(formatSize(size), " ", ""),
		figure.Count(size) + "B",
		strings.ReplaceAll(figure.Count(size), ",", "") + "B",
	}, text)
}

// mark is a verdict as it is shown: a sign and a word, so that colour is never
// the only difference.
type mark struct {
	Class, Sign, Word string
}

// marks are in the order in which they are counted.
var marks = []struct {
	verdict verdict.Verdict
	mark
}{
	{verdict.Pass, mark{"good", "✓", "pass"}},
	{verdict.Slow, mark{"bad", "▼", "slow"}},
	{verdict.Wrong, mark{"bad", "✗", "wrong"}},
	{verdict.Hung, mark{"bad", "∥", "hung"}},
	{verdict.Crashed, mark{"bad", "!", "crashed"}},
	{verdict.Residue, mark{"bad", "+", "residue"}},
	{verdict.Broken, mark{"bad", "#", "broken"}},
	{verdict.Fault, mark{"bad", "?", "fault"}},
	{verdict.Todo, mark{"open", "·", "todo"}},
	{verdict.Unsupported, mark{"open", "–", "unsupported"}},
}

func newMark(v verdict.Verdict) mark {
	for _, m := range marks {
		if m.verdict == v {
			return m.mark
		}
	}
	return mark{"bad", "?", cmp.Or(string(v), "no verdict")}
}

func (m mark) compare(other mark) int {
	place := func(m mark) int {
		for i, known := range marks {
			if known.mark == m {
				return i
			}
		}
		return len(marks)
	}
	return cmp.Or(cmp.Compare(place(m), place(other)), cmp.Compare(m.Word, other.Word))
}
