// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=7
package main

import (
	"fmt"
	"os/exec"
	"regexp"
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

// seated waits for the three diners, and returns their pids.
func seated(c *console.Console) (diners []string) {
	text := c.Expect(`(?s)Diner (\d) sits.*Diner (\d) sits.*Diner (\d) sits down: process \d+\.\n`)[0]
	for i := 1; i <= 3; i++ {
		_, rest, _ := strings.Cut(text, fmt.Sprintf("Diner %d sits down: process ", i))
		pid, _, _ := strings.Cut(rest, ".")
		diners = append(diners, pid)
	}
	return diners
}

func TestEveryDishIsEatenOnce(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "9", "-cook", "0s", "-eat", "1ms"))
	text := c.Expect(`(?s)The host is process .*All is done\. The host closes\.\n`)[0]
	for n := 1; n <= 9; n++ {
		for _, cook := range []string{"a", "b"} {
			put := fmt.Sprintf("] Cook %s has put %s%d on the counter.\n", cook, cook, n)
			eaten := fmt.Sprintf("has eaten %s%d.\n", cook, n)
			assert.Equal(t, 1, strings.Count(text, put), "how often it says %q in\n%s", put, text)
			assert.Equal(t, 1, strings.Count(text, eaten), "how often it says %q in\n%s", eaten, text)
		}
	}
	c.Expect(`All have gone home\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestTheCounterIsFullAndCooksWait(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "5", "-cook", "0s", "-eat", never))
	c.Expect(`\[#####\] Cook [ab] waits with \w+: the counter is full\.\n`)
	c.Interrupt()
	assert.NotEqual(t, 0, c.Wait())
}

func TestADinerIsKilledWithADishInItsHands(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "100000", "-cook", "5ms", "-eat", "1ms"))
	diner := seated(c)[0]
	c.SendLine("diner")
	dish := c.Expect(`Diner 1 has taken (\w+), and is killed\.\n`)[1]
	// The host is told at once, while the others cook and eat on.
	c.Expect(`(?s)Join: process ` + diner + ` has ended.*Diner [23] has eaten`)
	c.SendLine("close")
	c.Expect(`All is done\. The host closes\.\n`)
	c.Expect(`All have gone home\.\n`)
	assert.Contains(t, c.Transcript(), "Diner 1 ("+diner+") has ended: signal: killed.\n")
	assert.Equal(t, 1, strings.Count(c.Transcript(), "Join: "), "how often Join tells of it:\n%s", c.Transcript())
	assert.NotContains(t, c.Transcript(), "has eaten "+dish+".")
	assert.Equal(t, 0, c.Wait())
}

func TestACookIsKilled(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "100000", "-cook", "5ms", "-eat", "1ms"))
	cook := c.Expect(`Cook a cooks: process (\d+)\.\n`)[1]
	c.SendLine("cook")
	c.Expect(`Cook a \(` + cook + `\) has ended: signal: killed\.\n`)
	c.Expect(`What it has put is whole, and the others go on\.\n`)
	c.SendLine("close")
	c.Expect(`Cook b goes home\.\n`)
	c.Expect(`All is done\. The host closes\.\n`)
	c.Expect(`All have gone home\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestADinerLeavesAndTheOthersEatOn(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "100000", "-cook", "5ms", "-eat", "1ms"))
	seated(c)
	c.SendLine("leave")
	c.Expect(`Diner 1 leaves\.\n`)
	c.SendLine("close")
	c.Expect(`(?s)Cook [ab] goes home\.\n.*Cook [ab] goes home\.\n`)
	c.Expect(`All is done\. The host closes\.\n`)
	c.Expect(`All have gone home\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestNoDinerIsLeft(t *testing.T) {
	// Three dishes are in the diners' hands when all cooks have gone home, and five on the counter.
	c := console.Start(t, console.Program("-dishes", "4", "-cook", "0s", "-eat", never))
	diners := seated(c)
	c.Expect(`\[#####\] No cook is left\. The host waits until all is eaten\.\n`)
	for _, pid := range diners {
		console.Watch(t, pid).Kill()
	}
	c.Expect(`\[#####\] Join: .*no diner is left\.\n`)
	c.Expect(`All have gone home\.\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestAllDinersLeave(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "100000", "-cook", "5ms", "-eat", "1ms"))
	seated(c)
	for i := 1; i <= 3; i++ {
		c.SendLine("leave")
		c.Expect(fmt.Sprintf(`Diner %d leaves\.\n`, i))
	}
	c.Expect(`(?s)Join: .*no diner is left\.\n.*All have gone home\.\n`)
	for _, cook := range []string{"a", "b"} {
		assert.Regexp(t, `Cook `+cook+` goes home with \w+: the host has closed\.\n`, c.Transcript())
	}
	assert.Equal(t, 0, c.Wait())
}

// everybody waits until all five are there, and returns their processes.
func everybody(t *testing.T, c *console.Console) (all []*console.Process) {
	text := c.Expect(`(?s)(?:(?:Cook|Diner) \w (?:cooks|sits down): process \d+\.\n[^\n]*){5}`)[0]
	for _, line := range strings.SplitAfter(text, "\n") {
		if _, rest, found := strings.Cut(line, ": process "); found {
			pid, _, _ := strings.Cut(rest, ".")
			all = append(all, console.Watch(t, pid))
		}
	}
	require.Len(t, all, 5)
	return all
}

func TestNobodyIsLeftWhenTheHostEnds(t *testing.T) {
	for how, end := range map[string]func(*console.Console){
		"Ctrl-C":            func(c *console.Console) { c.Interrupt() },
		"SIGTERM":           func(c *console.Console) { syscall.Kill(c.Pid(), syscall.SIGTERM) },
		"SIGKILL":           func(c *console.Console) { syscall.Kill(c.Pid(), syscall.SIGKILL) },
		"a closed terminal": func(c *console.Console) { c.HangUp() },
	} {
		t.Run(how, func(t *testing.T) {
			c := console.Start(t, console.Program("-cook", never, "-eat", never))
			all := everybody(t, c)
			end(c)
			for _, p := range all {
				p.Ends()
			}
			assert.NotEqual(t, 0, c.Wait())
		})
	}
}

func TestAnUnknownWordIsAnswered(t *testing.T) {
	c := console.Start(t, console.Program("-cook", never))
	c.Expect(`Type cook, diner, leave or close, and Enter\.\n`)
	c.SendLine("lunch")
	c.Expect(`There is no "lunch"\. Type cook, diner, leave or close\.\n`)
	c.Interrupt()
	c.Wait()
}

// In a narrow window each line of the restaurant is one line. What Join returns is longer.
func TestANarrowTerminal(t *testing.T) {
	c := console.Start(t, console.Program("-dishes", "20", "-cook", "0s", "-eat", "1ms"))
	c.Resize(60, 10)
	c.SendLine("cook")
	c.Expect(`(?s)All is done.*All have gone home\.\n`)
	assert.Equal(t, 0, c.Wait())
	for _, line := range strings.Split(c.Transcript(), "\n") {
		assert.LessOrEqual(t, len(line), 60, line)
	}
}

// The five stages: in Python, and in Go on your queue. They say the same. What comes after
// it is what the queue of this chapter makes of it.
var bugs = []string{
	"The diner waits for another one. Nobody is left who cooks.\n",
	"The diner has gone home.\n",
	"One of them has gone home. The other one waits. Nobody is left who cooks.\n",
	"3 dishes are on the counter. Nobody is left who eats.\n",
	"The other one waits for a dish. The host waits in join: one dish was never done.\n",
}

func TestTheFiveStages(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("there is no python3 on this machine: only the stages in Go are looked at")
	}
	for i, bug := range bugs {
		t.Run(fmt.Sprint("stage ", i+1), func(t *testing.T) {
			c := console.Start(t, console.Program("-stage", fmt.Sprint(i+1)))
			require.Equal(t, 0, c.Wait(), "the exit status; it says:\n%s", c.Transcript())
			require.Contains(t, c.Transcript(), bug)
			if python == "" {
				return
			}
			cmd := exec.CommandContext(t.Context(), python, "-B", fmt.Sprintf("../experiments/stage%d.py", i+1))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", cmd, out)
			require.Contains(t, string(out), bug, "what Python says")
			assert.True(t, strings.HasPrefix(c.Transcript(), string(out)), "the program in Go says:\n%s\nin Python:\n%s", c.Transcript(), out)
		})
	}
}

func TestTheFinishedQueueEndsTheStages(t *testing.T) {
	for stage, says := range []string{
		1: "So the host closes the queue. The diner gets io.EOF, and goes home.\n",
		3: "So the host closes the queue. Whoever waits gets io.EOF, and goes home.\n",
		5: "lost are items number [4].\n",
	} {
		if says == "" {
			continue
		}
		c := console.Start(t, console.Program("-stage", fmt.Sprint(stage)))
		assert.Equal(t, 0, c.Wait())
		assert.Contains(t, c.Transcript(), says)
	}
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"-nonsense", "flag provided but not defined: -nonsense"},
		{"nonsense", `demo: there is no "nonsense"`},
		{"cook a", `demo: there is no "cook a"`},
		{"-stage 6", "demo: there is no stage 6"},
		{"-stage -1", "demo: there is no stage -1"},
		{"-stage", "flag needs an argument: -stage"},
		{"-stage x", `invalid value "x" for flag -stage`},
		{"-dishes -1", "demo: dishes and durations are not below 0"},
		{"-eat -1s", "demo: dishes and durations are not below 0"},
		{"-cook 5", `invalid value "5" for flag -cook`},
	} {
		t.Run(c.args, func(t *testing.T) {
			console := console.Start(t, console.Program(strings.Fields(c.args)...))
			console.Expect(regexp.QuoteMeta(c.says) + `[^\n]*\n` + `Usage:\n  demo  `)
			assert.Equal(t, 2, console.Wait())
		})
	}
}

func TestHelpIsNoError(t *testing.T) {
	c := console.Start(t, console.Program("-h"))
	c.Expect(`Usage:\n  demo  `)
	assert.Equal(t, 0, c.Wait())
}
