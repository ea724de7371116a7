// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference, put its file in the
// place of the stub, with absolute paths in a file of your choice:
//
//	{"Replace": {"/…/chapters/01-pipe/pipe.go": "/…/solutions/01-pipe/pipe.go"}}
//
//	go test -overlay FILE ./chapters/01-pipe/demo
package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

func TestLinesArriveAndCtrlDEndsTheTalk(t *testing.T) {
	c := console.Start(t, console.Program())
	c.Expect(`Type a line`)

	c.SendLine("hello")
	consumer := c.Expect(`consumer \(pid (\d+)\) received 5 bytes: hello\n`)[1]
	c.SendLine("")
	c.Expect(`received 0 bytes: \n`)

	c.EndOfFile()
	c.Expect(`consumer \(pid ` + consumer + `\): end of file after 2 messages, no writer is left\n`)
	c.Expect(`producer \(pid ` + strconv.Itoa(c.Pid()) + `\): the consumer has ended: exit status 0\n`)
	assert.Equal(t, 0, c.Wait())
	assert.NotEqual(t, strconv.Itoa(c.Pid()), consumer, "the consumer is a process of its own")
}

func TestCtrlDAtOnceIsAnEndToo(t *testing.T) {
	c := console.Start(t, console.Program())
	c.EndOfFile()
	c.Expect(`end of file after 0 messages, no writer is left\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestCtrlCLeavesNoProcess(t *testing.T) {
	c := console.Start(t, console.Program())
	c.SendLine("hello")
	consumer := console.Watch(t, c.Expect(`consumer \(pid (\d+)\) received`)[1])

	c.Interrupt()

	consumer.Ends()
	assert.NotEqual(t, 0, c.Wait())
	assert.NoDirExists(t, fmt.Sprintf("/proc/%d", c.Pid()))
}

// This is the lesson of pipes: the kernel closes what a dead process had open.
// So the reader learns of its death, however it came.
func TestAKilledProducerLeavesNoConsumer(t *testing.T) {
	// Here a shell leads the session. If the producer did, its death would hang
	// up the terminal, and SIGHUP would end the consumer before the pipe can.
	c := console.Start(t, inShell(`"$0"; test $? = 137 && read wait`))
	producer := console.Watch(t, c.Expect(`producer \(pid (\d+)\)`)[1])
	c.SendLine("hello")
	consumer := console.Watch(t, c.Expect(`consumer \(pid (\d+)\) received 5 bytes`)[1])

	producer.Kill()

	c.Expect(`consumer \(pid \d+\): end of file after 1 message, no writer is left\n`)
	consumer.Ends()
}

func TestAKilledConsumerEndsTheProducer(t *testing.T) {
	c := console.Start(t, console.Program())
	c.SendLine("hello")
	consumer := console.Watch(t, c.Expect(`consumer \(pid (\d+)\) received 5 bytes`)[1])

	consumer.Kill()

	c.Expect(`the consumer has ended: signal: killed\n`)
	assert.Equal(t, 1, c.Wait())
}

func TestTwoTerminalsTalkThroughAFIFO(t *testing.T) {
	for _, first := range []string{"read", "write"} {
		t.Run(first+" first", func(t *testing.T) {
			fifo := filepath.Join(t.TempDir(), "fifo")
			second := map[string]string{"read": "write", "write": "read"}[first]
			side := map[string]*console.Console{}
			side[first] = console.Start(t, console.Program("-fifo", fifo, first))
			side[first].Expect(`It waits until a (reader|writer) opens the FIFO\.\n`)
			side[second] = console.Start(t, console.Program("-fifo", fifo, second))
			r, w := side["read"], side["write"]

			w.Expect(`A reader is there\.`)
			r.Expect(`A writer is there\.`)
			w.SendLine("hello")
			r.Expect(`received 5 bytes: hello\n`)
			w.EndOfFile()
			r.Expect(`end of file after 1 message, no writer is left\n`)
			assert.Equal(t, 0, w.Wait())
			assert.Equal(t, 0, r.Wait())
		})
	}
}

func TestAWriterOfAFIFOIsToldWhenNoReaderIsLeft(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	r := console.Start(t, console.Program("-fifo", fifo, "read"))
	w := console.Start(t, console.Program("-fifo", fifo, "write"))
	w.Expect(`A reader is there\.`)
	r.Expect(`A writer is there\.`)

	r.Interrupt()
	r.Wait()

	w.SendLine("hello")
	w.Expect(`no reader is left: .*broken pipe\n`)
	assert.Equal(t, 1, w.Wait())
}

func TestTheTransferArrivesWhole(t *testing.T) {
	c := console.Start(t, console.Program("-transfer"))
	c.Expect(`received 8192 messages, 8388608 bytes\. The checksum is right\.\n`)
	c.Expect(`This one run: \d+ KB/s`)
	assert.Equal(t, 0, c.Wait())
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"nonsense"}, {"-fifo"}, {"-fifo", "/tmp/x"}, {"-fifo", "/tmp/x", "listen"}, {"-transfer", "now"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, console.Program(args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}

// inShell runs a script in which "$0" is the program.
func inShell(script string) *exec.Cmd {
	program := console.Program()
	cmd := exec.Command("sh", "-c", script, program.Path)
	cmd.Env = program.Env
	return cmd
}
