package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
)

const (
	processes = 4
	times     = 50_000
)

// never is no deadline.
var never time.Time

func all(name string) error {
	for _, scene := range []func(string) error{without, with, killed} {
		if err := scene(name); err != nil {
			return err
		}
		fmt.Println()
	}
	return remove(name)
}

func without(name string) error {
	fmt.Println("Without the lock:")
	return countTogether(name, "count")
}

func with(name string) error {
	fmt.Println("With the lock:")
	return countTogether(name, "count", "under", "the", "lock")
}

// countTogether starts four processes, lets all of them begin at once, and looks at the sum.
func countTogether(name string, words ...string) error {
	t, err := newTable(name)
	if err != nil {
		return err
	}
	defer t.region.Close()
	var others []*exec.Cmd
	defer func() {
		for _, other := range others {
			other.Process.Kill() // where there was an error
			other.Wait()
		}
	}()
	for range processes {
		other, err := start(name, words...)
		if err != nil {
			return err
		}
		others = append(others, other)
	}
	for range processes {
		if err := t.arrived.Wait(time.Now().Add(time.Minute)); err != nil {
			return fmt.Errorf("waiting for the others: %w", err)
		}
	}
	for range processes {
		if err := t.gate.Post(); err != nil {
			return err
		}
	}
	for _, other := range others {
		if err := other.Wait(); err != nil {
			return fmt.Errorf("a process that counts: %w", err)
		}
	}
	others = nil
	const want = processes * times
	got := t.number.Load()
	fmt.Printf("%d processes have added 1 to one number, each %d times. It should be %d, and is %d.\n", processes, times, want, got)
	if got < want {
		fmt.Printf("%d are lost: one has read the number, another one has written, and the first one has written over it.\n", want-got)
	}
	return nil
}

func start(name string, words ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	other := exec.Command(program, append([]string{"-name", name}, words...)...)
	other.Stdout, other.Stderr = os.Stdout, os.Stderr
	return other, other.Start()
}

func count(name string) error {
	return countWith(name, func(*table) error { return nil }, func(*table) error { return nil })
}

func countUnderTheLock(name string) error {
	return countWith(name, func(t *table) error { return t.lock.Lock(never) }, func(t *table) error { return t.lock.Unlock() })
}

// countWith reads a number, adds 1, and writes it. Now and then it gives up its turn in between,
// as the kernel does with every program when it likes.
func countWith(name string, before, after func(*table) error) error {
	t, err := openTable(name)
	if err != nil {
		return err
	}
	if err := errors.Join(t.arrived.Post(), t.gate.Wait(never)); err != nil {
		return err
	}
	for i := range times {
		if err := before(t); err != nil {
			return err
		}
		n := t.number.Load()
		if i%1000 == 0 {
			unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		t.number.Store(n + 1)
		if err := after(t); err != nil {
			return err
		}
	}
	return t.region.Close()
}

// killed lets a process hold the lock in the middle of a change, and be killed there.
func killed(name string) error {
	fmt.Println("With a holder that is killed:")
	t, err := newTable(name)
	if err != nil {
		return err
	}
	defer t.region.Close()
	fmt.Printf("Two accounts have %s.\n", t.accounts())
	first, err := start(name, "move")
	if err != nil {
		return err
	}
	defer first.Wait()
	defer first.Process.Kill()
	if err := t.arrived.Wait(time.Now().Add(time.Minute)); err != nil {
		return fmt.Errorf("waiting for the process that moves: %w", err)
	}
	second, err := start(name, "repair")
	if err != nil {
		return err
	}
	defer second.Wait()
	defer second.Process.Kill()
	if err := t.arrived.Wait(time.Now().Add(time.Minute)); err != nil {
		return fmt.Errorf("waiting for the process that wants the lock: %w", err)
	}
	fmt.Printf("Press Enter to kill process %d, or type kill -9 %d in another terminal.\n", first.Process.Pid, first.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	entered := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(entered)
	}()
	select {
	case <-entered:
		first.Process.Kill()
		<-ended
	case <-ended:
	}
	fmt.Printf("Process %d is dead, in the middle of it.\n", first.Process.Pid)
	if err := second.Wait(); err != nil {
		return fmt.Errorf("the process that wants the lock: %w", err)
	}
	fmt.Printf("Now the accounts have %s.\n", t.accounts())
	return nil
}

// move takes 10 out of the first account. It does not come to put them into the second one.
func move(name string) error {
	t, err := openTable(name)
	if err != nil {
		return err
	}
	if err := t.lock.Lock(never); err != nil {
		return fmt.Errorf("taking the lock: %w", err)
	}
	t.first.Add(^uint64(9))
	fmt.Printf("Process %d holds the lock. It has taken 10 out of the first account, and has not put them into the second one yet.\n", os.Getpid())
	if err := t.arrived.Post(); err != nil {
		return err
	}
	return t.gate.Wait(never) // nobody opens it
}

// repair wants the lock, and gets it when its holder is dead.
func repair(name string) error {
	t, err := openTable(name)
	if err != nil {
		return err
	}
	if err := t.lock.TryLock(); !errors.Is(err, shm.ErrLocked) {
		return fmt.Errorf("the lock should be held by another process: %w", err)
	}
	fmt.Printf("Process %d wants the lock, and waits.\n", os.Getpid())
	if err := t.arrived.Post(); err != nil {
		return err
	}
	err = t.lock.Lock(never)
	if !errors.Is(err, shm.ErrOwnerDied) {
		return fmt.Errorf("the lock should say that its holder died: %w", err)
	}
	fmt.Printf("Process %d has the lock, and is told: %v.\n", os.Getpid(), err)
	missing := inAccounts - t.first.Load() - t.second.Load()
	fmt.Printf("It finds %s: %d are missing. It puts them back.\n", t.accounts(), missing)
	t.first.Add(missing)
	return errors.Join(t.lock.Consistent(), t.lock.Unlock(), t.region.Close())
}

func show(name string) error {
	t, err := openTable(name)
	if err != nil {
		return err
	}
	defer t.region.Close()
	fmt.Printf("The number is %d. The accounts have %s.\n", t.number.Load(), t.accounts())
	fmt.Printf("Another terminal sees the table with: ls -l %s/%s\n", shm.Folder, strings.TrimPrefix(name, "/"))
	return nil
}

func remove(name string) error {
	if err := shm.Remove(name); err != nil {
		return fmt.Errorf("removing the table: %w", err)
	}
	fmt.Println("The table is gone.")
	return nil
}
