package explain

import (
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// owner says whose code a goroutine waits in.
type owner int

const (
	nobody  owner = iota // the runtime's, the testing package's, …
	lab                  // the workbook's: it waits on behalf of the test
	test                 // the chapter's tests
	learner              // the chapter itself
)

// place returns the innermost frame that belongs to the learner; if there is
// none, to the chapter's tests; and if there is none either, to the lab.
//
// A test that waits inside a function of the lab belongs to the lab, but the
// frame is the test's line: that is the line people know.
func (c *Case) place(g *procfs.Goroutine) (procfs.Frame, owner) {
	var testFrame, labFrame procfs.Frame
	who := nobody
	for _, f := range g.Frames {
		if f.Func == "testing.(*T).Run" || f.Func == "testing.(*M).Run" {
			break // what is below it only waits for its tests to end
		}
		switch c.ownerOf(f) {
		case learner:
			return f, learner
		case test:
			if testFrame.File == "" {
				testFrame = f
			}
			who = max(who, lab)
			if labFrame.File == "" {
				who = test
			}
		case lab:
			if labFrame.File == "" {
				labFrame = f
			}
		}
	}
	switch {
	case testFrame.File != "":
		return testFrame, who
	case labFrame.File != "" && g.ID == 1:
		return labFrame, lab // the whole program belongs to the lab
	case labFrame.File == "" && c.ownerOf(g.CreatedBy) >= test:
		// "go io.Copy(…)": the go statement is all there is of the learner.
		return g.CreatedBy, c.ownerOf(g.CreatedBy)
	}
	return procfs.Frame{}, nobody
}

func (c *Case) ownerOf(f procfs.Frame) owner {
	switch {
	case c.Folder != "" && strings.HasPrefix(f.File, strings.TrimSuffix(c.Folder, "/")+"/"):
		if strings.HasSuffix(f.File, "_test.go") {
			return test
		}
		return learner
	case strings.HasPrefix(f.Func, "ipcworkbook/harness/"):
		return lab
	}
	return nobody
}
