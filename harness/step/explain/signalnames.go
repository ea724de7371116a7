package explain

import (
	"strconv"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// signals lists the members of a set as people read them: "SIGUSR1 and SIGUSR2".
func signals(s procfs.SignalSet) string {
	names := s.Names()
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	if len(names) > most {
		return strconv.Itoa(len(names)) + " signals"
	}
	return and(names)
}
