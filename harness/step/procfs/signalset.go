package procfs

import (
	"encoding/binary"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SignalSet is a mask as the kernel writes it. Bit n-1 stands for signal n.
type SignalSet uint64

// Has reports whether the signal is in the set.
func (s SignalSet) Has(n unix.Signal) bool { return s&(1<<(n-1)) != 0 }

// Names are those of its members, in the order of their numbers.
func (s SignalSet) Names() (names []string) {
	for ; s != 0; s &= s - 1 {
		names = append(names, SignalName(unix.Signal(bits.TrailingZeros64(uint64(s))+1)))
	}
	return names
}

// SignalName is SIGUSR1 or, for a real-time signal, SIGRTMIN+2. The C library
// keeps 32 and 33 for itself: its SIGRTMIN is 34.
func SignalName(n unix.Signal) string {
	if name := unix.SignalName(n); name != "" {
		return name
	}
	const min = 34
	switch {
	case n == min:
		return "SIGRTMIN"
	case n > min:
		return "SIGRTMIN+" + strconv.Itoa(int(n)-min)
	}
	return "signal " + strconv.Itoa(int(n))
}

// Signals are the masks of a process. Which signals are blocked is told by
// each thread for itself.
type Signals struct {
	Ignored, Caught SignalSet
	Pending         SignalSet // for the process, so any thread may take them
}

// parseSet reads a mask of /proc/PID/status or of a signalfd's fdinfo.
func parseSet(hex string) SignalSet {
	n, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
	return SignalSet(n)
}

// SignalsOf reads the masks that belong to the whole process. SigBlk is not
// among them: there it is the first thread's, and after signal.Notify the Go
// runtime often keeps one thread that blocks nearly everything.
func SignalsOf(pid int) Signals {
	b, _ := os.ReadFile(procPath(pid, "status"))
	f := fields(b)
	return Signals{Ignored: parseSet(f["SigIgn"]), Caught: parseSet(f["SigCgt"]), Pending: parseSet(f["ShdPnd"])}
}

// readStatus reads what a thread's own status file says.
func (t *Thread) readStatus(dir string) {
	b, _ := os.ReadFile(dir + "/status")
	f := fields(b)
	t.Blocked, t.Pending = parseSet(f["SigBlk"]), parseSet(f["SigPnd"])
	t.switches = switches{f["voluntary_ctxt_switches"], f["nonvoluntary_ctxt_switches"]}
}

// awaiting returns the signals that a thread waits for in rt_sigtimedwait(2).
// The set is in the thread's memory.
func awaiting(pid int, t Thread) SignalSet {
	if t.Syscall != "rt_sigtimedwait" {
		return 0
	}
	b := make([]byte, 8)
	if readMemory(pid, t.Args[0], b) != nil {
		return 0
	}
	return SignalSet(binary.NativeEndian.Uint64(b))
}

// ThreadSignals reads the masks of each thread of a process.
func ThreadSignals(pid int) (all []Thread) {
	tids, _ := numbers(procPath(pid, "task"))
	for _, tid := range tids {
		t := Thread{TID: tid}
		dir := procPath(pid, "task", strconv.Itoa(tid))
		if _, err := os.Stat(dir); err == nil {
			t.readStatus(dir)
			all = append(all, t)
		}
	}
	return all
}
