package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a name and how many of the base unit it is.
type unit struct {
	name   string
	factor float64
}

var (
	rates = []unit{{"B/s", 1}, {"KB/s", 1e3}, {"MB/s", 1e6}, {"GB/s", 1e9}}
	times = []unit{{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}}
)

// formatRate is bytes per second, with three significant digits.
func formatRate(v float64) string { return formatUnit(v, rates) }

// formatTime is seconds, with three significant digits.
func formatTime(v float64) string { return formatUnit(v, times) }

func formatUnit(v float64, units []unit) string {
	u := unitOf(v, units)
	return significant(v/u.factor) + " " + u.name
}

// formatInterval has the unit once where both ends share it: "1.20 – 1.26 GB/s".
func formatInterval(low, high float64, units []unit) string {
	l, h := unitOf(low, units), unitOf(high, units)
	if l == h {
		return significant(low/l.factor) + " – " + formatUnit(high, units)
	}
	return formatUnit(low, units) + " – " + formatUnit(high, units)
}

// unitOf is the largest unit of which there is at least one, after rounding:
// 999.9 MB/s is 1.00 GB/s.
func unitOf(v float64, units []unit) unit {
	best := units[0]
	for _, u := range units {
		if round3(v)/u.factor >= 1-1e-9 {
			best = u
		}
	}
	return best
}

// significant is a number with three significant digits.
func significant(v float64) string {
	v = round3(v)
	switch {
	case v >= 100 || v == 0:
		return formatCount(int(v))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// round3 rounds to three significant digits.
func round3(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// formatCount is a whole number, with a comma between thousands.
func formatCount(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// formatKB is the articles' unit, with three significant digits.
func formatKB(bytesPerSecond float64) string {
	return formatCount(int(round3(bytesPerSecond / 1000)))
}

// formatSize is "64 B", "1 KiB".
func formatSize(n int) string {
	for _, u := range []struct {
		name string
		size int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return formatCount(n/u.size) + " " + u.name
		}
	}
	return formatCount(n) + " B"
}

// formatRatio is a speed divided by that of the reference.
func formatRatio(r float64) string {
	switch {
	case !known(r):
		return "–"
	case r >= 99.95:
		return formatCount(int(math.Round(round3(r))))
	case r >= 9.995:
		return strconv.FormatFloat(r, 'f', 1, 64)
	case r >= 0.0995:
		return strconv.FormatFloat(r, 'f', 2, 64)
	}
	return strconv.FormatFloat(r, 'f', 3, 64)
}

// formatJudged is a ratio that must not look like one of these gates when it is
// below it.
func formatJudged(r float64, gates ...float64) string {
	text := formatRatio(r)
	for _, gate := range gates {
		if r < gate && text == formatRatio(gate) {
			return strconv.FormatFloat(math.Floor(r*1000)/1000, 'f', 3, 64)
		}
	}
	return text
}

func formatDate(t time.Time) string {
	if t.IsZero() {
		return "date not known"
	}
	return t.Format("2 January 2006, 15:04 MST")
}

// known says if a figure was measured: zero means it was not.
func known(vs ...float64) bool {
	for _, v := range vs {
		if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return false
		}
	}
	return true
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", formatCount(n), noun)
}

// most is how many letters of a message a row has room for.
const most = 120

// beginning is as much of a message as fits, in one line.
func beginning(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return strings.TrimSpace(string(runes[:most])) + " …"
	}
	return string(runes)
}

// firstLine is the first line of a message, if it fits.
func firstLine(text string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	runes := []rune(strings.TrimSpace(line))
	if len(runes) > most {
		return string(runes[:most]) + " …"
	}
	if strings.TrimSpace(rest) != "" {
		return string(runes) + " …"
	}
	return string(runes)
}

// significantShort is a rough number, for words: two digits, no more.
func significantShort(v float64) string {
	if v < 9.95 {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return formatCount(int(math.Round(v)))
}
