package explain

import (
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// signals lists the members of a set as people read them: "SIGUSR1 and SIGUSR2".
func signals(s procfs.SignalSet) string {
	var names []string
	for ; s != 0; s &= s - 1 {
		names = append(names, signalName(unix.Signal(bits.TrailingZeros64(uint64(s))+1)))
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
