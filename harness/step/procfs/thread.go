package procfs

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Thread is what /proc says of one thread at one moment.
type Thread struct {
	TID   int
	State byte

	// Syscall is the name of the system call that the thread is in: "read". It
	// is empty if the thread is in none, or if that may not be read. A call
	// that has no name here is "system call 123".
	Syscall string
	Number  int // of the system call; -1 if there is none
	Args    [6]uint64

	// Opens is what a thread in open(2) wants to open: Target, Flags and, if
	// something is there, Kind, Dev and Inode. It is nil for any other thread,
	// and if the thread's memory may not be read.
	Opens *File

	// To is where a thread in connect(2), sendto(2) or sendmsg(2) connects or
	// sends to; nil if it gave no address, or if that may not be read.
	To *Address

	// Blocked are the signals that the thread blocks, Pending those that wait for
	// this thread only. Awaits are those that it waits for in rt_sigtimedwait(2):
	// the kernel does not count them as blocked meanwhile. It is empty if the
	// thread's memory may not be read.
	Blocked, Pending, Awaits SignalSet

	// Polls are the descriptors that a thread in poll(2) waits for.
	Polls []Polled

	// Only the one that fits the call is there.
	SystemV *SystemV
	Futex   *Futex
	Locking *Locking

	Running  bool // on a processor, or waiting for one
	switches switches
	CPU      time.Duration
}

func readThreads(pid int) []Thread {
	tids, _ := numbers(procPath(pid, "task"))
	var threads []Thread
	for _, tid := range tids {
		if t, ok := readThread(pid, tid); ok {
			threads = append(threads, t)
		}
	}
	return threads
}

// A thread that is found running is looked at again: the runtime's monitor interrupts a
// RawSyscall that blocks every 10 ms, so one that waits there may be found so. It runs once
// it was found running so often, and had run in between. One that waits for its turn on a
// busy machine has not: it has to run before it can sleep again. The second bound is for one
// that never gets a turn.
const (
	foundRunning = 3
	mostLooks    = 200
)

func readThread(pid, tid int) (t Thread, ok bool) {
	dir := procPath(pid, "task", strconv.Itoa(tid))
	for looks, ran := 0, 0; looks == 0 || t.Running && ran < foundRunning && looks < mostLooks; looks++ {
		used := cpuTime(dir)
		if looks > 0 {
			if used > t.CPU {
				ran++
			}
			time.Sleep(time.Millisecond)
		}
		s, err := readStat(dir + "/stat")
		if err != nil {
			return t, false // it ended
		}
		t = Thread{TID: tid, State: s.state, Number: -1, Running: s.state == 'R', CPU: used}
		if b, err := os.ReadFile(dir + "/syscall"); err == nil {
			t.parseSyscall(string(b))
		}
	}
	t.readStatus(dir)
	t.Awaits = awaiting(pid, t)
	t.Opens = opening(pid, t)
	t.Polls = polling(pid, t)
	t.SystemV = systemV(pid, t)
	t.Locking = locking(pid, t)
	t.To = addressing(pid, t)
	return t, true
}

// parseSyscall reads the line of /proc/PID/task/TID/syscall: the number, six
// arguments, stack pointer and program counter; or "running"; or "-1" for a
// thread that is blocked outside a system call, on a page fault perhaps.
func (t *Thread) parseSyscall(line string) {
	f := strings.Fields(line)
	if len(f) < 7 {
		t.Running = t.Running || line == "running\n"
		return
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		return
	}
	t.Number, t.Syscall = n, SyscallName(n)
	for i := range t.Args {
		t.Args[i], _ = strconv.ParseUint(f[i+1], 0, 64)
	}
}

// FD is the first argument as a descriptor.
func (t *Thread) FD() int { return int(int32(t.Args[0])) }

// IsIn reports whether the thread is in a call with these arguments. A
// descriptor is an int in C: the upper half of its register means nothing.
func (t *Thread) IsIn(number int, args []uint64) bool {
	if t.Running || t.Number != number {
		return false
	}
	if onDescriptor[t.Syscall] {
		return t.FD() == int(int32(args[0]))
	}
	if t.Syscall == "waitid" && len(args) > 1 && int32(t.Args[1]) != int32(args[1]) {
		return false // another child
	}
	return t.Args[0] == args[0] // the others may have changed: a deadline, a length
}

// BlockedThreads are the threads that wait in a call which tells something.
func (p *Process) BlockedThreads() []*Thread {
	var blocked []*Thread
	for i := range p.Threads {
		t := &p.Threads[i]
		alone := len(p.Threads) == 1 && t.Syscall != "" // no Go program has one thread only
		if !t.Running && (alone || !t.idle()) {
			blocked = append(blocked, t)
		}
	}
	return blocked
}

// idle reports whether the thread is where the threads of any Go program rest.
func (t *Thread) idle() bool {
	if t.Syscall == "futex" {
		return t.Futex == nil // the runtime's own
	}
	return idle[t.Syscall]
}

// CallsReadable reports whether /proc told the system calls of the process.
func (p *Process) CallsReadable() bool {
	for _, t := range p.Threads {
		if t.Syscall != "" {
			return true
		}
	}
	return false
}

// Moved reports whether a thread did something between this look and the time at
// which it was read.
func (s Sight) Moved(pid int, t *Thread) bool {
	g, seen := s.threads[threadID{pid, t.TID}]
	return seen && g.switches != t.switches
}

// ProcessOf returns the process that a thread belongs to, the number itself if the
// thread is gone.
func ProcessOf(tid int) int {
	b, _ := os.ReadFile(procPath(tid, "status"))
	if pid, err := strconv.Atoi(fields(b)["Tgid"]); err == nil {
		return pid
	}
	return tid
}
