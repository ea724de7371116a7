// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=8
package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// An hour is for what is not to happen in a test.
const never = "1h"

// workers waits until the pool is there, and returns the workers' pids.
func workers(c *console.Console) []string {
	return strings.Fields(c.Expect(`the pool has the workers ([\d ]+)\.\n`)[1])
}

// bothSlow waits until two workers fetch the slow pages. Who writes first of the two is chance.
func bothSlow(c *console.Console) { c.Expect(`(?s)fetches /slow/[12]\n.*fetches /slow/[12]\n`) }

func TestEveryPageIsToldOnce(t *testing.T) {
	c := console.Start(t, console.Program("-pages", "30", "-slow", "1ms"))
	require.Len(t, workers(c), 3)
	c.Expect(`37 pages: 33 fetched, 4 failed, 0 not begun\.\n`)
	assert.Equal(t, 0, c.Wait())
	screen := c.Transcript()
	for _, path := range append(links(30), "/") {
		assert.Equal(t, 1, strings.Count(screen, " fetches "+path+"\n"), "how often a worker fetches %s in\n%s", path, screen)
		assert.Equal(t, 1, strings.Count(screen, "] "+path+": "), "how often it tells of %s in\n%s", path, screen)
	}
	for n := 2; n <= 37; n++ {
		assert.Regexp(t, fmt.Sprintf(`(?m)^\[%d of \d+\] /`, n), screen)
	}
	for _, says := range []string{
		`/slow/1: "Slow page 1", `,
		`/page/30: "Page 30", `,
		"/broken: failed: task fetch: after 18 bytes: unexpected EOF\n",
		"/missing: failed: task fetch: the site says 404 Not Found\n",
		"/odd: the task has panicked: runtime error: slice bounds out of range",
	} {
		assert.Contains(t, screen, says)
	}
	assert.Regexp(t, `/huge: failed: .*larger than the pool allows`, screen)
}

func TestTheOthersGoOnBesideASlowPage(t *testing.T) {
	c := console.Start(t, console.Program("-workers", "3", "-slow", never, "-patience", never))
	c.Expect(`\[13 of 15\] `) // all but the slow ones
	assert.NotContains(t, c.Transcript(), "] /slow/")
	c.Interrupt()
	c.Expect(`nothing else begins`)
	c.Interrupt()
	assert.Equal(t, 128+int(syscall.SIGINT), c.Wait())
}

func TestASlowPageIsGivenUp(t *testing.T) {
	c := console.Start(t, console.Program("-slow", never, "-patience", "1s"))
	c.Expect(`\] /slow/[12]: failed: task fetch: .*Client\.Timeout exceeded`)
	c.Expect(`\] /slow/[12]: failed: task fetch: .*Client\.Timeout exceeded`)
	c.Expect(`15 pages: `)
	assert.Equal(t, 0, c.Wait())
}

func TestCtrlCFinishesWhatIsUnderWay(t *testing.T) {
	// One worker has a slow page, and all others wait for it.
	c := console.Start(t, console.Program("-workers", "1", "-slow", "1s"))
	c.Expect(`fetches /slow/1\n`)
	c.Interrupt()
	c.Expect(`interrupt: what is under way is finished, and nothing else begins\.`)
	c.Expect(`15 pages: \d+ fetched, \d+ failed, [1-9]\d* not begun\.\n`)
	assert.Equal(t, 0, c.Wait())
	assert.Contains(t, c.Transcript(), `/slow/1: "Slow page 1", `)
	for _, path := range links(8) {
		begun := strings.Contains(c.Transcript(), " fetches "+path+"\n")
		notBegun := strings.Contains(c.Transcript(), "] "+path+": not begun: ")
		assert.NotEqual(t, begun, notBegun, "%s was begun, and is told as not begun, in\n%s", path, c.Transcript())
	}
}

func TestASecondCtrlCEndsItAtOnce(t *testing.T) {
	c := console.Start(t, console.Program("-workers", "2", "-slow", never, "-patience", never))
	var all []*console.Process
	for _, pid := range workers(c) {
		all = append(all, console.Watch(t, pid))
	}
	bothSlow(c)
	c.Interrupt()
	c.Expect(`nothing else begins`)
	c.Interrupt()
	assert.Equal(t, 128+int(syscall.SIGINT), c.Wait())
	for _, worker := range all {
		worker.Ends()
	}
}

func TestAWorkerIsKilled(t *testing.T) {
	c := console.Start(t, console.Program("-workers", "1", "-slow", never, "-patience", never))
	worker := workers(c)[0]
	c.Expect(`fetches /slow/1\n`)
	c.SendLine("kill")
	c.Expect(`Worker ` + worker + ` is killed\.\n`)
	broken := `failed: the pool is broken: worker ` + worker + ` has ended in task fetch: signal: killed\n`
	for range links(8) {
		c.Expect(broken)
	}
	c.Expect(`15 pages: 1 fetched, 14 failed, 0 not begun\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestNobodyIsLeftWhenTheFetcherIsKilled(t *testing.T) {
	c := console.Start(t, console.Program("-workers", "2", "-slow", never, "-patience", never))
	var all []*console.Process
	for _, pid := range workers(c) {
		all = append(all, console.Watch(t, pid))
	}
	bothSlow(c)
	console.Watch(t, strconv.Itoa(c.Pid())).Kill()
	for _, worker := range all {
		worker.Ends()
	}
}

func TestManyTasksWait(t *testing.T) {
	c := console.Start(t, console.Program("-queue", "20000"))
	c.Expect(`The pool is there after \d+ ms\.\n`)
	said := c.Expect(`20000 tasks wait\. Each needs (\d+) bytes of memory\. For all of them there are (-?\d) goroutines and (-?\d) descriptors more\.\n`)
	assert.LessOrEqual(t, len(said[1]), 3, "the number of bytes, which is less than 1000: %s", said[1])
	assert.Equal(t, 0, c.Wait())
}

func TestAWorkerWithoutAPool(t *testing.T) {
	c := console.Start(t, console.Program("work"))
	c.Expect(`demo: worker \d+: .*\n`)
	assert.Equal(t, 1, c.Wait())
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for args, says := range map[string]string{
		"-nonsense":     `not defined: -nonsense`,
		"nonsense":      `there is no "nonsense"`,
		"work now":      `there is no "work now"`,
		"-workers 0":    `-workers is from 1 to 64, and this is 0`,
		"-workers 65":   `-workers is from 1 to 64, and this is 65`,
		"-workers many": `invalid value "many"`,
		"-pages -1":     `-pages is from 0 to 10000, and this is -1`,
		"-queue -1":     `-queue is from 1 to 10000000, and this is -1`,
		"-slow -1s":     `-slow is not below 0, and this is -1s`,
		"-patience 0s":  `-patience is above 0, and this is 0s`,
		"-patience":     `flag needs an argument: -patience`,
	} {
		t.Run(args, func(t *testing.T) {
			c := console.Start(t, console.Program(strings.Fields(args)...))
			c.Expect(says)
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}
