// Package harness_test holds the rule of the house: which side may know which. The
// table stands in docs/design.md, and nowhere else.
package harness_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "ipcworkbook/"

// pkg is what the go command says of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (p pkg) imports() []string {
	return slices.Concat(p.Imports, p.TestImports, p.XTestImports)
}

// sides are the rows of the table: what each may import beside itself.
type sides map[string][]string

// ofTable reads the rows below the header "side".
func ofTable(text string) (sides, error) {
	_, rows, found := strings.Cut(text, "\n| side | may know | what it is |\n")
	if !found {
		return nil, fmt.Errorf("there is no table of the sides")
	}
	name := regexp.MustCompile("`([^`]+)`")
	all := sides{}
	for line := range strings.Lines(rows) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			break // the end of the table
		}
		side := name.FindStringSubmatch(cells[1])
		if side == nil {
			continue // the line below the header
		}
		all[side[1]] = []string{}
		for _, m := range name.FindAllStringSubmatch(cells[2], -1) {
			all[side[1]] = append(all[side[1]], m[1])
		}
	}
	return all, nil
}

// of is the side that a package stands on: the longest row that it is, or is below.
func (s sides) of(path string) string {
	best := ""
	for side := range s {
		if (path == side || strings.HasPrefix(path, side+"/")) && len(side) > len(best) {
			best = side
		}
	}
	return best
}

// broken says what does not keep to the table.
func (s sides) broken(packages []pkg) (all []string) {
	used := map[string]bool{}
	for _, p := range packages {
		path := strings.TrimPrefix(p.ImportPath, module)
		side := s.of(path)
		if side == "" {
			all = append(all, path+" stands on no side")
			continue
		}
		used[side] = true
		for _, i := range p.imports() {
			other, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			switch to := s.of(other); {
			case to == side && !apart(side):
			case apart(side) && within(path, other):
			case slices.Contains(s[side], to):
			default:
				all = append(all, fmt.Sprintf("%s imports %s, and %s may know %s only", path, other, side, strings.Join(s[side], ", ")))
			}
		}
	}
	for side, known := range s {
		if !used[side] {
			all = append(all, side+" is a side, and no package stands there")
		}
		for _, other := range known {
			if _, is := s[other]; !is {
				all = append(all, side+" may know "+other+", which is no side")
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// apart says that the packages of a side do not know each other: any chapter can be
// handed out alone.
func apart(side string) bool { return side == "chapters" || side == "solutions" }

// within says whether two packages belong to one chapter.
func within(a, b string) bool {
	folder := func(path string) string { return strings.Join(append(strings.Split(path, "/"), "")[:2], "/") }
	return folder(a) == folder(b)
}

func ours(t *testing.T) sides {
	t.Helper()
	text, err := os.ReadFile("../docs/design.md")
	require.NoError(t, err)
	all, err := ofTable(string(text))
	require.NoError(t, err)
	return all
}

// No side knows one that it must not know. Both architectures are looked at: a file
// may be for one of them only.
func TestTheSidesKnowWhatTheyMay(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
		cmd.Dir = ".."
		cmd.Env = append(cmd.Environ(), "GOARCH="+arch)
		out, err := cmd.Output()
		require.NoError(t, err)
		var packages []pkg
		for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
			var p pkg
			require.NoError(t, dec.Decode(&p))
			packages = append(packages, p)
		}
		require.Greater(t, len(packages), 20)
		require.Empty(t, ours(t).broken(packages), arch)
	}
}

// The rule finds what it is there to find.
func TestTheRuleFinds(t *testing.T) {
	rule := sides{"harness/lab": {"harness/verdict"}, "harness/verdict": {}, "harness/judge": {"harness/verdict"}, "chapters": {"harness/lab"}}
	right := []pkg{
		{ImportPath: module + "harness/lab", Imports: []string{"os", module + "harness/verdict"}},
		{ImportPath: module + "harness/lab/console"},
		{ImportPath: module + "harness/verdict"},
		{ImportPath: module + "harness/judge/book"},
		{ImportPath: module + "harness/judge/check", Imports: []string{module + "harness/judge/book"}},
		{ImportPath: module + "chapters/01-pipe", XTestImports: []string{module + "harness/lab", module + "chapters/01-pipe"}},
		{ImportPath: module + "chapters/01-pipe/demo", Imports: []string{module + "chapters/01-pipe"}},
	}
	require.Empty(t, rule.broken(right))
	for _, c := range []struct {
		wrong pkg
		words string
	}{
		{pkg{ImportPath: module + "harness/lab", Imports: []string{module + "harness/judge/book"}}, "harness/lab imports harness/judge/book"},
		{pkg{ImportPath: module + "harness/lab/console", TestImports: []string{module + "harness/judge/check"}}, "harness/lab/console imports harness/judge/check"},
		{pkg{ImportPath: module + "chapters/01-pipe", XTestImports: []string{module + "harness/judge/book"}}, "chapters/01-pipe imports harness/judge/book"},
		{pkg{ImportPath: module + "chapters/01-pipe", Imports: []string{module + "chapters/02-file"}}, "chapters/01-pipe imports chapters/02-file"},
		{pkg{ImportPath: module + "harness/verdict", Imports: []string{module + "harness/lab"}}, "harness/verdict imports harness/lab"},
		{pkg{ImportPath: module + "harness/attic"}, "harness/attic stands on no side"},
	} {
		require.Contains(t, strings.Join(rule.broken(append(right, c.wrong)), "\n"), c.words)
	}
	rule["harness/desk"] = []string{"harness/nothing"}
	found := strings.Join(rule.broken(right), "\n")
	require.Contains(t, found, "harness/desk is a side, and no package stands there")
	require.Contains(t, found, "may know harness/nothing, which is no side")
}
