package procfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SystemV is a System V queue or set of semaphores in which a thread waits. See
// sysvipc(7).
type SystemV struct {
	ID  int
	Key uint32 // 0 is IPC_PRIVATE
	Err error  // why its state may not be read

	Queue     *MessageQueue // of a thread in msgrcv or msgsnd
	Semaphore *Semaphore    // of a thread in semop, nil if its memory may not be read
}

// systemV reads the thing that a thread waits in, nil for any other thread.
func systemV(pid int, t Thread) *SystemV {
	isQueue := t.Syscall == "msgrcv" || t.Syscall == "msgsnd"
	isSet := t.Syscall == "semop" || t.Syscall == "semtimedop"
	if !isQueue && !isSet || !sameIPC(pid) {
		return nil
	}
	table, column := "sem", "semid"
	if isQueue {
		table, column = "msg", "msqid"
	}
	row := systemVRow(table, column, t.FD())
	if row == nil {
		return nil
	}
	v := &SystemV{ID: t.FD(), Key: uint32(row["key"])}
	if isQueue {
		v.readQueue(t, row)
	} else {
		v.readSemaphore(pid, t)
	}
	return v
}

// sameIPC reports whether the process is in our IPC namespace. In another one
// the same number is another thing.
func sameIPC(pid int) bool {
	own, err := os.Readlink(filepath.Join(root, "self", "ns", "ipc"))
	theirs, err2 := os.Readlink(procPath(pid, "ns", "ipc"))
	return err == nil && err2 == nil && own == theirs
}

// SystemVTable reads one of the three lists of System V objects, "msg", "sem" or
// "shm", one map for each object, by column. Anybody may read them, whatever the
// permissions of an object; they show one IPC namespace. See proc_sysvipc(5). A
// kernel without System V IPC has none.
func SystemVTable(table string) (rows []map[string]int) {
	b, err := os.ReadFile(filepath.Join(root, "sysvipc", table))
	if err != nil {
		return nil
	}
	head, rest, _ := strings.Cut(string(b), "\n")
	columns := strings.Fields(head)
	for line := range strings.Lines(rest) {
		row := map[string]int{}
		for i, value := range strings.Fields(line) {
			if i < len(columns) {
				row[columns[i]], _ = strconv.Atoi(value)
			}
		}
		if receiver, is := row["lrpid"]; is {
			row["lrpid"] = processOf(receiver)
		}
		rows = append(rows, row)
	}
	return rows
}

// processOf is the process of a thread. To whom a message is handed while it waits in
// msgrcv(2), of that the kernel notes the thread (pipelined_send), and of all others the
// process.
func processOf(thread int) (pid int) {
	pid = thread
	glimpseOf(procPath(thread, "status"), func(text []byte) {
		if n, err := strconv.Atoi(field(text, "Tgid")); err == nil {
			pid = n
		}
	})
	return pid
}

// systemVRow is the row of one object, nil if there is no such object.
func systemVRow(table, idColumn string, id int) map[string]int {
	for _, row := range SystemVTable(table) {
		if row[idColumn] == id {
			return row
		}
	}
	return nil
}
