package doctor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	gover "go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// golang asks the go command for its version, in the workbook's folder: there it
// fetches the one that go.mod asks for, unless GOTOOLCHAIN forbids it.
func (m Machine) golang(ctx context.Context) Finding {
	f := finding("Go", "builds your code and its tests", "nothing")
	wanted := wantedGo(m.Root)
	version, err := m.goSays(ctx, nil, "env", "GOVERSION")
	if f.Found = strings.TrimPrefix(version, "go"); err == nil && gover.Compare(version, "go"+wanted) < 0 {
		err = fmt.Errorf("%s, and go.mod asks for %s", f.Found, wanted)
	}
	if err != nil {
		f.but(Lacking, err.Error(), "install Go "+wanted+" or newer, or let the go command fetch it: go env -u GOTOOLCHAIN")
	}
	return f
}

// wantedGo is the version that go.mod asks for.
func wantedGo(root string) string {
	file, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if version, ok := strings.CutPrefix(lines.Text(), "go "); ok {
			return version
		}
	}
	return ""
}

// modules looks whether everything that is imported is on this machine.
func (m Machine) modules(ctx context.Context) Finding {
	f := finding("modules", "what is imported", "everything, with a network: the next build fetches them")
	f.Found = "all are here"
	// The tests of the harness import more: who does not run them does not need it.
	for _, what := range [][]string{{"-test", "./chapters/..."}, {"./harness/cmd/workbook"}} {
		args := append([]string{"list", "-deps", "-f", "{{.Name}}"}, what...)
		if _, err := m.goSays(ctx, []string{"GOPROXY=off", "GOFLAGS=-mod=mod"}, args...); err != nil {
			f.but(Less, fmt.Sprintf("some are not here: %v", err), "go mod download")
			break
		}
	}
	return f
}

// goSays is the first line that the go command prints, or of what it complains about.
func (m Machine) goSays(ctx context.Context, env []string, args ...string) (string, error) {
	path, err := m.Program("go")
	if err != nil {
		return "", fmt.Errorf("there is no go command in PATH")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = m.Root
	cmd.Env = append(cmd.Environ(), env...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		if line := firstLine(problems.String()); line != "" {
			err = fmt.Errorf("%s", line)
		}
		return "", err
	}
	return firstLine(string(out)), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
