package joinable_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 17: a worker that ends between Get and TaskDone: Join says so, with the process and the
// numbers of the items.
func TestJoinTellsWhoHadTheItem(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 20, 20)
	put(l, q, "1", "2", "3", "4", "5")
	take(l, q, "1")
	victim, other := l.Start(holdsItems, handed(q, lab.Tell("items", "2"), lab.Tell("done", "0"))...), l.Start(works, handed(q)...)
	require.Equal(l, []string{"2", "3"}, reported[[]string](victim), "what the worker took that will be killed")
	other.Go()
	require.Equal(l, "4", reported[string](other), "what another worker took")
	var err error
	join := l.Call("Join() while a worker with two items is killed: how does it learn that this process has ended?", func() error { err = q.Join(forever); return nil })
	join.Blocks("5 items are not done")
	victim.Kill()
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(victim, 2, 3), tells(err), "Join() when a worker was killed that had items number 2 and 3: it does not wait for the others")
	require.Subset(l, lab.Numbers(err), []int{victim.PID(), 2, 3}, "the numbers in the text of the error: the process, and the items' numbers")
	again := l.Call("Join() once more", func() error { return q.Join(forever) })
	again.Blocks("three items are not done, and two were told as lost")
	take(l, q, "5")
	done(l, q, 2)
	again.Blocks("item 4 is not done: its worker lives")
	other.Go()
	require.Equal(l, "done", reported[string](other), "what another worker says after TaskDone()")
	again.ReturnsSoon(nil)

	// Who has ended before Join begins. TaskDone is for the item that was taken first.
	ends := []struct{ items, done, how string }{{"3", "1", "is killed"}, {"3", "2", "ends without Close"}, {"2", "0", "closes its Queue, and lives on"}, {"2", "0", "closes its Queue, and ends"}}
	number := uint64(5)
	for _, end := range ends {
		had, _ := strconv.Atoi(end.items)
		marked, _ := strconv.Atoi(end.done)
		var lost []uint64
		for n := range had {
			put(l, q, "an item")
			if number++; n >= marked {
				lost = append(lost, number)
			}
		}
		p := l.Start(holdsItems, handed(q, lab.Tell("items", end.items), lab.Tell("done", end.done), lab.Tell("end", end.how))...)
		p.Report(new([]string))
		if end.how == "is killed" {
			p.Kill()
		} else if p.Go(); end.how == "closes its Queue, and lives on" {
			p.Report(new(bool))
		} else {
			require.NoError(l, p.Wait(), "a worker that %s", end.how)
		}
		isLost(l, q, p, lost, fmt.Sprintf("a worker that had taken %s items, and marked %s, %s", end.items, end.done, end.how))
		if end.how == "closes its Queue, and lives on" {
			p.Exit()
		}
	}

	takesWhileJoinWaits(l)
	placeOfTheUntold(l)

	// Who comes when Join waits already, and is killed.
	put(l, q, "an item")
	number++
	late := l.Call("Join() while a worker comes, takes an item and is killed: does it know of those that come later?", func() error { err = q.Join(forever); return nil })
	late.Blocks("an item waits")
	p := l.Start(holdsItems, handed(q, lab.Tell("items", "1"), lab.Tell("done", "0"))...)
	p.Report(new([]string))
	late.Blocks("an item is taken, and not done")
	p.Kill()
	late.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, number), tells(err), "Join() when a worker was killed that had come later")

	// Who closes its Queue while another process waits in Join.
	put(l, q, "an item", "another one")
	number += 2
	joiner := l.Start(joinsOnce, handed(q)...)
	p = l.Start(holdsItems, handed(q, lab.Tell("items", "2"), lab.Tell("done", "1"), lab.Tell("end", "closes its Queue, and lives on"))...)
	p.Report(new([]string))
	joiner.Go()
	joiner.Blocks("an item is not done")
	p.Go()
	p.Report(new(bool))
	closed := toldOf(p, number)
	require.Equal(l, closed, joinTold(l, joiner, closed, "when a worker has closed its Queue with an item to be done"), "Join() when a worker has closed its Queue with an item to be done")
	p.Exit()

	// Two at once: each is told, one by one. And who has nothing to do is not told.
	put(l, q, "an item", "another one")
	var two []*lab.Process
	for _, items := range []string{"1", "1", "0"} {
		p := l.Start(holdsItems, handed(q, lab.Tell("items", items), lab.Tell("done", "0"))...)
		p.Report(new([]string))
		two = append(two, p)
	}
	for _, p := range two {
		p.Kill()
	}
	tellsOf := []told{tells(q.Join(forever)), tells(q.Join(forever))}
	require.ElementsMatch(l, []told{toldOf(two[0], number+1), toldOf(two[1], number+2)}, tellsOf, "Join() and Join() once more, when two workers were killed: each tells of one process")
	require.NoError(l, q.Join(forever), "Join() when both were told: a third process was killed that had taken nothing")
	other.Kill()
	eachQueueIsOne(l)
	placesOfTheDead(l)

	comesInItsPlace(l)
	oneIsTold(l)
	makerIsAWorker(l)
	isToldOnce(l)
	isToldThoughTheContextEnds(l)
	placeOfWhoHadNothing(l)
	killedIn(l, "Close()", closesAndDies, true)

	// Whoever is killed, and when: each item is taken once, or told. Victim and moment follow from
	// the seed.
	random := l.Rand("victims")
	for round := range 6 {
		victim, moment := random.IntN(5), random.IntN(90)
		onceOrTold(l, round, victim, moment, fmt.Sprintf("in round %d, in which process %d of 5 was killed at call %d", round, victim, moment))
	}
}

// eachQueueIsOne asserts that Join tells of one Queue of a process, and not of its other ones. And
// nothing is told where the context has ended.
func eachQueueIsOne(l *lab.Lab) {
	q := queue(l, 5, 20)
	one, other := another(l, q), another(l, q)
	put(l, q, "1", "2", "3")
	take(l, one, "1")
	take(l, other, "2")
	take(l, one, "3")
	require.NoError(l, one.Close(), "Close() of one of three Queues of a process")
	before := l.Call("Join() whose context has ended, when two items are lost", func() error { return both(other.Join(ended(errBell)), joinable.ErrUnfinished, errBell) })
	before.ReturnsSoon(nil)
	var err error
	tellsOf := l.Call("Join() of another Queue of the process that has closed one: another Join() before, whose context had ended, has told nobody", func() error { err = other.Join(forever); return nil })
	tellsOf.ReturnsSoon(nil)
	require.Equal(l, told{Error: "lost", PID: os.Getpid(), Items: []uint64{1, 3}}, tells(err), "Join() of another Queue of the process that has closed one: it tells of that one alone")
	join := l.Call("Join() once more", func() error { return q.Join(forever) })
	join.Blocks("item 2 is not done: another Queue of the same process has it, and that is not closed")
	done(l, other, 1)
	join.ReturnsSoon(nil)

	// Who has had many before. What a Queue has to be done may lie around the end of an array.
	const many, some = joinable.MaxUndone - 100, 200
	busy := another(l, q)
	lost := []uint64{}
	for n := range uint64(many + some) {
		put(l, q, "one of many")
		take(l, busy, "one of many")
		if n < many {
			done(l, busy, 1)
		} else {
			lost = append(lost, 3+n+1) // three were put before
		}
	}
	require.NoError(l, busy.Close(), "Close() of a Queue that has taken %d items, and has marked %d of them as done", many+some, many)
	require.Equal(l, told{Error: "lost", PID: os.Getpid(), Items: lost}, tells(q.Join(forever)), "Join() when a Queue is closed that had taken %d items, and had marked %d of them as done", many+some, many)
}

// placesOfTheDead asserts that those that were killed are not counted any more.
func placesOfTheDead(l *lab.Lab) {
	const most = joinable.MaxProcesses - 1 // one is the maker's
	q := queue(l, most, 20)
	for _, had := range []int{0, 1, 1} {
		for n := range had * most {
			put(l, q, strconv.Itoa(n))
		}
		p := l.Start(takesWithAll, handed(q, lab.Tell("items", strconv.Itoa(had)))...)
		p.Report(new(bool))
		p.Kill()
		lost := map[uint64]int{}
		for had > 0 {
			err := q.Join(forever)
			if err == nil {
				break
			}
			is := tells(err)
			require.Equal(l, toldOf(p, is.Items...), is, "Join() when a process was killed that had %d Queues with an item each", most)
			for _, number := range is.Items {
				lost[number]++
			}
		}
		require.Len(l, lost, had*most, "the numbers of the items of which Join() has told until it returned nil, when %d Queues had %d items each: how often each number was told", most, had)
		var all []*joinable.Queue
		for n := range most {
			a, err := joinable.Attach(copies(l, q), 0, 0)
			require.NoError(l, err, "Attach() number %d, when a process with %d Queues was killed, and Join() has told of what they had, %d items each: does a place of the dead stay taken?", n+1, most, had)
			all = append(all, a)
		}
		for _, a := range all {
			require.NoError(l, a.Close(), "Close()")
		}
	}
}

// takesWithAll attaches as often as it is possible, and takes some items with each Queue.
var takesWithAll = lab.NewRole("process with many Queues", func(c *lab.Child) error {
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	for n := range joinable.MaxProcesses - 1 {
		q, err := attachedBy(files)
		if err != nil {
			return fmt.Errorf("number %d, with the maker %d of MaxProcesses: %w", n+1, n+2, err)
		}
		if c.Text("items") == "1" {
			if _, err := q.Get(forever); err != nil {
				return fmt.Errorf("Get(): %w", err)
			}
		}
	}
	c.Report(true)
	c.Wait()
	return nil
})

// holdsItems takes some items, marks some of them as done, and ends in some way.
var holdsItems = lab.NewRole("worker with items", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	items, err := strconv.Atoi(c.Text("items"))
	if err != nil {
		return err
	}
	marked, err := strconv.Atoi(c.Text("done"))
	if err != nil {
		return err
	}
	got := []string{}
	for range items {
		item, err := q.Get(forever)
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		got = append(got, string(item))
	}
	for range marked {
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone(): %w", err)
		}
	}
	c.Report(got)
	c.Wait()
	switch c.Text("end") {
	case "closes its Queue, and lives on":
		if err := q.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
		c.Report(true)
		c.Wait()
	case "closes its Queue, and ends":
		return q.Close()
	}
	return nil
})
