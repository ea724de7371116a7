package words

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fakeTaskfile = `version: "3"
# a comment
vars:
  WORKBOOK: bin
  CHAPTER: '{{if .chapter}}--chapter "{{.chapter}}"{{end}}'

tasks:
  default:
    cmd: "{{.WORKBOOK}} list"

  test:
    desc: "check: task test chapter=1 {{/* .nothing */}}"
    cmd: '{{.WORKBOOK}} test {{.CHAPTER}} {{if .step}}--step{{end}}'

  demo:
    cmd: '{{.WORKBOOK}} demo {{.CHAPTER}} {{.CLI_ARGS}}'

  build:
    internal: true
    cmd: go build
`

// fakeTask prints what differs from run to run too.
const fakeTask = `#!/bin/sh
case $1 in
test) echo "  pid $$ has pipe:[$$] after $$ ms, $$ KB/s   "; echo "chapter ${2#*=}"; echo "to stderr" >&2; exit 1 ;;
*) echo "the list"; [ -t 0 ] || echo "no terminal"; cat; echo "$NO_COLOR $TERM $COLUMNS $LC_ALL" ;;
esac
`

// workbook makes a workbook with these files and returns its options.
func workbook(t *testing.T, files map[string]string) Options {
	t.Helper()
	t.Setenv(within, "")
	root := t.TempDir()
	all := map[string]string{"Taskfile.yml": fakeTaskfile, "README.md": "# Workbook\n"}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "task"), []byte(fakeTask), 0o755))
	return Options{
		Root: root,
		Parse: func(args []string) error {
			if len(args) > 0 && args[0] == "nonsense" {
				return errors.New("unexpected argument nonsense")
			}
			for _, arg := range args {
				if arg == "N" || arg == "--out=FILE" {
					return errors.New("a placeholder came through")
				}
			}
			return nil
		},
		Chapter: func(name string) error {
			if name != "1" {
				return errors.New("there is no chapter " + name)
			}
			return nil
		},
		Deadline: 20 * time.Second,
	}
}

// check returns what is said of README.md.
func check(t *testing.T, readme string) (saw, problem string) {
	t.Helper()
	rows := Check(context.Background(), workbook(t, map[string]string{
		"README.md": readme, "docs/guide.md": guide, "harness/a.go": "one\ntwo\n",
	}))
	require.Len(t, rows, 2)
	assert.Empty(t, rows[1].Problem, "the guide is right")
	require.Equal(t, "README.md", rows[0].What)
	return rows[0].Saw, rows[0].Problem
}

const guide = "# Guide\n\n## A `task`, and more\n\n## Twice\n\n## Twice\n"

func TestARightFilePasses(t *testing.T) {
	saw, problem := check(t, `# Workbook

Type `+"`task test chapter=N [step=4]` or `workbook test --chapter N --out=FILE`"+`, or
`+"`./task …`"+`. See [the guide](docs/guide.md#a-task-and-more), [again](docs/guide.md#twice-1),
[here](#workbook), [a line](harness/a.go#L2), [elsewhere](https://example.com/nothing),
`+"`harness/a.go:2`, `harness/*.go`, `docs/NN-name.md`, `Taskfile.yml`, `errors.Is`, and `nothing.go`"+`.

| table | row |
|---|---|
| `+"`task demo chapter=1 \\| cat`"+` | x |

`+"```sh"+`
git clone https://example.com/x && cd x   # as always
FOO=1 ./task test \
    chapter=1 2>/dev/null | grep 'a | b'
two() { echo $1; }
for i in 1 2; do two "$(cat harness/a.go)"; done
task demo -- --anything
cat <<EOF
nonsense in a here-document
