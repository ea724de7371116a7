package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
)

// The tasks of .vscode call what is there, with the folder of the open file as the
// chapter. Of the result the editor finds the place to edit.
func TestTasksOfTheEditor(t *testing.T) {
	var file struct {
		Tasks []struct {
			Label, Type, Command string
			ProblemMatcher       json.RawMessage
		}
	}
	inJSON(t, ".vscode/tasks.json", &file)
	inJSON(t, ".vscode/settings.json", new(map[string]any))
	inJSON(t, ".vscode/extensions.json", new(map[string]any))
	inJSON(t, ".devcontainer/devcontainer.json", new(map[string]any))

	root := clone(t)
	require.NotEmpty(t, file.Tasks)
	for _, task := range file.Tasks {
		require.Equal(t, "shell", task.Type, task.Label)
		command := strings.ReplaceAll(task.Command, "${fileDirnameBasename}", "01-pipe")
		if strings.Contains(command, " watch ") {
			command = "timeout -s INT 20 " + command + " </dev/null | head -3" // it goes on for ever
		}
		status, out, errs := call(t, root, "sh", "-c", command)
		require.LessOrEqual(t, status, 1, "%s\n%s%s", command, out, errs)
		require.Contains(t, strings.ToLower(out), "pipe", command)
		if string(task.ProblemMatcher) == "[]" {
			continue
		}
		var matcher struct {
			Pattern struct {
				Regexp              string
				File, Line, Message int
			}
		}
		require.NoError(t, json.Unmarshal(task.ProblemMatcher, &matcher), task.Label)
		found := regexp.MustCompile("(?m)" + matcher.Pattern.Regexp).FindStringSubmatch(out)
		require.NotNil(t, found, out)
		require.FileExists(t, filepath.Join(root, found[matcher.Pattern.File]))
		line, err := strconv.Atoi(found[matcher.Pattern.Line])
		require.NoError(t, err)
		require.Positive(t, line)
		require.Contains(t, found[matcher.Pattern.Message], "hint chapter=1")
	}
}

func inJSON(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, to), name)
}

// A plain go test says of a failure what task test says: the editor's own way to run a
// test shows the same texts.
func TestPlainGoTestSaysTheSame(t *testing.T) {
	program := buildWorkbook(t)
	root := clone(t)
	chapter := filepath.Join(root, "chapters/01-pipe")
	for _, c := range []struct {
		impl string // "" is the stub
		step string
		test string
	}{
		{"", "1", "TestBothEndsAreCloseOnExec"},
		{"01-no-cloexec", "1", "TestBothEndsAreCloseOnExec"},
		{"01-dup-left-open", "1", "TestBothEndsAreCloseOnExec"},
		{"05-reader-keeps-the-write-end", "5", "TestEndOfFileAfterTheLastWriter"},
	} {
		t.Run(c.impl, func(t *testing.T) {
			if c.impl != "" {
				use(t, root, c.impl)
			}
			_, out, errs := call(t, root, program, "test", "--chapter", "1", "--step", c.step, "--json")
			var r struct{ Steps []struct{ Message string } }
			require.NoError(t, json.Unmarshal([]byte(out), &r), out+errs)
			status, plain, errs := call(t, chapter, "go", "test", "-count=1", "-run", "^"+c.test+"$", ".")
			require.Equal(t, 1, status, plain+errs)
			for line := range strings.Lines(alike(r.Steps[0].Message)) {
				if line = strings.TrimSpace(line); line != "" {
					require.Contains(t, alike(plain), line)
				}
			}
		})
	}
}

// alike leaves out what differs from run to run: pids, descriptors, inodes. And go test
// shows places from the chapter's folder.
func alike(text string) string {
	return numbers.ReplaceAllString(strings.ReplaceAll(text, "chapters/01-pipe/", ""), "N")
}

var numbers = regexp.MustCompile(`[0-9]+`)

// use writes a known-wrong solution in the place of the learner's files.
func use(t *testing.T, root, name string) {
	t.Helper()
	c, err := book.Find("1")
	require.NoError(t, err)
	impl, err := verify.Variant(root, c, "wrong", name)
	require.NoError(t, err)
	texts, err := impl.Read()
	require.NoError(t, err)
	for file, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(root, c.Dir(), file), text, 0o644))
	}
}
