// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=4
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// kinds are the flags of a queue of each kind, which is new and goes with the test.
func kinds(t *testing.T, run func(t *testing.T, flags []string)) {
	for _, flags := range [][]string{
		{"-queue", fmt.Sprintf("/demo-%d-%08x", os.Getpid(), rand.Uint32())},
		{"-key", strconv.Itoa(1 + int(rand.Int32()))},
	} {
		t.Run(flags[0], func(t *testing.T) {
			t.Cleanup(func() { console.Program(append(flags, "remove")...).Run() }) // where the test has failed
			run(t, flags)
		})
	}
}

func TestAWorkerDoesWhatIsTyped(t *testing.T) {
	kinds(t, func(t *testing.T, flags []string) {
		c := console.Start(t, console.Program(flags...))
		worker := c.Expect(`The worker is a second process \(pid (\d+)\)\.\n`)[1]
		c.Expect(`Ctrl-D ends the input\.\n`)
		c.SendLine("dishes")
		c.Expect(`worker \(pid ` + worker + `\) does: dishes\n`)
		c.SendLine("!fire")
		c.Expect(`worker \(pid ` + worker + `\) does, at once: fire\n`)
		c.SendLine(strings.Repeat("long", 300))
		if flags[0] == "-queue" {
			c.Expect(`That is too long for a job: .*message too long\n`)
		} else {
			c.Expect(`worker \(pid ` + worker + `\) does: (long)+`)
		}
		c.EndOfFile()
		c.Expect(`worker \(pid ` + worker + `\): the end, after \d jobs\n`)
		c.Expect(`the worker has ended: exit status 0\n`)
		assert.Equal(t, 0, c.Wait())

		removed := console.Start(t, console.Program(append(flags, "remove")...))
		removed.Expect(`removing the queue: .*no such file or directory\n`)
		assert.Equal(t, 1, removed.Wait())
	})
}

// This is the lesson of queues: the jobs are the kernel's, and no process has to be there.
func TestJobsSurviveEveryRestart(t *testing.T) {
	kinds(t, func(t *testing.T, flags []string) {
		command := func(word string) *console.Console {
			return console.Start(t, console.Program(append(flags, word)...))
		}
		producer := command("send")
		producer.Expect(`Ctrl-D ends the input\.\n`)
		for _, job := range []string{"first", "second", "!urgent"} {
			producer.SendLine(job)
		}
		producer.EndOfFile()
		producer.Expect(`3 jobs wait in the queue, which stays until it is removed\.\n`)
		producer.Expect(`(ls /dev/mqueue; cat /dev/mqueue/|ipcs -q)`)
		assert.Equal(t, 0, producer.Wait())

		worker := command("work")
		worker.Expect(`does, at once: urgent\n`)
		worker.Expect(`does: first\n`)
		worker.Expect(`does: second\n`)
		console.Watch(t, strconv.Itoa(worker.Pid())).Kill()
		worker.Wait()

		producer = command("send")
		producer.Expect(`Ctrl-D ends the input\.\n`)
		producer.SendLine("third")
		producer.EndOfFile()
		producer.Expect(`1 job waits in the queue`)
		assert.Equal(t, 0, producer.Wait())

		worker = command("work")
		worker.Expect(`does: third\n`)
		shown := command("show")
		shown.Expect(`0 jobs wait in the queue`)
		assert.Equal(t, 0, shown.Wait())

		removed := command("remove")
		removed.Expect(`The queue is gone, with all that was in it\.\n`)
		assert.Equal(t, 0, removed.Wait())
		if flags[0] == "-key" {
			worker.Expect(`the queue was removed\n`) // EIDRM wakes it
			assert.Equal(t, 0, worker.Wait())
			return
		}
		worker.Interrupt() // nothing wakes it: it has the queue open, which has no name now
		assert.NotEqual(t, 0, worker.Wait())
	})
}

func TestTheWorkerMayComeFirst(t *testing.T) {
	kinds(t, func(t *testing.T, flags []string) {
		worker := console.Start(t, console.Program(append(flags, "work")...))
		worker.Expect(`waits for jobs\n`)

		c := console.Start(t, console.Program(append(flags, "send")...))
		c.Expect(`Ctrl-D ends the input\.\n`)
		c.SendLine("dishes")
		worker.Expect(`does: dishes\n`)
		producer := console.Watch(t, strconv.Itoa(c.Pid()))
		producer.Kill()
		c.Wait()

		c = console.Start(t, console.Program(append(flags, "send")...))
		c.Expect(`Ctrl-D ends the input\.\n`)
		c.SendLine("laundry")
		worker.Expect(`does: laundry\n`)
		c.EndOfFile()
		assert.Equal(t, 0, c.Wait())
		worker.Interrupt()
		assert.NotEqual(t, 0, worker.Wait())

		removed := console.Start(t, console.Program(append(flags, "remove")...))
		removed.Expect(`The queue is gone`)
		assert.Equal(t, 0, removed.Wait())
	})
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"nonsense"}, {"-queue"}, {"-key", "x", "send"}, {"send", "now"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, console.Program(args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}
