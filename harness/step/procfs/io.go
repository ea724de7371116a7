package procfs

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// Transferred is how many bytes these processes have read and written so far, by read(2),
// write(2) and their like (proc_pid_io(5)). Of one that may not be asked it is none.
func Transferred(pids []int) (n uint64) {
	for _, pid := range pids {
		glimpseOf(procPath(pid, "io"), func(text []byte) {
			for _, name := range []string{"rchar", "wchar"} {
				count, _ := strconv.ParseUint(field(text, name), 10, 64)
				n += count
			}
		})
	}
	return n
}

// Delayed is how long the threads of these processes waited so far for a processor, while
// they could have run: because others did, or because their control group had used up its
// time (schedstat, the second number, in nanoseconds).
func Delayed(pids []int) (d time.Duration) {
	for _, pid := range pids {
		dir := procPath(pid, "task")
		threads, _ := os.ReadDir(dir)
		for _, thread := range threads {
			glimpseOf(dir+"/"+thread.Name()+"/schedstat", func(text []byte) {
				if f := bytes.Fields(text); len(f) > 1 {
					n, _ := strconv.ParseInt(string(f[1]), 10, 64)
					d += time.Duration(n)
				}
			})
		}
	}
	return d
}
