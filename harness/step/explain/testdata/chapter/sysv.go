package chapter

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

type message struct {
	kind int64
	text [4096]byte
}

// MsgReceive waits for a message of that type.
func MsgReceive(id, kind int) {
	var m message
	for {
		_, _, errno := unix.Syscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(&m)), uintptr(len(m.text)), uintptr(kind), 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}

// MsgSend sends size bytes as a message of that type.
func MsgSend(id, kind, size int) {
	m := message{kind: int64(kind)}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(&m)), uintptr(size), 0, 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}

// Operation is struct sembuf of semop(2).
type Operation struct {
	Num   uint16
	Op    int16
	Flags int16
}

// SemUndo is SEM_UNDO.
const SemUndo = 0x1000

// Sem does the operations, all of them or none.
func Sem(id int, ops ...Operation) {
	for {
		_, _, errno := unix.Syscall(unix.SYS_SEMOP, uintptr(id), uintptr(unsafe.Pointer(&ops[0])), uintptr(len(ops)))
		if errno != unix.EINTR {
			return
		}
	}
}

// SemWithin gives up after a time.
func SemWithin(id int, op Operation, within unix.Timespec) {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SEMTIMEDOP, uintptr(id), uintptr(unsafe.Pointer(&op)), 1, uintptr(unsafe.Pointer(&within)), 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}

// BareSem does not tell the runtime that it blocks.
func BareSem(id int, op Operation) {
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SEMOP, uintptr(id), uintptr(unsafe.Pointer(&op)), 1)
		if errno != unix.EINTR {
			return
		}
	}
}
