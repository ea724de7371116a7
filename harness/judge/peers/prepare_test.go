package peers_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/peers"
)

// tool puts a shell script of that name into a PATH in which there is nothing
// else.
func tool(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}

func missing(t *testing.T, name, language string) string {
	t.Helper()
	p, err := peers.Prepare(t.Context(), root, name, language, t.TempDir())
	require.NoError(t, err)
	require.NotEmpty(t, p.Missing)
	assert.Empty(t, p.Argv)
	assert.Empty(t, p.Version)
	return p.Missing
}

func TestPrepareTellsTheVersion(t *testing.T) {
	want := map[string]string{
		peers.C:      `^(gcc|clang) \d+\.\d+\.\d+$`,
		peers.Python: `^Python 3\.\d+\.\d+$`,
		peers.Limit:  `^go1\.`,
	}
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			p := prepare(t, k)
			assert.Regexp(t, want[k.language], p.Version)
			for _, word := range p.Argv {
				assert.True(t, word == "-B" || filepath.IsAbs(word), "%s should be absolute: the peer may run anywhere", word)
			}
		})
	}
}

func TestPrepareTellsWhatIsMissing(t *testing.T) {
	assert.Equal(t, "there is no peer harness/judge/peers/walk.c", missing(t, "walk", peers.C))
	assert.Equal(t, "there is no peer harness/judge/peers/walk.py", missing(t, "walk", peers.Python))

	t.Setenv("PATH", "")
	t.Setenv("CC", "")
	assert.Equal(t, "no C compiler: none of cc, gcc, clang is in PATH", missing(t, "pipe", peers.C))
	assert.Equal(t, "python3 is not installed", missing(t, "pipe", peers.Python))
	assert.Equal(t, "go is not in PATH", missing(t, "pipe", peers.Limit))

	t.Setenv("CC", "tcc -m64")
	assert.Equal(t, "no C compiler: none of tcc, cc, gcc, clang is in PATH", missing(t, "pipe", peers.C))
}

func TestACompilerWithoutHeadersIsMissing(t *testing.T) {
	t.Setenv("CC", "")
	tool(t, "gcc", `echo "hello.c:1:10: fatal error: stdio.h: No such file or directory" >&2; exit 1`)
	reason := missing(t, "pipe", peers.C)
	assert.Regexp(t, `^/.*/gcc does not compile C here: hello.c:1:10: fatal error: stdio.h: No such`, reason)
}

func TestAPythonThatDoesNotRunIsMissing(t *testing.T) {
	tool(t, "python3", `echo "pyenv: python3: command not found" >&2; exit 127`)
	assert.Equal(t, "python3 does not run: pyenv: python3: command not found", missing(t, "pipe", peers.Python))
}

func TestAnOldPythonIsMissing(t *testing.T) {
	tool(t, "python3", `echo 3.6.15; echo 0; echo /usr/bin/python3`)
	assert.Equal(t, "Python 3.6.15 is too old: the peers need 3.8", missing(t, "pipe", peers.Python))
}

func TestTheCompilerIsThatOfCC(t *testing.T) {
	prepare(t, kind{"pipe", peers.C})
	// It writes down how it is called, and compiles nothing.
	log := filepath.Join(t.TempDir(), "log")
	tool(t, "own-cc", `echo "$@" >>`+log)
	t.Setenv("CC", "own-cc -DOWN")
	p, err := peers.Prepare(t.Context(), root, "pipe", peers.C, t.TempDir())
	require.NoError(t, err)
	assert.Equal(t, "own-cc", p.Version)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Regexp(t, `^-DOWN -O2 -o /.*/pipe-c /.*/harness/judge/peers/pipe\.c\n`, string(text))
}

func TestAPeerThatDoesNotCompileIsAnError(t *testing.T) {
	prepare(t, kind{"pipe", peers.C})
	dir := edited(t, "pipe.c", "return run_peer(", "return walk_peer(")
	other := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(other, "harness", "judge"), 0o700))
	require.NoError(t, os.Symlink(dir, filepath.Join(other, "harness", "judge", "peers")))
	_, err := peers.Prepare(t.Context(), other, "pipe", peers.C, t.TempDir())
	require.ErrorContains(t, err, "the peer harness/judge/peers/pipe.c does not compile:\n")
	assert.ErrorContains(t, err, "walk_peer")
}

func TestAnUnknownLanguageIsAnError(t *testing.T) {
	_, err := peers.Prepare(t.Context(), root, "pipe", "latin", t.TempDir())
	assert.EqualError(t, err, `there are no peers in the language "latin"`)
}

func TestPrepareEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, k := range kinds {
		_, err := peers.Prepare(ctx, root, k.name, k.language, t.TempDir())
		assert.ErrorIs(t, err, context.Canceled, k)
	}
}
