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

func setOf(signals ...unix.Signal) (s SignalSet) {
	for _, n := range signals {
		s |= 1 << (n - 1)
	}
	return s
}

func (s SignalSet) has(n unix.Signal) bool { return s&setOf(n) != 0 }

// signals are the members of the set, in ascending order.
func (s SignalSet) signals() (members []unix.Signal) {
	for ; s != 0; s &= s - 1 {
		members = append(members, unix.Signal(bits.TrailingZeros64(uint64(s))+1))
	}
	return members
}

// String lists the members as people read them: "SIGUSR1 and SIGUSR2".
func (s SignalSet) String() string {
	var names []string
	for _, n := range s.signals() {
		names = append(names, signalName(n))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	if len(names) > most {
		return strconv.Itoa(len(names)) + " signals"
	}
	return and(names)
}

// signalName is SIGUSR1 or, for a real-time signal, SIGRTMIN+2. The C library
// keeps 32 and 33 for itself: its SIGRTMIN is 34.
func signalName(n unix.Signal) string {
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

// parseSet reads a mask of /proc/PID/status or of a signalfd's fdinfo.
func parseSet(hex string) SignalSet {
	n, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
	return SignalSet(n)
}

// readSignals reads the masks that belong to the whole process. SigBlk is not
// among them: there it is the first thread's, and after signal.Notify the Go
// runtime often keeps one thread that blocks nearly everything.
func readSignals(pid int) Signals {
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

// blocked returns the signals that every thread of the process blocks, but for
// one that does not count (nil for none): nothing takes them until a thread asks
// for them.
func (p *Process) blocked(but *Thread) SignalSet {
	all := ^SignalSet(0)
	for i := range p.Threads {
		if t := &p.Threads[i]; t != but && t.State != 'Z' && t.State != 'X' {
			all &= t.Blocked
		}
	}
	return all
}
