package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	joinable "ipcworkbook/chapters/07-joinable"
)

const (
	room    = 5  // for so many dishes
	maxDish = 64 // bytes of its name
)

// say writes a line with the counter as it is now: a # for each dish.
func say(q *joinable.Queue, format string, args ...any) {
	n, err := q.Len()
	counter := "the counter is gone"
	if err == nil {
		counter = strings.Repeat("#", n) + strings.Repeat(".", max(0, room-n))
	}
	// One write for a line: several processes write to this screen.
	fmt.Printf("[%s] %s\n", counter, fmt.Sprintf(format, args...))
}

// house is the restaurant as its host sees it.
type house struct {
	q             *joinable.Queue
	cooks, diners []*person
	noCook        chan struct{} // closed when no cook is left
	news          chan struct{} // a diner has gone, or no cook is left
}

func restaurant(o order) error {
	q, err := joinable.Create(room, maxDish)
	if err != nil {
		return fmt.Errorf("making the counter: %w", err)
	}
	h := &house{q: q, noCook: make(chan struct{}), news: make(chan struct{}, 1)}
	defer h.empty()
	say(q, "The host is process %d.", os.Getpid())
	say(q, "Type cook, diner, leave or close, and Enter.")
	if err := h.open(o); err != nil {
		return err
	}
	go h.orders()
	if err := h.join(); err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return err
	}
	for _, p := range append(h.cooks, h.diners...) {
		<-p.ended
	}
	fmt.Println("All have gone home.")
	return nil
}

func (h *house) open(o order) error {
	args := []string{"-dishes", fmt.Sprint(o.dishes), "-cook", o.cook.String(), "-eat", o.eat.String()}
	for _, name := range []string{"1", "2", "3"} {
		d, err := start(h.q, nil, args, "diner", name)
		if err != nil {
			return err
		}
		d.name = "Diner " + name
		h.diners = append(h.diners, d)
		go h.sees(d)
	}
	for _, name := range []string{"a", "b"} {
		c, err := start(h.q, nil, args, "cook", name)
		if err != nil {
			return err
		}
		c.name = "Cook " + name
		h.cooks = append(h.cooks, c)
	}
	var cooking sync.WaitGroup
	for _, c := range h.cooks {
		cooking.Go(func() {
			if h.sees(c); c.err != nil {
				say(h.q, "What it has put is whole, and the others go on.")
			}
		})
	}
	go func() {
		cooking.Wait()
		if _, err := h.q.Len(); err == nil { // else the host has closed, and waits for nothing
			say(h.q, "No cook is left. The host waits until all is eaten.")
		}
		close(h.noCook)
		h.tell()
	}()
	return nil
}

// sees waits for the end of a person, and says how it was if it was no end in order.
func (h *house) sees(p *person) {
	if <-p.ended; p.err != nil {
		say(h.q, "%s (%d) has ended: %v.", p.name, p.pid(), p.err)
	}
	h.tell()
}

// tell makes the host look again. News that it has not seen yet is news enough.
func (h *house) tell() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// empty leaves nobody behind, also after an error.
func (h *house) empty() {
	for _, p := range append(h.cooks, h.diners...) {
		p.end()
	}
}

// orders does what is typed.
func (h *house) orders() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch word := strings.TrimSpace(lines.Text()); word {
		case "cook":
			if c := next(h.cooks); c != nil {
				c.cmd.Process.Kill()
			}
		case "diner", "leave":
			if d := next(h.diners); d != nil {
				d.tell(word)
			}
		case "close":
			for _, c := range h.cooks {
				c.tell(word)
			}
		default:
			say(h.q, "There is no %q. Type cook, diner, leave or close.", word)
		}
	}
}

// next is the first one who is still there, and was not told to go.
func next(all []*person) *person {
	for _, p := range all {
		select {
		case <-p.ended:
		default:
			if !p.goes {
				p.goes = true
				return p
			}
		}
	}
	return nil
}

// join waits until all is done and no cook is left. A dish that was lost with its diner is told.
// Where no diner is left nobody is waited for.
func (h *house) join() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		for _, d := range h.diners {
			<-d.ended
		}
		cancel(errors.New("no diner is left"))
		h.tell()
	}()
	for {
		last := false // what is put after this look is no news for Join
		select {
		case <-h.noCook:
			last = true
		default:
		}
		err := h.q.Join(ctx)
		var lost *joinable.LostError
		switch {
		case errors.As(err, &lost):
			say(h.q, "Join: %v.", err)
		case errors.Is(err, joinable.ErrUnfinished):
			say(h.q, "Join: %v.", err)
			return nil
		case err == nil && last:
			say(h.q, "All is done. The host closes.")
			return nil
		case err == nil:
			<-h.news
		default:
			return err
		}
	}
}

// cook is a cook's process.
func cook(q *joinable.Queue, o order) error {
	name := "Cook " + o.words[1]
	closed := make(chan struct{})
	go listen(func(string) { close(closed) })
	say(q, "%s cooks: process %d.", name, os.Getpid())
	for n := range o.dishes {
		select {
		case <-closed:
			say(q, "%s goes home.", name)
			return q.Close()
		case <-time.After(o.cook):
		}
		dish := fmt.Sprintf("%s%d", o.words[1], n+1)
		err := q.TryPut([]byte(dish))
		if errors.Is(err, joinable.ErrFull) {
			say(q, "%s waits with %s: the counter is full.", name, dish)
			err = q.Put(context.Background(), []byte(dish))
		}
		if errors.Is(err, syscall.EPIPE) {
			say(q, "%s goes home with %s: the host has closed.", name, dish)
			return q.Close()
		}
		if err != nil {
			return fmt.Errorf("putting %s: %w", dish, err)
		}
		say(q, "%s has put %s on the counter.", name, dish)
	}
	say(q, "%s has cooked all, and goes home.", name)
	return q.Close()
}

// diner is a diner's process. It is a daemon: it ends with the host.
func diner(q *joinable.Queue, o order) error {
	name := "Diner " + o.words[1]
	if err := q.Daemon(); errors.Is(err, syscall.ESRCH) {
		say(q, "%s comes too late: the host has closed.", name)
		return q.Close()
	} else if err != nil {
		return fmt.Errorf("becoming a daemon: %w", err)
	}
	ctx, leave := context.WithCancel(context.Background())
	var doomed atomic.Bool
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			doomed.Store(lines.Text() == "diner")
			if lines.Text() == "leave" {
				leave()
			}
		}
	}()
	say(q, "%s sits down: process %d.", name, os.Getpid())
	for {
		dish, err := q.Get(ctx)
		switch {
		case errors.Is(err, joinable.ErrEmpty):
			say(q, "%s leaves.", name)
			return q.Close()
		case err == io.EOF:
			return q.Close()
		case err != nil:
			return fmt.Errorf("taking a dish: %w", err)
		}
		if doomed.Load() {
			say(q, "%s has taken %s, and is killed.", name, dish)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		time.Sleep(o.eat)
		say(q, "%s has eaten %s.", name, dish)
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("telling that %s is eaten: %w", dish, err)
		}
	}
}
