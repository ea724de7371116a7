package residue

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// table is one of the three lists of System V objects.
type table struct {
	kind   Kind
	name   string
	id     string // the columns
	maker  string
	detail func(row map[string]int) string
}

var tables = []table{
	{Queue, "msg", "msqid", "lspid", func(row map[string]int) string {
		return count(row["qnum"], "message", "messages")
	}},
	{SemaphoreSet, "sem", "semid", "", func(row map[string]int) string {
		return count(row["nsems"], "semaphore", "semaphores")
	}},
	{Segment, "shm", "shmid", "cpid", func(row map[string]int) string {
		return count(row["size"], "byte", "bytes")
	}},
}

// destroyed is the place of SHM_DEST in the permissions, which are printed in
// octal: the segment is removed and goes with its last user (shmctl(2)).
const destroyed = 1000

func (t table) read(found Objects) {
	for _, row := range procfs.SystemVTable(t.name) {
		found.add(Object{Kind: t.kind, ID: row[t.id], Key: row["key"],
			Maker: row[t.maker], Detail: t.detail(row),
			Removed: t.kind == Segment && row["perms"]/destroyed%2 == 1})
	}
}

// KeyInUse says whether there is a System V object of this key.
func KeyInUse(key int) bool {
	found := Objects{}
	for _, t := range tables {
		t.read(found)
	}
	for _, o := range found {
		if o.Key == key {
			return true
		}
	}
	return false
}

// maxSemaphores is how many semaphores of one set are asked.
const maxSemaphores = 100

// changer returns the process that last changed a semaphore of the set, one of
// the step's if there is one. The kernel says that only to who may read the set
// (semctl(2), GETPID), and only of processes in the same PID namespace.
func changer(id int, who map[int]string) int {
	const getpid = 11 // GETPID, which x/sys/unix lacks
	last := 0
	for i := range maxSemaphores {
		pid, _, errno := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(i), getpid, 0, 0, 0)
		if errno != 0 {
			break // the last one was asked, or nothing is said
		}
		if pid != 0 && (last == 0 || who[last] == "") {
			last = int(pid)
		}
	}
	return last
}

// removeSystemV removes by id: an id is not used again so soon, a key may be.
func removeSystemV(o Object) error {
	var errno unix.Errno
	switch o.Kind {
	case Queue:
		_, _, errno = unix.Syscall(unix.SYS_MSGCTL, uintptr(o.ID), unix.IPC_RMID, 0)
	case SemaphoreSet:
		_, _, errno = unix.Syscall6(unix.SYS_SEMCTL, uintptr(o.ID), 0, unix.IPC_RMID, 0, 0, 0)
	case Segment:
		_, _, errno = unix.Syscall(unix.SYS_SHMCTL, uintptr(o.ID), unix.IPC_RMID, 0)
	}
	switch errno {
	case 0, unix.EINVAL, unix.EIDRM: // gone, or gone already
		return nil
	}
	return fmt.Errorf("removing %v: %w", o, errno)
}
