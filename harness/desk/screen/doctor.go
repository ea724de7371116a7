package screen

import (
	"fmt"
	"unicode/utf8"

	"ipcworkbook/harness/desk/doctor"
	"ipcworkbook/harness/verdict"
)

var states = map[doctor.State]verdict.Verdict{
	doctor.Good: verdict.Pass, doctor.Less: verdict.Unsupported, doctor.Lacking: verdict.Wrong,
}

// foundWidth is the column of what was found. What is longer stands below.
const foundWidth = 22

// Doctor shows what was looked at, a line for each, and then what is not as it should
// be.
func (s Screen) Doctor(all []doctor.Finding) {
	s.Line("What is needed of this machine:\n")
	for _, f := range all {
		found := f.Found
		if f.State != doctor.Good && utf8.RuneCountInString(found) > foundWidth {
			found = map[doctor.State]string{doctor.Less: "less than it could be", doctor.Lacking: "steps cannot run"}[f.State]
		}
		v := states[f.State]
		s.Line("%s", s.paint(v, s.fits(fmt.Sprintf("  %s %-15s %-*s ", signs[v], f.Name, foundWidth, found), f.For)))
	}
	s.Troubles(all)
	switch doctor.Worst(all) {
	case doctor.Good:
		s.Line("\nEverything is there.")
	case doctor.Less:
		s.Line("")
		s.Paragraph("Every step can run here, but for what is told above.")
	case doctor.Lacking:
		s.Line("")
		s.Paragraph("Some steps cannot run here. They end as unsupported, never as wrong.")
	}
}

// Troubles shows what is not as it should be, what works without it, and what mends it.
func (s Screen) Troubles(all []doctor.Finding) {
	for _, f := range all {
		if f.State == doctor.Good {
			continue
		}
		s.Line("\n%s", s.paint(states[f.State], f.Name))
		for _, part := range []struct{ name, text string }{
			{"found", f.Found}, {"is for", f.For}, {"still works", f.Without}, {"mend", f.Mend},
		} {
			s.hanging("  "+fmt.Sprintf("%-12s", part.name), part.text)
		}
	}
}
