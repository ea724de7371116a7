package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/report"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

var example = flag.String("example", "", "write the page of the example's figures to this file")

// TestExample writes a page to look at: go test ./harness/desk/report -run Example -example FILE.
func TestExample(t *testing.T) {
	if *example == "" {
		return // it proves nothing
	}
	require.NoError(t, os.WriteFile(*example, render(t, sample(), sampleSide()), 0o644))
}

func render(t *testing.T, results []gauge.Result, all ...gauge.Side) []byte {
	t.Helper()
	var page bytes.Buffer
	var side *gauge.Side
	if len(all) > 0 {
		side = &all[0]
	}
	require.NoError(t, report.Write(&page, results, side))
	return page.Bytes()
}

// element is a start tag and what it stands in.
type element struct {
	name string
	attr map[string]string
}

// parse reads the page to its end. It returns the text that is shown, blanks
// made one, and all elements. A tag that is not closed fails the test.
func parse(t *testing.T, page []byte) (text string, elements []element) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	var shown strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			elements = append(elements, e)
		case xml.EndElement:
			require.NotEmpty(t, open, "</%s>", token.Name.Local)
			require.Equal(t, open[len(open)-1], token.Name.Local, "the tag that is closed")
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1] != "style" {
				shown.Write(token)
				shown.WriteByte(' ')
			}
		}
	}
	require.Empty(t, open, "tags that are not closed")
	return strings.Join(strings.Fields(shown.String()), " "), elements
}

func TestPageIsWellFormedAndCompleteInItself(t *testing.T) {
	for name, results := range map[string][]gauge.Result{"nothing": nil, "sample": sample()} {
		t.Run(name, func(t *testing.T) {
			page := render(t, results)
			_, elements := parse(t, page)
			ids, links := map[string]bool{}, []string{}
			for _, e := range elements {
				assert.NotContains(t, []string{"script", "link", "img", "iframe", "object", "embed", "base", "form"}, e.name)
				for a, value := range e.attr {
					assert.NotContains(t, []string{"src", "srcset", "action", "background"}, a)
					assert.False(t, strings.HasPrefix(a, "on"), "%s runs a script", a)
					assert.NotContains(t, value, "://")
				}
				if id := e.attr["id"]; id != "" {
					assert.False(t, ids[id], "two elements have the id %s", id)
					ids[id] = true
				}
				if href, ok := e.attr["href"]; ok {
					links = append(links, href)
				}
			}
			for _, href := range links {
				require.True(t, strings.HasPrefix(href, "#"), "a link leads out of the page: %s", href)
				assert.True(t, ids[href[1:]], "a link leads nowhere: %s", href)
			}
			style := regexp.MustCompile(`(?s)<style>.*?</style>`).Find(page)
			require.NotEmpty(t, style)
			for _, fetches := range []string{"@import", "url(", "://", "src("} {
				assert.NotContains(t, string(style), fetches)
			}
			assert.NotContains(t, string(page), "ZgotmplZ", "html/template refused a value")
			assert.Contains(t, string(page), `content="default-src 'none'; style-src 'unsafe-inline'"`, "a browser refuses to fetch too")
		})
	}
}

func TestNothingMeasuredNamesTheCommand(t *testing.T) {
	text, _ := parse(t, render(t, nil))
	assert.Contains(t, text, "Nothing was measured yet.")
	assert.Contains(t, text, "task bench chapter=1")
	assert.NotContains(t, text, "Throughput")
}

func TestLearnersTextIsEscaped(t *testing.T) {
	page := render(t, sample(), sampleSide())
	text, _ := parse(t, page)
	assert.Contains(t, text, nasty, "the message is shown as it is")
	assert.NotContains(t, string(page), "<script")
	assert.NotContains(t, string(page), "<img")
	assert.Equal(t, 1, strings.Count(string(page), "</style>"))
}

func TestEveryPlaceForTextIsEscaped(t *testing.T) {
	r := samplePipe()
	r.Name, r.Title, r.Impl, r.Message, r.Partial = nasty, nasty, nasty, nasty, nasty
	r.Notes, r.Missing = []string{nasty}, map[string]string{gauge.C: nasty}
	r.Machine = gauge.Machine{CPU: nasty, Kernel: nasty, Go: nasty, Python: nasty, C: nasty}
	r.Verdict = nasty
	for i := range r.Benchmarks {
		b := &r.Benchmarks[i]
		b.Name, b.Title, b.Message, b.File, b.Verdict = nasty, nasty, nasty, nasty, nasty
	}
	all := sampleSide()
	all.Partial, all.Notes, all.Machine.CPU = nasty, []string{nasty}, nasty
	for i := range all.Works {
		all.Works[i].Name = nasty
	}
	for i := range all.Mechanisms {
		m := &all.Mechanisms[i]
		m.Name, m.Code, m.Lacks = nasty, nasty, map[string]string{nasty: nasty}
	}
	page := render(t, []gauge.Result{r}, all)
	_, elements := parse(t, page)
	for _, e := range elements {
		assert.NotContains(t, []string{"script", "img"}, e.name)
	}
	assert.NotContains(t, string(page), "ZgotmplZ")
}

// TestFiguresAreShownAsText has one example of each kind of figure, worked out
// by hand.
func TestFiguresAreShownAsText(t *testing.T) {
	text, _ := parse(t, render(t, sample(), sampleSide()))
	for what, want := range map[string]string{
		"throughput, interval, ratio":        "yours 1.21 GB/s 1.17 – 1.26 GB/s × 0.97 (0.93 – 1.01)",
		"the reference beside itself":        "reference 1.25 GB/s 1.20 – 1.30 GB/s × 1.00",
		"Python":                             "Python 9.10 MB/s 8.83 – 9.38 MB/s × 0.060 (0.058 – 0.062)",
		"a limit that is cut":                "limit 12 × the scale 2.40 GB/s",
		"memcpy":                             "memcpy 48 × the scale 9.60 GB/s",
		"latency":                            "yours 9.41 µs 9.03 – 9.79 µs × 0.97 (0.93 – 1.01)",
		"a ratio without end":                "memcpy 0.70 ns 0.67 – 0.73 ns × 13,000 (12,500 – 13,500)",
		"latency in ns":                      "yours 310 ns 294 – 326 ns × 0.90 (0.86 – 0.95)",
		"a second mechanism":                 "1 · pipe , FIFO",
		"a second mechanism's latency":       "3 · socket (wrong/two-writes) , Seqpacket wrong/two-writes · todo Dial is not written yet",
		"verdict, gate and fast":             "0.97 0.93 – 1.01 11 rounds 0.50 0.90 reached ✓ pass",
		"passed, not fast":                   "0.57 0.52 – 0.63 11 rounds 0.50 0.90 not yet ✓ pass",
		"slow":                               "0.18 0.16 – 0.20 11 rounds 0.50 0.90 not yet ▼ slow file.go:44 0.18 of the reference's speed (0.16 to 0.20). The gate is 0.5.",
		"slow, in the chart":                 "yours ▼ slow 0.18 of the reference's speed (0.16 to 0.20). The gate is 0.5. One write(2) for each message of 64 bytes: gather them. more 11.0 MB/s",
		"hung, in the chart":                 "∥ hung 2 s passed and the consumer was still waiting. consumer (pid 4242) is blocked in read(3) at socket.go:58, (*Conn).Recv f … more –",
		"hung, in full":                      "socket.go:58 2 s passed and the consumer was still waiting. consumer (pid 4242) is blocked",
		"crashed":                            "! crashed panic: runtime error: index out of range [4] with length 4 more",
		"unsupported":                        "– unsupported A datagram may have 8,192 bytes here (net.core.wmem_max). more",
		"a chapter that does not build":      "7 · signal # broken Signals chapters/07-signal/signal.go:12:2: undefined: unix.Signalfdd chapters/07-signal/signal.go:19:9: x declared",
		"a partial run, first":               "2 · file : partial run. Interrupted with Ctrl-C after 4 of 12 rounds.",
		"a partial run, at its figures":      "2 · file partial run no Python, no C",
		"a partial run, at its card":         "This run is not complete. Interrupted with Ctrl-C",
		"no interval":                        "yours 402 MB/s interval not known × 0.97",
		"who is missing and why":             "no Python python3 is not in PATH no C cc is not in PATH",
		"a note":                             "The cores are virtual: other guests of this machine take time from them.",
		"the date":                           "3 November 2026, 09:12 UTC",
		"the machine":                        "CPU AMD EPYC 7763 64-Core Processor Cores 2 Kernel Linux 6.18.1 Go go1.26.8 Python Python 3.11.2 C compiler gcc 12.2.0",
		"the other machine":                  "CPU Ampere Altra Cores 4 Kernel Linux 6.12.9",
		"the articles' pipe":                 "multiprocessing.Pipe one article 99,355 as published",
		"the articles' other pipe":           "multiprocessing.Pipe the other article 269,668 as published",
		"the articles' file":                 "file 110,403 as published",
		"the articles' socket":               "AF_UNIX socket 261,834 as published",
		"the articles' machine":              "Published, on another machine",
		"KB":                                 "here it is 1,000 bytes",
		"without and with start-up":          "Python 212,000 73,900", // 8 MiB in 39.6 ms, and 74 ms more
		"all figures, with the whole turn":   "Python 4.83 µs 4.64 – 5.02 µs 114 ms 11",
		"a scale of its own":                 "Another scale: it ends at 3.00 GB/s, the first one at 200 MB/s.",
		"how many ended how":                 "✓ pass 11 ▼ slow 1 ✗ wrong 1 ∥ hung 1 ! crashed 1 · todo 1 – unsupported 1",
		"which chapters":                     "5 chapters, 17 benchmarks. 3 November 2026.",
		"whose code":                         "Judged: wrong/two-writes",
		"work of a turn":                     "8,192 messages of 1 KiB in a turn, 11 rounds.",
		"how to read it: the interval":       "95 % confidence interval",
		"how to read it: absolute figures":   "Absolute figures compare only within one run.",
		"how to read it: who is who":         "limit the same bytes through memory that two processes share",
		"how to read it: shorter is faster":  "A shorter bar is faster.",
		"how to read it: the ratio's rounds": "in the same round",
	} {
		assert.Contains(t, text, want, what)
	}
}

// TestEveryValueIsShown takes one thing after another out of the sample's
// results and looks for it.
func TestEveryValueIsShown(t *testing.T) {
	text, _ := parse(t, render(t, sample(), sampleSide()))
	shown := func(value string) {
		assert.Contains(t, text, strings.Join(strings.Fields(value), " "))
	}
	for _, r := range sample() {
		for _, value := range append([]string{r.Name, r.Title, r.Impl, r.Message, r.Partial, string(r.Verdict),
			r.Machine.CPU, r.Machine.Kernel, r.Machine.Go, r.Machine.Python, r.Machine.C}, r.Notes...) {
			shown(value)
		}
		for _, why := range r.Missing {
			shown(why)
		}
		for _, b := range r.Benchmarks {
			for _, value := range []string{b.Name, b.Title, string(b.Verdict), b.Message} {
				shown(value)
			}
		}
	}
}

// TestFewRoundsHaveNoInterval: what the gauge then gives is the smallest and the
// largest value, and must not be called an interval.
func TestFewRoundsHaveNoInterval(t *testing.T) {
	r := samplePipe()
	r.Benchmarks = r.Benchmarks[1:2]
	enough, _ := parse(t, render(t, []gauge.Result{r}))
	assert.NotContains(t, enough, "too few")
	r.Benchmarks[0].Rounds = 5
	few, _ := parse(t, render(t, []gauge.Result{r}))
	assert.Contains(t, few, "Only 5 rounds: too few for an interval, the whisker spans all of them.")
	assert.Contains(t, few, "0.97 0.93 – 1.01 all 5 rounds")
}

// TestAMachineWithoutPeersIsTheSameMachine: a run that nobody else took part in
// knows neither Python nor the compiler.
func TestAMachineWithoutPeersIsTheSameMachine(t *testing.T) {
	alone := samplePipe()
	alone.Machine.Python, alone.Machine.C = "", ""
	text, _ := parse(t, render(t, []gauge.Result{samplePipe(), alone}))
	assert.NotContains(t, text, "more than one machine")
	assert.Contains(t, text, "AMD EPYC 7763 64-Core Processor, 2 cores, Linux 6.18.1")
}

// TestNobodyIsMissedWhereNothingWasMeasured: the verdict says it all.
func TestNobodyIsMissedWhereNothingWasMeasured(t *testing.T) {
	r := samplePipe()
	for i, b := range r.Benchmarks {
		r.Benchmarks[i] = ended(without(b, gauge.Contestants...), verdict.Todo, "New()   (pipe_test.go:21)\n  got: New is not written yet", "", 0)
	}
	text, _ := parse(t, render(t, []gauge.Result{r}))
	assert.NotContains(t, text, "no reference")
	assert.Contains(t, text, "yours · todo New() (pipe_test.go:21) got: New is not written yet more")
}

// TestAllMechanismsAreTheFirstPicture: the fastest first, a ratio to the first mechanism, and why one
// is not there. A page has it also where no chapter was measured by itself.
func TestAllMechanismsAreTheFirstPicture(t *testing.T) {
	text, _ := parse(t, render(t, nil, sampleSide()))
	for what, want := range map[string]string{
		"the picture":         "Messages of 1 KiB through",
		"the fastest is cut":  "ring 40 × the scale 40.0 GB/s 38.1 – 42.1 GB/s × 40.0 (38.0 – 42.0)",
		"the first mechanism": "pipe 1.00 GB/s 952 MB/s – 1.05 GB/s socket",
		"a ratio":             "socket 500 MB/s 476 – 526 MB/s × 0.50 (0.47 – 0.53)",
		"the table":           "ring chapter 5 · yours – 25.6 ns – – 3.00 ms",
		"whose":               "pipe chapter 1 · reference 1.02 µs 1.02 µs",
		"there and back":      "there and back: a shorter bar is faster",
		"who is not there":    "ring, 64 B: it does not build: oh",
		"of several works":    "ring, 64 KiB, there and back: no",
		"no chapter":          "no chapter by itself yet",
	} {
		assert.Contains(t, text, want, what)
	}
	both, _ := parse(t, render(t, sample(), sampleSide()))
	assert.Less(t, strings.Index(both, "The time of one message"), strings.Index(both, "Speed beside the reference."))
}

func TestAFailureToWriteIsReported(t *testing.T) {
	err := report.Write(full{}, sample(), nil)
	assert.ErrorIs(t, err, io.ErrShortWrite)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
