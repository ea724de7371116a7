package joinable_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// crew are the processes of a round, and the one of them that is to be killed.
type crew struct {
	all    []*lab.Process
	victim int
	calls  *lab.Calls
}

// onceOrTold lets two producers and three consumers work, and kills one of them. Each writes
// down what it does, before and after.
func onceOrTold(l *lab.Lab, round, victim, moment int, what string) {
	const items = 25
	q := queue(l, 4, 200)
	c := crew{victim: victim, calls: l.Calls()}
	log := func(n int) string { return l.Path(fmt.Sprintf("log %d of round %d", n, round)) }
	for n := range 5 {
		role, more := logsTaken, []lab.Handed{lab.Tell("log", log(n)), lab.Tell("name", strconv.Itoa(n)), lab.Tell("items", fmt.Sprint(items))}
		if n < 2 {
			role = logsPut
		}
		if n == victim {
			more = append(more, c.calls.HandOver())
		}
		more = append(more, lab.Tell("held", fmt.Sprint(n == victim)))
		c.all = append(c.all, l.Start(role, handed(q, more...)...))
	}
	c.calls.Of(c.all[victim])
	for n, p := range c.all {
		if n != victim {
			p.Go()
		}
	}
	c.calls.Hold(moment)
	c.all[victim].Kill()
	for n := range 2 {
		if n != victim {
			require.NoError(l, c.all[n].Wait(), "a producer, %s", what)
		}
	}
	told := 0
	for {
		err := q.Join(forever)
		lost := (*joinable.LostError)(nil)
		if !errors.As(err, &lost) {
			require.NoError(l, err, "Join(), %s", what)
			break
		}
		require.Equal(l, c.all[victim].PID(), lost.PID, "whom Join() tells of, %s", what)
		told += len(lost.Items)
	}
	require.NoError(l, q.Close(), "Close(), %s", what)
	var put, tried, taken []string
	for n, p := range c.all {
		lines := linesOf(l, log(n))
		if n >= 2 {
			if n != victim {
				require.NoError(l, p.Wait(), "a consumer, %s", what)
			}
			inOrder(l, lines, "a consumer "+what)
			taken = append(taken, lines...)
			continue
		}
		for i, line := range lines {
			if tried = append(tried, line); i < len(lines)-1 || n != victim {
				put = append(put, line) // the next one was begun: so Put had returned
			}
		}
	}
	slices.Sort(taken)
	require.Equal(l, slices.Compact(slices.Clone(taken)), taken, "the items that were taken, in order, %s: is one taken twice?", what)
	missing := 0
	for _, item := range put {
		if _, found := slices.BinarySearch(taken, item); !found {
			missing++
		}
	}
	require.LessOrEqual(l, missing, told, "items that were put, and that nobody took, %s: Join() has told of %d", what, told)
	for _, item := range taken {
		require.Contains(l, tried, item, "an item that was taken, %s", what)
	}
}

// linesOf reads what a process has written down.
func linesOf(l *lab.Lab, path string) (lines []string) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(l, err, "opening a log of the test's own")
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// begins opens the log, and lets a process that is to be killed show its calls.
func begins(c *lab.Child) (*joinable.Queue, func(line string) error, error) {
	q, err := attached(c)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(c.Text("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if c.Text("held") == "true" {
		if err := c.ShowCalls(); err != nil {
			return nil, nil, err
		}
	}
	c.Wait()
	return q, func(line string) error { _, err := f.WriteString(line + "\n"); return err }, nil
}

// logsPut writes down what it is about to put.
var logsPut = lab.NewRole("producer with a log", func(c *lab.Child) error {
	q, log, err := begins(c)
	if err != nil {
		return err
	}
	items, err := strconv.Atoi(c.Text("items"))
	if err != nil {
		return err
	}
	for n := range items {
		if err := log(fmt.Sprintf("%s %d", c.Text("name"), n)); err != nil {
			return err
		}
		if err := q.Put(forever, numbered(c.Text("name"), n, n)); err != nil {
			return fmt.Errorf("Put(): %w", err)
		}
	}
	return q.Close()
})

// logsTaken writes down what it has taken, before it says that it is done.
var logsTaken = lab.NewRole("consumer with a log", func(c *lab.Child) error {
	q, log, err := begins(c)
	if err != nil {
		return err
	}
	for {
		item, err := q.Get(forever)
		if errors.Is(err, io.EOF) {
			return q.Close()
		}
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		name, n, err := numberOf(item)
		if err != nil {
			return err
		}
		if err := log(fmt.Sprintf("%s %d", name, n)); err != nil {
			return err
		}
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone(): %w", err)
		}
	}
})
