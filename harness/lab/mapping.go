package lab

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What is taken for a shared mapping by mistake.
var (
	privateMapping = Mechanism{name: "a private mapping: what is written there nobody else sees"}
	// Only a fork could share it, and Go cannot fork without execve(2).
	namelessMapping = Mechanism{name: "a shared mapping of no file: no other process can have it"}
)

// mappings are the mappings that a program makes to share memory.
func mappings(pid int) ([]object, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	var found []object
	for line := range strings.Lines(string(text)) {
		// address permissions offset device inode path (proc_pid_maps(5))
		columns := strings.Fields(line)
		// A path of the kernel's own, as [vdso], and anonymous memory have no inode.
		// The inode of a System V segment is its id, which may be 0.
		if len(columns) < 6 || columns[5][0] != '/' {
			continue
		}
		path := strings.Join(columns[5:], " ")
		kind := SharedMapping
		switch shared := strings.HasSuffix(columns[1], "s"); {
		case shared && columns[5] == "/dev/zero":
			kind = namelessMapping
		case !shared && (path == program || !strings.HasPrefix(columns[1], "rw") || strings.Contains(path, ".so")):
			continue // how a program itself is loaded
		case !shared:
			kind = privateMapping
		}
		o := object{kind, columns[3] + ":" + columns[4], path + ", " + kind.name}
		if !slices.Contains(found, o) {
			found = append(found, o)
		}
	}
	return found, err
}

// queues are the System V queues that a process was the last to send to or to
// receive from. They leave no descriptor (proc_sysvipc(5)).
func queues(pid int) ([]object, error) {
	text, err := os.ReadFile("/proc/sysvipc/msg")
	var found []object
	for line := range strings.Lines(string(text)) {
		// key msqid perms cbytes qnum lspid lrpid …
		columns := strings.Fields(line)
		if len(columns) < 7 {
			continue
		}
		for i, did := range map[int]string{5: "sent to", 6: "received from"} {
			if columns[i] == strconv.Itoa(pid) {
				found = append(found, object{SysVQueue, columns[1],
					"it has " + did + " queue " + columns[1] + ", " + SysVQueue.name})
			}
		}
	}
	return found, err
}
