package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"ipcworkbook/harness/judge/gauge/figure"
)

// scale is a linear axis that starts at zero.
type scale struct {
	max   float64
	Ticks []tick
	// Grid is how many parts the axis has.
	Grid template.CSS
}

// tick is a label on the axis. Minor ones are left out where it is narrow.
type tick struct {
	At    template.CSS
	Label string
	Class string // "first", "minor", "near" (minor, and close to the last), "last"
}

// labeler is the label of a figure on the axis that ends at max.
type labeler func(v, max float64) string

// newScale is the axis for figures up to top.
func newScale(top float64, label labeler) scale {
	if !known(top) {
		top = 1
	}
	step := niceStep(top)
	parts := int(math.Ceil(top/step - 1e-9))
	s := scale{max: float64(parts) * step, Grid: template.CSS(fmt.Sprintf("--parts:%d", parts))}
	for i := range parts + 1 {
		t := tick{At: percent("left", float64(i)/float64(parts)), Label: label(float64(i)*step, s.max)}
		switch {
		case i == 0:
			t.Class = "first"
		case i == parts:
			t.Class = "last"
		case i == parts-1 && parts > 3:
			t.Class = "near"
		default:
			t.Class = "minor"
		}
		s.Ticks = append(s.Ticks, t)
	}
	return s
}

// niceStep is 1, 2, 2.5 or 5 times a power of ten; three to six of them make
// the axis.
func niceStep(top float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(top))-1)
	for {
		for _, f := range []float64{1, 2, 2.5, 5} {
			if step := f * power; top/step <= 5 {
				return step
			}
		}
		power *= 10
	}
}

// inUnit labels with the axis' one unit, which the last label names.
func inUnit(units []figure.Unit) labeler {
	return func(v, max float64) string {
		u := figure.Fit(units, max)
		text := strconv.FormatFloat(figure.Round(v/u.Factor), 'f', -1, 64)
		if v >= max*(1-1e-9) {
			text += " " + u.Name
		}
		return text
	}
}

// part is where a figure lies on the axis: 0 is the beginning, 1 the end.
func (s scale) part(v float64) float64 { return min(max(v/s.max, 0), 1) }

// percent is a declaration for a style attribute.
func percent(property string, part float64) template.CSS {
	return template.CSS(fmt.Sprintf("%s:%.3f%%", property, part*100))
}

// farApart is how much faster one mechanism may be than another one on the
// same axis.
const farApart = 8

// split makes sets of what has room on one axis. tops are the figures; what
// comes back are their indices. The given order is kept as far as that goes.
func split(tops []float64) [][]int {
	order := make([]int, len(tops))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tops[a], tops[b]) })
	var sets [][]int
	var least float64
	for _, i := range order {
		// What has no figure needs no axis and goes with the first.
		if len(sets) == 0 || known(least) && tops[i] > farApart*least {
			sets, least = append(sets, nil), tops[i]
		}
		if !known(least) {
			least = tops[i]
		}
		sets[len(sets)-1] = append(sets[len(sets)-1], i)
	}
	for _, set := range sets {
		slices.Sort(set)
	}
	slices.SortFunc(sets, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	return sets
}
