package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
)

// The five stages of a program with a queue, as articles about multiprocessing have them. The queue
// is yours, but it is used as theirs: with markers, and with a join that only counts. experiments/
// has the same in Python, and these lines are the same.
var stages = []func() error{stage1, stage2, stage3, stage4, stage5}

// closed is the end marker.
const closed = "the kitchen is closed"

// kitchen is what a stage has: a queue, people, and a pipe that they report to.
type kitchen struct {
	q       *joinable.Queue
	in, out *os.File
	all     []*person
}

func newKitchen() (*kitchen, error) {
	q, err := joinable.Create(32, maxDish)
	if err != nil {
		return nil, fmt.Errorf("making the counter: %w", err)
	}
	k := &kitchen{q: q}
	k.in, k.out, err = os.Pipe()
	return k, err
}

// leave ends all that are still there.
func (k *kitchen) leave() {
	for _, p := range k.all {
		p.end()
	}
	k.q.Close()
	k.in.Close()
	k.out.Close()
}

// start starts a person who does this, with words for it.
func (k *kitchen) start(what string, words ...any) *person {
	var texts []string
	for _, w := range words {
		texts = append(texts, fmt.Sprint(w))
	}
	p, err := start(k.q, k.out, nil, what, texts...)
	if err != nil {
		panic(err) // this program cannot be started again
	}
	k.all = append(k.all, p)
	return p
}

// eaten is how many dishes were reported.
func (k *kitchen) eaten() int {
	n, err := unix.IoctlGetInt(int(k.in.Fd()), unix.TIOCINQ)
	if err != nil {
		panic(err) // a pipe has it
	}
	return n
}

// cooks is a cook's process: so many dishes, and then so many markers. A slow one waits before it
// begins.
func cooks(q *joinable.Queue, o order) error {
	begin := make(chan struct{})
	go listen(func(string) { close(begin) })
	if o.words[1] == "slow" {
		<-begin
	}
	dishes, err := strconv.Atoi(o.words[2])
	if err != nil {
		return err
	}
	markers, err := strconv.Atoi(o.words[3])
	if err != nil {
		return err
	}
	var all []string
	for n := range dishes {
		all = append(all, fmt.Sprintf("dish %d", n))
	}
	for range markers {
		all = append(all, closed)
	}
	for _, item := range all {
		if err := q.Put(context.Background(), []byte(item)); err != nil {
			return fmt.Errorf("putting %q: %w", item, err)
		}
	}
	return q.Close()
}

// eats is a diner's process. It reports each dish that is eaten. If a dish is named it is killed with
// that one in its hands.
func eats(q *joinable.Queue, o order) error {
	go listen(func(string) {})
	out := reports(o)
	for {
		dish, err := q.Get(context.Background())
		if err == io.EOF {
			return q.Close()
		}
		if err != nil {
			return fmt.Errorf("taking a dish: %w", err)
		}
		if string(dish) == strings.Join(o.words[1:], " ") {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if string(dish) == closed {
			return errors.Join(q.TaskDone(), q.Close())
		}
		if _, err := out.Write([]byte{1}); err != nil {
			return err
		}
		if err := q.TaskDone(); err != nil {
			return err
		}
	}
}

// host waits as such a join does: until so many dishes were reported.
func host(q *joinable.Queue, o order) error {
	go listen(func(string) {})
	n, err := strconv.Atoi(o.words[1])
	if err != nil {
		return err
	}
	in, err := os.Open("/proc/self/fd/" + strconv.Itoa(3+o.files)) // the reading end of that pipe
	if err != nil {
		return err
	}
	_, err = io.ReadFull(in, make([]byte, n))
	return errors.Join(err, q.Close())
}

func stage1() error { return oneDiner(0, "") }

func stage2() error { return oneDiner(1, " and the end marker") }

func oneDiner(markers int, and string) error {
	k, err := newKitchen()
	if err != nil {
		return err
	}
	defer k.leave()
	cook, diner := k.start("cooks", "quick", 4, markers), k.start("eats")
	if err := cook.wait(); err != nil {
		return err
	}
	fmt.Printf("The cook has put 4 dishes%s on the counter, and has gone home.\n", and)
	left := waiting(diner)
	fmt.Printf("The diner has eaten %d dishes.\n", k.eaten())
	if left == 0 {
		fmt.Println("The diner has gone home.")
		return diner.wait()
	}
	fmt.Println("The diner waits for another one. Nobody is left who cooks.")
	return k.closes("The diner", diner)
}

// closes closes the queue, so that all go home. Before step 13 nobody hears of it.
func (k *kitchen) closes(who string, all ...*person) error {
	if err := k.q.Close(); err != nil {
		return err
	}
	if waiting(all...) > 0 {
		fmt.Printf("So the host closes the queue. %s does not hear of it: step 13 is about that.\n", who)
		return nil
	}
	for _, p := range all {
		if err := p.wait(); err != nil {
			return err
		}
	}
	fmt.Printf("So the host closes the queue. %s gets io.EOF, and goes home.\n", who)
	return nil
}

func stage3() error {
	k, err := newKitchen()
	if err != nil {
		return err
	}
	defer k.leave()
	cook, one, other := k.start("cooks", "quick", 6, 1), k.start("eats"), k.start("eats")
	if err := cook.wait(); err != nil {
		return err
	}
	fmt.Println("The cook has put 6 dishes and one end marker on the counter, and has gone home.")
	left := waiting(one, other)
	fmt.Printf("Two diners have eaten %d dishes.\n", k.eaten())
	if left == 1 {
		fmt.Println("One of them has gone home. The other one waits. Nobody is left who cooks.")
	} else {
		fmt.Println("Both have gone home.")
	}
	return k.closes("Whoever waits", one, other)
}

func stage4() error {
	k, err := newKitchen()
	if err != nil {
		return err
	}
	defer k.leave()
	quick, slow := k.start("cooks", "quick", 3, 2), k.start("cooks", "slow", 3, 0)
	one, other := k.start("eats"), k.start("eats")
	if err := quick.wait(); err != nil {
		return err
	}
	fmt.Println("The quick cook has put 3 dishes and two end markers there, and has gone home.")
	if err := errors.Join(one.wait(), other.wait()); err != nil {
		return err
	}
	fmt.Printf("Two diners have eaten %d dishes, and have gone home.\n", k.eaten())
	slow.tell("begin")
	if err := slow.wait(); err != nil {
		return err
	}
	fmt.Println("The slow cook has put 3 dishes there, and has gone home.")
	cold := 0
	for err = nil; err == nil; cold++ {
		_, err = k.q.TryGet()
	}
	if !errors.Is(err, joinable.ErrEmpty) {
		return fmt.Errorf("taking what is left: %w", err)
	}
	fmt.Printf("%d dishes are on the counter. Nobody is left who eats.\n", cold-1)
	return nil
}

func stage5() error {
	k, err := newKitchen()
	if err != nil {
		return err
	}
	defer k.leave()
	if err := k.start("cooks", "quick", 4, 0).wait(); err != nil {
		return err
	}
	fmt.Println("The cook has put 4 dishes on the counter, and has gone home.")
	one, other := k.start("eats", "dish 3"), k.start("eats", "dish 3")
	waiting(one, other)
	eaten := k.eaten() // the host takes the reports out of the pipe
	host := k.start("host", 4)
	left := waiting(host, one, other)
	fmt.Printf("Two diners have eaten %d dishes. One was killed with a dish in its hands.\n", eaten)
	if left == 2 {
		fmt.Println("The other one waits for a dish. The host waits in join: one dish was never done.")
	} else {
		fmt.Println("The host has gone home.")
	}
	// A Join that only counts would wait for ever as well.
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	fmt.Printf("This queue's Join: %v.\n", k.q.Join(ctx))
	return nil
}
