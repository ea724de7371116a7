package lab

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// What is taken for a shared mapping by mistake.
var (
	privateMapping = Mechanism{name: "a private mapping: what is written there nobody else sees"}
	// Only a fork could share it, and Go cannot fork without execve(2).
	namelessMapping = Mechanism{name: "a shared mapping of no file: no other process can have it"}
)

// mappings are the mappings that a program makes to share memory.
func mappings(pid int) ([]object, error) {
	maps, err := procfs.Maps(pid)
	program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	var found []object
	for _, m := range maps {
		kind := SharedMapping
		switch {
		case m.Shared && strings.HasPrefix(m.Path, "/dev/zero"):
			kind = namelessMapping
		case !m.Shared && (m.Path == program || !m.Writable || strings.Contains(m.Path, ".so")):
			continue // how a program itself is loaded
		case !m.Shared:
			kind = privateMapping
		}
		// The inode of a System V segment is its id, which may be 0.
		o := object{kind, fmt.Sprintf("%d:%d", m.Dev, m.Inode), m.Path + ", " + kind.name}
		if !slices.Contains(found, o) {
			found = append(found, o)
		}
	}
	return found, err
}

// queues are the System V queues that a process was the last to send to or to
// receive from. They leave no descriptor (proc_sysvipc(5)).
func queues(pid int) (found []object) {
	for _, row := range procfs.SystemVTable("msg") {
		for column, did := range map[string]string{"lspid": "sent to", "lrpid": "received from"} {
			if row[column] == pid {
				id := strconv.Itoa(row["msqid"])
				found = append(found, object{SysVQueue, id, "it has " + did + " queue " + id + ", " + SysVQueue.name})
			}
		}
	}
	return found
}
