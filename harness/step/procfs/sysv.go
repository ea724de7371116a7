package procfs

import (
	"fmt"
	"os"
	"path/filepath"
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
	row := systemVRow(table, column, t.fd())
	if row == nil {
		return nil
	}
	v := &SystemV{ID: t.fd(), Key: uint32(row["key"])}
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

// onSystemV reports whether the wait is about a System V queue or semaphore.
func (w *wait) onSystemV() bool { return w.how == inCall && w.t != nil && w.t.SystemV != nil }

// explainSystemV says what is in the queue, or what the semaphore is at.
func (c *Case) explainSystemV(w *wait) (lines, advice []string) {
	switch w.call {
	case "msgrcv":
		return c.explainReceive(w)
	case "msgsnd":
		return c.explainSend(w)
	}
	return c.explainSemaphore(w)
}

// name is the id and the key: "5 (key 0x1f)".
func (v *SystemV) name() string {
	if v.Key == 0 {
		return fmt.Sprintf("%d (key IPC_PRIVATE)", v.ID)
	}
	return fmt.Sprintf("%d (key %#x)", v.ID, v.Key)
}
