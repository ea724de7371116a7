package signals

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

type Reaper struct {
	orphan func(Exit)
	before uintptr // was the process a subreaper already?

	closed bool // with the mutex of own

	look chan os.Signal
	stop chan struct{}
	done chan struct{}
}

// own are the commands that somebody waits for, those of a reaper that was closed too.
var own = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// reapers counts them: two would take each other's.
var reapers atomic.Int32

func NewReaper(orphan func(Exit)) (*Reaper, error) {
	if !reapers.CompareAndSwap(0, 1) {
		return nil, fmt.Errorf("this process has a reaper: %w", unix.EBUSY)
	}
	r := &Reaper{orphan: orphan, look: make(chan os.Signal, 1), stop: make(chan struct{}), done: make(chan struct{})}
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&r.before)), 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	if err != nil {
		reapers.Store(0)
		return nil, fmt.Errorf("prctl: %w", err)
	}
	signal.Notify(r.look, unix.SIGCHLD)
	r.again() // those that have ended before
	go r.run()
	return r, nil
}

func (r *Reaper) run() {
	defer close(r.done)
	for {
		select {
		case <-r.look:
			r.reap()
		case <-r.stop:
			return
		}
	}
}

// again makes it look once more.
func (r *Reaper) again() {
	select {
	case r.look <- unix.SIGCHLD:
	default:
	}
}

// reap takes every child that has ended and that no command waits for. One SIGCHLD may stand
// for many.
func (r *Reaper) reap() {
	for _, pid := range zombies() {
		var status syscall.WaitStatus
		own.Lock()
		n := 0
		if !own.pids[pid] {
			n, _ = syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		}
		own.Unlock()
		if n == pid && r.orphan != nil {
			r.orphan(Exit{PID: pid, Status: status})
		}
	}
}

// zombies are the children of this process that have ended.
func zombies() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		// The name in brackets may have anything in it.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && string(fields[0]) == "Z" && string(fields[1]) == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (r *Reaper) Start(cmd *exec.Cmd) error {
	own.Lock()
	defer own.Unlock()
	if r.closed {
		return os.ErrClosed
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	own.pids[cmd.Process.Pid] = true
	return nil
}

func (r *Reaper) Wait(cmd *exec.Cmd) error {
	if cmd.Process == nil {
		return errors.New("the command was not started")
	}
	err := cmd.Wait()
	own.Lock()
	delete(own.pids, cmd.Process.Pid)
	own.Unlock()
	r.again() // the number may belong to an orphan by now
	return err
}

func (r *Reaper) Close() error {
	own.Lock()
	closed := r.closed
	r.closed = true
	own.Unlock()
	if closed {
		return os.ErrClosed
	}
	signal.Stop(r.look)
	close(r.stop)
	<-r.done
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, r.before, 0, 0, 0)
	reapers.Store(0)
	return err
}
