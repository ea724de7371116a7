package doctor

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	prometheus "github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/gauge/figure"
	"ipcworkbook/harness/step/limits"
	"ipcworkbook/harness/verdict"
)

// sysctl is a value below /proc/sys, or "" if this kernel has none.
func (m Machine) sysctl(key string) string {
	text, err := os.ReadFile(filepath.Join(m.Proc, "sys", key))
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// least says which values are below the kernel's own, which the chapters rely on, and
// the command that sets those. It is "" if none is.
func (m Machine) least(keys map[string]uint64) (low, mend string) {
	var found, set []string
	for _, key := range sorted(keys) {
		name := strings.ReplaceAll(key, "/", ".")
		value := m.sysctl(key)
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case value == "":
			found = append(found, "no "+name)
		case err == nil && n < keys[key]:
			found = append(found, name+"="+value)
		default:
			continue
		}
		set = append(set, fmt.Sprintf("%s=%d", name, keys[key]))
	}
	if found == nil {
		return "", ""
	}
	return strings.Join(found, ", "), "sudo sysctl " + strings.Join(set, " ")
}

// queues looks at the limits of POSIX message queues (mq_overview(7)).
func (m Machine) queues() Finding {
	f := finding("POSIX queues", "message queues, mq_overview(7)", "all that uses no POSIX queue")
	f.Found = fmt.Sprintf("%s × %s bytes", m.sysctl("fs/mqueue/msg_max"), m.sysctl("fs/mqueue/msgsize_max"))
	if low, mend := m.least(map[string]uint64{"fs/mqueue/msg_max": 10, "fs/mqueue/msgsize_max": 8192, "fs/mqueue/queues_max": 64}); low != "" {
		f.but(Lacking, low, mend)
	}
	if n, err := m.Limit(unix.RLIMIT_MSGQUEUE); err == nil && n < 819200 {
		f.but(Lacking, fmt.Sprintf("RLIMIT_MSGQUEUE is %d bytes", n), "ulimit -q 819200, as root")
	}
	return f
}

// systemV looks at the limits of System V queues, semaphores and segments (sysvipc(7)).
func (m Machine) systemV() Finding {
	f := finding("System V IPC", "queues, semaphores, segments", "all that uses no System V object")
	f.Found = m.sysctl("kernel/msgmni") + " queues"
	if low, mend := m.least(map[string]uint64{"kernel/msgmni": 64, "kernel/msgmax": 8192, "kernel/msgmnb": 16384, "kernel/shmmni": 64, "kernel/shmmax": 32 * mib}); low != "" {
		f.but(Lacking, low, mend)
	}
	return f
}

// pipes looks how large a pipe may be made (pipe(7)).
func (m Machine) pipes() Finding {
	f := finding("pipes", "their capacity, chapter 1", "all steps; a pipe grows no further")
	n, _ := strconv.ParseUint(m.sysctl("fs/pipe-max-size"), 10, 64)
	f.Found = "up to " + size(n)
	if low, mend := m.least(map[string]uint64{"fs/pipe-max-size": mib}); low != "" {
		f.but(Less, low, mend)
	}
	return f
}

// files looks how many files a process may have open.
func (m Machine) files() Finding {
	f := finding("open files", "servers with many clients", "nothing")
	n, err := m.Limit(unix.RLIMIT_NOFILE)
	if f.Found = count(n); err == nil && n < verdict.LeastFiles {
		f.but(Lacking, fmt.Sprintf("%s for a process, and %d are needed", f.Found, verdict.LeastFiles), fmt.Sprintf("ulimit -Hn %d, as root or in limits.conf(5)", 2*verdict.LeastFiles))
	}
	return f
}

// leastTasks is enough for a chapter: as many steps side by side as there are
// processors, with some processes each, and some threads in each of those.
const leastTasks = 500

// tasks looks how many processes and threads there may be: those of this user, and
// those of a container.
func (m Machine) tasks() Finding {
	f := finding("processes", "every step has several", "short steps alone: task test step=4")
	n, err := m.Limit(unix.RLIMIT_NPROC)
	if err != nil || os.Getuid() == 0 {
		n = math.MaxUint64 // root is not counted
	}
	mend := fmt.Sprintf("ulimit -Hu %d, as root or in limits.conf(5)", 8*leastTasks)
	if group, ok := m.inGroup("pids.max"); ok && group < n {
		n, mend = group, fmt.Sprintf("in a container: run it with --pids-limit=%d", 8*leastTasks)
	}
	if f.Found = count(n); n < leastTasks {
		f.but(Less, f.Found+" with their threads", mend)
	}
	return f
}

// inGroup is a limit of this process's control group (cgroups(7), version 2).
func (m Machine) inGroup(file string) (uint64, bool) {
	text, err := os.ReadFile(filepath.Join(m.Proc, "self/cgroup"))
	if err != nil {
		return 0, false
	}
	path, ok := strings.CutPrefix(firstLine(string(text)), "0::")
	if !ok {
		return 0, false
	}
	value, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path, file))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(value)), 10, 64)
	return n, err == nil // "max" is no limit
}

// leastMemory is what building the chapters takes, beside what runs anyway.
const leastMemory = 700 * mib

func (m Machine) memory() Finding {
	f := finding("memory", "building, and the steps", "everything, but a build may be killed")
	fs, err := prometheus.NewFS(m.Proc)
	if err != nil {
		f.but(Less, err.Error(), "mount proc(5)")
		return f
	}
	info, err := fs.Meminfo()
	if err != nil || info.MemAvailableBytes == nil {
		f.Found = "unknown"
		return f
	}
	n := *info.MemAvailableBytes
	if group, ok := m.inGroup("memory.max"); ok {
		n = min(n, group)
	}
	if f.Found = size(n) + " free"; n < leastMemory {
		f.but(Less, f.Found, "end other programs, or give the container more")
	}
	return f
}

// usedUp tries what all programs share: one that has taken the last of it would make right
// solutions fail.
func (m Machine) usedUp() Finding {
	f := finding("what is left", "what all programs share", "steps that need none of it")
	f.Found = "nothing is used up"
	for _, l := range limits.UsedUp(limits.All(m.Temp)) {
		f.but(Lacking, "nothing of this: "+firstLine(l.String()), l.Mend)
	}
	return f
}

// anotherUser looks whether a step may change its user, to show what permissions are for.
func (m Machine) anotherUser() Finding {
	f := finding("another user", "who may not do what, chapters 4 and 6", "all but the ends of two steps")
	if f.Found = "possible"; os.Geteuid() != 0 {
		f.but(Less, "only root may become one", "run the chapter as root: ./task test chapter=4, chapter=6")
	}
	return f
}

func (m Machine) processors() Finding {
	f := finding("processors", "benchmarks with a core each", "all steps, and the benchmarks on one core")
	if f.Found = strconv.Itoa(runtime.NumCPU()); runtime.NumCPU() == 1 {
		f.but(Less, f.Found, "taskset or the container's --cpus may keep the others away")
	}
	return f
}

// count is a limit, for people.
func count(n uint64) string {
	if n > math.MaxInt32 {
		return "no limit"
	}
	return figure.Count(int(n))
}
