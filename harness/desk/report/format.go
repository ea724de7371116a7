package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ipcworkbook/harness/judge/gauge/figure"
)

// formatInterval has the unit once where both ends share it: "1.20 – 1.26 GB/s".
func formatInterval(low, high float64, units []figure.Unit) string {
	l, h := figure.Fit(units, low), figure.Fit(units, high)
	if l == h {
		return figure.Digits(low/l.Factor) + " – " + figure.In(units, high)
	}
	return figure.In(units, low) + " – " + figure.In(units, high)
}

// formatSize is "64 B", "1 KiB".
func formatSize(n int) string {
	for _, u := range []struct {
		name string
		size int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return figure.Count(n/u.size) + " " + u.name
		}
	}
	return figure.Count(n) + " B"
}

// formatRatio is a speed divided by that of the reference. It does not look like one
// of these gates when it is below it.
func formatRatio(r float64, gates ...float64) string {
	if !known(r) {
		return "–"
	}
	return figure.Ratio(r, gates...)
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
	return fmt.Sprintf("%s %ss", figure.Count(n), noun)
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
	return figure.Count(int(math.Round(v)))
}
