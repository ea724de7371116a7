package joinable

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// until calls try until it has something to return. While it has not, this waits for the
// bell, for the end of the maker, and for others whose descriptors try returns. When the
// context ends the error is that, and as.
//
// Before it waits it lets others run on this core, and tries once more (see turn). So only the last
// try says that it waits, and silences the bell.
func (q *Queue) until(ctx context.Context, as error, b int, try func(waits bool) (done bool, others []int, err error)) error {
	ended := func() error { return fmt.Errorf("%w: %w", as, context.Cause(ctx)) }
	if ctx.Err() != nil {
		return ended()
	}
	cancelled := -1
	waits := b == idle
	for {
		done, others, err := try(waits)
		if done || err != nil {
			return err
		}
		if !waits {
			q.turn.give()
			waits = true
			continue
		}
		if cancelled < 0 && ctx.Done() != nil {
			fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
			if err != nil {
				closeDescriptors(others)
				return os.NewSyscallError("eventfd", err)
			}
			cancelled = fd
			rung := make(chan struct{})
			stop := context.AfterFunc(ctx, func() { bell{fd: fd}.write(); close(rung) })
			defer func() {
				if !stop() {
					<-rung
				}
				unix.Close(fd)
			}()
		}
		const watched = 2
		set := []unix.PollFd{}
		for _, fd := range append([]int{q.bells[b].fd, q.stop, q.watched(), cancelled}, others...) {
			set = append(set, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}) // a negative one is ignored
		}
		err = again(func() error { _, err := unix.Poll(set, -1); return err })
		closeDescriptors(others)
		switch {
		case err != nil:
			return os.NewSyscallError("poll", err)
		case q.closed.Load():
			return os.ErrClosed
		case ctx.Err() != nil:
			return ended()
		}
		if set[watched].Revents != 0 {
			q.died.Store(true) // whatever the memory says
		}
	}
}

func closeDescriptors(all []int) {
	for _, fd := range all {
		unix.Close(fd)
	}
}

// findMaker opens a pidfd of the maker.
func (q *Queue) findMaker() (err error) {
	if !q.isMaker {
		q.maker, err = q.processOf(0)
	}
	return err
}

// watched is what tells of the maker's death, and nothing (-1) once it has closed the queue. Its process
// may end then: the pidfd would be ready, and whoever waits for the last TaskDone would not sleep.
func (q *Queue) watched() int {
	if q.memory.ended.Load() != 0 {
		return -1
	}
	return q.maker
}

// makerHasDied says whether the maker has ended without Close. The kernel is asked only where the
// memory does not say that it lives.
func (q *Queue) makerHasDied(m *memory) bool {
	if m.makerLives() && !q.died.Load() {
		return false
	}
	return !q.isMaker && m.ended.Load() == 0 && (q.maker < 0 || isReady(q.maker))
}

func (q *Queue) Daemon() error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	if q.isMaker || q.maker >= 0 && int(q.memory.placeAt(0).pid.Load()) == os.Getpid() {
		return fmt.Errorf("this process is the maker: %w", unix.EINVAL)
	}
	there, err := q.lock.isTaken(0)
	if err != nil {
		return err
	}
	if q.maker < 0 || !there {
		return fmt.Errorf("the maker has gone: %w", unix.ESRCH)
	}
	if q.daemon.Swap(true) {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(q.maker), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		q.daemon.Store(false)
		return os.NewSyscallError("fcntl", err)
	}
	go func() {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_ = again(func() error { _, err := unix.Poll(set, -1); return err })
		os.Exit(1)
	}()
	return nil
}
