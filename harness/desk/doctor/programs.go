package doctor

import (
	"context"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/judge/peers"
)

// programs looks for programs of the machine that the workbook talks to.
func (m Machine) programs(ctx context.Context) []Finding {
	python := finding("python3", "task bench", "all other steps; task bench has a column less")
	compiler := finding("C compiler", "task bench; race=1", "all but race=1; task bench has a column less")
	socat := finding("socat", "", "all other steps")
	ipcs := finding("ipcs", "System V queues by hand", "all other steps")
	git := finding("git", "a newer workbook", "everything; a newer workbook has to be fetched by hand")

	cc, err := peers.Compiler()
	if err != nil {
		cc = []string{"cc"}
	}
	for _, p := range []struct {
		f       *Finding
		program string
		version string
		install string
	}{
		{&python, "python3", "--version", "python3"},
		{&compiler, cc[0], "--version", "gcc"},
		{&socat, "socat", "-V", "socat"},
		{&ipcs, "ipcs", "--version", "util-linux"},
		{&git, "git", "--version", "git"},
	} {
		if steps := m.Needs[p.program]; steps != nil {
			word := "steps "
			if len(steps) == 1 {
				word = "step "
			}
			p.f.For = strings.TrimSuffix(word+strings.Join(steps, ", ")+"; "+p.f.For, "; ")
		}
		path, err := m.Program(p.program)
		if err != nil {
			state := Less
			if m.Needs[p.program] != nil {
				state = Lacking
			}
			p.f.but(state, "not installed", "install "+p.install+": sudo apt install "+p.install)
			continue
		}
		p.f.Found = versionOf(ctx, path, p.version)
	}
	return []Finding{python, compiler, socat, ipcs, git}
}

var aVersion = regexp.MustCompile(`\d+\.\d+[\w.+]*`)

// versionOf is what a program says of its version, or where it is.
func versionOf(ctx context.Context, path string, flag string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, path, flag).CombinedOutput()
	if version := aVersion.FindString(string(out)); version != "" {
		return version
	}
	return path
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
