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

// again is how often a thread that runs is looked at once more. The runtime's
// monitor interrupts a RawSyscall that blocks every 10 ms, so one that waits there
// may be found running.
const again = 3

func readThread(pid, tid int) (t Thread, ok bool) {
	dir := procPath(pid, "task", strconv.Itoa(tid))
	for look := 0; look == 0 || look <= again && t.Running; look++ {
		if look > 0 {
			time.Sleep(time.Millisecond)
		}
		s, err := readStat(dir + "/stat")
		if err != nil {
			return t, false // it ended
		}
		t = Thread{TID: tid, State: s.state, Number: -1, Running: s.state == 'R'}
		if b, err := os.ReadFile(dir + "/syscall"); err == nil {
			t.parseSyscall(string(b))
		}
	}
	t.CPU = cpuTime(dir)
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
	t.Number, t.Syscall = n, syscallName(n)
	for i := range t.Args {
		t.Args[i], _ = strconv.ParseUint(f[i+1], 0, 64)
	}
}

// fd is the first argument as a descriptor.
func (t *Thread) fd() int { return int(int32(t.Args[0])) }
