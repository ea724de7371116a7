package procfs

import "strconv"

// Transferred is how many bytes these processes have read and written so far, by read(2),
// write(2) and their like (proc_pid_io(5)). Of one that may not be asked it is none.
func Transferred(pids []int) (n uint64) {
	for _, pid := range pids {
		glimpseOf(procPath(pid, "io"), func(text []byte) {
			for _, name := range []string{"rchar", "wchar"} {
				bytes, _ := strconv.ParseUint(field(text, name), 10, 64)
				n += bytes
			}
		})
	}
	return n
}
