package pool

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hand is a worker as its pool sees it.
type hand struct {
	pool   *Pool
	number int
	cmd    *exec.Cmd
	stream *os.File
	in     *bufio.Reader
	leaves bool          // it has said so
	ended  chan struct{} // closed when it was waited for
}

// setRoom asks for room for all messages that may be under way.
func setRoom(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, slots*largest)
}

func (p *Pool) startWorker(number int) (*hand, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(pair[0], true); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &hand{pool: p, number: number, stream: os.NewFile(uintptr(pair[0]), "worker"), ended: make(chan struct{})}
	w.in = bufio.NewReaderSize(w.stream, 64<<10)
	theirs := os.NewFile(uintptr(pair[1]), "worker's end")
	defer theirs.Close()
	w.cmd = exec.Command(p.options.Command[0], p.options.Command[1:]...)
	w.cmd.Stdout, w.cmd.Stderr = os.Stdout, os.Stderr
	w.cmd.ExtraFiles = []*os.File{theirs, p.theirs, p.memory}
	if err := w.cmd.Start(); err != nil {
		w.stream.Close()
		return nil, err
	}
	go w.hangUp(pair[0])
	return w, nil
}

// hangUp waits for the process, and then ends its stream on this side, too: what it has started may
// have the other end. What has come already is still read.
func (w *hand) hangUp(stream int) {
	_ = w.cmd.Wait()
	_ = unix.Shutdown(stream, unix.SHUT_RDWR)
	close(w.ended)
}

// greets waits for the greeting, and answers it.
func (w *hand) greets(ctx context.Context) error {
	late := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { w.stream.SetReadDeadline(time.Unix(1, 0)); close(late) })
	defer func() {
		if !stop() {
			<-late
			w.stream.SetReadDeadline(time.Time{}) // it may have come when all was said
		}
	}()
	got := make([]byte, GreetingSize)
	_, err := io.ReadFull(w.in, got)
	if ctx.Err() != nil {
		return fmt.Errorf("worker %d has not greeted: %w: %w", w.cmd.Process.Pid, ErrUnfinished, context.Cause(ctx))
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET):
		w.cmd.Process.Kill() // it may have closed the descriptor only
		return fmt.Errorf("%w: it has not greeted: %s", ErrGreeting, how(w.wait()))
	case err != nil:
		return err
	case !strings.HasPrefix(string(got), magic) || binary.NativeEndian.Uint32(got[len(magic)+4:]) != 0:
		return fmt.Errorf("%w: it has written %q", ErrGreeting, got)
	}
	if v := binary.NativeEndian.Uint32(got[len(magic):]); v != Version {
		return fmt.Errorf("%w: it is of version %d, and this is version %d", ErrGreeting, v, Version)
	}
	o := w.pool.options
	if _, err := w.stream.Write(settings{uint32(w.number), uint32(min(o.MaxTasks, math.MaxUint32)), uint32(min(o.MaxSize, math.MaxUint32))}.bytes()); err != nil {
		return fmt.Errorf("%w: %v", ErrGreeting, err)
	}
	return nil
}

// take makes the worker one of the pool's.
func (p *Pool) take(w *hand) {
	p.mu.Lock()
	p.all = append(p.all, w)
	if p.broken != nil { // meanwhile
		w.cmd.Process.Kill()
	}
	p.mu.Unlock()
	p.watched.Add(1)
	go func() {
		defer p.watched.Done()
		w.watch()
	}()
}

// watch reads what the worker says, until it ends.
func (w *hand) watch() {
	p := w.pool
	for {
		a, err := readAnswer(w.in)
		if err != nil {
			break
		}
		if a.kind == leaving {
			w.leaves = true
			break
		}
		if err := p.answered(w, a); err != nil {
			w.cmd.Process.Kill()
			break
		}
	}
	p.mu.Lock()
	over := p.closed && p.undone == 0
	p.mu.Unlock()
	if !w.leaves && !over {
		w.cmd.Process.Kill() // whatever it is: it does not speak any more
	}
	state := w.wait()
	w.stream.Close()
	p.gone(w, state)
}

func (w *hand) wait() *os.ProcessState {
	<-w.ended
	return w.cmd.ProcessState
}

func how(state *os.ProcessState) string {
	if state == nil {
		return "nobody knows how it has ended"
	}
	return state.String()
}

// gone is called when a worker has ended, and was waited for.
func (p *Pool) gone(w *hand, state *os.ProcessState) {
	p.mu.Lock()
	p.all = slices.DeleteFunc(p.all, func(o *hand) bool { return o == w })
	over := p.closed && p.undone == 0
	if p.broken != nil || over {
		p.mu.Unlock()
		return
	}
	if !w.leaves {
		p.breaks(&BrokenError{PID: w.cmd.Process.Pid, How: how(state), Task: p.taskOf(w.number)})
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	next, err := p.startWorker(w.number)
	if err == nil {
		if err = next.greets(p.wanted); err != nil {
			kill([]*hand{next})
		}
	}
	if err != nil {
		p.mu.Lock()
		if p.wanted.Err() == nil {
			p.breaks(&BrokenError{PID: w.cmd.Process.Pid, How: fmt.Sprintf("nobody has taken its place: %v", err)})
		}
		p.mu.Unlock()
		return
	}
	p.take(next)
}

// taskOf is the name of the task that a worker has begun.
func (p *Pool) taskOf(number int) string {
	for slot, j := range p.given {
		if j != nil && p.states[slot].Load() == uint32(begun+number) {
			return j.name
		}
	}
	return ""
}

// breaks ends all that is not done. It is called with the lock.
func (p *Pool) breaks(why error) {
	if p.broken != nil {
		return
	}
	p.broken = why
	for _, w := range p.all {
		w.cmd.Process.Kill()
	}
	for slot, j := range p.given {
		if j != nil && !isDone(j) {
			p.given[slot] = nil
			p.ended(j, nil, why)
		}
	}
	for j := p.waiting.first(); j != nil; j = p.waiting.first() {
		p.waiting.takeFirst()
		p.ended(j, nil, why)
	}
	p.enough()
}

// argument sends a worker name and argument that were too large for a message. If that fails the worker
// has ended, and whoever reads from it sees that.
func (w *hand) argument(name string, arg []byte) {
	first := binary.NativeEndian.AppendUint64(nil, uint64(len(name)+len(arg)))
	if _, err := w.stream.Write(append(first, name...)); err == nil {
		_, _ = w.stream.Write(arg)
	}
}

func kill(workers []*hand) {
	for _, w := range workers {
		w.cmd.Process.Kill()
	}
	for _, w := range workers {
		w.wait()
		w.stream.Close()
	}
}

func (p *Pool) Shutdown(ctx context.Context, cancel bool) error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	if cancel {
		p.cancelAll()
	}
	p.lookForTheEnd()
	p.mu.Unlock()
	if first {
		go p.close()
	}
	select {
	case <-p.over:
		return nil
	default:
	}
	select {
	case <-p.over:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.cancelAll()
	for _, w := range p.all {
		w.cmd.Process.Kill()
	}
	p.mu.Unlock()
	<-p.over
	return fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
}

// cancelAll takes back what has not begun: so no worker more is wanted. It is called with the lock.
func (p *Pool) cancelAll() {
	p.enough()
	cancelled := func(j *job) { p.ended(j, nil, fmt.Errorf("task %s: %w", j.name, ErrCancelled)) }
	for slot, j := range p.given {
		if j != nil && !isDone(j) && p.states[slot].CompareAndSwap(handedOver, takenBack) {
			cancelled(j)
		}
	}
	for j := p.waiting.first(); j != nil; j = p.waiting.first() {
		p.waiting.takeFirst()
		cancelled(j)
	}
}

// close waits until all is done, and gives everything back.
func (p *Pool) close() {
	<-p.idle
	p.enough()
	p.states[shut].Store(1)
	_ = unix.Shutdown(p.tasks, unix.SHUT_WR) // the workers come to the end
	p.watched.Wait()
	p.callbacks.wait()
	p.giveBack()
	close(p.over)
}
