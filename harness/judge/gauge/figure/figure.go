// Package figure writes measured numbers for people: with three digits that count,
// and in the unit in which they are read best. A KB is 1,000 bytes.
package figure

import (
	"math"
	"slices"
	"strconv"
)

// Unit is a name and how many of the base unit it is.
type Unit struct {
	Name   string
	Factor float64
}

// The units of speeds and of times, smallest first.
var (
	Rates = []Unit{{"B/s", 1}, {"KB/s", 1e3}, {"MB/s", 1e6}, {"GB/s", 1e9}}
	Times = []Unit{{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}}
)

// Rate is bytes per second: "462 MB/s".
func Rate(bytesPerSecond float64) string { return In(Rates, bytesPerSecond) }

// Time is seconds: "2.04 µs".
func Time(seconds float64) string { return In(Times, seconds) }

// In is a figure in the unit that fits.
func In(units []Unit, v float64) string {
	u := Fit(units, v)
	return Digits(v/u.Factor) + " " + u.Name
}

// Fit is the largest unit of which there is at least one, after rounding: 999.9
// MB/s is 1.00 GB/s.
func Fit(units []Unit, v float64) Unit {
	best := units[0]
	for _, u := range units {
		if Round(v)/u.Factor >= 1-1e-9 {
			best = u
		}
	}
	return best
}

// Digits is a number with three digits: 462, 46.2, 4.62, 0.46.
func Digits(v float64) string {
	switch r := Round(v); {
	case r >= 1000:
		return Count(int(r))
	case r >= 100 || r == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case r >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Round rounds to three digits that count.
func Round(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// Count is a whole number, with a comma between thousands.
func Count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// KB is bytes per second in the articles' unit: "462,000".
func KB(bytesPerSecond float64) string { return Count(int(math.Round(Round(bytesPerSecond / 1000)))) }

// Ratio is a part of something: "0.46". One that is below a gate does not look as
// if it reached it.
func Ratio(r float64, gates ...float64) string {
	if r < 0.0995 {
		return strconv.FormatFloat(r, 'f', 3, 64)
	}
	text := Digits(r)
	for _, gate := range gates {
		if r < gate && text == Digits(gate) {
			return strconv.FormatFloat(math.Floor(r*1000)/1000, 'f', 3, 64)
		}
	}
	return text
}

// farBeyond is how many times the middle one a figure may be before its bar is
// cut: a longer one would leave no room to compare the others.
const farBeyond = 6

// Top is the largest figure that a chart has room for: where one is far beyond the others its bar is cut.
func Top(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(vs))
	middle := sorted[(len(sorted)-1)/2]
	top := middle
	for _, v := range sorted {
		if v <= farBeyond*middle {
			top = v
		}
	}
	return top
}
