package pool_test

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// Who is killed at any moment. Victim and moment follow from the seed.

// tasksOfVictims is how many tasks there are when somebody is killed.
const tasksOfVictims = 60

// sized has results of many sizes, also of such that no buffer holds.
var sized = pool.NewTask("sized", func(n int) ([]byte, error) { return sizedResult(n), nil })

func sizedResult(n int) []byte { return bytes.Repeat([]byte{byte(n)}, n*n*977%300_000) }

// workerVictims asserts that each task has its result or says why not, whichever worker is killed, and
// when.
func workerVictims(l *lab.Lab) {
	random := l.Rand("victims")
	for round := range 5 {
		victim, moment := random.IntN(3), random.IntN(tasksOfVictims)
		what := fmt.Sprintf("in round %d, in which worker %d of 3 is killed when task %d of %d is done", round+1, victim+1, moment+1, tasksOfVictims)
		p := newPool(l, 3)
		pid := p.Workers()[victim]
		var workers []*lab.Other
		for _, pid := range p.Workers() {
			workers = append(workers, l.Other("a worker", pid))
		}
		var all []*pool.Future[[]byte]
		for n := range tasksOfVictims {
			all = append(all, submit(l, p, sized, n))
		}
		value(l, all[moment])
		require.NoError(l, unix.Kill(pid, unix.SIGKILL))
		for n, f := range all {
			got, err := soonOf(l, f, all, "the tasks, "+what)
			if err == nil {
				require.Equal(l, len(sizedResult(n)), len(got), "the size of the result of task %d, %s", n+1, what)
				require.True(l, bytes.Equal(sizedResult(n), got), "the result of task %d is as its function has returned it, %s", n+1, what)
				continue
			}
			var b *pool.BrokenError
			require.ErrorIs(l, err, pool.ErrBroken, "Result() of task %d, %s", n+1, what)
			require.ErrorAs(l, err, &b, "Result() of task %d, %s", n+1, what)
			require.Equal(l, pid, b.PID, "BrokenError.PID of task %d, %s: the other workers are killed later, by the pool", n+1, what)
			require.NotEqual(l, moment, n, "the task that was done before, %s", what)
		}
		for _, w := range workers {
			w.Ends("one worker was killed: the pool is broken, and kills the others, " + what)
		}
		l.Rests()
		_, err := pool.Submit(p, square, 1)
		require.ErrorIs(l, err, pool.ErrBroken, "Submit() %s", what)
		shut(l, p)
		noneIsLeft(l, workers, "Shutdown() "+what)
	}
}

// poolVictims asserts that no worker outlives the pool's process, whenever that is killed.
func poolVictims(l *lab.Lab) {
	random := l.Rand("moments")
	for round := range 3 {
		moment := random.IntN(tasksOfVictims)
		role := l.Start(worksUntilKilled, lab.Tell("moment", fmt.Sprint(moment)), lab.Dies())
		var pids []int
		role.Report(&pids)
		var workers []*lab.Other
		for _, pid := range pids {
			workers = append(workers, l.Other("a worker", pid))
		}
		role.Go()
		role.Report(new(bool))
		role.Kill()
		for _, w := range workers {
			w.Ends(fmt.Sprintf("in round %d, in which the pool's process is killed when task %d of %d is done", round+1, moment+1, tasksOfVictims))
		}
	}
}

var worksUntilKilled = lab.NewRole("pool that is killed at work", func(c *lab.Child) error {
	var moment int
	if _, err := fmt.Sscan(c.Text("moment"), &moment); err != nil {
		return err
	}
	p, err := pool.New(forever, pool.Options{Workers: 3, Command: worker.Command()})
	if err != nil {
		return fmt.Errorf("New(): %w", err)
	}
	c.Report(p.Workers())
	c.Wait()
	var all []*pool.Future[[]byte]
	for n := range tasksOfVictims {
		f, err := pool.Submit(p, sized, n)
		if err != nil {
			return fmt.Errorf("Submit(): %w", err)
		}
		all = append(all, f)
	}
	_, err = all[moment].Result(forever)
	c.Report(true)
	c.Wait()
	return errors.Join(err, p.Shutdown(forever, false))
})
