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
    desc: "check: task test chapter=1"
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
	return Options{Root: root, Parse: fakeParse, Chapter: fakeChapter, Deadline: 20 * time.Second}
}

func fakeParse(args []string) error {
	for _, arg := range args {
		switch arg {
		case "nonsense":
			return errors.New("unexpected argument nonsense")
		case "N", "--out=FILE":
			return errors.New("a placeholder came through")
		}
	}
	return nil
}

func fakeChapter(name string) error {
	if name != "1" {
		return errors.New("there is no chapter " + name)
	}
	return nil
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
	right, err := os.ReadFile(filepath.Join("testdata", "right.md"))
	require.NoError(t, err)
	saw, problem := check(t, string(right))
	assert.Empty(t, problem)
	assert.Equal(t, "2 outputs, 14 commands, 9 paths", saw)
}

// shows is a README with one output.
func shows(marker string, body ...string) string {
	return marker + "\n```text\n" + strings.Join(append(body, ""), "\n") + "```\n<!-- end -->\n"
}

func TestEachWrongThingIsFoundAtItsLine(t *testing.T) {
	for name, c := range map[string]struct{ readme, want string }{
		"an old output": {"\n" + shows("<!-- output: ./task -->", "the list", "other"),
			"README.md:5: ./task prints something else now; run task words\n  shown: other\n  now:   no terminal"},
		"a short output": {shows("<!-- output: ./task -->"), "README.md:3: ./task prints something else now"},
		"a status": {shows("<!-- output: ./task test -->"),
			"README.md:1: ./task test ends with exit status 1, not 0; if that is meant, write <!-- output exit=1: … -->\n  the end of its output:\n"},
		"no status":         {shows("<!-- output exit=1: ./task -->"), "README.md:1: ./task ends with exit status 0, not 1"},
		"our root":          {shows("<!-- output: pwd -->"), "which is true on this machine only"},
		"a process left":    {shows("<!-- output: sleep 100 & -->"), "README.md:1: sleep 100 &: it left processes behind, now killed: sleep (pid "},
		"too much":          {shows("<!-- output: yes | head -n 300000 -->"), "it prints more than 256 KiB"},
		"a wrong command":   {shows("<!-- output: ./task nothing -->"), "README.md:1: there is no task nothing; the tasks are demo, test"},
		"text by hand":      {"a\n\n```text\nx\n```\n", "README.md:3: nobody can write this text block anew: "},
		"no language":       {"a\n\n```\nx\n```\n", "README.md:3: this fence has no language: "},
		"an open fence":     {"a\n\n```sh\nls\n", "README.md:3: this fence never ends: close it with ```"},
		"an open output":    {"<!-- output: ls -->\n```text\n```\n", "README.md:1: this output has no <!-- end --> after its fence"},
		"an empty output":   {"<!-- output: ls -->\n<!-- end -->\n", "README.md:1: this output has no fence: "},
		"two fences":        {"<!-- output: ./task -->\n```text\n```\n```text\n```\n<!-- end -->\n", "README.md:4: a second fence in one output: "},
		"text in between":   {"<!-- output: ./task -->\nhello\n```text\n```\n<!-- end -->\n", "README.md:2: only a fence may stand between "},
		"an end too much":   {"a\n\n<!-- end -->\n", "README.md:3: this ends no output"},
		"a misspelt marker": {"<!-- output ./task -->\n", "README.md:1: write it on one line as "},
		"an open comment":   {"a\n\n<!-- b\n", "README.md:3: this comment never ends"},
		"indentation":       {"a\n\n    $ ls\n", "README.md:3: a block made by indentation is not checked"},
		"a quoted fence":    {"a\n\n> ```text\n> x\n> ```\n", "README.md:3: a fence in a quotation "},

		"no such task":        {"```sh\n\n./task tset\n```\n", "README.md:3: there is no task tset; the tasks are demo, test"},
		"a task not for them": {"`task build`", "README.md:1: there is no task build"},
		"no such variable":    {"a\n`task test chapter=1 steps=1`", "README.md:2: task test takes no steps=; it takes chapter=, step="},
		"an inner variable":   {"`task test CHAPTER=1`", "README.md:1: task test takes no CHAPTER=; it takes chapter=, step="},
		"none at all":         {"`task chapter=1`", "README.md:1: task default takes no chapter=; it takes none"},
		"nothing after --":    {"`task test -- x`", "README.md:1: task test takes nothing after --"},
		"a flag":              {"`task --force test`", "README.md:1: --force is not among the flags of task"},
		"no such chapter":     {"`task test chapter=9`", "README.md:1: there is no chapter 9"},
		"nor for workbook":    {"`workbook test --chapter 9`", "README.md:1: there is no chapter 9"},
		"no such command":     {"`workbook nonsense`", "README.md:1: workbook nonsense: unexpected argument nonsense"},
		"an unknown word":     {"```sh\nls | frobnicate\n```\n", "README.md:2: frobnicate is not among the commands that a reader has"},
		"within $()":          {"```sh\nls\nls \"$(\nfrobnicate)\"\n```\n", "README.md:4: frobnicate is not among the commands"},
		"a later function":    {"```sh\nf x\n```\n\n```sh\nf() { ls; }\n```\n", "README.md:2: f is not among the commands"},
		"no such script":      {"```sh\n.ci/run\n```\n", "README.md:2: there is no program .ci/run in the workbook"},
		"not executable":      {"```sh\nharness/a.go\n```\n", "README.md:2: harness/a.go cannot be executed"},
		"not everywhere":      {"```sh\n/bin/ls\n```\n", "README.md:2: /bin/ls: a reader may have it elsewhere"},
		"a quotation mark":    {"```sh\necho 'a\n```\n", "README.md:2: this is no shell command: "},
		"a here-document":     {"```sh\ncat <<E\na\n```\n", "README.md:2: this is no shell command: the here-document never ends"},
		"an argument":         {"```sh\ncat harness/b.go\n```\n", "README.md:2: there is no harness/b.go in the workbook"},
		"a value":             {"`task test step=solutions/1`", "README.md:1: there is no solutions/1 in the workbook"},

		"a link":          {"a\n[b\n](docs/none.md)", "README.md:3: the link docs/none.md leads nowhere: there is no docs/none.md"},
		"a definition":    {"[x]\n\n[x]: none.md\n", "README.md:3: the link none.md leads nowhere"},
		"an image":        {`<img src="none.png">`, "README.md:1: the link none.png leads nowhere"},
		"a heading":       {"[x](docs/guide.md#none)", "README.md:1: docs/guide.md has no heading #none; it has #guide, #a-task-and-more, #twice, #twice-1"},
		"our own heading": {"# A\n[x](#b)", "README.md:2: README.md has no heading #b; it has #a"},
		"a way out":       {"[x](../x.md)", "README.md:1: the link ../x.md leads out of the workbook"},
		"a line anchor":   {"[x](harness/a.go#L3)", "README.md:1: harness/a.go has 2 lines, there is no line 3"},
		"a path":          {"`harness/b.go`", "README.md:1: there is no harness/b.go in the workbook"},
		"a path's line":   {"`./harness/a.go:3`", "README.md:1: ./harness/a.go has 2 lines, there is no line 3"},
		"a root's line":   {"`task:99`", "README.md:1: task has 5 lines, there is no line 99"},
		"a pattern":       {"`docs/*.txt`", "README.md:1: nothing matches docs/*.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problem := check(t, c.readme)
			assert.Contains(t, problem, c.want)
		})
	}
}

func TestAllThatIsWrongIsSaidInOrder(t *testing.T) {
	_, problem := check(t, "`docs/none.md`\n\n```\n```\n\n`task none`\n")
	lines := strings.Split(problem, "\n")
	require.Len(t, lines, 3)
	for i, at := range []string{"README.md:1:", "README.md:3:", "README.md:6:"} {
		assert.True(t, strings.HasPrefix(lines[i], at), lines[i])
	}
}

func TestWriteWritesWhatIsPrintedAndThenNothing(t *testing.T) {
	before := "a\n\n" + shows("<!-- output exit=1: ./task test chapter=1 -->", "old") +
		"\n- b\n\n  <!-- output: printf '```\\nx\\n\\ny\\n' -->\n  ```text\n  ```\n  <!-- end -->\n\nz\n"
	o := workbook(t, map[string]string{"README.md": before, "docs/guide.md": guide})

	changed, rows, err := Write(context.Background(), o)
	require.NoError(t, err)
	assert.Equal(t, []string{"README.md"}, changed)
	assert.Empty(t, rows[0].Problem)
	text, err := os.ReadFile(filepath.Join(o.Root, "README.md"))
	require.NoError(t, err)
	assert.Regexp(t, "(?s)^a\n\n<!-- output exit=1: ./task test chapter=1 -->\n```text\n  pid \\d+ has [^\n]* KB/s\nchapter 1\nto stderr\n```\n<!-- end -->\n", string(text))
	assert.Contains(t, string(text), "\n  ````text\n  ```\n  x\n\n  y\n  ````\n  <!-- end -->\n\nz\n")

	// The second run has other pids.
	changed, rows, err = Write(context.Background(), o)
	require.NoError(t, err)
	assert.Empty(t, changed)
	assert.Empty(t, rows[0].Problem)
	again, err := os.ReadFile(filepath.Join(o.Root, "README.md"))
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))
}

func TestWriteLeavesWhatItCannotTrust(t *testing.T) {
	o := workbook(t, map[string]string{"README.md": shows("<!-- output: pwd -->", "old") + "\n" + shows("<!-- output: false -->", "old")})
	changed, rows, err := Write(context.Background(), o)
	require.NoError(t, err)
	assert.Empty(t, changed)
	assert.Contains(t, rows[0].Problem, "README.md:1: pwd prints "+o.Root)
	assert.Contains(t, rows[0].Problem, "README.md:7: false ends with exit status 1")
}

func TestWhatThisMachineCannotShowIsToldAndNotCompared(t *testing.T) {
	text := shows("<!-- output exit=1: exit 3 -->", "old") + "\n" + shows("<!-- output: echo new -->", "new")
	saw, problem := check(t, text)
	assert.Empty(t, problem)
	assert.Contains(t, saw, "2 outputs (1 unsupported here)")

	o := workbook(t, map[string]string{"README.md": text})
	changed, _, err := Write(context.Background(), o)
	require.NoError(t, err)
	assert.Empty(t, changed)
}

func TestAFunctionIsKnownInLaterBlocks(t *testing.T) {
	_, problem := check(t, "```sh\nf() { ls; }\n```\n\n```sh\nf x | grep x\n```\n")
	assert.Empty(t, problem)
}

func TestAPathThatTheCommandNamesMayBeShown(t *testing.T) {
	path := os.TempDir() + "/fifo"
	_, problem := check(t, shows("<!-- output: echo "+path+" -->", path))
	assert.Empty(t, problem)
}

func TestMissingFilesAreSaid(t *testing.T) {
	o := workbook(t, map[string]string{"chapters/01-pipe/pipe.go": "package pipe\n"})
	require.NoError(t, os.Remove(filepath.Join(o.Root, "README.md")))
	rows := Check(context.Background(), o)
	require.Len(t, rows, 3)
	for i, file := range []string{"README.md", "chapters/01-pipe/README.md", "chapters/01-pipe/MEASURE.md"} {
		assert.Equal(t, file, rows[i].What)
		assert.Equal(t, file+": there is no such file yet; write it", rows[i].Problem)
	}
}

func TestItDoesNotRunWithinItself(t *testing.T) {
	o := workbook(t, nil)
	t.Setenv(within, "1")
	rows := Check(context.Background(), o)
	require.Len(t, rows, 1)
	assert.Contains(t, rows[0].Problem, "would never end")
}
