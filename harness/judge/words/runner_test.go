package words

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The first child ignores SIGTERM as its parent does. The second leaves the
// process group and the session: only the end of its parent leads to it.
const hangs = `trap '' TERM
echo begun
sleep 1000 & echo $! >first
setsid sh -c 'echo $$ >second; exec sleep 1000' &
wait; sleep 1000`

func TestACommandThatHangsIsKilledWithItsChildren(t *testing.T) {
	root := t.TempDir()
	r := newRunner(root, 500*time.Millisecond)
	begun := time.Now()
	res := r.command(context.Background(), hangs)

	assert.Equal(t, "it had not ended after 500ms and was killed", res.problem)
	assert.Equal(t, "begun\n", res.out)
	assert.Less(t, time.Since(begun), 15*time.Second)
	for _, file := range []string{"first", "second"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		require.NoError(t, err)
		assert.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH, "the %s child lives or was not reaped", file)
	}
	assert.Empty(t, children())
}

func TestACommandIsRunOnce(t *testing.T) {
	r := newRunner(t.TempDir(), time.Minute)
	for range 2 {
		assert.Equal(t, result{out: "x\n"}, r.command(context.Background(), "echo x >>runs; cat runs"))
	}
}

func TestAStoppedRunIsNotRemembered(t *testing.T) {
	r := newRunner(t.TempDir(), time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	assert.NotEmpty(t, r.command(ctx, "echo x").problem)
	assert.Equal(t, result{out: "x\n"}, r.command(context.Background(), "echo x"))
}

func TestAPrivatePathIsAWholePath(t *testing.T) {
	t.Setenv("HOME", "/home/ann")
	t.Setenv("TMPDIR", "/tmp")
	r := newRunner("/work/book", time.Minute)
	for line, want := range map[string]string{
		"see /work/book/task:1":       "/work/book",
		"/home/ann":                   "/home/ann",
		"(/tmp/ipc-1/t2)":             "/tmp",
		"/work/bookshelf, /home/anna": "",
		"chapters/tmp/x":              "",
		"proc/work/book":              "",
	} {
		assert.Equal(t, want, r.private(line), line)
	}
}
