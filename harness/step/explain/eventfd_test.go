package explain_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain/testdata/chapter"
)

var (
	bell  = helper("bell", chapter.Bell)
	bells = helper("bells", chapter.Bells)
)

func TestWaitForAnEventfd(t *testing.T) {
	eventfd := func() int {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	for name, by := range map[string]string{"read": bell, "one-of": bells} {
		t.Run(name, func(t *testing.T) {
			shared, own := eventfd(), eventfd()
			word, _ := pipe(t)
			producer := start(t, "producer", waitWord, nil, word, shared)
			hang(t, producer)
			consumer := start(t, "consumer", by, nil, word, shared, own)
			explains(t, "eventfd-"+name, consumer, producer)
		})
	}
	t.Run("of a process", func(t *testing.T) {
		word, _ := pipe(t)
		producer := start(t, "producer", waitWord, nil, word)
		hang(t, producer)
		pidfd, err := unix.PidfdOpen(producer.Cmd.Process.Pid, 0)
		require.NoError(t, os.NewSyscallError("pidfd_open", err))
		t.Cleanup(func() { unix.Close(pidfd) })
		consumer := start(t, "consumer", bells, nil, word, eventfd(), pidfd)
		explains(t, "eventfd-or-end", consumer, producer)
	})
}
