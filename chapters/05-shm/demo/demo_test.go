// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=5
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// named is a name of a table that goes with the test.
func named(t *testing.T) string {
	name := fmt.Sprintf("/demo-%d-%08x", os.Getpid(), rand.Uint32())
	t.Cleanup(func() { os.Remove("/dev/shm" + name) })
	return name
}

func TestWithoutTheLockSomeAreLost(t *testing.T) {
	c := console.Start(t, console.Program("-name", named(t), "without"))
	got, err := strconv.Atoi(c.Expect(`It should be 200000, and is (\d+)\.\n`)[1])
	require.NoError(t, err)
	lost, err := strconv.Atoi(c.Expect(`(\d+) are lost`)[1])
	require.NoError(t, err)
	assert.Equal(t, 200000, got+lost)
	assert.Equal(t, 0, c.Wait())
}

func TestWithTheLockNoneIsLost(t *testing.T) {
	name := named(t)
	c := console.Start(t, console.Program("-name", name, "with"))
	c.Expect(`It should be 200000, and is 200000\.\n`)
	assert.Equal(t, 0, c.Wait())

	// The table outlives all of them.
	shown := console.Start(t, console.Program("-name", name, "show"))
	shown.Expect(`The number is 200000\. The accounts have 100 and 0, which makes 100\.\n`)
	assert.Equal(t, 0, shown.Wait())
	removed := console.Start(t, console.Program("-name", name, "remove"))
	removed.Expect(`The table is gone\.\n`)
	assert.Equal(t, 0, removed.Wait())
	again := console.Start(t, console.Program("-name", name, "show"))
	again.Expect(`opening the table: .*no such file or directory\n`)
	assert.Equal(t, 1, again.Wait())
}

func TestTheNextOneIsToldOfADeath(t *testing.T) {
	for _, how := range []string{"by Enter", "from another terminal"} {
		t.Run(how, func(t *testing.T) {
			c := console.Start(t, console.Program("-name", named(t), "killed"))
			c.Expect(`100 and 0, which makes 100\.\n`)
			holder := c.Expect(`Process (\d+) holds the lock\.`)[1]
			next := c.Expect(`Process (\d+) wants the lock, and waits\.\n`)[1]
			c.Expect(`Press Enter to kill process ` + holder)
			c.Expect(`in another terminal\.\n`)
			if how == "by Enter" {
				c.SendLine("")
			} else {
				console.Watch(t, holder).Kill()
			}
			// Two processes write to this terminal, in any order.
			text := c.Expect(`(?s)(.*)Now the accounts have 100 and 0, which makes 100\.\n`)[1]
			assert.Contains(t, text, "Process "+holder+" is dead")
			assert.Contains(t, text, "Process "+next+" has the lock, and is told: the lock's holder died")
			assert.Contains(t, text, "10 are missing")
			assert.Equal(t, 0, c.Wait())
		})
	}
}

func TestAllOfItInARow(t *testing.T) {
	c := console.Start(t, console.Program("-name", named(t)))
	c.Expect(`Without the lock:\n`)
	c.Expect(`With the lock:\n`)
	c.Expect(`and is 200000\.\n`)
	c.Expect(`Press Enter`)
	c.SendLine("")
	c.Expect(`Now the accounts have 100 and 0`)
	c.Expect(`The table is gone\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"nonsense"}, {"-name"}, {"with", "out"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, console.Program(args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}
