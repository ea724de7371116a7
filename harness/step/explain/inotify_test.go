package explain_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain/testdata/chapter"
)

var (
	follow       = helper("follow", func() { chapter.Follow(0, unix.IN_MODIFY|unix.IN_CLOSE_WRITE) })
	followPoller = helper("follow in the poller", func() { chapter.Follow(unix.IN_NONBLOCK, unix.IN_ALL_EVENTS) })
	followNobody = helper("follow nothing", func() { chapter.Follow(0, 0) })
)

func TestWaitForAnEventOfAFile(t *testing.T) {
	for name, by := range map[string]string{"call": follow, "poller": followPoller, "nothing": followNobody} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.lock")
			w, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			require.NoError(t, err)
			t.Cleanup(func() { unix.Close(w) })
			r, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			t.Cleanup(func() { unix.Close(r) })
			word, _ := pipe(t)
			consumer := start(t, "consumer", by, nil, word, r)
			producer := start(t, "producer", waitWord, nil, word, w)
			hang(t, producer)
			explains(t, "inotify-"+name, consumer, producer)
		})
	}
}
