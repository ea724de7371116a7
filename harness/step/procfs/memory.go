package procfs

import "os"

// readMemory reads what a process has at an address. See proc_pid_mem(5): it
// asks for the right to trace the process.
func readMemory(pid int, addr uint64, b []byte) error {
	mem, err := os.Open(procPath(pid, "mem"))
	if err != nil {
		return err
	}
	defer mem.Close()
	_, err = mem.ReadAt(b, int64(addr))
	return err
}
