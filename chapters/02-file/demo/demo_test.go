// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference, put its files in the
// place of the stub, with absolute paths in a file of your choice:
//
//	{"Replace": {"/…/chapters/02-file/file.go": "/…/solutions/02-file/file.go", …}}
//
//	go test -overlay FILE ./chapters/02-file/demo
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// demo is the program, with a folder for temporary files in which nothing may stay.
func demo(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	tmp := t.TempDir()
	cmd := console.Program(args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	t.Cleanup(func() {
		left, err := os.ReadDir(tmp)
		assert.NoError(t, err)
		assert.Empty(t, left, "in TMPDIR after %s", cmd)
	})
	return cmd
}

func records(t *testing.T) string { return filepath.Join(t.TempDir(), "records") }

func TestLinesArriveAndCtrlDEndsTheTalk(t *testing.T) {
	c := console.Start(t, demo(t))
	c.Expect(`Type a line`)

	c.SendLine("hello")
	consumer := c.Expect(`consumer \(pid (\d+)\) received 5 bytes: hello\n`)[1]
	c.SendLine("")
	c.Expect(`received 0 bytes: \n`)
	c.SendLine("EOF")
	c.Expect(`received 3 bytes: EOF\n`)

	c.EndOfFile()
	c.Expect(`consumer \(pid ` + consumer + `\): the end mark after 3 records\n`)
	c.Expect(`producer \(pid ` + strconv.Itoa(c.Pid()) + `\): the consumer has ended: exit status 0\n`)
	assert.Equal(t, 0, c.Wait())
	assert.NotEqual(t, strconv.Itoa(c.Pid()), consumer, "the consumer is a process of its own")
}

func TestCtrlDAtOnceIsAnEndToo(t *testing.T) {
	c := console.Start(t, demo(t))
	c.EndOfFile()
	c.Expect(`the end mark after 0 records\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestCtrlCLeavesNoProcess(t *testing.T) {
	c := console.Start(t, demo(t))
	c.SendLine("hello")
	consumer := console.Watch(t, c.Expect(`consumer \(pid (\d+)\) received`)[1])

	c.Interrupt()

	consumer.Ends()
	assert.NotEqual(t, 0, c.Wait())
	assert.NoDirExists(t, fmt.Sprintf("/proc/%d", c.Pid()))
}

func TestAKilledConsumerEndsTheProducer(t *testing.T) {
	c := console.Start(t, demo(t))
	c.SendLine("hello")
	consumer := console.Watch(t, c.Expect(`consumer \(pid (\d+)\) received 5 bytes`)[1])

	consumer.Kill()

	c.Expect(`the consumer has ended: signal: killed\n`)
	assert.Equal(t, 1, c.Wait())
}

// This is what a file has and a pipe has not: it outlives its writer. The follower
// waits for the next one, and never opens the file again.
func TestANewWriterGoesOnAfterAKilledOne(t *testing.T) {
	path := records(t)
	first := console.Start(t, demo(t, "-file", path, "write"))
	first.Expect(`It has the file locked`)
	r := console.Start(t, demo(t, "-file", path, "read"))
	first.SendLine("hello")
	r.Expect(`received 5 bytes: hello\n`)

	console.Watch(t, strconv.Itoa(first.Pid())).Kill()
	first.Wait()

	second := console.Start(t, demo(t, "-file", path, "write"))
	second.Expect(`It has the file locked`)
	second.SendLine("again")
	r.Expect(`received 5 bytes: again\n`)
	second.EndOfFile()
	r.Expect(`the end mark after 2 records\n`)
	assert.Equal(t, 0, second.Wait())
	assert.Equal(t, 0, r.Wait())
}

func TestAReaderComesWhenAllIsOver(t *testing.T) {
	path := records(t)
	w := console.Start(t, demo(t, "-file", path, "-durable", "each", "write"))
	w.SendLine("hello")
	w.EndOfFile()
	w.Expect(`The file stays`)
	assert.Equal(t, 0, w.Wait())

	r := console.Start(t, demo(t, "-file", path, "read"))
	r.Expect(`received 5 bytes: hello\n`)
	r.Expect(`the end mark after 1 record\n`)
	assert.Equal(t, 0, r.Wait())

	late := console.Start(t, demo(t, "-file", path, "write"))
	late.Expect(`the file has ended.* \(to begin anew: rm `)
	assert.Equal(t, 1, late.Wait())
}

func TestASecondWriterIsTurnedAway(t *testing.T) {
	path := records(t)
	first := console.Start(t, demo(t, "-file", path, "write"))
	first.Expect(`It has the file locked`)

	second := console.Start(t, demo(t, "-file", path, "write"))
	second.Expect(`another writer has the file`)
	assert.Equal(t, 1, second.Wait())

	first.EndOfFile()
	assert.Equal(t, 0, first.Wait())
}

func TestATornRecordIsToldAndTheNextWriterCutsItOff(t *testing.T) {
	path := records(t)
	require.NoError(t, os.WriteFile(path, []byte("\x00\x00\x00\x05hello\x00\x00\x00\x05he"), 0o600))

	r := console.Start(t, demo(t, "-file", path, "read"))
	r.Expect(`received 5 bytes: hello\n`)
	r.Expect(`after 1 record a torn one, and no writer is left: unexpected EOF\n`)
	assert.Equal(t, 1, r.Wait())

	w := console.Start(t, demo(t, "-file", path, "write"))
	w.EndOfFile()
	assert.Equal(t, 0, w.Wait())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "\x00\x00\x00\x05hello\xff\xff\xff\xff", string(whole))
}

func TestAFileThatIsNotThereIsAnError(t *testing.T) {
	r := console.Start(t, demo(t, "-file", records(t), "read"))
	r.Expect(`opening the file to follow it: .*no such file or directory\n`)
	assert.Equal(t, 1, r.Wait())
}

func TestTheTransferArrivesWhole(t *testing.T) {
	for _, durable := range []string{"never", "close", "each"} {
		t.Run(durable, func(t *testing.T) {
			c := console.Start(t, demo(t, "-transfer", "-durable", durable), console.Timeout(time.Minute))
			c.Expect(`received 8192 messages, 8388608 bytes\. The checksum is right\.\n`)
			c.Expect(`This one run: \d+ KB/s`)
			assert.Equal(t, 0, c.Wait())
		})
	}
}

func TestDirtyPagesAreCounted(t *testing.T) {
	path := records(t)
	for _, c := range []struct {
		durable string
		dirty   string
	}{{"never", "[1-9]"}, {"close", "0"}} {
		os.Remove(path)
		w := console.Start(t, demo(t, "-file", path, "-durable", c.durable, "write"))
		w.SendLine("hello")
		w.EndOfFile()
		assert.Equal(t, 0, w.Wait())

		d := console.Start(t, demo(t, "-dirty", path))
		status := d.Wait()
		if status == unsupported {
			t.Skip(d.Transcript())
		}
		d.Expect(`records: [1-9] pages? in the page cache, ` + c.dirty + ` of them dirty\n`)
		assert.Equal(t, 0, status)
	}
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"nonsense"}, {"-file"}, {"-file", "/tmp/x"}, {"-file", "/tmp/x", "listen"},
		{"-transfer", "now"}, {"-durable", "often"}, {"-dirty", "/tmp/x", "read"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, demo(t, args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}
