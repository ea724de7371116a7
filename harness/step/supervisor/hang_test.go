package supervisor

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// A busy machine may give the reader of dumps no processor for long. Meanwhile the program that
// writes one sleeps, or has ended, and nothing of what it has said may be missing.
func TestADumpIsWholeHoweverLateItIsRead(t *testing.T) {
	for _, size := range []int{100_000, 1_000_000} { // there is room for the one, and not for the other
		line, err := socketpair(unix.SOCK_SEQPACKET)
		require.NoError(t, err)
		d := collect(line[0])

		d.mu.Lock() // so nobody reads
		writer := exec.Command("dd", "if=/dev/zero", "bs=1000", "status=none", "count="+strconv.Itoa(size/1000))
		writer.Stdout = line[1]
		require.NoError(t, writer.Start())
		pids := []int{writer.Process.Pid}
		require.Eventually(t, func() bool { return procfs.Look(pids).Asleep() }, time.Minute, time.Millisecond)
		waited := make(chan map[int][]byte)
		go func() {
			d.wait(pids)
			waited <- d.taken()
		}()
		procfs.Pause(5 * silence)
		d.mu.Unlock()
		came := <-waited
		require.Equal(t, size, len(came[writer.Process.Pid]))
		require.NoError(t, writer.Wait())
		line[0].Close()
		line[1].Close()
	}
}

// Between two pieces of its dump the runtime sleeps for a millisecond, and it may have to wait for
// whoever reads its standard error. On a busy machine either takes as long as two looks.
func TestWhoIsInTheMiddleOfADumpGoesOn(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	for _, p := range []struct {
		command []string
		goesOn  bool
	}{
		{[]string{"tail", "-f", "-s", "0.005", "---disable-inotify", "/dev/null"}, true},
		{[]string{"dd", "if=/dev/zero", "status=none"}, true}, // nobody reads
		{[]string{"sleep", "100"}, false},
	} {
		c := exec.Command(p.command[0], p.command[1:]...)
		c.Stdout = w
		require.NoError(t, c.Start())
		pids := []int{c.Process.Pid}
		require.Eventually(t, func() bool { return procfs.Look(pids).Asleep() && goesOn(pids) == p.goesOn }, time.Minute, time.Millisecond, p.command)
		require.NoError(t, c.Process.Kill())
		require.Error(t, c.Wait())
	}
}
